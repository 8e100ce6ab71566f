//! The listening socket, and the next connection from it.
//!
//! *Limits.* [`BACKLOG`] connections wait in the kernel.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::peer::Peer;
use super::secured::Secured;
use super::socket_file::{self, SocketFile};
use super::stream::Stream;
use super::tls::{Protocol, TlsSwitch};

/// Connections that the kernel holds until they are accepted (the system may hold fewer: `net.core.somaxconn`).
const BACKLOG: u32 = 1_024;

/// A bound socket. Connections to it wait until they are accepted.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    tls: TlsSwitch,
    protocol: Protocol,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

impl Listener {
    /// Takes the address, so that a taken port is reported before anything runs. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says: the port is taken, the address is not this machine's, the port needs a privilege.
    pub fn bind(address: SocketAddr, protocol: Protocol) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // After a restart the port may still have connections in TIME_WAIT; another listener is refused all the same.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { kind: Kind::Tcp(socket.listen(BACKLOG)?), tls: TlsSwitch::default(), protocol })
    }

    /// Makes a Unix socket at a path, for its owner and group; it is removed when this is dropped. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says, or that somebody answers there already, or that something else than a socket is there.
    pub fn bind_socket(path: &Path) -> io::Result<Self> {
        let (listener, file) = socket_file::listen(path, BACKLOG)?;
        let kind = Kind::Unix { listener, _file: file };
        Ok(Self { kind, tls: TlsSwitch::default(), protocol: Protocol::Http1 })
    }

    /// The same, with TLS whenever this has some; what comes through a file needs none.
    pub fn with_tls(self, tls: TlsSwitch) -> Self {
        Self { tls, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says; a Unix socket has no such address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr(),
            Kind::Unix { .. } => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// What the system says of the listener, such as that no more files may be opened; not of a single connection.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        loop {
            let accepted = match &self.kind {
                Kind::Tcp(listener) => listener.accept().await.map(|(stream, address)| {
                    // Answers are small and written at once; waiting to fill a segment would only delay them. A socket that
                    // refuses this is a connection that is already gone, which the first read finds out.
                    let _ = stream.set_nodelay(true);
                    let stream = match self.tls.current(self.protocol) {
                        Some(tls) => Stream::Tls(Box::new(Secured::new(stream, tls))),
                        None => Stream::Tcp(stream),
                    };
                    (stream, address.into())
                }),
                Kind::Unix { listener, .. } => {
                    listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), Peer::Socket))
                }
            };
            match accepted {
                // The client gave up while it was queued.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                accepted => return accepted,
            }
        }
    }
}
