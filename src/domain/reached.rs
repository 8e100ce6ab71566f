//! When a budget's whole limit was used: what is remembered of a budget in a period besides its sum.

use jiff::Timestamp;

/// When a budget first came to its limit in a period, under the limit in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reached {
    /// It did not so far.
    #[default]
    Never,
    /// With the event of this time, which is the event's own.
    At(Timestamp),
    /// It did, but nothing recorded says with which event: the limit changed, or the process was killed meanwhile.
    SomeTime,
}
