//! A ledger of a million events of one's own, recorded once for all rounds of a run.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use tempfile::TempDir;

use crate::Outcome;
use crate::agent::Agent;
use crate::events::BATCH;
use crate::http::{self, HttpAnswers};
use crate::ledgers::MILLION;
use crate::load::Load;
use crate::site::Site;
use crate::template::Template;
use crate::trial::Bench;

/// A million events, of which `event` makes the lines of a batch. Clones share the ledger.
#[derive(Clone)]
pub struct Million {
    site: Site,
    event: fn(usize) -> String,
    folder: Rc<OnceCell<TempDir>>,
}

/// An agent, and the folder of its ledger.
pub struct OnACopy {
    pub agent: Agent,
    _folder: TempDir,
}

impl Million {
    pub fn of(bench: &Bench, event: fn(usize) -> String) -> Self {
        Self { site: bench.site(), event, folder: Rc::default() }
    }

    /// The ledger's file; recorded now unless it is there.
    pub fn ledger(&self) -> Outcome<PathBuf> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder.path().join("ledger.db"));
        }
        let folder = tempfile::Builder::new().prefix("million-").tempdir_in(&self.site.folder)?;
        let ledger = folder.path().join("ledger.db");
        let agent = Agent::start_on(&self.site.program, &ledger)?;
        let lines: String = (0..BATCH).map(|number| (self.event)(number) + "\n").collect();
        let load = Load {
            connections: 4,
            requests: vec![Template::new(http::post("application/x-ndjson", &lines))],
            answers: HttpAnswers::default(),
            events_per_request: BATCH as f64,
        };
        load.send(agent.address, MILLION / BATCH as u64)?;
        agent.stop()?;
        self.folder.get_or_init(|| folder);
        Ok(ledger)
    }

    /// An agent on the ledger, which must not be recorded into.
    pub fn start(&self) -> Outcome<Agent> {
        Agent::start_on(&self.site.program, &self.ledger()?)
    }

    /// An agent on a copy, so that the next round begins with a million events as well.
    pub fn start_on_a_copy(&self) -> Outcome<OnACopy> {
        let folder = tempfile::Builder::new().prefix("copy-").tempdir_in(&self.site.folder)?;
        let copy = folder.path().join("ledger.db");
        std::fs::copy(self.ledger()?, &copy)?;
        // Nobody's first sync shall have to write the copy.
        rustix::fs::sync();
        Ok(OnACopy { agent: Agent::start_on(&self.site.program, &copy)?, _folder: folder })
    }
}
