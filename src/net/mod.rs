//! Connections: accepting them, bounding them, and serving HTTP on them.
//!
//! A connection has a [`Stream`] of bytes, a [`Peer`], limits ([`Settings`]) and a hyper service that answers its requests. Nothing
//! here knows what is served, and no more of the stream than that bytes go in and out: another kind of stream is another way to
//! accept one, another protocol is another `connection`.
//!
//! *Invariants.* Every wait has an end, whatever the other side does or leaves undone.
//!
//! *Limits.* Connections at once, the time of each phase of a connection, bytes of headers and of the read buffer.
//!
//! *Deliberately not here.* Reading bodies, and the time that an answer may take: the service bounds those, because only it can
//! say so in an answer.

mod client_auth;
mod connection;
mod crowd;
mod listener;
mod pace;
mod paced_body;
mod peer;
mod secured;
mod server;
mod settings;
mod socket_file;
mod stream;
mod tls;

pub use client_auth::ClientAuth;
pub use listener::Listener;
pub use peer::Peer;
pub use secured::Secured;
pub use server::Server;
pub use settings::{Settings, connections_for_files};
pub use stream::Stream;
pub use tls::{Protocol, Tls, TlsError, TlsParts, TlsSwitch, TlsVersion};

#[cfg(test)]
mod tests;
