//! Backup and restore, with the commands of docs/backup.md as they stand there.
//!
//! Guards against: a backup that never ends under load, that lacks what was answered or disturbs who records; a restore beside a
//! running agent, or one that mixes in the log of another ledger; a copy that forgot ids; a drill that passes
//! without the events; a guide that drifts from what works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::support::{Amount, Rng, Setup, TestAgent, amounts_in, exact, free_addr, now, program, tool, within};

const WRITERS: u64 = 8;
/// Recorded before the first copy, so that copying takes some time.
const EVENTS_BEFORE: usize = 30_000;
const BACKUPS: usize = 3;
/// For all of one backup. One that begins anew with each write would never end.
const BACKUP_MAX: Duration = Duration::from_secs(60);

/// What one answered event cost, by its id.
type Answered = BTreeMap<String, Amount>;

/// Ends the writers when it is dropped, also when the test fails half-way.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The commands below a heading of the guide.
fn commands(heading: &str) -> &'static str {
    let guide = include_str!("../../docs/backup.md");
    let section = guide.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no section {heading:?}"));
    let block = section.split("```sh\n").nth(1).unwrap_or_else(|| panic!("no commands under {heading:?}"));
    block.split("```").next().unwrap()
}

/// Runs the commands of a section in a shell that has nothing but the program, the system's tools and these variables.
fn guide(heading: &str, variables: &[(&str, &Path)]) -> Output {
    let tools = ["bash", "sqlite3", "flock"].map(tool);
    let folder = program().parent().unwrap().display().to_string();
    let mut shell = Command::new(&tools[0]);
    shell.args(["-c", commands(heading)]).env_clear().env("PATH", format!("{folder}:/usr/local/bin:/usr/bin:/bin"));
    shell.envs(variables.iter().map(|(name, value)| (name, value.as_os_str()))).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}", output.status);
    said
}

/// Records single events and small batches until told to stop. Every request is sent once and must be answered 200.
fn record(writer: u64, agent: &TestAgent, stop: &AtomicBool, answered: &Mutex<Answered>) {
    let mut rng = Rng::new(40 + writer);
    let mut client = agent.client();
    for request in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let events: Vec<(String, String)> = (0..=rng.below(4))
            .map(|number| (format!("{writer}/{request}/{number}"), format!("0.{:012}", rng.below(1 << 39))))
            .collect();
        client.costs(body(&events)).expect(200);
        answered.lock().unwrap().extend(events.iter().map(|(id, amount)| (id.clone(), exact(amount))));
    }
}

fn body(events: &[(String, String)]) -> String {
    let events: Vec<String> =
        events.iter().map(|(id, amount)| format!(r#"{{"id":"{id}","service":"s","amount_usd":"{amount}"}}"#)).collect();
    format!("[{}]", events.join(","))
}

/// The ids in a ledger file, with what they cost; read by SQL alone.
fn ids_in(ledger: &Path) -> Answered {
    let connection = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT id, amount_pico FROM event").unwrap();
    let rows = statement.query_map((), |row| Ok((row.get(0)?, Amount::new(row.get::<_, i64>(1)?.into(), 12)))).unwrap();
    let rows: Vec<(String, Amount)> = rows.collect::<Result<_, _>>().unwrap();
    let count = rows.len();
    let ids: Answered = rows.into_iter().collect();
    assert_eq!(ids.len(), count, "no id twice");
    ids
}

/// What an agent serves of yesterday and today, should midnight have passed meanwhile.
fn served(agent: &TestAgent) -> Amount {
    let today = now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = [today.yesterday().unwrap(), today];
    days.iter().filter_map(|day| amounts_in(&agent.get(&format!("/costs/daily?date={day}"))).remove("s")).sum()
}

fn contains(all: &Answered, some: &Answered) -> bool {
    some.iter().all(|(id, amount)| all.get(id) == Some(amount))
}

#[test]
fn a_backup_under_load_restores_to_all_that_was_answered_before_it_began() {
    let setup = Setup::new();
    let mut agent = setup.start();
    let (stop, answered) = (AtomicBool::new(false), Mutex::new(Answered::new()));
    let backups: Vec<_> = (0..BACKUPS).map(|number| setup.folder().join(format!("copies/{number}.db"))).collect();
    thread::scope(|scope| {
        let end = StopOnDrop(&stop);
        let (agent, stop, answered) = (&agent, &stop, &answered);
        let mut rng = Rng::new(1);
        for batch in 0..EVENTS_BEFORE / 1_000 {
            let events: Vec<_> =
                (0..1_000).map(|number| (format!("b{batch}/{number}"), format!("0.{:06}", rng.below(1_000_000)))).collect();
            agent.costs(body(&events)).expect(200);
            answered.lock().unwrap().extend(events.iter().map(|(id, amount)| (id.clone(), exact(amount))));
        }
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || record(writer, agent, stop, answered))).collect();
        for copy in &backups {
            let start = answered.lock().unwrap().len();
            within(Duration::from_secs(30), "the load is on", || {
                (answered.lock().unwrap().len() > start + 200).then_some(())
            });
            let before = answered.lock().unwrap().clone();
            let begin = Instant::now();
            done(&guide("Online copy", &[("LEDGER", setup.ledger()), ("COPY", copy)]));
            assert!(begin.elapsed() < BACKUP_MAX, "took {:?}", begin.elapsed());
            let during = answered.lock().unwrap().len() - before.len();
            println!("{} events copied in {:?}, {during} recorded meanwhile", before.len(), begin.elapsed());
            assert!(during > 0, "recording went on");
            assert!(contains(&ids_in(copy), &before), "what was answered before the backup began is in it");
        }
        assert_eq!(fs::read_dir(setup.folder().join("copies")).unwrap().count(), BACKUPS, "nothing lies beside the copies");
        drop(end);
        for writer in writers {
            writer.join().unwrap();
        }
    });
    let answered = answered.into_inner().unwrap();

    // Who was copied from was not disturbed.
    agent.assert_healthy();
    assert_eq!(served(&agent), answered.values().sum::<Amount>());
    assert!(agent.terminate().success());
    setup.assert_verifies();
    assert_eq!(ids_in(setup.ledger()), answered);

    restore_over_another_ledger(&setup, backups.last().unwrap(), &answered);
}

