//! The gate's history and what an operator says of it.

use super::*;
use crate::domain::GateOverride;

#[test]
fn the_gates_history_is_kept_newest_first() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let (mode, token) = (GateMode::Auto, Some(Box::from("ops")));
    for active in [true, true, false, true] {
        let token = token.clone().filter(|_| active);
        let change = GateChange { timestamp: now(), active, reason: "why".into(), mode, actor: String::new(), token };
        let rollup = Rollup { gate: vec![change], ..Rollup::default() };
        ledger.commit(&Commit { rollup: Some(rollup), ..Commit::default() }, now()).unwrap();
    }
    drop(ledger);
    let ledger = fixture.open();
    assert_eq!(ledger.summary().unwrap().gate_activations, 2);
    let history = Reader::new(fixture.path(), BudgetZone::UTC).gate_history(2).unwrap();
    let found: Vec<_> = history.into_iter().map(|change| (change.active, change.token)).collect();
    assert_eq!(found, [(true, token), (false, None)]);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_an_operator_says_of_the_gate_is_kept_until_it_is_taken_back() {
    let fixture = Fixture::new();
    let manual = GateOverride {
        active: true,
        reason: "why".into(),
        actor: "who".into(),
        since: now(),
        expires_at: None,
        token: Some("ops".into()),
    };
    let told = |manual: Option<&GateOverride>| {
        let rollup = Rollup { gate_override: Some(manual.cloned()), ..Rollup::default() };
        Commit { rollup: Some(rollup), ..Commit::default() }
    };
    let other = GateOverride { active: false, expires_at: Some(now()), token: None, ..manual.clone() };
    for said in [Some(&manual), Some(&other), None, Some(&manual)] {
        fixture.open().commit(&told(said), now()).unwrap();
        assert_eq!(fixture.open().summary().unwrap().gate_override.as_ref(), said);
        // Silence is not consent.
        fixture.open().commit(&Commit { rollup: Some(Rollup::default()), ..Commit::default() }, now()).unwrap();
        assert_eq!(fixture.open().summary().unwrap().gate_override.as_ref(), said);
    }
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: rows that were removed, or put back from an older copy, so that their checksums say nothing.
#[test]
fn what_is_missing_of_the_gate_is_found() {
    let fixture = Fixture::new();
    let change = |active| GateChange {
        timestamp: now(),
        active,
        reason: "why".into(),
        mode: GateMode::Auto,
        actor: String::new(),
        token: None,
    };
    let manual = GateOverride {
        active: true,
        reason: "why".into(),
        actor: String::new(),
        since: now(),
        expires_at: None,
        token: None,
    };
    let rollup = Rollup {
        gate: [true, true, false, true].map(change).into(),
        gate_override: Some(Some(manual)),
        ..Rollup::default()
    };
    fixture.open().commit(&Commit { rollup: Some(rollup), ..Commit::default() }, now()).unwrap();
    let problems = |sql: &'static str| {
        let path = fixture.changed(|connection| assert_eq!(connection.execute(sql, ()).unwrap(), 1));
        verify(&path).unwrap().problems
    };
    assert_eq!(problems("UPDATE gate_change SET reason = reason WHERE seq = 1"), [""; 0]);
    for wrong in ["DELETE FROM gate_change WHERE seq = 4", "DELETE FROM gate_change WHERE seq = 2"] {
        let found = problems(wrong);
        assert!(found.contains(&"the gate's history is not the one the head row knows".to_owned()), "{wrong}: {found:?}");
    }
    let found = problems("DELETE FROM gate_override");
    assert!(found.iter().all(|problem| problem.contains("gate_override")) && !found.is_empty(), "{found:?}");
}
