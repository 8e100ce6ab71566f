//! What Linux knows about processes, and about this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;

/// Where everybody may look into, and which is a disk on any Debian; `/tmp` may be memory.
const OPEN_FOLDER: &str = "/var/tmp";
/// Places in `/proc/<pid>/stat`, counted from after the process's name: state is the first.
const STAT_PARENT: usize = 1;
const STAT_USER: usize = 11;
const STAT_SYSTEM: usize = 12;
const STAT_CHILDREN_USER: usize = 13;
const STAT_CHILDREN_SYSTEM: usize = 14;

/// CPU that a process has used, user and system, all of its threads.
pub fn cpu(pid: u32) -> Outcome<Duration> {
    let stat = stat(pid)?;
    ticks(field(&stat, STAT_USER)? + field(&stat, STAT_SYSTEM)?)
}

/// CPU that a process, its living children, and those that it waited for have used.
pub fn cpu_of_family(pid: u32) -> Outcome<Duration> {
    let own = stat(pid)?;
    let mut sum = [STAT_USER, STAT_SYSTEM, STAT_CHILDREN_USER, STAT_CHILDREN_SYSTEM]
        .into_iter()
        .try_fold(0, |sum, place| field(&own, place).map(|ticks| sum + ticks))?;
    for entry in fs::read_dir("/proc")? {
        let Ok(child) = entry?.file_name().to_string_lossy().parse() else { continue };
        // One that ended meanwhile has been waited for.
        let Ok(stat) = stat(child) else { continue };
        if field(&stat, STAT_PARENT)? == u64::from(pid) {
            sum += field(&stat, STAT_USER)? + field(&stat, STAT_SYSTEM)?;
        }
    }
    ticks(sum)
}

/// Memory of a process.
pub struct Memory {
    pub resident_kib: u64,
    /// The most that was ever resident.
    pub peak_kib: u64,
}

pub fn memory(pid: u32) -> Outcome<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |field: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such line of status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(Memory { resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
}

/// Processes that ran or waited to, on average over the last minute.
pub fn load_average() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().ok_or("no load average")?.parse()?)
}

/// Processor, cores and kernel, on one line.
pub fn description() -> Outcome<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores of {}, Linux {}", model.trim_start_matches(['\t', ' ', ':']), kernel.trim()))
}

/// A folder that other users can reach: PostgreSQL refuses to run as root, and then becomes somebody else.
pub fn folder_for_everybody(wanted: &Path) -> Outcome<PathBuf> {
    fs::create_dir_all(wanted)?;
    for ancestor in wanted.ancestors() {
        if fs::metadata(ancestor)?.permissions().mode() & 0o001 == 0 {
            return Ok(PathBuf::from(OPEN_FOLDER));
        }
    }
    Ok(wanted.to_owned())
}

/// Lets everybody pass through a folder.
pub fn open_to_everybody(folder: &Path) -> Outcome<()> {
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}

fn stat(pid: u32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses and may contain anything.
    let (_, fields) = text.rsplit_once(") ").ok_or("an unreadable stat")?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

fn field(stat: &[String], place: usize) -> Outcome<u64> {
    Ok(stat.get(place).ok_or("a short stat")?.parse()?)
}

fn ticks(count: u64) -> Outcome<Duration> {
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(count * 1000 / per_second))
}
