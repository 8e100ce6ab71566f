//! The disk by itself: write a page, sync it, again.
//!
//! A page that is added to the file costs more than one that is written over: the file system must sync the file's new length,
//! too. Who acknowledges one event after the other lies between the two, and cannot be faster than the second.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::floor::{Floor, until_the_bench_ends};
use crate::load::percentile_ms;
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// What SQLite's log grows by at least.
const PAGE_BYTES: usize = 4_096;
/// Where writing over begins again: SQLite's log is as long before its first checkpoint.
const WRITTEN_OVER_PAGES: u64 = 1_000;

/// One round in a process of its own; `way` is `append` or `overwrite`.
pub fn round(file: &Path, way: &str, pace: &Pace) -> Outcome<Round> {
    let path = file.to_str().ok_or("a path that is not text")?;
    let floor = Floor::start(&[
        "disk",
        way,
        path,
        &pace.warm_up.as_secs_f64().to_string(),
        &pace.measure.as_secs_f64().to_string(),
    ])?;
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
pub fn run(way: &str, file: &str, warm_up: Duration, measure: Duration) -> Outcome<()> {
    let file = File::create(file)?;
    let pages = match way {
        "append" => u64::MAX,
        "overwrite" => WRITTEN_OVER_PAGES,
        other => return Err(format!("no such way to write: {other}").into()),
    };
    if pages == WRITTEN_OVER_PAGES {
        file.write_all_at(&vec![0; PAGE_BYTES * usize::try_from(pages)?], 0)?;
        file.sync_all()?;
    }
    let mut page = 0;
    let mut write = || -> Outcome<Duration> {
        let began = Instant::now();
        file.write_all_at(&[0x5a; PAGE_BYTES], page % pages * PAGE_BYTES as u64)?;
        file.sync_data()?;
        page += 1;
        Ok(began.elapsed())
    };
    let began = Instant::now();
    while began.elapsed() < warm_up {
        write()?;
    }
    let pid = std::process::id();
    let (cpu, began, mut took) = (machine::cpu(pid)?, Instant::now(), Vec::new());
    while began.elapsed() < measure {
        took.push(write()?);
    }
    let (all, used) = (began.elapsed(), machine::cpu(pid)?.saturating_sub(cpu));
    took.sort_unstable();
    let (p50, p99) = (percentile_ms(&took, 0.50), percentile_ms(&took, 0.99));
    println!("{} {} {} {p50} {p99}", took.len(), all.as_secs_f64(), used.as_micros());
    until_the_bench_ends();
    Ok(())
}
