//! The HTTP surface.
//!
//! A request's way: `net` accepts and bounds its connection; [`Surface`] times and counts the call and survives its panics; `router`
//! finds its row in the table of `routes`; `login` admits reads and `auth` writes; `body` reads what was sent; and one file per resource answers.
//! `problem` is the only place that knows the status codes of errors.
//!
//! A further resource is a file with its handlers, and a line in `routes` for each; what is promised of it stands in that line.
//!
//! *Limits.* Bytes and time of a body and bytes of all bodies at once ([`Settings`]), the time of a call, reads of the ledger at
//! once. At each bound the client is told.

mod accept;
mod answer;
mod arrival;
mod auth;
mod authorize;
mod body;
mod budgets;
mod call;
mod costs_query;
mod costs_read;
mod costs_spread;
mod costs_write;
mod cut;
mod endpoint;
mod estimate;
mod events;
mod export;
mod fleet;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz_tests;
mod gate;
mod grpc;
mod health;
mod host;
mod import;
mod index;
mod ingest;
mod instruments;
mod labelled;
mod limits;
mod login;
mod memo;
mod metrics;
mod missing;
mod openapi;
mod page;
mod percent;
mod prices;
mod problem;
mod query_string;
mod question;
mod request;
mod reservation_list;
mod reservations;
mod room;
mod route;
mod router;
mod routes;
mod settings;
mod state;
mod streamed_body;
mod surface;
mod template;
mod token;
mod users;

pub use grpc::GrpcServer;
pub use settings::Settings;
pub use state::{Parts, ReloadWish, State};
pub use surface::Surface;
pub use token::{Scope, Scopes, Token};
pub use users::PasswordHash;

#[cfg(test)]
mod tests;
