//! How a handler becomes a route.
//!
//! *Invariants.* A handler never rejects: it answers or names a problem. So a rejection means that no route took the request,
//! and what [`Call`] noted on the way says whether the path or only the method was unknown. A write's handler runs after
//! [`Admission`](super::auth::Admission) let the request in, and before any of its body was read.

use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Buf, Filter, Rejection};

use super::State;
use super::call::{BodyStream, Call};
use super::problem::Problem;

/// A route, or several.
pub(super) type Route = BoxedFilter<(Response,)>;

/// A path that answers to GET and HEAD, for anybody. (Hyper leaves out the body when the method is HEAD.)
pub(super) fn read<H, F>(state: &Arc<State>, template: &'static str, handler: H) -> Route
where
    H: Fn(Arc<State>, Arc<Call>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let state = Arc::clone(state);
    at(template, &["GET", "HEAD"])
        .then(move |call| {
            let answer = handler(Arc::clone(&state), call);
            async move { answer.await.unwrap_or_else(Problem::into_response) }
        })
        .boxed()
}

/// A path that answers to POST, for those who may write.
pub(super) fn write<H, F>(state: &Arc<State>, template: &'static str, handler: H) -> Route
where
    H: Fn(Arc<State>, Arc<Call>, BodyStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response, Problem>> + Send,
{
    let state = Arc::clone(state);
    at(template, &["POST"])
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
        .boxed()
}

fn pieces_of<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> BodyStream {
    Box::pin(body.map_ok(|mut piece| piece.copy_to_bytes(piece.remaining())))
}

/// All routes as one, tried in their order; what none of them takes is 404 or 405.
pub(super) fn join(routes: impl DoubleEndedIterator<Item = Route>) -> Route {
    // From the end, so that the first route is reached in one step however many there are.
    let joined = routes.rev().reduce(|later, route| route.or(later).unify().boxed());
    let joined = joined.unwrap_or_else(|| warp::any().and_then(|| async { Err(warp::reject()) }).boxed());
    joined.or(warp::ext::get::<Arc<Call>>().map(|call: Arc<Call>| unrouted(&call))).unify().boxed()
}

/// Requests for this path with one of these methods.
fn at(
    template: &'static str,
    methods: &'static [&'static str],
) -> impl Filter<Extract = (Arc<Call>,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::ext::get::<Arc<Call>>().and_then(move |call: Arc<Call>| {
        std::future::ready(if call.matches(template, methods) { Ok(call) } else { Err(warp::reject()) })
    })
}

fn unrouted(call: &Call) -> Response {
    match call.template() {
        Some(_) => Problem::MethodNotAllowed { allow: call.allowed_methods() }.into_response(),
        None => Problem::NotFound.into_response(),
    }
}