/// Restores in place of a ledger whose agent was killed, and has the workers send everything again.
fn restore_over_another_ledger(origin: &Setup, copy: &Path, answered: &Answered) {
    let setup = origin.clone().ledger_at(origin.folder().join("restored/ledger.db"));
    let variables = [("LEDGER", setup.ledger()), ("COPY", copy)];
    let mut old = setup.start();
    old.costs(r#"{"id":"of the old ledger","service":"s","amount_usd":7}"#).expect(200);
    let refused = guide("Restore", &variables);
    assert!(!refused.status.success(), "not beside a running agent");
    assert_eq!(served(&old), exact("7"), "nothing was touched");
    old.costs(r#"{"id":"afterwards","service":"s","amount_usd":1}"#).expect(200);
    old.kill();

    done(&guide("Restore", &variables));
    setup.assert_verifies();
    let kept: Vec<_> = fs::read_dir(setup.ledger().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.contains(".before-") && !["-shm", "-mark"].iter().any(|end| name.ends_with(end))
        })
        .collect();
    let old_ledger = kept.iter().find(|path| !path.to_string_lossy().ends_with("-wal")).expect("the old ledger is kept");
    assert_eq!(ids_in(old_ledger).len(), 2, "with what was in its log");

    let held = ids_in(copy);
    let mut agent = setup.start();
    assert_eq!(served(&agent), held.values().sum::<Amount>(), "the totals are the copy's");
    let everything: Vec<_> = answered.iter().map(|(id, amount)| (id.clone(), amount.to_plain_string())).collect();
    let (mut accepted, mut duplicates) = (0, 0);
    for events in everything.chunks(5_000) {
        let answer = agent.costs(body(events)).expect(200).json();
        accepted += answer["accepted"].as_u64().unwrap();
        duplicates += answer["duplicates"].as_u64().unwrap();
    }
    let known = u64::try_from(answered.keys().filter(|id| held.contains_key(*id)).count()).unwrap();
    assert_eq!((accepted, duplicates), (u64::try_from(answered.len()).unwrap() - known, known));
    assert_eq!(served(&agent), answered.values().sum::<Amount>(), "after the resend everything counts once");
    assert!(agent.terminate().success());
    setup.assert_verifies();
}

#[test]
fn a_cold_copy_has_what_a_killed_agent_left_in_its_log() {
    let setup = Setup::new();
    let mut agent = setup.start();
    let copy = setup.folder().join("copies/cold.db");
    let variables = [("LEDGER", setup.ledger()), ("COPY", copy.as_path())];
    agent.costs(r#"{"id":"a","service":"s","amount_usd":2.5}"#).expect(200);
    assert!(!guide("Cold copy", &variables).status.success(), "not while the agent runs");
    assert!(!copy.exists());
    agent.kill();
    assert!(done(&guide("Cold copy", &variables)).contains("sound"));

    let restored = setup.clone().ledger_at(setup.folder().join("new/ledger.db"));
    done(&guide("Restore", &[("LEDGER", restored.ledger()), ("COPY", &copy)]));
    let agent = restored.start();
    assert_eq!(served(&agent), exact("2.5"));
}

/// A cold copy of a ledger with one event, which is in the log only.
fn cold_copy(setup: &Setup) -> PathBuf {
    let mut agent = setup.start();
    agent.costs(r#"{"id":"a","service":"s","amount_usd":2.5}"#).expect(200);
    agent.kill();
    let copy = setup.folder().join("copies/cold.db");
    done(&guide("Cold copy", &[("LEDGER", setup.ledger()), ("COPY", &copy)]));
    copy
}

/// The names of what is in a folder.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The path of a file beside another.
fn beside(file: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", file.display()))
}

#[test]
fn what_a_restore_that_was_cut_off_left_is_not_read_with_the_next_copy() {
    let setup = Setup::new();
    let cold = cold_copy(&setup);
    let agent = setup.start();
    agent.costs(r#"{"id":"b","service":"s","amount_usd":1}"#).expect(200);
    let copy = setup.folder().join("copies/online.db");
    done(&guide("Online copy", &[("LEDGER", setup.ledger()), ("COPY", &copy)]));

    let restored = setup.clone().ledger_at(setup.folder().join("new/ledger.db"));
    fs::create_dir(setup.folder().join("new")).unwrap();
    fs::copy(beside(&cold, "-wal"), beside(restored.ledger(), ".part-wal")).unwrap();
    done(&guide("Restore", &[("LEDGER", restored.ledger()), ("COPY", &copy)]));
    assert_eq!(names_in(restored.ledger().parent().unwrap()), ["ledger.db"]);
    assert_eq!(ids_in(restored.ledger()), ids_in(&copy));
    restored.assert_verifies();
}

#[test]
fn no_copy_takes_the_name_of_a_cold_one_and_nothing_is_left_of_one_that_failed() {
    let setup = Setup::new();
    let cold = cold_copy(&setup);
    let held = ids_in(&cold);
    let again = [("LEDGER", setup.ledger()), ("COPY", cold.as_path())];
    assert!(!guide("Cold copy", &again).status.success());
    let mut agent = setup.start();
    agent.costs(r#"{"id":"b","service":"s","amount_usd":1}"#).expect(200);
    assert!(!guide("Online copy", &again).status.success());
    assert_eq!(ids_in(&cold), held, "the older copy is what it was");

    let folder = setup.folder().join("others");
    let copy = folder.join("copy.db");
    fs::create_dir(&folder).unwrap();
    let copy_beside_leftovers = |heading| {
        fs::write(beside(&copy, ".part"), "torn").unwrap();
        fs::copy(beside(&cold, "-wal"), beside(&copy, ".part-wal")).unwrap();
        done(&guide(heading, &[("LEDGER", setup.ledger()), ("COPY", &copy)]));
        assert_eq!(names_in(&folder), ["copy.db"], "{heading}");
        // Who reads it makes files beside it.
        assert_eq!(ids_in(&copy).len(), 2, "{heading}");
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
    };
    copy_beside_leftovers("Online copy");
    assert!(agent.terminate().success());
    copy_beside_leftovers("Cold copy");

    let foreign = setup.folder().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE costs (id INTEGER)").unwrap();
    assert!(!guide("Online copy", &[("LEDGER", &foreign), ("COPY", &copy)]).status.success());
    assert!(names_in(&folder).is_empty(), "a copy every hour must not fill the disk with what failed");
}

/// Cron runs it with `PATH=/usr/bin:/bin`, and `docs/install.md` installs the program elsewhere.
#[test]
fn the_hourly_copy_looks_for_the_program_where_it_is_installed() {
    let path = commands("Online copy").lines().find(|line| line.starts_with("PATH=")).expect("a line for cron");
    let print = format!("{path}\necho \"$PATH\"");
    let printed = Command::new("/bin/sh").args(["-c", &print]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "/usr/bin:/bin:/usr/local/bin\n");
}

#[test]
fn the_drill_tries_all_of_a_copy_and_fails_where_the_events_are_missing() {
    let setup = Setup::new();
    let cold = cold_copy(&setup);
    let drill = |copy: &Path| {
        let port = free_addr().port().to_string();
        guide("Drill", &[("COPY", copy), ("TRIAL_PORT", Path::new(&port))])
    };
    assert!(done(&drill(&cold)).contains("holds 1 entries of 2.5 USD"));

    let lost = setup.folder().join("copies/lost.db");
    fs::copy(&cold, &lost).unwrap();
    assert!(!drill(&lost).status.success(), "its log is missing");
    let empty = setup.clone().ledger_at(setup.folder().join("empty.db"));
    assert!(empty.start().terminate().success());
    assert!(!drill(empty.ledger()).status.success(), "a sound ledger without any event");
}
