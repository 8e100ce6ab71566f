//! What is promised of one method on one path, as data.
//!
//! An [`Endpoint`] says everything about a route but who answers. Routing, the 404 and the 405, admission, the query string, the
//! body's type, the label of the metrics, the index page and the check of `openapi.json` all read it.

use warp::http::Method;

use super::token::Scope;
use crate::formats::{self, CallFormat, Format};

/// One method on one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    pub verb: Verb,
    /// The path, or a template of paths with `{id}` or the like in it. The label of the metrics, the same for every id.
    pub path: &'static str,
    pub group: Group,
    /// What it is for, in a few words; the same in `openapi.json`.
    pub summary: &'static str,
    pub scope: Scope,
    pub query: Parameters,
    pub accepts: Accepts,
    /// A query that makes the path a useful link on the index page: where parameters are required.
    pub link_query: &'static str,
}

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// GET, and HEAD too. (Hyper leaves out the body when the method is HEAD.)
    Get,
    Post,
    Put,
    /// Every method, also those that nobody defined: for gateways that ask with their caller's.
    Any,
}

/// What belongs together, for readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Costs,
    Prices,
    Budgets,
    Gate,
    Reservations,
    Fleet,
    Operations,
    About,
}

/// Which query parameters may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameters {
    /// The query string is not looked at.
    Ignored,
    /// These, each once. Anything else is an error.
    Known(&'static [&'static str]),
    /// These, each once, among others that are meant for somebody else.
    Among(&'static [&'static str]),
}

/// What the body may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Accepts {
    /// No body is read.
    Nothing,
    /// One JSON object.
    Json,
    /// One JSON object, or nothing at all.
    OptionalJson,
    /// Events, in one of these formats.
    Events(&'static [Format]),
    /// Calls, in one of these formats.
    Calls(&'static [CallFormat]),
}

// === impl Endpoint ===

impl Endpoint {
    /// An endpoint that only an admin may ask, without query parameters or a body.
    pub const fn new(verb: Verb, path: &'static str) -> Self {
        Self {
            verb,
            path,
            group: Group::About,
            summary: "",
            scope: Scope::Admin,
            query: Parameters::Known(&[]),
            accepts: Accepts::Nothing,
            link_query: "",
        }
    }
}

// === impl Verb ===

impl Verb {
    /// Whether a request with this method is meant.
    pub fn takes(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET || method == Method::HEAD,
            Self::Post => method == Method::POST,
            Self::Put => method == Method::PUT,
            Self::Any => true,
        }
    }

    /// Its methods, as `Allow` lists them.
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            // Never told: there is no method that it does not take.
            Self::Any => "*",
        }
    }

    /// The method that it is named after, and described under in `openapi.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get | Self::Any => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

// === impl Group ===

impl Group {
    /// In the order in which people meet them.
    pub const ALL: [Self; 8] = [
        Self::Costs,
        Self::Prices,
        Self::Budgets,
        Self::Gate,
        Self::Reservations,
        Self::Fleet,
        Self::Operations,
        Self::About,
    ];

    /// Its heading on the index page, and its tag in `openapi.json`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Costs => "Costs",
            Self::Prices => "Prices",
            Self::Budgets => "Budgets",
            Self::Gate => "Scaling gate",
            Self::Reservations => "Reservations",
            Self::Fleet => "Fleet",
            Self::Operations => "Operations",
            Self::About => "About",
        }
    }
}

// === impl Accepts ===

impl Accepts {
    /// The formats of events among which the `Content-Type` chooses.
    pub const fn formats(self) -> &'static [Format] {
        match self {
            Self::Nothing | Self::Json | Self::OptionalJson | Self::Calls(_) => &[],
            Self::Events(formats) => formats,
        }
    }

    /// What the `Content-Type` may be.
    pub fn media_types(self) -> Vec<&'static str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Json | Self::OptionalJson => vec![formats::JSON],
            Self::Events(formats) => formats.iter().flat_map(|format| format.media_types).copied().collect(),
            Self::Calls(formats) => formats.iter().flat_map(|format| format.media_types).copied().collect(),
        }
    }
}
