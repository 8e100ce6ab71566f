//! What a handler is told about a request.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use warp::http::{HeaderMap, Request, Uri};

use super::cut::Cut;
use super::endpoint::Endpoint;
use super::percent;
use super::problem::Problem;
use super::template::Template;
use crate::net::Peer;

/// A request's body as it comes. The error is [`Cut::Early`]: it ended early or broke the transfer coding.
pub(super) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>;

/// A request without its body, and what it was found to be for. It travels in the request's extensions, because handlers run
/// inside warp.
#[derive(Debug)]
pub(super) struct Call {
    /// Who is at the other end of the connection.
    pub peer: Peer,
    pub endpoint: &'static Endpoint,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// The name of the token that it was let in with, if that has one.
    pub token: Option<Arc<str>>,
}

impl Call {
    /// Takes a request's headers.
    pub fn of<B>(request: &mut Request<B>, peer: Peer, endpoint: &'static Endpoint) -> Self {
        Self { peer, endpoint, uri: request.uri().clone(), headers: std::mem::take(request.headers_mut()), token: None }
    }

    /// The id in the path, decoded.
    ///
    /// # Errors
    /// `malformed`: it is not valid percent-encoding of UTF-8. `not-found`: the endpoint's path has none.
    pub fn id(&self) -> Result<Cow<'_, str>, Problem> {
        let template = Template::of(self.endpoint.path).ok_or(Problem::NotFound)?;
        let id = template.id_in(self.uri.path()).ok_or(Problem::NotFound)?;
        percent::decode(id).map_err(|error| Problem::malformed(format!("The ID in the path {error}")))
    }
}
