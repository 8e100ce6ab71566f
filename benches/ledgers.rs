//! Large ledgers, recorded by the program itself over HTTP and kept for the next run of the same build.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::agent::Agent;
use crate::events::BATCH;
use crate::site::Site;
use crate::trial::Bench;
use crate::{Outcome, ingest};

pub const MILLION: u64 = 1_000_000;

/// The kept ledgers.
#[derive(Clone, Debug)]
pub struct Ledgers {
    cache: PathBuf,
    site: Site,
}

/// A copy of a ledger, to be recorded into.
pub struct WorkingCopy {
    program: PathBuf,
    folder: TempDir,
}

// === impl Ledgers ===

impl Ledgers {
    pub fn of(bench: &Bench) -> Self {
        Self { cache: bench.cache.clone(), site: bench.site() }
    }

    /// A copy of the ledger with so many million events, on the disk of all contenders.
    pub fn copy(&self, millions: u64) -> Outcome<WorkingCopy> {
        let original = self.filled(millions)?;
        let folder = tempfile::Builder::new().prefix("ledger-").tempdir_in(&self.site.folder)?;
        copy_files(&original, folder.path())?;
        // Nobody's first sync shall have to write the copy.
        rustix::fs::sync();
        Ok(WorkingCopy { program: self.site.program.clone(), folder })
    }

    /// The folder of the ledger with so many million events; recorded now unless it is there.
    fn filled(&self, millions: u64) -> Outcome<PathBuf> {
        let folder = self.of_this_build()?.join(format!("{millions}-million"));
        if folder.exists() {
            return Ok(folder);
        }
        eprintln!("recording {millions} million events once, to be kept in {}", folder.display());
        let begun = folder.with_extension("begun");
        if begun.exists() {
            fs::remove_dir_all(&begun)?;
        }
        fs::create_dir_all(&begun)?;
        let missing = if millions > 1 {
            copy_files(&self.filled(1)?, &begun)?;
            millions - 1
        } else {
            millions
        };
        let agent = Agent::start_on(&self.site.program, &ledger_in(&begun))?;
        ingest::batch_load().send(agent.address, missing * MILLION / BATCH as u64)?;
        agent.stop()?;
        fs::rename(&begun, &folder)?;
        Ok(folder)
    }

    /// Another build may write its files in another way, so it gets ledgers of its own.
    fn of_this_build(&self) -> Outcome<PathBuf> {
        let program = fs::metadata(&self.site.program)?;
        let name = format!("{:x}-{:x}", program.mtime(), program.size());
        fs::create_dir_all(&self.cache)?;
        let folder = self.cache.join(&name);
        if !folder.exists() {
            self.remove_the_oldest()?;
            fs::create_dir_all(&folder)?;
        }
        Ok(folder)
    }

    /// Keeps room for those of two builds: this one, and the one it is compared with.
    fn remove_the_oldest(&self) -> Outcome<()> {
        let mut kept = fs::read_dir(&self.cache)?.collect::<Result<Vec<_>, _>>()?;
        kept.sort_by_key(|folder| folder.metadata().and_then(|metadata| metadata.modified()).ok());
        for folder in kept.iter().rev().skip(1) {
            fs::remove_dir_all(folder.path())?;
        }
        Ok(())
    }
}

fn copy_files(from: &Path, to: &Path) -> Outcome<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn ledger_in(folder: &Path) -> PathBuf {
    folder.join("ledger.db")
}

// === impl WorkingCopy ===

impl WorkingCopy {
    /// Its file.
    pub fn ledger(&self) -> PathBuf {
        ledger_in(self.folder.path())
    }

    /// Starts the agent on it.
    pub fn start(&self) -> Outcome<Agent> {
        Agent::start_on(&self.program, &ledger_in(self.folder.path()))
    }
}
