//! When the events of a segment happened.

use jiff::Timestamp;

/// The first and the last instant of some events.
#[derive(Clone, Copy, Default)]
pub(super) struct Times(pub Option<(Timestamp, Timestamp)>);

impl Times {
    /// Takes in an event that happened then.
    pub fn add(&mut self, time: Timestamp) {
        self.0 = Some(self.0.map_or((time, time), |(oldest, newest)| (oldest.min(time), newest.max(time))));
    }
}
