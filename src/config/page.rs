//! Files as texts whose places can be named.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::problem::{Origin, Problem};

/// A text whose places can be named.
pub(super) struct Page<'a> {
    path: &'a str,
    text: &'a str,
    line_starts: Vec<usize>,
}

/// A page that is being read, and what was found wrong with it so far.
pub(super) struct Reading<'a> {
    pub page: Page<'a>,
    pub problems: Vec<Problem>,
}

impl<'a> Page<'a> {
    /// A file's text; `path` is how it was named.
    pub fn new(path: &'a str, text: &'a str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self { path, text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The place of a byte.
    pub fn place(&self, offset: usize) -> Origin {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let line_start = line.checked_sub(1).and_then(|index| self.line_starts.get(index)).copied().unwrap_or(0);
        let before = self.text.get(line_start..offset).unwrap_or_default();
        Origin::File { path: self.path.into(), line, column: before.chars().count() + 1 }
    }
}

impl Reading<'_> {
    /// Notes what is wrong at a byte.
    pub fn wrong(&mut self, setting: Option<&'static str>, offset: usize, detail: String) {
        self.problems.push(Problem { setting, origin: self.page.place(offset), detail });
    }
}

/// A whole text file of at most `bytes_max` bytes. An error completes a sentence after a colon.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> Result<String, String> {
    String::from_utf8(read_bytes(path, bytes_max)?).map_err(|_| "it is not UTF-8 text".into())
}

/// The same of a file of any kind.
pub(super) fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it is larger than {bytes_max} bytes"));
    }
    Ok(bytes)
}

/// A warning when everybody on the machine may read a file that holds a secret.
#[cfg(unix)]
pub(super) fn exposure(what: &str, path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let readable_by_all = mode & 0o004 != 0;
    readable_by_all.then(|| format!("{what} {} is readable by every user on this machine", path.display()))
}

/// Permissions of other systems say nothing that could be checked here.
#[cfg(not(unix))]
pub(super) fn exposure(_what: &str, _path: &Path) -> Option<String> {
    None
}
