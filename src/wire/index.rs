//! `GET /` for programs: what runs here, and what it answers to.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What runs here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexAnswer<'a> {
    /// The program's name.
    pub program: Cow<'a, str>,
    /// Its version.
    pub version: Cow<'a, str>,
    /// What it is for.
    pub description: Cow<'a, str>,
    /// Everything that it answers to.
    pub routes: Vec<RouteItem<'a>>,
}

/// One method on one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteItem<'a> {
    /// The method; `*` for all of them.
    pub method: Cow<'a, str>,
    /// The path, or a template of paths.
    pub path: Cow<'a, str>,
    /// What it is for, in a few words.
    pub summary: Cow<'a, str>,
    /// The query parameters that it takes.
    pub query: Vec<Cow<'a, str>>,
}
