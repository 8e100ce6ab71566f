//! The promise: a million events are exported at half a million a second, and imported nearly as fast as they can be recorded.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Instant;

use tempfile::TempDir;

use crate::Outcome;
use crate::agent::Agent;
use crate::ingest::{batch_load, on_empty_ledger};
use crate::ledgers::{Ledgers, MILLION, WorkingCopy};
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Round, Trial};

const EXPORT: &str = "export";
const IMPORT: &str = "import";
const RECORDING: &str = "recording NDJSON";

/// A million events in a ledger, and as lines, made once for all rounds.
#[derive(Clone)]
struct Events {
    ledgers: Ledgers,
    program: PathBuf,
    folder: PathBuf,
    copy: Rc<OnceCell<WorkingCopy>>,
    lines: Rc<OnceCell<TempDir>>,
}

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let site = bench.site();
    let (ledgers, program, folder) = (Ledgers::of(bench), site.program.clone(), site.folder.clone());
    let events = Events { ledgers, program, folder, copy: Rc::default(), lines: Rc::default() };
    let (export, import) = (events.clone(), events);
    let for_import = site.clone();
    let exporting = Contender::new(EXPORT, move |_| {
        let ledger = export.ledger()?;
        let took = run(Command::new(&export.program).arg("export").arg("--db-path").arg(ledger))?;
        Ok(Round::from([(Figure::Rate, MILLION as f64 / took)]))
    });
    let importing = Contender::new(IMPORT, move |_| {
        let lines = import.lines()?;
        let agent = Agent::start_empty(&for_import)?;
        let url = format!("http://{}", agent.address);
        let took = run(Command::new(&import.program).args(["import", "--any-age", "--url", &url]).arg(lines))?;
        agent.stop()?;
        Ok(Round::from([(Figure::Rate, MILLION as f64 / took)]))
    });
    let recording = Contender::new(RECORDING, on_empty_ledger(site, batch_load()));
    vec![
        Trial {
            name: "export",
            title: "export of a million events as JSON lines".into(),
            contenders: vec![exporting],
            bars: vec![Bar::alone(Figure::Rate, EXPORT, AtLeast(500_000.0))],
        },
        Trial {
            name: "import",
            title: "import of a million exported events, beside recording 1,000 a request over 4 connections".into(),
            contenders: vec![importing, recording],
            bars: vec![Bar::ratio(Figure::Rate, IMPORT, RECORDING, AtLeast(0.7))],
        },
    ]
}

/// Seconds that a command takes.
fn run(command: &mut Command) -> Outcome<f64> {
    let began = Instant::now();
    let status = command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).status()?;
    if status.success() { Ok(began.elapsed().as_secs_f64()) } else { Err(format!("{command:?}: {status}").into()) }
}

// === impl Events ===

impl Events {
    fn ledger(&self) -> Outcome<PathBuf> {
        if let Some(copy) = self.copy.get() {
            return Ok(copy.ledger());
        }
        let copy = self.ledgers.copy(1)?;
        Ok(self.copy.get_or_init(|| copy).ledger())
    }

    fn lines(&self) -> Outcome<PathBuf> {
        let file = |folder: &Path| folder.join("events.jsonl");
        if let Some(folder) = self.lines.get() {
            return Ok(file(folder.path()));
        }
        let folder = tempfile::Builder::new().prefix("lines-").tempdir_in(&self.folder)?;
        let ledger = self.ledger()?;
        let output = file(folder.path());
        run(Command::new(&self.program).arg("export").arg("--db-path").arg(ledger).arg("--output-file").arg(&output))?;
        self.lines.get_or_init(|| folder);
        Ok(output)
    }
}
