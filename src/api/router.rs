//! How a handler becomes a route.
//!
//! *Invariants.* A handler never rejects: it answers or names a problem. So a rejection means that no route took the request,
//! and what [`Call`] noted on the way says whether the path or only the method was unknown. A write's handler runs after
//! [`Admission`](super::auth::Admission) let the request in, and before any of its body was read.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Buf, Filter, Rejection};

use super::State;
use super::call::{BodyStream, Call};
use super::problem::Problem;
use super::template::Template;

/// A route, or several.
type Route = BoxedFilter<(Response,)>;

/// A path or a template of paths, and who answers there.
pub(super) struct Endpoint {
    template: &'static str,
    route: Route,
}

/// All routes, found by their path: tried in turn, the last of them would cost more than its answer.
pub(super) struct Routes {
    by_path: HashMap<&'static str, Route>,
    /// Those with an id in their path, the longest ends first.
    by_template: Vec<(Template, Route)>,
    /// For every other path.
    unrouted: Route,
}

/// A path that answers to GET and HEAD, for anybody. (Hyper leaves out the body when the method is HEAD.)
pub(super) fn read<H, F>(state: &Arc<State>, template: &'static str, handler: H) -> Endpoint
where
    H: Fn(Arc<State>, Arc<Call>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let state = Arc::clone(state);
    let route = at(template, &["GET", "HEAD"])
        .then(move |call| {
            let answer = handler(Arc::clone(&state), call);
            async move { answer.await.unwrap_or_else(Problem::into_response) }
        })
        .boxed();
    Endpoint { template, route }
}

/// A path that answers to POST, for those who may write.
pub(super) fn write<H, F>(state: &Arc<State>, template: &'static str, handler: H) -> Endpoint
where
    H: Fn(Arc<State>, Arc<Call>, BodyStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    write_by(&["POST"], state, template, handler)
}

/// A path that answers to PUT, for those who may write.
pub(super) fn put<H, F>(state: &Arc<State>, template: &'static str, handler: H) -> Endpoint
where
    H: Fn(Arc<State>, Arc<Call>, BodyStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    write_by(&["PUT"], state, template, handler)
}

fn write_by<H, F>(methods: &'static [&'static str], state: &Arc<State>, template: &'static str, handler: H) -> Endpoint
where
    H: Fn(Arc<State>, Arc<Call>, BodyStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let state = Arc::clone(state);
    let route = at(template, methods)
        .and(warp::body::stream())
        .then(move |call: Arc<Call>, body| {
            let admitted = state.admission.check(&call);
            let answer = admitted.map(|()| handler(Arc::clone(&state), call, pieces_of(body)));
            async move {
                match answer {
                    Ok(answer) => answer.await.unwrap_or_else(Problem::into_response),
                    Err(problem) => problem.into_response(),
                }
            }
        })
        .boxed();
    Endpoint { template, route }
}

fn pieces_of<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> BodyStream {
    Box::pin(body.map_ok(|mut piece| piece.copy_to_bytes(piece.remaining())))
}

impl Routes {
    /// Joins endpoints; what none of them takes is 404 or 405.
    pub fn of(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        let unrouted = warp::ext::get::<Arc<Call>>().map(|call: Arc<Call>| unrouted(&call)).boxed();
        let mut by_path: HashMap<&'static str, Route> = HashMap::new();
        for Endpoint { template, route } in endpoints {
            let others = by_path.remove(template).unwrap_or_else(|| unrouted.clone());
            by_path.insert(template, route.or(others).unify().boxed());
        }
        let templates: Vec<Template> = by_path.keys().filter_map(|path| Template::of(path)).collect();
        let mut by_template: Vec<(Template, Route)> =
            templates.into_iter().filter_map(|template| Some((template, by_path.remove(template.text())?))).collect();
        by_template.sort_by_key(|(template, _)| Reverse(template.suffix_len()));
        Self { by_path, by_template, unrouted }
    }

    /// Who answers at this path. A path without the id that its template has a place for is nobody's.
    pub fn at(&self, path: &str) -> Route {
        let with_id = || {
            let mut fitting = self.by_template.iter().filter_map(|(template, route)| Some((template.id_in(path)?, route)));
            fitting.next().and_then(|(id, route)| (!id.is_empty()).then_some(route))
        };
        self.by_path.get(path).or_else(with_id).unwrap_or(&self.unrouted).clone()
    }
}

/// Requests for this route's path with one of these methods.
fn at(
    template: &'static str,
    methods: &'static [&'static str],
) -> impl Filter<Extract = (Arc<Call>,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::ext::get::<Arc<Call>>().and_then(move |call: Arc<Call>| {
        std::future::ready(if call.matches(template, methods) { Ok(call) } else { Err(warp::reject()) })
    })
}

fn unrouted(call: &Call) -> Response {
    let template = call.template();
    // An id at the end may have slashes in it, but where the method fits no route they rather are those of a path that does not
    // exist.
    let at_the_end = template.and_then(Template::of).filter(|template| template.suffix_len() == 0);
    let id = at_the_end.and_then(|template| template.id_in(call.uri.path()));
    match template {
        Some(_) if id.is_some_and(|id| id.contains('/')) => Problem::NotFound.into_response(),
        Some(_) => Problem::MethodNotAllowed { allow: call.allowed_methods() }.into_response(),
        None => Problem::NotFound.into_response(),
    }
}
