//! What became of reservations in one commit, to be counted once it is on the disk.

use crate::domain::ReservationStage;

/// Reservations by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub held: u64,
    pub denied: u64,
    pub settled: u64,
    pub released: u64,
    pub expired: u64,
}

impl Tally {
    /// So many have lapsed, and nothing else has happened.
    pub fn lapsed(count: usize) -> Self {
        Self { expired: count as u64, ..Self::default() }
    }

    /// One has ended in this way.
    pub fn ended(&mut self, stage: ReservationStage) {
        match stage {
            ReservationStage::Settled => self.settled += 1,
            ReservationStage::Released => self.released += 1,
            // Lapsing is counted when it happens, which is not when it is written down.
            ReservationStage::Held | ReservationStage::Expired => {}
        }
    }

    /// Each with its label.
    pub fn by_result(self) -> [(&'static str, u64); 5] {
        [
            ("held", self.held),
            ("denied", self.denied),
            ("committed", self.settled),
            ("released", self.released),
            ("expired", self.expired),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_end_has_its_label() {
        let mut tally = Tally { held: 1, denied: 2, ..Tally::lapsed(3) };
        for (stage, times) in [
            (ReservationStage::Settled, 4),
            (ReservationStage::Released, 5),
            (ReservationStage::Held, 6),
            (ReservationStage::Expired, 7),
        ] {
            (0..times).for_each(|_| tally.ended(stage));
        }
        let labels = [("held", 1), ("denied", 2), ("committed", 4), ("released", 5), ("expired", 3)];
        assert_eq!(tally.by_result(), labels);
    }
}
