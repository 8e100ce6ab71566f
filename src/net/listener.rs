//! The listening socket, and the next connection from it.
//!
//! *Limits.* [`BACKLOG`] connections wait in the kernel.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::peer::Peer;

/// Connections that the kernel holds until they are accepted (the system may hold fewer: `net.core.somaxconn`).
const BACKLOG: u32 = 1_024;

/// A bound socket. Connections to it wait until they are accepted.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Takes the address, so that a taken port is reported before anything runs. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says: the port is taken, the address is not this machine's, the port needs a privilege.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // After a restart the port may still have connections in TIME_WAIT; another listener is refused all the same.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket.listen(BACKLOG)?))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The next connection.
    ///
    /// # Errors
    /// What the system says of the listener, such as that no more files may be opened; not of a single connection.
    pub async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    // Answers are small and written at once; waiting to fill a segment would only delay them. A socket that
                    // refuses this is a connection that is already gone, which the first read finds out.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, address.into()));
                }
                // The client gave up while it was queued.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
