//! An answer that is made while it is read: whoever waits for whom.
//!
//! While the next piece is being made, the client has nothing to read and is not to blame; once it is made, the client has to take it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::pace::Pace;

/// A body that tells its connection's [`Pace`] who is waited for.
pub(super) struct PacedBody<B> {
    body: B,
    pace: Arc<Pace>,
    /// Whether it is made while it is read; all others are there at once.
    is_streamed: bool,
}

impl<B: Body> PacedBody<B> {
    pub fn new(body: B, pace: Arc<Pace>) -> Self {
        let is_streamed = body.size_hint().exact().is_none();
        Self { body, pace, is_streamed }
    }
}

impl<B: Body + Unpin> Body for PacedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if self.is_streamed {
            match polled {
                Poll::Pending => self.pace.call_begins(),
                Poll::Ready(_) => self.pace.call_ends(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
