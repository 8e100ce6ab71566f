//! How long others wait for the fleet, and how many; how long a lease is at least.

use std::time::Duration;

/// Reservations that may wait for a share at once; a further one is told that nothing is known. As many as connections may ask.
pub const WANTS_MAX: usize = 1_024;
/// For so long a reservation waits at most: a recall of a second, and a second to be served in.
pub const WANT_MAX: Duration = Duration::from_millis(2_500);
/// The shortest duration of a lease: an agent reports three times in it, through a slow second.
pub const LEASE_TTL_MIN: Duration = Duration::from_secs(6);
/// For so long a read of the database is waited for.
pub const ANSWER_MAX: Duration = Duration::from_millis(2_000);
/// For so long the end takes: what is not used is given back, and the newest sums are sent.
pub const STOP_MAX: Duration = Duration::from_millis(1_500);
