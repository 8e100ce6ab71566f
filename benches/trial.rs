//! Interleaved rounds: what they measure, and what is demanded of it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::options::Options;
use crate::{Outcome, machine};

/// Load before the measured part of a round: caches, pools and branch predictors are as they stay.
const WARM_UP_MAX: Duration = Duration::from_millis(500);

/// What was asked for, and the folder in which every contender keeps its files.
pub struct Bench {
    pub options: Options,
    /// Ledgers that are expensive to make, kept for the next run.
    pub cache: PathBuf,
    folder: TempDir,
}

/// One thing that a round measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Events or answers a second.
    Rate,
    /// Median time to an answer, in milliseconds.
    P50,
    /// 99th percentile of the time to an answer, in milliseconds.
    P99,
    /// CPU of the server process, in microseconds an event or answer.
    Cpu,
    /// The same of the load generator, which shares the cores.
    ClientCpu,
    /// Events or answers in the round.
    Count,
    /// Resident memory, in MiB.
    Memory,
    /// The most that was ever resident, in MiB.
    MemoryPeak,
    /// Series of one scrape.
    Series,
    /// From the start of the process until it is ready, in milliseconds.
    Ready,
}

/// What one round of one contender measured.
pub type Round = BTreeMap<Figure, f64>;

/// Runs one round, from the start of its server to the end.
pub type OneRound = dyn FnMut(&Pace) -> Outcome<Round>;

/// Somebody who does the work.
pub struct Contender {
    pub name: String,
    pub round: Box<OneRound>,
}

/// How long the parts of a round take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub warm_up: Duration,
    pub measure: Duration,
}

/// What is demanded of a figure.
#[derive(Clone, Debug)]
pub struct Bar {
    pub figure: Figure,
    pub of: String,
    /// Whose figure it is divided by; alone where there is nobody.
    pub over: Option<String>,
    pub demand: Demand,
}

#[derive(Clone, Copy, Debug)]
pub enum Demand {
    AtLeast(f64),
    AtMost(f64),
}

/// Contenders that are compared, and what is demanded of them.
pub struct Trial {
    pub name: &'static str,
    pub title: String,
    pub contenders: Vec<Contender>,
    pub bars: Vec<Bar>,
}

/// All rounds of a trial, by contender.
pub struct Measured {
    pub name: &'static str,
    pub title: String,
    pub load_average: f64,
    pub rounds: Vec<(String, Vec<Round>)>,
    pub bars: Vec<Bar>,
}

/// Runs a trial's rounds, interleaved.
pub fn run(bench: &Bench, trial: Trial) -> Outcome<Measured> {
    let Trial { name, title, mut contenders, bars } = trial;
    let measure = bench.options.measure;
    let pace = Pace { warm_up: WARM_UP_MAX.min(measure / 2), measure };
    let load_average = machine::load_average()?;
    let mut rounds: Vec<(String, Vec<Round>)> =
        contenders.iter().map(|contender| (contender.name.clone(), Vec::new())).collect();
    for number in 1..=bench.options.rounds {
        for (contender, (_, done)) in contenders.iter_mut().zip(&mut rounds) {
            // What the one before left to be written must not slow this one's syncs.
            rustix::fs::sync();
            progress(&format!("{name}: round {number} of {}, {}", bench.options.rounds, contender.name));
            let round = (contender.round)(&pace).map_err(|error| format!("{name}, {}: {error}", contender.name))?;
            done.push(round);
        }
    }
    progress("");
    Ok(Measured { name, title, load_average, rounds, bars })
}

/// One line on a terminal, each over the last.
fn progress(line: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}

// === impl Bench ===

impl Bench {
    /// Makes the folder for everybody's files.
    pub fn prepare(options: Options) -> Outcome<Self> {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let base = match &options.folder {
            Some(folder) => folder.clone(),
            None => machine::folder_for_everybody(built)?,
        };
        std::fs::create_dir_all(&base)?;
        let folder = tempfile::Builder::new().prefix("lead-factory-bench-").tempdir_in(&base)?;
        machine::open_to_everybody(folder.path())?;
        Ok(Self { options, cache: built.join("bench-cache"), folder })
    }

    /// The folder in which every contender keeps its files, so that all write to the same disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

// === impl Contender ===

impl Contender {
    pub fn new(name: impl Into<String>, round: impl FnMut(&Pace) -> Outcome<Round> + 'static) -> Self {
        Self { name: name.into(), round: Box::new(round) }
    }
}

// === impl Bar ===

impl Bar {
    /// A ratio between two contenders.
    pub fn ratio(figure: Figure, of: &str, over: &str, demand: Demand) -> Self {
        Self { figure, of: of.to_owned(), over: Some(over.to_owned()), demand }
    }

    /// A figure by itself.
    pub fn alone(figure: Figure, of: &str, demand: Demand) -> Self {
        Self { figure, of: of.to_owned(), over: None, demand }
    }
}

// === impl Demand ===

impl Demand {
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}
