//! The disk by itself: append a page, sync it, again. Nobody who acknowledges one event after the other can be faster.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::floor::{Floor, until_the_bench_ends};
use crate::load::percentile_ms;
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// What SQLite's log grows by at least.
const PAGE_BYTES: usize = 4_096;

/// One round in a process of its own.
pub fn round(file: &Path, pace: &Pace) -> Outcome<Round> {
    let path = file.to_str().ok_or("a path that is not text")?;
    let floor =
        Floor::start(&["disk", path, &pace.warm_up.as_secs_f64().to_string(), &pace.measure.as_secs_f64().to_string()])?;
    let &[count, seconds, cpu_us, p50_ms, p99_ms] = floor.numbers()?.as_slice() else {
        return Err("a floor that said something else".into());
    };
    Ok(Round::from([
        (Figure::Rate, count / seconds),
        (Figure::P50, p50_ms),
        (Figure::P99, p99_ms),
        (Figure::Cpu, cpu_us / count),
        (Figure::Count, count),
    ]))
}

/// Being the floor: prints syncs, seconds, microseconds of CPU, and percentiles in milliseconds.
pub fn run(file: &str, warm_up: Duration, measure: Duration) -> Outcome<()> {
    let mut file = File::create(file)?;
    let mut append = || -> Outcome<Duration> {
        let began = Instant::now();
        file.write_all(&[0x5a; PAGE_BYTES])?;
        file.sync_data()?;
        Ok(began.elapsed())
    };
    let began = Instant::now();
    while began.elapsed() < warm_up {
        append()?;
    }
    let pid = std::process::id();
    let (cpu, began, mut took) = (machine::cpu(pid)?, Instant::now(), Vec::new());
    while began.elapsed() < measure {
        took.push(append()?);
    }
    let (all, used) = (began.elapsed(), machine::cpu(pid)?.saturating_sub(cpu));
    took.sort_unstable();
    let (p50, p99) = (percentile_ms(&took, 0.50), percentile_ms(&took, 0.99));
    println!("{} {} {} {p50} {p99}", took.len(), all.as_secs_f64(), used.as_micros());
    until_the_bench_ends();
    Ok(())
}
