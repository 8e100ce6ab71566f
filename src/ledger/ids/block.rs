//! Blocks: every 16 segments, whose ids are looked for together.

use super::super::segment::SEGMENT_EVENTS;

/// Segments of a block.
pub(in crate::ledger) const BLOCK_SEGMENTS: i64 = 16;
/// Events of a block.
pub(super) const BLOCK_EVENTS: i64 = BLOCK_SEGMENTS * SEGMENT_EVENTS;

/// An event's place within its block.
pub(in crate::ledger) fn place_of(block: i64, seq: i64) -> u32 {
    u32::try_from(seq - 1 - block * BLOCK_EVENTS).unwrap_or(u32::MAX)
}

/// The event at a place of a block.
pub(super) fn seq_of(block: i64, place: u32) -> i64 {
    block * BLOCK_EVENTS + 1 + i64::from(place)
}
