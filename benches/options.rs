//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

pub const HELP: &str = "\
Measures what the program promises, in interleaved rounds, and prints figures, ratios and bars.

  --before PROGRAM also against another build of the program, in the same rounds: nothing may be worse than 0.97 of it
  --peers          also against Redis and PostgreSQL (scripts/bench installs Debian's)
  --only NAME      only trials whose names contain this; may be repeated
  --rounds N       rounds of each contender (5)
  --seconds S      length of a measured round (3)
  --quick          2 rounds of 1 s, and no ledger of 10 million events
  --folder DIR     where all contenders keep their files (default: below the build folder)
  --json FILE      write all figures to a file as well
  --list           only print the names of the trials
";

/// The hidden first argument under which this program is a floor.
pub const FLOOR: &str = "floor";

/// What to do.
pub enum Command {
    Help,
    /// Be the floor that these arguments name, in a process of its own.
    Floor(Vec<String>),
    Measure(Options),
}

/// How to measure.
#[derive(Clone, Debug)]
pub struct Options {
    pub rounds: usize,
    pub measure: Duration,
    pub before: Option<PathBuf>,
    pub peers: bool,
    pub quick: bool,
    pub list: bool,
    pub only: Vec<String>,
    pub folder: Option<PathBuf>,
    pub json: Option<PathBuf>,
}

/// Reads the arguments, without the program's name.
pub fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Command> {
    let mut options = Options {
        rounds: 5,
        measure: Duration::from_secs(3),
        before: None,
        peers: false,
        quick: false,
        list: false,
        only: Vec::new(),
        folder: None,
        json: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            FLOOR => return Ok(Command::Floor(arguments.collect())),
            "--help" | "-h" => return Ok(Command::Help),
            // What cargo adds.
            "--bench" => {}
            "--before" => options.before = Some(std::path::absolute(value()?)?),
            "--peers" => options.peers = true,
            "--list" => options.list = true,
            "--quick" => (options.quick, options.rounds, options.measure) = (true, 2, Duration::from_secs(1)),
            "--only" => options.only.push(value()?),
            "--rounds" => options.rounds = value()?.parse()?,
            "--seconds" => options.measure = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--folder" => options.folder = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            other => return Err(format!("{other} is not known; --help lists what is").into()),
        }
    }
    if options.rounds == 0 || options.measure < Duration::from_millis(100) {
        return Err("at least one round of at least 0.1 s".into());
    }
    Ok(Command::Measure(options))
}

// === impl Options ===

impl Options {
    /// Whether a trial of this name is asked for.
    pub fn wants(&self, trial: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| trial.contains(part.as_str()))
    }
}
