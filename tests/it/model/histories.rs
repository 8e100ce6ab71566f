//! Histories by the hundred, from seeds, and those that a fuzzer found.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{fs, thread};

use super::{history, in_runtime, replay};

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

#[test]
fn what_fuzzing_has_found_stays_mended() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/budgets");
    for input in fs::read_dir(corpus).unwrap() {
        let path = input.unwrap().path();
        println!("{}", path.display());
        replay(&fs::read(path).unwrap());
    }
}

fn live(seed: u64, commands: u64, failed: &AtomicBool) {
    in_runtime(history::run(seed, commands, failed));
}

/// A number from the environment, for whoever looks for a failure.
fn number(variable: &str) -> Option<u64> {
    std::env::var_os(variable).map(|text| text.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}
