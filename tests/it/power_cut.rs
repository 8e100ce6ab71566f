//! The power goes: whatever was not synced is gone, in the middle of recording.
//!
//! Guards against: an answer before the sync, a file whose name was never synced, a ledger that a torn write makes unreadable.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Amount, Rng, Setup, TestAgent, amounts_in, exact, run, tool, within};

const ROUNDS: u64 = 12;
const WRITERS: u64 = 4;

/// ext4 in a file. Its power can be cut: then nothing that was not synced is ever written.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self { folder: tempfile::Builder::new().prefix("lead-factory-disk-").tempdir().unwrap() };
        std::fs::create_dir(disk.mount_point()).unwrap();
        let image = disk.image().display().to_string();
        run("truncate", &["-s", "48M", &image]);
        run("mkfs.ext4", &["-q", "-F", "-b", "4096", &image]);
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    #[track_caller]
    fn mount(&self) {
        as_root(&["mount", "-o", "loop", &text(&self.image()), &text(&self.mount_point())]);
        as_root(&["chmod", "0777", &text(&self.mount_point())]);
    }

    /// Drops everything that was not synced, and lets nothing more through.
    #[track_caller]
    fn cut_power(&self) {
        const CUT: &str = "import fcntl, os, struct, sys\n\
            EXT4_IOC_SHUTDOWN, WITHOUT_FLUSHING_THE_JOURNAL = 0x8004587d, struct.pack('I', 2)\n\
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), EXT4_IOC_SHUTDOWN, WITHOUT_FLUSHING_THE_JOURNAL)";
        as_root(&["python3", "-c", CUT, &text(&self.mount_point())]);
    }

    #[track_caller]
    fn power_up(&self) {
        within(Duration::from_secs(10), "nothing uses the disk any more", || {
            try_as_root(&["umount", &text(&self.mount_point())]).then_some(())
        });
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        try_as_root(&["umount", "--lazy", &text(&self.mount_point())]);
    }
}

#[test]
fn what_was_answered_before_a_power_cut_is_there_after_it() {
    let disk = Disk::new();
    let ledger = disk.mount_point().join("folder/ledger.db");
    let mut rng = Rng::new(7);
    let mut total = Amount::default();
    for round in 0..ROUNDS {
        let setup = Setup::new().ledger_at(&ledger);
        let mut agent = setup.start();
        // At first at once, while the file is being made; later with a WAL of some size.
        let answers_before_cut = round * round * 2 + rng.below(4);
        let pid = agent.pid();
        let (answered, unanswered) = record_until_cut(&agent, round, answers_before_cut, || {
            stand_still(pid);
            disk.cut_power();
            run("kill", &["-KILL", &pid.to_string()]);
        });
        agent.kill();
        drop(agent);
        disk.power_up();

        let agent = setup.start();
        total += answered;
        for (body, amount) in unanswered {
            // Whether it was kept or not: after the retry it counts once.
            agent.costs(body).expect(200);
            total += amount;
        }
        assert_eq!(cost(&agent), total, "round {round}");
        drop(agent);
        setup.assert_verifies();
    }
}

/// Records from several clients at once, and cuts the power after so many answers. Returns the sum of what was answered, and
/// the requests that were not.
fn record_until_cut(
    agent: &TestAgent,
    round: u64,
    answers_before_cut: u64,
    cut: impl FnOnce(),
) -> (Amount, Vec<(String, Amount)>) {
    let answers = AtomicU64::new(0);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (mut client, answers) = (agent.client(), &answers);
                scope.spawn(move || {
                    let mut answered = Amount::default();
                    for request in 1_u64.. {
                        let amount = format!("0.{:06}{:06}", request, round * 10 + writer);
                        let body = format!(
                            r#"{{"id":"{round}/{writer}/{request}","service":"s{writer}","amount_usd":"{amount}"}}"#
                        );
                        let json = [("Content-Type", "application/json")];
                        match client.request("POST", "/costs", &json, body.as_bytes()) {
                            Ok(answer) if answer.status == 200 => answered += exact(&amount),
                            _ => return (answered, (body, exact(&amount))),
                        }
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                    unreachable!("the power is cut")
                })
            })
            .collect();
        within(Duration::from_secs(60), "enough answers", || {
            (answers.load(Ordering::Relaxed) >= answers_before_cut).then_some(())
        });
        cut();
        let mut answered = Amount::default();
        let mut unanswered = Vec::new();
        for writer in writers {
            let (sum, last) = writer.join().unwrap();
            answered += sum;
            unanswered.push(last);
        }
        (answered, unanswered)
    })
}

/// Stops a process between two system calls, as the power does. (ext4 does not cut off a sync that is under way: it can report
/// success for what it has just dropped.)
#[track_caller]
fn stand_still(pid: u32) {
    run("kill", &["-STOP", &pid.to_string()]);
    within(Duration::from_secs(10), "every thread stands still", || {
        let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let stands = |thread: std::io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            status.lines().any(|line| line.starts_with("State:") && line.contains('T'))
        };
        threads.all(stands).then_some(())
    });
}

#[track_caller]
fn cost(agent: &TestAgent) -> Amount {
    let today = crate::support::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    [today.yesterday().unwrap(), today]
        .iter()
        .flat_map(|day| amounts_in(&agent.get(&format!("/costs/daily?date={day}"))).into_values())
        .sum()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[track_caller]
fn as_root(command: &[&str]) {
    assert!(try_as_root(command), "this test mounts a disk of its own and needs root for: {command:?}");
}

fn try_as_root(command: &[&str]) -> bool {
    let command = if rustix::process::getuid().is_root() { command.to_vec() } else { [&["sudo", "-n"], command].concat() };
    let (program, arguments) = (tool(command[0]), &command[1..]);
    std::process::Command::new(program).args(arguments).output().unwrap().status.success()
}
