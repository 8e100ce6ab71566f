//! Days and months pass, clocks change: the built program under a clock that the test sets.
//!
//! Guards against: a reset job that drops the time zone (24 h become 32 h), an event in no period or in two, a series that
//! stays after its day.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::{Setup, TestAgent, amounts_in, exact, within};

/// An agent whose wall clock stands where the test puts it; its monotonic clock runs.
struct UnderFakeTime {
    agent: TestAgent,
    clock: PathBuf,
}

impl UnderFakeTime {
    #[track_caller]
    fn start(setup: Setup, utc: &str) -> Self {
        let setup = setup.with_wall_clock(utc);
        Self { agent: setup.start(), clock: setup.wall_clock() }
    }

    /// Sets the clock, all at once.
    fn set(&self, utc: &str) {
        let next = self.clock.with_extension("next");
        fs::write(&next, utc).unwrap();
        fs::rename(next, &self.clock).unwrap();
    }

    #[track_caller]
    fn record(&self, service: &str, amount: &str) {
        self.agent.costs(format!(r#"{{"service":"{service}","amount_usd":{amount}}}"#)).expect(200);
    }
}

#[test]
fn a_day_of_23_hours_ends_at_its_own_midnight() {
    // In Berlin, 29 March 2026 lasts from 23:00 to 22:00 UTC.
    let faked = UnderFakeTime::start(Setup::new().env("BUDGET_TIMEZONE", "Europe/Berlin"), "2026-03-28 22:59:59");
    faked.record("saturday", "1");
    faked.set("2026-03-28 23:00:00");
    faked.record("sunday", "2");
    faked.set("2026-03-29 21:59:59");
    faked.record("sunday", "0.5");
    assert_eq!(amounts_in(&faked.agent.get("/costs/daily")), [("sunday".to_owned(), exact("2.5"))].into());
    faked.set("2026-03-29 22:00:00");
    assert_eq!(faked.agent.get("/costs/daily").text(), "{}", "Monday began, an hour early for UTC");
    faked.record("monday", "4");
    for (day, service, amount) in [("28", "saturday", "1"), ("29", "sunday", "2.5"), ("30", "monday", "4")] {
        let shown = amounts_in(&faked.agent.get(&format!("/costs/daily?date=2026-03-{day}")));
        assert_eq!(shown, [(service.to_owned(), exact(amount))].into(), "{day} March");
    }
    let month = amounts_in(&faked.agent.get("/costs/monthly?month=2026-03"));
    assert_eq!(month.into_values().sum::<crate::support::Amount>(), exact("7.5"), "the days add up to the month");
}

#[test]
fn at_midnight_and_month_end_the_gauges_vanish_the_gate_opens_and_the_counters_stay() {
    let setup = Setup::new().env("DAILY_BUDGET", "1").env("MONTHLY_BUDGET", "10");
    let faked = UnderFakeTime::start(setup, "2026-11-30 23:59:58");
    faked.record("openai", "9.5");
    let before = faked.agent.metrics();
    assert_eq!(before.get("lead_factory_daily_cost", &[("service", "openai")]), Some(9.5));
    assert_eq!(before.get("lead_factory_scaling_gate_active", &[]), Some(1.0), "both budgets are above their threshold");

    faked.set("2026-12-01 00:00:00");
    let after = faked.agent.metrics();
    assert_eq!(after.series("lead_factory_daily_cost").count(), 0, "no cost today, no series");
    assert_eq!(after.series("lead_factory_monthly_cost").count(), 0, "no cost this month, no series");
    assert_eq!(after.get("lead_factory_budget_utilization", &[("period", "daily")]), Some(0.0));
    assert_eq!(after.get("lead_factory_scaling_gate_active", &[]), Some(0.0), "the gate clears by itself");
    let counter = [("service", "openai"), ("operation", "unknown")];
    assert_eq!(after.get("lead_factory_cost_usd_total", &counter), Some(9.5), "counters do not restart");
    assert_eq!(faked.agent.get("/costs/monthly?month=2026-11").text(), r#"{"openai":9.5}"#);

    let history = within(Duration::from_secs(10), "the gate's change at the month's end is in its history", || {
        let history = faked.agent.get("/scaling-gate/history?limit=1").json();
        (history[0]["active"] == false).then_some(history)
    });
    assert!(history[0]["timestamp"].as_str().unwrap().starts_with("2026-12-01T00:00:00"), "{history}");
}

#[test]
fn a_clock_that_steps_back_moves_nothing_that_is_recorded() {
    let setup = Setup::new();
    let faked = UnderFakeTime::start(setup.clone(), "2026-11-22 00:00:10");
    faked.record("openai", "1");
    faked.set("2026-11-21 23:59:00");
    faked.record("openai", "2");
    faked.agent.assert_healthy();
    assert_eq!(faked.agent.get("/costs/daily").text(), r#"{"openai":2}"#, "it is yesterday again");
    faked.set("2026-11-22 00:01:00");
    assert_eq!(faked.agent.get("/costs/daily").text(), r#"{"openai":1}"#);
    assert_eq!(faked.agent.get("/costs/monthly").text(), r#"{"openai":3}"#);
    drop(faked);
    setup.assert_verifies();
}

#[test]
fn an_event_counts_in_the_period_of_its_own_time() {
    let setup = Setup::new().env("BUDGET_TIMEZONE", "America/New_York");
    // 1 November 2026 has 25 hours in New York: 04:00 UTC to 05:00 UTC a day later.
    let faked = UnderFakeTime::start(setup, "2026-11-02 12:00:00");
    let events: Vec<String> =
        ["2026-11-01T03:59:59Z", "2026-11-01T00:00:00-04:00", "2026-11-02T04:59:59Z", "2026-11-02T05:00:00Z"]
            .iter()
            .zip([1, 2, 4, 8])
            .map(|(time, amount)| format!(r#"{{"service":"s","amount_usd":{amount},"time":"{time}"}}"#))
            .collect();
    faked.agent.costs(format!("[{}]", events.join(","))).expect(200);
    for (day, amount) in [("2026-10-31", 1), ("2026-11-01", 6), ("2026-11-02", 8)] {
        let answer = faked.agent.get(&format!("/costs/daily?date={day}"));
        assert_eq!(answer.text(), format!(r#"{{"s":{amount}}}"#), "{day}");
    }
    assert_eq!(faked.agent.get("/costs/monthly?month=2026-10").text(), r#"{"s":1}"#);
    assert_eq!(faked.agent.get("/costs/monthly").text(), r#"{"s":14}"#);
}
