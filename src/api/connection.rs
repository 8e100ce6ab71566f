//! One HTTP/1 connection, from its first byte to its last.
//!
//! *Limits.* [`Pace`] bounds its time, [`HEADER_BYTES_MAX`] and [`READ_BUFFER_BYTES_MAX`] its memory, [`LINGER`] its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Surface;
use super::pace::{Pace, PacedStream};

/// Request line and headers together. Browsers and proxies stay below 8 KiB; hyper answers 431 beyond the bound.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Bytes read ahead of what has been taken: 32 MiB over 512 connections.
const READ_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a refused client may go on sending a body that nobody reads. Closing while bytes are under way makes the kernel
/// send a reset, which can destroy the answer before the client has read why it was refused.
const LINGER: Duration = Duration::from_secs(2);
/// Bytes read and thrown away in that time.
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Serves requests until the client leaves, a phase takes too long, or `draining` turns true and the request under way is
/// answered.
pub(super) async fn drive(
    stream: TcpStream,
    peer: SocketAddr,
    surface: Surface,
    pace: Arc<Pace>,
    mut draining: watch::Receiver<bool>,
) {
    let refused_midway = Arc::new(AtomicBool::new(false));
    let service = {
        let (pace, refused_midway) = (Arc::clone(&pace), Arc::clone(&refused_midway));
        service_fn(move |request: Request<Incoming>| {
            let (pace, refused_midway) = (Arc::clone(&pace), Arc::clone(&refused_midway));
            pace.call_begins();
            let has_body = !Body::is_end_stream(request.body());
            let answer = surface.answer(request, peer);
            // Boxed: `poll_without_shutdown`, which leaves the socket open to linger on, wants a future that can be moved.
            Box::pin(async move {
                let answer = answer.await;
                let refused = answer.status().is_client_error() || answer.status().is_server_error();
                refused_midway.store(has_body && refused, Ordering::Relaxed);
                pace.call_ends();
                Ok::<_, Infallible>(answer)
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
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            () = pace.expired() => return,
            // A dropped sender means that the server is gone: the same as draining.
            _ = draining.wait_for(|draining| *draining), if !drains => {
                drains = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if ended.is_ok() && refused_midway.load(Ordering::Relaxed) {
        linger(connection.into_parts().io.into_inner()).await;
    }
}

/// Says that no more will be written, and reads what the client still sends, so that the answer arrives.
async fn linger(mut stream: PacedStream) {
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
        std::io::Result::Ok(())
    };
    // Whether the client closes, fails or takes too long, the connection is over.
    let _ = tokio::time::timeout(LINGER, discard).await;
}
