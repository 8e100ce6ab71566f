//! What taking part in a fleet needs of the rest of the program.

use std::path::Path;
use std::sync::Arc;

use std::os::unix::fs::MetadataExt;

use super::chance::random;
use crate::clock::Clock;
use crate::ledger::{LedgerError, Reader};
use crate::views::Board;
use crate::writer::Writer;

/// What taking part in a fleet needs of the rest of the program.
#[derive(Debug)]
pub struct FleetParts {
    /// Where the newest state is read.
    pub board: Arc<Board>,
    /// Who grants, and has to know what may be granted.
    pub writer: Writer,
    /// The ledger, for days that memory does not have.
    pub reader: Arc<Reader>,
    /// What time it is.
    pub clock: Clock,
    /// What tells this ledger from all others.
    pub ledger_id: String,
    /// Where the ledger's file is: two processes with one ledger and one place are one after the other, since a ledger is locked.
    pub place: String,
}

impl FleetParts {
    /// The parts of a ledger's agent.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn new(board: Arc<Board>, writer: Writer, reader: Reader, ledger: &Path, clock: Clock) -> Result<Self, LedgerError> {
        let ledger_id = format!("{:016x}", reader.ledger_id()?);
        Ok(Self { board, writer, reader: Arc::new(reader), clock, ledger_id, place: place_of(ledger) })
    }
}

/// The machine's boot and the name in its folder; then, behind the last space, the file as the machine knows it. A copy of the file, or another
/// machine, is another place; a file that was put back is in the same one, and is another file.
fn place_of(ledger: &Path) -> String {
    let known = |path: &Path| std::fs::metadata(path).map(|found| format!("{}:{}", found.dev(), found.ino()));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let folder = ledger.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = ledger.file_name().unwrap_or_default().to_string_lossy().replace(' ', "_");
    match (boot, known(folder), known(ledger)) {
        (Ok(boot), Ok(folder), Ok(file)) => format!("{} {folder}/{name} {file}", boot.trim()),
        // No place is like another, which is safe: who takes over waits.
        _ => format!("{} ?", random()),
    }
}
