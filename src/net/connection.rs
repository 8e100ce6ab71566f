//! One HTTP/1 connection, from its first byte to its last.
//!
//! *Limits.* [`Pace`] bounds its time, [`HEADER_BYTES_MAX`] and [`READ_BUFFER_BYTES_MAX`] its memory, [`LINGER`] its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::pace::{Pace, PacedStream};
use super::paced_body::PacedBody;
use super::stream::Wire;

/// Request line and headers together. Browsers and proxies stay below 8 KiB; hyper answers 431 beyond the bound.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Bytes read ahead of what has been taken: 32 MiB over 512 connections.
const READ_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a client that has its answer may go on sending a body that nobody reads. Closing while bytes are under way makes the kernel
/// send a reset, which can destroy the answer before the client has read it.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes read and thrown away in that time.
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Serves requests until the client leaves, a phase takes too long, or the request under way is answered after its place was wanted or
/// `draining` turned true.
pub(super) async fn drive<T, S, B>(stream: T, service: S, pace: Arc<Pace>, mut draining: watch::Receiver<bool>)
where
    T: Wire,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Unpin,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static,
{
    let answered_midway = Arc::new(AtomicBool::new(false));
    let service = {
        let (pace, answered_midway) = (Arc::clone(&pace), Arc::clone(&answered_midway));
        service_fn(move |request: Request<Incoming>| {
            let (pace, answered_midway) = (Arc::clone(&pace), Arc::clone(&answered_midway));
            pace.call_begins();
            let has_body = !Body::is_end_stream(request.body());
            let answer = service.call(request);
            // Boxed: `poll_without_shutdown`, which leaves the stream open to linger on, wants a future that can be moved.
            Box::pin(async move {
                let answer = answer.await;
                // Refused, or answered by somebody who did not want the body and therefore closes the connection.
                let is_cut_short = |answer: &Response<B>| {
                    let status = answer.status();
                    status.is_client_error() || status.is_server_error() || answer.headers().contains_key(CONNECTION)
                };
                answered_midway.store(has_body && answer.as_ref().is_ok_and(is_cut_short), Ordering::Relaxed);
                pace.call_ends();
                answer.map(|answer| answer.map(|body| PacedBody::new(body, pace)))
            })
        })
    };
    let io = TokioIo::new(PacedStream::new(stream, Arc::clone(&pace)));
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(READ_BUFFER_BYTES_MAX)
        .serve_connection(io, service);

    let mut drains = false;
    let ended = loop {
        tokio::select! {
            // First, so that a request that has come is known before the connection ends for being idle.
            biased;
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = pace.expired() => return,
            () = pace.asked_to_leave(), if !drains => {
                if pace.is_dispensable() {
                    return;
                }
                drains = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            // A dropped sender means that the server is gone: the same as draining.
            _ = draining.wait_for(|draining| *draining), if !drains => {
                drains = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if ended.is_err() {
        return;
    }
    let stream = connection.into_parts().io.into_inner();
    let is_midway = answered_midway.load(Ordering::Relaxed);
    tokio::select! {
        () = async { if is_midway { linger(stream).await } else { say_the_end(stream).await } } => {}
        () = pace.asked_to_leave() => {}
    }
}

/// In TLS the end is said; without that, an answer that ends with the connection looks cut off.
async fn say_the_end<T: Wire>(mut stream: PacedStream<T>) {
    let _ = tokio::time::timeout(LINGER, stream.shutdown()).await;
}

/// Says that no more will be written, and reads what the client still sends, so that the answer arrives.
async fn linger<T: Wire>(mut stream: PacedStream<T>) {
    let discard = async {
        stream.shutdown().await?;
        let mut discarded = vec![0; 16 * 1024];
        let mut total = 0;
        while total < LINGER_BYTES_MAX {
            match stream.read(&mut discarded).await? {
                0 => break,
                count => total += count,
            }
        }
        io::Result::Ok(())
    };
    // Whether the client closes, fails or takes too long, the connection is over.
    let _ = tokio::time::timeout(LINGER, discard).await;
}
