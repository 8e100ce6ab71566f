//! Every request passes here, on its way in and out: it is timed, bounded, counted, and survives a panic in its handler.
//!
//! *Invariants.* Each request that hyper could read is counted once, also when its client hung up before the answer was made.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;
use tracing::{Instrument, Span};
use warp::http::{HeaderName, HeaderValue, Request, StatusCode};
use warp::reply::Response;

use super::State;
use super::call::Call;
use super::grpc::GrpcServer;
use super::instruments::fold_method;
use super::problem::Problem;
use super::route::Route;
use super::router::{Ready, Router};
use super::routes::{self, ROUTES};
use super::token::{Scope, Token};
use super::users::PasswordHash;
use crate::net::Peer;
use crate::telemetry::spans;

/// How long a request may take, its body included. Reads that add up months of raw events are the longest.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// The routes, as the server sees them. Cloning shares them.
#[derive(Clone)]
pub struct Surface(Arc<Inner>);

struct Inner {
    router: Router,
    state: Arc<State>,
    call_timeout: Duration,
}

/// Counts a request when it is dropped: answered, or given up by its client.
struct Counted {
    surface: Surface,
    method: &'static str,
    /// The path or template of the route; `None` when no path matched.
    path: Option<&'static str>,
    began: Instant,
    /// `None` until there is an answer.
    status: Option<u16>,
    /// Disabled without a trace endpoint.
    span: Span,
}

// === impl Surface ===

impl Surface {
    /// The whole route table over this state.
    pub fn new(state: State) -> Self {
        Self::over(ROUTES, Arc::new(state), CALL_TIMEOUT)
    }

    pub(super) fn over(table: &'static [Route], state: Arc<State>, call_timeout: Duration) -> Self {
        Self(Arc::new(Inner { router: Router::new(table, &state), state, call_timeout }))
    }

    /// The part of it that takes OTLP, for a port of its own.
    pub fn otlp_only(&self) -> Self {
        let state = Arc::clone(&self.0.state);
        let taken = |route: &&'static Route| routes::OTLP_PATHS.contains(&route.endpoint.path);
        let router = Router::new(ROUTES.iter().filter(taken), &state);
        Self(Arc::new(Inner { router, state, call_timeout: self.0.call_timeout }))
    }

    /// Answers OTLP over gRPC until `shutdown` is ready.
    pub async fn serve_grpc(self, server: GrpcServer, shutdown: impl Future<Output = ()>) {
        server.serve(Arc::clone(&self.0.state), shutdown).await;
    }

    /// Takes other tokens from the next request on; none: only loopback may write.
    pub fn set_tokens(&self, tokens: Vec<Token>) {
        self.0.state.access.set_tokens(tokens);
    }

    /// Takes other users from the next request on; none: everybody may read.
    pub fn set_users(&self, users: &[(String, PasswordHash)]) {
        self.0.state.set_users(users);
    }

    /// Has answers carry other headers from the next one on, unless they have them.
    pub fn set_headers(&self, headers: Vec<(HeaderName, HeaderValue)>) {
        self.0.state.headers.store(Arc::new(headers));
    }

    /// What answers the requests of one connection.
    pub fn service_for(
        &self,
        peer: Peer,
    ) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<> {
        let surface = self.clone();
        service_fn(move |request| {
            let answer = surface.answer(request, peer);
            async move { Ok(answer.await) }
        })
    }

    /// Answers a request. It is counted when the future ends or is dropped, even one that was never polled: hyper may find out
    /// that a client is gone before it looks at the answer at all.
    fn answer(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response> + Send + use<> {
        let found = self.0.router.find(request.method(), request.uri().path());
        let method = fold_method(request.method());
        let span = spans::request(|| method, request.uri().path(), request.headers(), peer);
        let mut counted = Counted {
            surface: self.clone(),
            method,
            path: found.as_ref().map_or_else(|unrouted| unrouted.path, |ready| Some(ready.endpoint.path)),
            began: Instant::now(),
            status: None,
            span: span.clone(),
        };
        async move {
            let mut response = match found {
                Ok(ready) => counted.surface.0.run(ready, request, peer).await,
                Err(unrouted) => unrouted.problem.into_response(),
            };
            for (name, value) in counted.surface.0.state.headers.load().iter() {
                response.headers_mut().entry(name).or_insert_with(|| value.clone());
            }
            counted.answered(response.status());
            response
        }
        .instrument(span)
    }
}

impl Inner {
    /// Answers, within the call's time.
    async fn run(&self, route: Ready, request: Request<Incoming>, peer: Peer) -> Response {
        let endpoint = route.endpoint;
        let answer = tokio::time::timeout(self.call_timeout, self.admit_and_run(route, request, peer));
        match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(answer)) => answer.unwrap_or_else(Problem::into_response),
            Ok(Err(_elapsed)) => Problem::Overloaded.into_response(),
            Err(panic) => {
                let panic = panic_text(panic.as_ref());
                tracing::error!(panic, endpoint = endpoint.path, "a request handler panicked");
                Problem::Internal.into_response()
            }
        }
    }

    /// Runs a route for who may ask for it. A write has a place among those in progress until it is answered.
    async fn admit_and_run(&self, route: Ready, mut request: Request<Incoming>, peer: Peer) -> Result<Response, Problem> {
        let Ready { endpoint, filter } = route;
        let mut call = Call::of(&mut request, peer, endpoint);
        call.token = self.state.admit(&call).await?;
        let _place = match endpoint.scope {
            Scope::Read => None,
            Scope::Record | Scope::Reserve | Scope::Admin => {
                Some(self.state.room.for_write().await.ok_or(Problem::Overloaded)?)
            }
        };
        request.extensions_mut().insert(Arc::new(call));
        let service = TowerToHyperService::new(warp::service(filter));
        match service.call(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }
}

impl std::fmt::Debug for Surface {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Surface")
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

// === impl Counted ===

impl Counted {
    fn answered(&mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        spans::answered(&self.span, || self.method, || self.path, self.status);
        let instruments = &self.surface.0.state.instruments;
        instruments.count_request(self.method, self.path, self.status, self.began.elapsed());
    }
}
