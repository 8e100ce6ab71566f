//! A row of the route table: an [`Endpoint`], and who answers there.

use std::pin::Pin;
use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::call::{BodyStream, Call};
use super::endpoint::{Accepts, Endpoint, Group, Parameters, Verb};
use super::problem::Problem;
use super::token::Scope;

/// An answer on its way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// A handler without a body: any `async fn(Arc<State>, Arc<Call>) -> Result<Response, Problem>`.
pub(super) trait Reading: Sync {
    fn answer(&self, state: Arc<State>, call: Arc<Call>) -> Answering;
}

/// A handler with a body: any `async fn(Arc<State>, Arc<Call>, BodyStream) -> Result<Response, Problem>`.
pub(super) trait Writing: Sync {
    fn answer(&self, state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Answering;
}

/// Who answers.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Reading(&'static dyn Reading),
    Writing(&'static dyn Writing),
}

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub endpoint: Endpoint,
    pub handler: Handler,
}

/// Answers to GET and HEAD, for anybody.
pub(super) const fn get(path: &'static str, handler: &'static dyn Reading) -> Route {
    let endpoint = Endpoint { scope: Scope::Read, ..Endpoint::new(Verb::Get, path) };
    Route { endpoint, handler: Handler::Reading(handler) }
}

/// Answers to POST.
pub(super) const fn post(path: &'static str, handler: &'static dyn Writing) -> Route {
    Route { endpoint: Endpoint::new(Verb::Post, path), handler: Handler::Writing(handler) }
}

/// Answers to every method, for anybody.
pub(super) const fn any(path: &'static str, handler: &'static dyn Writing) -> Route {
    let endpoint = Endpoint { scope: Scope::Read, ..Endpoint::new(Verb::Any, path) };
    Route { endpoint, handler: Handler::Writing(handler) }
}

/// Answers to PUT.
pub(super) const fn put(path: &'static str, handler: &'static dyn Writing) -> Route {
    Route { endpoint: Endpoint::new(Verb::Put, path), handler: Handler::Writing(handler) }
}

// === impl Route ===

impl Route {
    /// Says where it belongs, and in a few words what it is for.
    pub const fn about(mut self, group: Group, summary: &'static str) -> Self {
        self.endpoint.group = group;
        self.endpoint.summary = summary;
        self
    }

    /// Takes these query parameters.
    pub const fn query(mut self, names: &'static [&'static str]) -> Self {
        self.endpoint.query = Parameters::Known(names);
        self
    }

    /// Takes these query parameters, and leaves others alone.
    pub const fn query_among_others(mut self, names: &'static [&'static str]) -> Self {
        self.endpoint.query = Parameters::Among(names);
        self
    }

    /// Does not look at the query string.
    pub const fn ignoring_query(mut self) -> Self {
        self.endpoint.query = Parameters::Ignored;
        self
    }

    /// Shows people how it is asked.
    pub const fn linked_as(mut self, query: &'static str) -> Self {
        self.endpoint.link_query = query;
        self
    }

    /// Is for those who have this scope.
    pub const fn needs(mut self, scope: Scope) -> Self {
        self.endpoint.scope = scope;
        self
    }

    /// Reads such a body.
    pub const fn accepts(mut self, accepts: Accepts) -> Self {
        self.endpoint.accepts = accepts;
        self
    }
}

impl<H, F> Reading for H
where
    H: Fn(Arc<State>, Arc<Call>) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    fn answer(&self, state: Arc<State>, call: Arc<Call>) -> Answering {
        Box::pin(self(state, call))
    }
}

impl<H, F> Writing for H
where
    H: Fn(Arc<State>, Arc<Call>, BodyStream) -> F + Sync,
    F: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    fn answer(&self, state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Answering {
        Box::pin(self(state, call, body))
    }
}
