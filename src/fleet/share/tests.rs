use super::*;

fn pico(pico: i128) -> Usd {
    Usd::from_pico(pico)
}

fn at(milliseconds: u64) -> Steady {
    Steady::since_start(Duration::from_millis(milliseconds))
}

fn in_use(spent: i128, held: i128) -> InUse {
    InUse { spent: pico(spent), held: pico(held) }
}

fn waiting(first: i128, promised: i128) -> Waiting {
    Waiting { first: pico(first), need: pico(first), promised: pico(promised) }
}

const NONE: Waiting = Waiting { first: Usd::ZERO, need: Usd::ZERO, promised: Usd::ZERO };

/// A pool of 1,000 of which 500 are free, in chunks of 80.
fn seen() -> Seen {
    Seen {
        limit: pico(1_000),
        configured: pico(1_000),
        claimed: pico(500),
        spent: pico(0),
        held: pico(0),
        chunk: pico(80),
        recall: 0,
        is_tight: false,
    }
}

/// Given 100, asked at the second second, when it had reported nothing in use, and wanted: it likes to have a quarter of a chunk in hand.
fn share() -> Share {
    Share {
        granted: pico(100),
        configured: pico(1_000),
        is_known: true,
        seen: Some(seen()),
        reported: Some(in_use(0, 0)),
        asked_at: Some(at(2_000)),
        is_wanted: true,
        ..Share::default()
    }
}

#[test]
fn nothing_may_be_used_before_the_database_has_said_so_nor_after_it_was_set_back() {
    let mut share = Share::new(Some(Duration::from_secs(30)));
    share.configure(pico(1_000));
    assert_eq!((share.limit(), share.is_known(), share.lapses_at(), share.seen()), (Usd::ZERO, false, None, None));
    let ask = share.ask(at(1_000), &in_use(3, 1), &NONE);
    let lease = Lease { granted: pico(50), returned: pico(5), lost: pico(2), doubt: pico(1), ..Lease::default() };
    share.learn(&ask, &lease, seen(), Outcome::Served);
    assert_eq!((share.limit(), share.is_known()), (pico(42), true));
    assert_eq!((share.lapses_at(), share.seen()), (Some(at(31_000)), Some(&seen())));
    // An answer that was under way for long says less than is known.
    share.learn(&ask, &Lease { granted: pico(40), returned: pico(4), ..Lease::default() }, seen(), Outcome::Served);
    assert_eq!(share.limit(), pico(45));
    share.suspend();
    assert_eq!((share.limit(), share.is_known(), share.seen(), share.reported), (Usd::ZERO, false, None, None));
    assert_eq!(Share { renewed_at: Some(at(1)), ..Share::new(None) }.lapses_at(), None);
}

#[test]
fn what_is_asked_says_what_is_used_and_needed() {
    let mut share = Share { seen: Some(Seen { recall: 7, ..seen() }), answered: 3, is_wanted: false, ..share() };
    let ask = share.ask(at(3_000), &in_use(30, 20), &NONE);
    let expected =
        Ask { granted: pico(100), spent: pico(30), held: pico(20), answered: 7, limit: pico(1_000), ..Ask::default() };
    assert_eq!((ask, share.asked_at, share.is_wanted), (expected, Some(at(3_000)), false));
    // What is kept for somebody has not come back: the recall is not answered yet.
    let ask = share.ask(at(3_000), &in_use(30, 20), &waiting(9, 4));
    assert_eq!((ask.answered, ask.first, ask.need, ask.ahead), (3, pico(9), pico(9), pico(20)));
    assert!(share.is_wanted, "from now on it likes to have a quarter of a chunk");
    assert_eq!(share.ask(at(3_000), &in_use(30, 20), &waiting(25, 0)).ahead, pico(25), "or what is needed now");
    share.pace_per_second = pico(6);
    assert_eq!(share.ask(at(3_000), &in_use(30, 20), &NONE).ahead, pico(30), "or what five seconds take");
    share.retire();
    assert_eq!(share.ask(at(3_000), &in_use(30, 20), &NONE).ahead, Usd::ZERO);
    share.ttl = Some(Duration::from_secs(60));
    assert_eq!(share.ask(at(3_000), &in_use(30, 20), &NONE).ttl, Some(jiff::SignedDuration::from_secs(60)));
    share.ttl = Some(Duration::MAX);
    assert_eq!(share.ask(at(3_000), &in_use(30, 20), &NONE).ttl, None);
}

