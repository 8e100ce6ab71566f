//! Budgets, gate and reservations against a naive model, command by command.
//!
//! Guards against: a limit passed or a request refused that fits, holds that count too long or not long enough, money that a
//! retry or a crash counts twice, an answer that depends on what happened to be committed together.
//!
//! *Invariants.* The model shares no code with the program and no types: see `border`. A history is repeated by its seed. Readers
//! and answers are compared exactly; where the writer's own time plays a part (the sums in the file follow every half second),
//! nothing that is compared may depend on it.

mod border;
mod calendar;
mod chance;
mod command;
mod events;
mod history;
mod naive;
mod program;
mod rules;
mod spending;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Histories, each on a new ledger; `MODEL_HISTORIES` says otherwise, `MODEL_FIRST` with which seed they begin.
const HISTORIES: u64 = 300;
/// Commands of most histories, and of every so many of them, so that there are short ones with many starts and some that go on.
const COMMANDS: u64 = 400;
const COMMANDS_OF_LONG: u64 = 6_000;
const LONG_EVERY: u64 = 20;

#[test]
fn budgets_gate_and_reservations_answer_as_a_naive_model_does() {
    let commands = |seed: u64| if seed % LONG_EVERY == LONG_EVERY - 1 { COMMANDS_OF_LONG } else { COMMANDS };
    if let Some(seed) = number("MODEL_SEED") {
        return live(seed, number("MODEL_COMMANDS").unwrap_or(commands(seed)), &AtomicBool::new(false));
    }
    let first = number("MODEL_FIRST").unwrap_or(0);
    let last = first + number("MODEL_HISTORIES").unwrap_or(HISTORIES);
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let in_turn = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= last || failed.load(Ordering::Relaxed) {
                return;
            }
            live(seed, commands(seed), &failed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(in_turn);
        }
    });
}

fn live(seed: u64, commands: u64, failed: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(history::run(seed, commands, failed));
}

/// A number from the environment, for whoever looks for a failure.
fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable).map(|text| text.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}
