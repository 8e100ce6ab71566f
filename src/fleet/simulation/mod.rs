//! The protocol as a deterministic simulation: agents, a database, a network that loses, delays and repeats, crashes, restored ledgers and
//! databases. `FLEET_SEEDS` says how many runs there are, `FLEET_SEED` which is the first.

mod agent;
mod chance;
mod database;
mod trouble;
mod world;

use world::World;

/// Runs where nothing else is asked for.
const SEEDS: u64 = if cfg!(debug_assertions) { 4 } else { 500 };

#[expect(clippy::disallowed_methods, reason = "a switch of this test alone, which no setting names")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn no_budget_is_overshot_and_nothing_is_stranded_whatever_goes_wrong() {
    let (first, seeds) = (number("FLEET_SEED").unwrap_or(0), number("FLEET_SEEDS").unwrap_or(SEEDS));
    let (mut granted, mut refused) = (0, 0);
    for seed in first..first + seeds {
        let mut world = World::new(seed);
        let described = format!("seed {seed}: {:?}", world.scenario);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        assert!(run.is_ok(), "{described}");
        granted += world.granted;
        refused += world.refused;
    }
    println!("{seeds} runs: {granted} granted, {refused} refused");
    assert!(seeds < 20 || (granted > 1_000 && refused > 1_000), "it is no test: {granted} granted, {refused} refused");
}
