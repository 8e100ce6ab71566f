//! What the tests stand on: the program under test, a raw HTTP client, exact sums, a reader of Prometheus text.
//!
//! *Invariants.* Nothing here shares code with the program, so that a mistake is not made on both sides. No helper sleeps for
//! luck: each waits for a state, with a deadline.

mod agent;
mod amounts;
mod authority;
mod collector;
mod daemon;
mod exposition;
mod http;
mod model;
mod receiver;
mod rng;
mod server;
mod stage;
mod tools;
mod wait;

pub use agent::{Refused, Setup, TestAgent};
pub use amounts::{Amount, amounts_in, exact, nearest_float, nested_amounts_in, recorded, spent_by_key};
pub use authority::{Authority, sign_itself};
pub use collector::{Collector, Manner, Points, texts};
pub use daemon::{Daemon, free_addr};
pub use exposition::Exposition;
pub use http::{Client, Conn, Response};
pub use model::{GROUPINGS, Model, Sent};
pub use receiver::{Posted, Receiver};
pub use rng::Rng;
pub use server::{Identity, ServerTls};
pub use stage::{Follower, Stage};
pub use tools::{TmpfsForLedger, now, program, replaced, run, same_day, same_day_in, tool, try_run};
pub use wait::{assert_within, within};
