//! What the program promises about speed and size, measured: one file per promise.
//!
//! `scripts/bench` builds and runs it; `docs/performance.md` says how to read what it prints.
//!
//! *Method.* Every contender of a trial runs one round after the other, then all of them again, so that whatever else the
//! machine does meets all alike. A round starts its server anew on an empty folder, warms it up, then measures. Figures are
//! medians over rounds; a ratio is the median of the ratios within each round. Servers, floors and peers are processes of
//! their own beside the load generator, which is the same one for all that can be driven by it.

mod agent;
mod budgets;
mod calls;
mod events;
mod fleet;
mod fleet_agents;
mod floor;
mod floor_append;
mod floor_disk;
mod floor_scrape;
mod floor_sqlite;
mod floor_warp;
mod floors;
mod footprint;
mod gate;
mod groupings;
mod history;
mod http;
mod ingest;
mod ledgers;
mod load;
mod machine;
mod million;
mod options;
mod otlp;
mod page;
mod peer_postgres;
mod peer_redis;
mod reading;
mod reads;
mod report;
mod resp;
mod scrape;
mod site;
mod template;
mod transfer;
mod trial;

use std::error::Error;
use std::process::ExitCode;

use options::{Command, Options};
use report::Report;
use trial::{Bench, Trial};

/// Whatever went wrong; a bench can only tell it and stop.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    match options::parse(std::env::args().skip(1))? {
        Command::Help => {
            print!("{}", options::HELP);
            Ok(())
        }
        Command::Floor(arguments) => floors::serve(&arguments),
        Command::Measure(options) => measure(options),
    }
}

fn measure(options: Options) -> Outcome<()> {
    let bench = Bench::prepare(options)?;
    if bench.options.list {
        trials(&bench).iter().for_each(|trial| println!("{}", trial.name));
        return Ok(());
    }
    let mut report = Report::begin(&bench.options)?;
    for trial in all_trials(&bench).into_iter().filter(|trial| bench.options.wants(trial.name)) {
        let name = trial.name;
        match trial::run(&bench, trial) {
            Ok(measured) => report.add(measured),
            Err(error) => report.fail(name, error.as_ref()),
        }
    }
    report.finish(&bench.options)
}

/// Every trial, with the build before among the contenders where there is one to compare with.
fn all_trials(bench: &Bench) -> Vec<Trial> {
    let trials = trials(bench);
    match bench.of_before() {
        Some(before) => trials.into_iter().zip(self::trials(&before)).map(|(trial, before)| trial.against(before)).collect(),
        None => trials,
    }
}

/// Every trial, in the order of the promises.
fn trials(bench: &Bench) -> Vec<Trial> {
    let mut trials = ingest::trials(bench);
    trials.extend(calls::trials(bench));
    trials.extend(otlp::trials(bench));
    trials.extend(history::trials(bench));
    trials.extend(scrape::trials(bench));
    trials.extend(reads::trials(bench));
    trials.extend(reading::trials());
    trials.extend(groupings::trials(bench));
    trials.extend(page::trials(bench));
    trials.extend(transfer::trials(bench));
    trials.extend(gate::trials(bench));
    trials.extend(budgets::trials(bench));
    trials.extend(fleet::trials(bench));
    trials.extend(footprint::trials(bench));
    trials
}
