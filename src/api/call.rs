//! What a handler is told about a request.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::Stream;
use warp::http::{HeaderMap, Method, Request, Uri};

use super::percent;
use super::problem::Problem;
use super::template::Template;
use crate::net::Peer;

/// A request's body as it comes. The error says only that it ended early or broke the transfer coding.
pub(super) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// A request without its body. It travels in the request's extensions, because routes are chosen inside warp, and those who
/// count requests stand outside.
#[derive(Debug)]
pub(super) struct Call {
    pub peer: Peer,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    matched: Mutex<Matched>,
}

/// What routing found out so far.
#[derive(Debug, Default)]
struct Matched {
    template: Option<&'static str>,
    /// Methods that the path knows, collected while none of them was the request's.
    methods: Vec<&'static str>,
}

impl Call {
    /// Takes a request's headers; the request keeps method and path, by which warp chooses the route.
    pub fn of<B>(request: &mut Request<B>, peer: Peer) -> Self {
        Self {
            peer,
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: std::mem::take(request.headers_mut()),
            matched: Mutex::default(),
        }
    }

    /// The template of the route whose path matched; `None` when no path did.
    pub fn template(&self) -> Option<&'static str> {
        self.lock().template
    }

    /// The id in the path, decoded.
    ///
    /// # Errors
    /// `malformed`: it is not valid percent-encoding of UTF-8. `not-found`: the route's template has none.
    pub fn id(&self) -> Result<Cow<'_, str>, Problem> {
        let template = self.template().and_then(Template::of).ok_or(Problem::NotFound)?;
        let id = template.id_in(self.uri.path()).ok_or(Problem::NotFound)?;
        percent::decode(id).map_err(|error| Problem::malformed(format!("the id in the path {error}")))
    }

    /// The methods that the path would have known, ready for `Allow`.
    pub fn allowed_methods(&self) -> String {
        self.lock().methods.join(", ")
    }

    /// Whether the method is one of this route, whose path it is. Notes what was found either way.
    pub fn matches(&self, template: &'static str, methods: &'static [&'static str]) -> bool {
        let mut matched = self.lock();
        matched.template = Some(template);
        if methods.contains(&self.method.as_str()) {
            return true;
        }
        matched.methods.extend(methods);
        false
    }

    fn lock(&self) -> MutexGuard<'_, Matched> {
        self.matched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
