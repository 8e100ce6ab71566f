//! A write-ahead log that does not hold what was synced to it.

use std::fs;
use std::path::PathBuf;

use super::*;

fn log_of(path: &std::path::Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// A ledger as a kill leaves it: its newest commits are in the log alone.
fn killed() -> Fixture {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    for number in 0..20 {
        fixture.commit(&mut ledger, vec![event(number)], now());
    }
    fixture
}

#[track_caller]
fn assert_refused(fixture: &Fixture, what: &str) {
    let path = fixture.path();
    let opened = Ledger::open(&path, &BudgetZone::UTC, now()).err();
    assert!(matches!(opened, Some(OpenError::Damaged { .. })), "{what}: {opened:?}");
    assert!(matches!(verify(&path), Err(OpenError::Damaged { .. })), "verify, {what}");
}

#[track_caller]
fn assert_sound(fixture: &Fixture, events: u64) {
    let report = verify(&fixture.path()).unwrap();
    assert_eq!((report.problems, report.events), (Vec::new(), events));
}

#[test]
fn a_bit_that_flips_in_the_log_is_noticed_wherever_it_is() {
    let fixture = killed();
    let log = fs::read(log_of(&fixture.path())).unwrap();
    let page_bytes = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    let frame_bytes = 24 + page_bytes;
    let salts = &log[16..24];
    let frames = log[32..].chunks_exact(frame_bytes).take_while(|frame| &frame[8..16] == salts).count();
    // Room that was made and taken back may lie behind what was committed.
    let mark = fs::read(fixture.path().with_extension("db-mark")).unwrap();
    let committed = u32::from_be_bytes(mark[..4].try_into().unwrap()) as usize;
    assert!(committed > 20 && committed <= frames, "{committed} of {frames} frames");
    // Each part of the header, and of each frame one bit of its header and one of its page.
    let in_frames = (0..committed).flat_map(|frame| {
        let start = 32 + frame * frame_bytes;
        [start + frame % 24, start + 24 + frame * 37 % page_bytes]
    });
    let in_last = (0..24).map(|byte| 32 + (committed - 1) * frame_bytes + byte);
    for place in (0..32).chain(in_frames).chain(in_last) {
        let mut flipped = log.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(log_of(&fixture.path()), &flipped).unwrap();
        assert_refused(&fixture, &format!("byte {place}"));
    }
    fs::write(log_of(&fixture.path()), &log).unwrap();
    assert_sound(&fixture, 20);
    drop(fixture.open());
    assert_sound(&fixture, 20);
}

#[test]
fn a_log_that_began_anew_or_was_emptied_is_no_damage() {
    let mut fixture = killed();
    let old_mark = fs::read(fixture.path().with_extension("db-mark")).unwrap();
    let mut ledger = fixture.open();
    ledger.restart_log().unwrap();
    fixture.commit(&mut ledger, vec![event(20)], now());
    // Beside the one who writes.
    assert_sound(&fixture, 21);
    drop(ledger);
    assert_sound(&fixture, 21);
    // The mark is never synced: a power cut leaves an older one.
    fs::write(fixture.path().with_extension("db-mark"), &old_mark).unwrap();
    assert_sound(&fixture, 21);
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, vec![event(21)], now());
    ledger.checkpoint_all().unwrap();
    drop(ledger);
    assert_eq!(fs::metadata(log_of(&fixture.path())).unwrap().len(), 0);
    assert_sound(&fixture, 22);
    drop(fixture.open());
}

#[test]
fn a_copy_that_is_put_back_is_no_damage_although_the_mark_is_newer() {
    let mut fixture = killed();
    let copy = [fixture.path(), log_of(&fixture.path())].map(|path| (fs::read(&path).unwrap(), path));
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, vec![event(20)], now());
    drop(ledger);
    assert_sound(&fixture, 21);
    for (bytes, path) in &copy {
        fs::write(path, bytes).unwrap();
    }
    assert_sound(&fixture, 20);
    drop(fixture.open());
}
