//! A floor seen from the bench: the least that the work can cost with the same parts, in a process of its own, which is this
//! program again.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::agent::Process;
use crate::options::FLOOR;
use crate::{Outcome, machine};

/// A floor in its process. It ends with this, or with the bench.
pub struct Floor {
    process: Process,
    /// What it said first: where it listens, or what it measured.
    pub said: String,
}

/// Waits until the bench is gone: it holds the other end of the standard input.
pub fn until_the_bench_ends() {
    // An error means the same as the end.
    let _ = std::io::stdin().read(&mut [0]);
}

// === impl Floor ===

impl Floor {
    /// Starts a floor, and waits for the first line that it says.
    pub fn start(arguments: &[&str]) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(FLOOR)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("a floor without output")?;
        let process = Process(child);
        let mut said = String::new();
        BufReader::new(output).read_line(&mut said)?;
        if said.is_empty() {
            return Err(format!("the floor {arguments:?} failed").into());
        }
        Ok(Self { process, said: said.trim().to_owned() })
    }

    /// What it measured.
    pub fn numbers(&self) -> Outcome<Vec<f64>> {
        Ok(self.said.split(' ').map(str::parse).collect::<Result<_, _>>()?)
    }

    /// Where it listens.
    pub fn address(&self) -> Outcome<SocketAddr> {
        Ok(self.said.parse()?)
    }

    /// CPU used so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        machine::cpu(self.process.0.id())
    }
}
