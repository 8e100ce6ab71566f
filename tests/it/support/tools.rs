//! Other programs, the clock, and randomness that can be repeated.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::within;

/// The built program.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lead-factory-metrics"))
}

/// The path of a tool that a test cannot do without.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("this test needs the tool {name:?}; scripts/test installs it (Debian packages)"))
}

/// Runs a tool; it must succeed.
#[track_caller]
pub fn run(name: &str, arguments: &[&str]) -> Output {
    let output = try_run(name, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {} {said}", output.status);
    output
}

/// Runs a tool, whatever comes of it.
#[track_caller]
pub fn try_run(name: &str, arguments: &[&str]) -> Output {
    Command::new(tool(name)).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The time now.
pub fn now() -> Timestamp {
    lead_factory_metrics::clock::Clock::System.now()
}

/// Runs a check of "today" in UTC, once more when midnight passed meanwhile.
pub fn same_day<T>(check: impl FnMut(Date) -> T) -> T {
    same_day_in("UTC", check)
}

/// Runs a check of "today" in a zone, once more when midnight passed meanwhile.
pub fn same_day_in<T>(zone: &str, mut check: impl FnMut(Date) -> T) -> T {
    let zone = TimeZone::get(zone).unwrap();
    let today = || now().to_zoned(zone.clone()).date();
    loop {
        let day = today();
        let result = check(day);
        if today() == day {
            return result;
        }
    }
}

/// A small file system in memory, in a mount namespace of its own: it goes when this does, whatever happens to the test.
///
/// Programs get to see it by being started with [`TmpfsForLedger::inside`].
pub struct TmpfsForLedger {
    holder: Child,
    folder: tempfile::TempDir,
}

impl TmpfsForLedger {
    /// Mounts `size` (as in `mount -o size=`). Works as root, and for others where user namespaces are allowed.
    #[track_caller]
    pub fn mount(size: &str) -> Self {
        tool("nsenter");
        let folder = tempfile::Builder::new().prefix("lead-factory-tmpfs-").tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size={size} tmpfs {} && exec sleep 3600", folder.path().display());
        let holder = Command::new(tool("unshare"))
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut mounted = Self { holder, folder };
        within(Duration::from_secs(10), "the tmpfs is mounted", || {
            if let Some(status) = mounted.holder.try_wait().unwrap() {
                panic!("this test needs to mount a tmpfs in a user namespace (root, or unprivileged namespaces): {status}");
            }
            let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", mounted.holder.id())).ok()?;
            mounts.contains(&mounted.folder.path().display().to_string()).then_some(())
        });
        mounted
    }

    /// The folder, as programs inside see it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder, as this process can reach it.
    pub fn path_from_here(&self) -> PathBuf {
        let inside = self.folder.path().strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// The command that starts another one inside.
    pub fn inside(&self) -> Vec<String> {
        let target = self.holder.id().to_string();
        ["nsenter", "--user", "--preserve-credentials", "--mount", "--target", &target].map(str::to_owned).to_vec()
    }

    #[track_caller]
    pub fn remount(&self, options: &str) {
        let command = self.inside();
        let mut arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        let folder = self.folder.path().display().to_string();
        let options = format!("remount,{options}");
        arguments.extend(["mount", "-o", &options, &folder]);
        run("nsenter", &arguments);
    }
}

impl Drop for TmpfsForLedger {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The text with something else in all places where `from` is; there must be one.
#[track_caller]
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replace(from, to)
}
