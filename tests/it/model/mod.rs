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
mod history;
mod naive;
mod program;
mod rules;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Commands in all; `MODEL_COMMANDS` says otherwise.
const COMMANDS: u64 = 1_000_000;
/// Commands of one history, each on a new ledger.
const COMMANDS_PER_HISTORY: u64 = 20_000;

#[test]
fn budgets_gate_and_reservations_answer_as_a_naive_model_does() {
    if let Some(seed) = number("MODEL_SEED") {
        return live(seed, number("MODEL_COMMANDS").unwrap_or(COMMANDS_PER_HISTORY), &AtomicBool::new(false));
    }
    let commands = number("MODEL_COMMANDS").unwrap_or(COMMANDS);
    let (histories, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let in_turn = || {
        loop {
            let seed = histories.fetch_add(1, Ordering::Relaxed);
            let left = commands.saturating_sub(seed * COMMANDS_PER_HISTORY);
            if left == 0 || failed.load(Ordering::Relaxed) {
                return;
            }
            live(seed, left.min(COMMANDS_PER_HISTORY), &failed);
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