#[test]
fn what_was_answered_is_learnt() {
    let mut share = Share { seen: Some(Seen { recall: 7, ..seen() }), ..share() };
    let ask = share.ask(at(3_000), &in_use(30, 20), &NONE);
    share.learn(&ask, &Lease::default(), seen(), Outcome::Wait);
    assert_eq!((share.answered, share.reported, share.is_to_wait), (7, Some(in_use(30, 20)), true));
    share.learn(&Ask { answered: 5, ..ask }, &Lease::default(), seen(), Outcome::Served);
    assert_eq!((share.answered, share.is_to_wait), (7, false));
}

#[test]
fn who_waits_asks_at_once_and_then_ten_times_a_second() {
    for (is_to_wait, after_ms, is_due) in [(false, 0, true), (true, 99, false), (true, 100, true)] {
        let share = Share { is_to_wait, ..share() };
        assert_eq!(share.is_due(at(2_000 + after_ms), &in_use(0, 0), &waiting(1, 0)), is_due, "{is_to_wait} {after_ms}");
    }
    // Who knows nothing asks, and asks again.
    assert!(Share::default().is_due(at(0), &in_use(0, 0), &NONE));
    for unknown in [Share { is_known: false, ..share() }, Share { seen: None, ..share() }] {
        let is_due = [99, 100].map(|after_ms| unknown.is_due(at(2_000 + after_ms), &in_use(0, 0), &waiting(1, 0)));
        assert_eq!(is_due, [false, true]);
    }
}

#[test]
fn a_lease_that_ends_is_renewed_three_times_and_other_limits_are_compared() {
    let calm = in_use(80, 0);
    let of = |share: Share, after_ms: u64| {
        let share = Share { reported: Some(calm), ..share };
        share.is_due(at(2_000 + after_ms), &calm, &NONE)
    };
    assert_eq!([9_999, 10_000].map(|ms| of(Share { ttl: Some(Duration::from_secs(30)), ..share() }, ms)), [false, true]);
    assert!(!of(share(), 100_000), "nothing is to be said");
    let smaller = Share { configured: pico(1_001), ..share() };
    assert!(smaller.is_limited_elsewhere() && !share().is_limited_elsewhere());
    assert_eq!([4_999, 5_000].map(|ms| of(smaller.clone(), ms)), [false, true]);
    let larger = Share { configured: pico(999), ..share() };
    assert!(!larger.is_limited_elsewhere());
    assert_eq!([99, 100].map(|ms| of(larger.clone(), ms)), [false, true]);
}

#[test]
fn what_is_recalled_is_said_at_once_and_what_is_kept_for_somebody_a_little_later() {
    let recalled = Share { seen: Some(Seen { recall: 1, ..seen() }), ..share() };
    let tight = Share { seen: Some(Seen { is_tight: true, ..seen() }), ..share() };
    for (share, standing, waiting, after_ms, is_due) in [
        (&recalled, in_use(0, 0), NONE, 0, true),
        (&recalled, in_use(99, 1), NONE, 0, true),
        (&tight, in_use(0, 0), NONE, 0, true),
        // Nothing is unused, and nobody asked.
        (&tight, in_use(99, 1), NONE, 0, false),
        (&tight, in_use(99, 1), NONE, 1_999, false),
        (&tight, in_use(99, 1), NONE, 2_000, true),
        (&tight, in_use(50, 0), waiting(0, 49), 99, false),
        (&tight, in_use(50, 0), waiting(0, 49), 100, true),
        (&tight, in_use(50, 0), waiting(0, 50), 1_999, false),
        (&recalled, in_use(50, 0), waiting(0, 50), 99, false),
        (&recalled, in_use(50, 0), waiting(0, 50), 100, true),
    ] {
        let found = share.is_due(at(2_000 + after_ms), &standing, &waiting);
        assert_eq!(found, is_due, "{standing:?} {waiting:?} {after_ms}");
    }
    let nothing = Share { granted: Usd::ZERO, ..recalled };
    assert!(!nothing.is_due(at(2_000), &in_use(0, 0), &NONE), "nothing could be given back");
    let reported = Share { granted: Usd::ZERO, reported: Some(in_use(0, 0)), ..tight };
    assert!(!reported.is_due(at(9_000), &in_use(0, 0), &NONE), "nothing has changed");
}

