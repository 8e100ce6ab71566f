//! Finds the route that a request is for.
//!
//! *Invariants.* Each row of the table becomes one warp filter, and a request runs the one that was found for it, once. A handler
//! never rejects: it answers or names a problem. It runs after [`Access`](super::auth::Access) let the request in, and before any of
//! its body was read.

use std::cmp::Reverse;
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use hashbrown::HashMap;
use warp::filters::BoxedFilter;
use warp::http::Method;
use warp::reply::Response;
use warp::{Buf, Filter};

use super::State;
use super::call::{BodyStream, Call};
use super::cut::Cut;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::route::{Handler, Route};
use super::template::Template;

/// All routes, found by their path and method.
pub(super) struct Router {
    by_path: HashMap<&'static str, Place>,
    /// Those with an id in their path, the longest ends first.
    by_template: Vec<(Template, Place)>,
}

/// A route, ready to answer.
#[derive(Clone)]
pub(super) struct Ready {
    pub endpoint: &'static Endpoint,
    pub filter: BoxedFilter<(Response,)>,
}

/// Why there is none.
pub(super) struct Unrouted {
    /// The path or template that fits, if only the method does not.
    pub path: Option<&'static str>,
    pub problem: Problem,
}

/// The routes of one path, one for each method; rarely more than two.
type Place = Vec<Ready>;

impl Router {
    /// Prepares routes of a table.
    pub fn new(table: impl IntoIterator<Item = &'static Route>, state: &Arc<State>) -> Self {
        let mut by_path: HashMap<&'static str, Place> = HashMap::new();
        for route in table {
            let ready = Ready { endpoint: &route.endpoint, filter: filter(route.handler, state) };
            by_path.entry(route.endpoint.path).or_default().push(ready);
        }
        let templates: Vec<Template> = by_path.keys().filter_map(|path| Template::of(path)).collect();
        let mut by_template: Vec<(Template, Place)> =
            templates.into_iter().filter_map(|template| Some((template, by_path.remove(template.text())?))).collect();
        by_template.sort_by_key(|(template, _)| Reverse(template.suffix_len()));
        Self { by_path, by_template }
    }

    /// The route for a request.
    ///
    /// # Errors
    /// `not-found` or `method-not-allowed`.
    pub fn find(&self, method: &Method, path: &str) -> Result<Ready, Unrouted> {
        let takes = |ready: &&Ready| ready.endpoint.verb.takes(method);
        let of_path = self.by_path.get(path);
        if let Some(ready) = of_path.and_then(|place| place.iter().find(takes)) {
            return Ok(ready.clone());
        }
        // An id may look like the end of a path: a budget may be called `history`.
        let of_template = self.by_template(path);
        if let Some(ready) = of_template.and_then(|(place, _)| place.iter().find(takes)) {
            return Ok(ready.clone());
        }
        let place = of_path.map(|place| (place, "")).or(of_template);
        let (place, id) = place.ok_or(Unrouted { path: None, problem: Problem::NotFound })?;
        let methods: Vec<&str> = place.iter().map(|ready| ready.endpoint.verb.allow()).collect();
        // An id at the end may have slashes in it, but where no method fits they rather are those of a path that does not exist.
        let problem = if id.contains('/') && path.ends_with(id) {
            Problem::NotFound
        } else {
            Problem::MethodNotAllowed { allow: methods.join(", ") }
        };
        Err(Unrouted { path: place.first().map(|ready| ready.endpoint.path), problem })
    }

    /// The place whose template fits, and the id in the path. A path without an id is nobody's.
    fn by_template<'p>(&self, path: &'p str) -> Option<(&Place, &'p str)> {
        let mut fitting =
            self.by_template.iter().filter_map(|(template, place)| Some((template, place, template.id_in(path)?)));
        let (template, place, id) = fitting.next()?;
        (!id.is_empty() || template.may_lack_id()).then_some((place, id))
    }
}

/// What warp runs for a request that was found to be for this handler.
fn filter(handler: Handler, state: &Arc<State>) -> BoxedFilter<(Response,)> {
    let state = Arc::clone(state);
    let call = warp::ext::get::<Arc<Call>>();
    match handler {
        Handler::Reading(handler) => {
            call.then(move |call: Arc<Call>| respond(handler.answer(Arc::clone(&state), call))).boxed()
        }
        Handler::Writing(handler) => call
            .and(warp::body::stream())
            .then(move |call: Arc<Call>, body| respond(handler.answer(Arc::clone(&state), call, pieces_of(body))))
            .boxed(),
    }
}

async fn respond(answer: impl Future<Output = Result<Response, Problem>>) -> Response {
    answer.await.unwrap_or_else(Problem::into_response)
}

fn pieces_of<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> BodyStream {
    Box::pin(body.map_ok(|mut piece| piece.copy_to_bytes(piece.remaining())).map_err(|_broken| Cut::Early))
}
