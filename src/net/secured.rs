//! The bytes of a connection in TLS.
//!
//! The handshake is made by whoever reads first, so accepting never waits for it, and the time that a client has for its first request
//! bounds it.
//!
//! *Invariants.* Nothing is read from or written to a connection in TLS before its handshake is done.
//!
//! *Limits.* A client that speaks HTTP where TLS is asked for is told so; [`MISLED_BYTES_MAX`] of what it sends is read past.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// The first byte of a client that speaks TLS: a record of its handshake.
const HANDSHAKE: u8 = 22;
/// Read before the connection of somebody who did not speak TLS is closed; closing on unread bytes may destroy the answer.
const MISLED_BYTES_MAX: usize = 64 * 1024;
/// What such a client is told, in the form of all problems.
const ASK_BY_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
Content-Type: application/problem+json\r\nContent-Length: 124\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n\
{\"type\":\"/problems/malformed\",\"title\":\"Malformed request\",\"status\":400,\"detail\":\"This port speaks TLS: ask it by https://.\"}";

/// The bytes of a connection in TLS.
#[derive(Debug)]
pub struct Secured(State);

enum State {
    /// Nothing has come yet.
    Unheard(TcpStream, Arc<ServerConfig>),
    Shaking(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// Somebody did not speak TLS.
    Misled(Misled),
    Over,
}

/// A client that is being told to speak TLS.
struct Misled {
    stream: TcpStream,
    told: usize,
    has_shut: bool,
    read: usize,
}

impl Secured {
    /// Will speak TLS over this.
    pub(super) fn new(stream: TcpStream, tls: Arc<ServerConfig>) -> Self {
        Self(State::Unheard(stream, tls))
    }

    /// Whether the client has begun its handshake, also if it has not said anything inside of TLS yet.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.0, State::Unheard(..))
    }

    /// Comes to where bytes may go in and out.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let next = match &mut self.0 {
                State::Tls(_) => return Poll::Ready(Ok(())),
                State::Unheard(stream, _) => ready!(poll_first_byte(stream, context)).map(|byte| self.begin(byte)),
                State::Shaking(accept) => {
                    let shaken = ready!(Pin::new(accept.as_mut()).poll(context));
                    shaken
                        .inspect_err(|error| tracing::debug!(%error, "a handshake failed"))
                        .map(|stream| State::Tls(Box::new(stream)))
                }
                State::Misled(misled) => ready!(misled.poll_told(context)).map(|()| State::Over),
                State::Over => Err(io::ErrorKind::NotConnected.into()),
            };
            match next {
                Ok(next) => self.0 = next,
                Err(error) => {
                    self.0 = State::Over;
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// What to do with somebody whose first byte has come.
    fn begin(&mut self, first: u8) -> State {
        match std::mem::replace(&mut self.0, State::Over) {
            State::Unheard(stream, tls) if first == HANDSHAKE => {
                State::Shaking(Box::new(TlsAcceptor::from(tls).accept(stream)))
            }
            State::Unheard(stream, _) => State::Misled(Misled { stream, told: 0, has_shut: false, read: 0 }),
            state => state,
        }
    }
}

/// Looks at the first byte and leaves it there.
fn poll_first_byte(stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<u8>> {
    let mut first = [0];
    match ready!(stream.poll_peek(context, &mut ReadBuf::new(&mut first)))? {
        0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        _ => Poll::Ready(Ok(first[0])),
    }
}

impl Misled {
    /// Tells it, says that no more will be written, and reads what is still under way.
    fn poll_told(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = ASK_BY_TLS.get(self.told..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                told => self.told += told,
            }
        }
        if !self.has_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.has_shut = true;
        }
        let mut unread = [0; 1024];
        while self.read < MISLED_BYTES_MAX {
            let mut buffer = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                read => self.read += read,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(context))?;
        match &mut self.0 {
            State::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        match &mut self.0 {
            State::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        match &mut self.0 {
            State::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Tls(stream) => Pin::new(stream).poll_flush(context),
            // Nothing has been written yet.
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Unheard(stream, _) => Pin::new(stream).poll_shutdown(context),
            State::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            // Where there was no handshake there is nothing to say good-bye to.
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Unheard(..) => "Unheard",
            Self::Shaking(_) => "Shaking",
            Self::Tls(_) => "Tls",
            Self::Misled(_) => "Misled",
            Self::Over => "Over",
        })
    }
}
