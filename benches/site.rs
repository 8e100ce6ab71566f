//! What a contender is told of where it runs.

use std::path::PathBuf;

/// Which build of the program is measured, and below which folder its files lie.
#[derive(Clone, Debug)]
pub struct Site {
    pub program: PathBuf,
    pub folder: PathBuf,
}
