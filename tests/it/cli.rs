//! The command line, as an operator uses it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use crate::support::{Setup, amounts_in, program, run};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

const VERBS: [&str; 13] = [
    "serve",
    "check-config",
    "healthcheck",
    "record",
    "costs",
    "budgets",
    "gate",
    "reservations",
    "fleet",
    "top",
    "verify",
    "completions",
    "man",
];

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in VERBS {
        let output = Setup::new().verb(&[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{verb}");
        let help = text(&output);
        assert!(help.contains("Example") && help.contains(&format!("lead-factory-metrics {verb}")), "{verb}: {help}");
    }
    let help = text(&Setup::new().verb(&["--help"]));
    for verb in VERBS {
        assert!(help.contains(verb), "{verb} in {help}");
    }
    assert!(text(&Setup::new().verb(&["--version"])).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn mistakes_in_usage_end_with_2() {
    for arguments in [
        &["no-such-verb"][..],
        &["--no-such-flag"],
        &["costs", "yearly"],
        &["record"],
        &["costs", "daily", "--output", "xml"],
    ] {
        let output = Setup::new().verb(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn verbs_that_need_an_agent_end_with_1_without_one() {
    let setup = Setup::new();
    // Port 9 (discard) is never an agent's.
    let nowhere = ["--url", "http://127.0.0.1:9"];
    for verb in [&["healthcheck"][..], &["costs", "daily"], &["budgets"], &["record", "--service", "s", "--amount-usd", "1"]]
    {
        let output = setup.verb(&[verb, &nowhere].concat());
        assert_eq!(output.status.code(), Some(1), "{verb:?}: {}", text(&output));
        assert!(!output.stderr.is_empty(), "{verb:?} says why");
    }
    assert_eq!(setup.verify().status.code(), Some(1), "no ledger to verify");
    assert!(!setup.ledger().exists(), "and none is made");
}

#[test]
fn an_operator_records_and_reads_costs() {
    let agent = Setup::new().start();
    assert_eq!(agent.cli(&["healthcheck"]).status.code(), Some(0));
    let output =
        agent.cli(&["record", "--service", "openai", "--operation", "chat", "--amount-usd", "0.0015", "--id", "call-1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let again =
        agent.cli(&["record", "--service", "openai", "--operation", "chat", "--amount-usd", "1.5e-3", "--id", "call-1"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    let conflict =
        agent.cli(&["record", "--service", "openai", "--operation", "chat", "--amount-usd", "2", "--id", "call-1"]);
    assert_eq!(conflict.status.code(), Some(1), "{}", text(&conflict));
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.0015}"#);

    for (arguments, path) in [
        (&["costs", "daily", "--output", "json"][..], "/costs/daily"),
        (&["costs", "monthly", "--output", "json"], "/costs/monthly"),
        (&["costs", "history", "--days", "2", "--output", "json"], "/costs/history?days=2"),
        (&["costs", "daily", "--by", "operation", "--output", "json"], "/costs/daily?by=operation"),
    ] {
        let output = agent.cli(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(shown, agent.get(path).json(), "{arguments:?}");
    }
    let budgets: serde_json::Value = serde_json::from_slice(&agent.cli(&["budgets", "--output", "json"]).stdout).unwrap();
    assert_eq!(budgets[0]["name"], "daily");
    let csv = text(&agent.cli(&["costs", "daily", "--output", "csv"]));
    assert!(csv.lines().count() == 2 && csv.contains("openai,0.0015"), "{csv}");
    let table = text(&agent.cli(&["costs", "daily"]));
    assert!(
        table.contains("openai") && table.contains("0.0015") && !table.contains('\u{1b}'),
        "no colour when piped: {table}"
    );
}

#[test]
fn a_token_is_taken_from_the_environment() {
    let setup = Setup::new().env("API_TOKEN", "t0ken-for-the-cli");
    let agent = setup.start();
    let output = agent.cli(&["record", "--service", "s", "--amount-usd", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("t0ken-for-the-cli"));
    let other = setup.env("API_TOKEN", "wrong-token");
    let output = other.verb(&["record", "--service", "s", "--amount-usd", "1", "--url", &agent.url()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(!text(&output).contains("wrong-token"), "secrets never print");
}

#[test]
fn healthcheck_fails_when_cost_cannot_be_recorded() {
    let setup = Setup::new();
    let agent = setup.clone().with_injected_faults(&["pwrite64:error=ENOSPC:when=150+"]).start();
    let mut client = agent.client();
    crate::support::within(std::time::Duration::from_secs(20), "the disk is full", || {
        (client.costs(r#"{"service":"s","amount_usd":1}"#).status == 503).then_some(())
    });
    assert_eq!(agent.cli(&["healthcheck"]).status.code(), Some(1));
}

#[test]
fn a_port_that_is_taken_ends_with_1() {
    let agent = Setup::new().start();
    let refused =
        Setup::new().env("METRICS_PORT", agent.addr().port().to_string()).try_start().err().expect("does not start");
    assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
    assert!(refused.log.contains(&agent.addr().port().to_string()), "it says which: {}", refused.log);
}

#[test]
fn verify_finds_a_changed_total() {
    let setup = Setup::new();
    let mut agent = setup.start();
    agent
        .costs(r#"[{"id":"a","service":"openai","amount_usd":1},{"id":"b","service":"openai","amount_usd":2}]"#)
        .expect(200);
    assert!(agent.terminate().success());
    setup.assert_verifies();
    // Deletes a row of every table in turn, behind the program's back.
    let ledger = setup.ledger().display().to_string();
    let tables =
        run("sqlite3", &[&ledger, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"]);
    let whole = std::fs::read(setup.ledger()).unwrap();
    let mut tampered = 0;
    for table in String::from_utf8(tables.stdout).unwrap().lines() {
        let deletion =
            format!("DELETE FROM \"{table}\" WHERE rowid = (SELECT min(rowid) FROM \"{table}\"); SELECT changes();");
        let by_column = format!("DELETE FROM \"{table}\" WHERE (SELECT count(*) FROM \"{table}\") > 0; SELECT changes();");
        let changed = [deletion, by_column].iter().any(|sql| {
            let output = crate::support::try_run("sqlite3", &[&ledger, sql]);
            String::from_utf8_lossy(&output.stdout).trim().parse::<u64>().is_ok_and(|rows| rows > 0)
        });
        if changed {
            tampered += 1;
            assert_eq!(setup.verify().status.code(), Some(1), "a row is missing from {table} and verify is content");
        }
        std::fs::write(setup.ledger(), &whole).unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{ledger}{suffix}"));
        }
    }
    assert!(tampered > 1, "some table had rows");
    setup.assert_verifies();
}

#[test]
fn output_into_a_closed_pipe_is_no_panic() {
    let agent = Setup::new().start();
    let script =
        format!("'{}' costs history --days 400 --output csv --url {} | head -n 1", program().display(), agent.url());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(!text(&output).contains("panicked"), "{}", text(&output));
    assert!(amounts_in(&agent.get("/costs/daily")).is_empty());
}

#[test]
fn a_watch_asks_again_and_ends_with_its_reader() {
    let agent = Setup::new().start();
    let mut watching = Command::new(program())
        .args(["costs", "daily", "--watch", "1", "--output", "json", "--url", &agent.url()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "{}");
    agent.costs(r#"{"service":"openai","amount_usd":"1.50"}"#).expect(200);
    // One more may have been on its way.
    assert!(answers.by_ref().take(3).any(|answer| answer.unwrap() == r#"{"openai":1.5}"#));
    drop(answers);
    assert_eq!(watching.wait().unwrap().code(), Some(0), "nobody reads any more");
}

#[test]
fn shells_and_man_can_read_what_is_written_for_them() {
    let setup = Setup::new();
    let script = setup.folder().join("completions.bash");
    std::fs::write(&script, setup.verb(&["completions", "bash"]).stdout).unwrap();
    let names = "source \"$0\"; function=$(complete -p lead-factory-metrics | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
                 COMP_WORDS=(lead-factory-metrics co) COMP_CWORD=1; \
                 $function lead-factory-metrics co lead-factory-metrics; echo \"${COMPREPLY[@]}\"";
    let completed = run("bash", &["--norc", "-c", names, script.to_str().unwrap()]);
    assert_eq!(text(&completed).trim(), "costs completions");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(text(&setup.verb(&["completions", shell])).contains("check-config"), "{shell}");
    }

    let pages = setup.folder().join("man");
    assert_eq!(setup.verb(&["man", "--folder", pages.to_str().unwrap()]).status.code(), Some(0));
    let page = std::fs::read_to_string(pages.join("lead-factory-metrics-costs-daily.1")).unwrap();
    for part in [".TH", "SYNOPSIS", "watch", "Examples:"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(text(&setup.verb(&["man"])).contains("lead\\-factory\\-metrics\\-verify(1)"));
}
