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
#[cfg(test)]
mod histories;
mod history;
mod naive;
mod program;
mod rules;
mod spending;

/// Has the program and the model go through the history that these bytes choose: what a fuzzer calls.
pub fn replay(bytes: &[u8]) {
    in_runtime(history::replay(bytes));
}

fn in_runtime(history: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(history);
}