#[test]
fn too_little_in_hand_is_asked_for_soon_and_too_much_given_back_with_the_next_report() {
    let with = |standing: InUse, seen: Seen, after_ms: u64| {
        let share = Share { reported: Some(standing), seen: Some(seen), ..share() };
        share.is_due(at(2_000 + after_ms), &standing, &NONE)
    };
    // It likes to have 20: less than 10 is little, more than 40 much.
    for (unused, after_ms, is_due) in [
        (9, 99, false),
        (9, 100, true),
        (10, 100, false),
        (10, 9_000, false),
        (40, 9_000, false),
        (41, 1_999, false),
        (41, 2_000, true),
    ] {
        assert_eq!(with(in_use(100 - unused, 0), seen(), after_ms), is_due, "{unused} {after_ms}");
    }
    let empty = Seen { claimed: pico(1_000), ..seen() };
    assert!(!with(in_use(91, 0), empty, 9_000) && empty.free() == Usd::ZERO, "there is nothing to be had");
    // What was spent since is reported every other second.
    let is_due = [1_999, 2_000].map(|after_ms| share().is_due(at(2_000 + after_ms), &in_use(70, 0), &NONE));
    assert_eq!(is_due, [false, true]);
}

#[test]
fn what_is_kept_of_what_is_unused_is_what_may_be_needed() {
    let of = |share: &Share, standing, waiting| share.keep(&standing, &waiting);
    let recalled = Share { seen: Some(Seen { recall: 1, ..seen() }), ..share() };
    let tight = Share { seen: Some(Seen { is_tight: true, ..seen() }), ..share() };
    let retiring = Share { is_retiring: true, ..share() };
    for (share, unused, waiting, keep) in [
        (&Share { seen: None, ..share() }, 100, NONE, Keep::All),
        (&recalled, 100, waiting(0, 7), Keep::AtMost(pico(7))),
        (&tight, 100, waiting(0, 7), Keep::AtMost(pico(7))),
        (&retiring, 100, waiting(0, 7), Keep::AtMost(Usd::ZERO)),
        (&share(), 40, NONE, Keep::All),
        (&share(), 41, NONE, Keep::AtMost(pico(20))),
        (&share(), 54, waiting(0, 7), Keep::All),
        (&share(), 55, waiting(0, 7), Keep::AtMost(pico(27))),
        (&share(), 61, waiting(5, 7), Keep::All),
        (&share(), 65, waiting(5, 7), Keep::AtMost(pico(32))),
    ] {
        assert_eq!(of(share, in_use(100 - unused, 0), waiting), keep, "{unused} {waiting:?}");
    }
    let mut share = share();
    share.give_back(&in_use(30, 10), Keep::All);
    assert_eq!(share.limit(), pico(100));
    share.give_back(&in_use(30, 10), Keep::AtMost(pico(25)));
    assert_eq!(share.limit(), pico(65), "35 of 60 are given back");
    share.give_back(&in_use(30, 10), Keep::AtMost(pico(26)));
    assert_eq!(share.limit(), pico(65), "it has less than that");
}

#[test]
fn the_pace_follows_what_is_used_and_what_is_past_weighs_half_after_five_seconds() {
    let mut share = Share::default();
    let mut pace = |milliseconds, used| {
        share.observe(at(milliseconds), &in_use(used, 0));
        share.pace_per_second.pico()
    };
    assert_eq!(pace(1_000, 500), 0, "what was used before is no pace");
    assert_eq!(pace(1_249, 1_000_000), 0, "too early to tell");
    assert_eq!(pace(6_000, 10_500), 1_000, "2,000 a second for five seconds");
    assert_eq!(pace(11_000, 10_500), 500);
    assert_eq!(pace(11_250, 0), 476, "a credit is no use");
    assert_eq!(pace(11_500, 25), 458, "100 a second for a quarter of one");
    assert_eq!(pace(31_500, 40_025), 1_691, "2,000 a second for twenty");
}
