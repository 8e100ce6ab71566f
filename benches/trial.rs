//! Interleaved rounds: what they measure, and what is demanded of it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tempfile::TempDir;

use crate::options::Options;
use crate::site::Site;
use crate::{Outcome, machine};

/// Load before the measured part of a round: caches, pools and branch predictors are as they stay.
const WARM_UP_MAX: Duration = Duration::from_millis(500);
/// What the name of a contender of the build before ends with.
const BEFORE: &str = ", before";
/// As much of the build before is demanded: less is no difference on a shared machine.
const NO_LOSS: f64 = 0.97;

/// What was asked for, and the folder in which every contender keeps its files.
pub struct Bench {
    pub options: Options,
    /// Ledgers that are expensive to make, kept for the next run.
    pub cache: PathBuf,
    program: PathBuf,
    folder: Rc<TempDir>,
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
    /// Median time to the first byte of an answer, in milliseconds.
    FirstByte,
    /// Of the largest answer, in KiB.
    Size,
    /// Transactions of a database for one agent in a minute.
    Transactions,
    /// Rows that these write.
    Rows,
    /// From the last event until everybody knows of it, in seconds.
    Lag,
}

/// What one round of one contender measured.
pub type Round = BTreeMap<Figure, f64>;

/// Runs one round, from the start of its server to the end.
pub type OneRound = dyn FnMut(&Pace) -> Outcome<Round>;

/// Somebody who does the work.
pub struct Contender {
    pub name: String,
    /// Whether it is the program itself, which is compared with its build before.
    pub is_agent: bool,
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
    let mut measured = Measured { name, title, load_average, rounds, bars };
    measured.demand_no_loss();
    Ok(measured)
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
        let program = PathBuf::from(env!("CARGO_BIN_EXE_lead-factory-metrics"));
        Ok(Self { options, cache: built.join("bench-cache"), program, folder: Rc::new(folder) })
    }

    /// The same for the build before, if there is one to compare with.
    pub fn of_before(&self) -> Option<Self> {
        let program = self.options.before.clone()?;
        Some(Self { options: self.options.clone(), cache: self.cache.clone(), program, folder: Rc::clone(&self.folder) })
    }

    /// What agents need to start.
    pub fn site(&self) -> Site {
        Site { program: self.program.clone(), folder: self.folder().to_owned() }
    }

    /// The folder in which every contender keeps its files, so that all write to the same disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

// === impl Trial ===

impl Trial {
    /// Adds the agents of the same trial by the build before, each behind its own, and demands that none is worse.
    pub fn against(self, before: Self) -> Self {
        let mut old = before.contenders.into_iter().filter(|contender| contender.is_agent);
        let mut both = Vec::new();
        for contender in self.contenders {
            let rival = if contender.is_agent { old.next() } else { None };
            both.push(contender);
            both.extend(rival.map(|rival| Contender { name: format!("{}{BEFORE}", rival.name), ..rival }));
        }
        Self { contenders: both, ..self }
    }
}

// === impl Measured ===

impl Measured {
    /// Demands of every agent that the build before is not better: in how much it does, or else in what that costs.
    fn demand_no_loss(&mut self) {
        let has = |name: &str, figure| {
            self.rounds.iter().any(|(other, rounds)| other == name && rounds.iter().all(|round| round.contains_key(&figure)))
        };
        let mut bars = Vec::new();
        for (old, _) in self.rounds.iter().filter(|(name, _)| name.ends_with(BEFORE)) {
            let own = old.trim_end_matches(BEFORE);
            if has(old, Figure::Rate) {
                bars.push(Bar::ratio(Figure::Rate, own, old, Demand::AtLeast(NO_LOSS)));
            }
            for cost in [Figure::Cpu, Figure::Ready, Figure::Memory].into_iter().filter(|figure| has(old, *figure)) {
                bars.push(Bar::ratio(cost, own, old, Demand::AtMost(1.0 / NO_LOSS)));
            }
        }
        self.bars.extend(bars);
    }
}

// === impl Contender ===

impl Contender {
    pub fn new(name: impl Into<String>, round: impl FnMut(&Pace) -> Outcome<Round> + 'static) -> Self {
        Self { name: name.into(), is_agent: false, round: Box::new(round) }
    }

    /// The program itself.
    pub fn agent(name: impl Into<String>, round: impl FnMut(&Pace) -> Outcome<Round> + 'static) -> Self {
        Self { is_agent: true, ..Self::new(name, round) }
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
