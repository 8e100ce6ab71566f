//! `fleet`, as an operator uses it: against a real PostgreSQL and real agents.
//!
//! Guards against: an agent's role that needs more than it is given, money that is written off without a word, a message at night that
//! says neither what is wrong nor what to do, a password in any of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{Postgres, SOON};
use crate::support::{Setup, TestAgent, free_addr, program, run, tool, within};

const ROLE: &str = "lead_factory_agent";
/// No part of it is to be printed anywhere. It needs to be escaped in a URL.
const PASSWORD: &str = "s3cr@t/of?all";
const ESCAPED: &str = "s3cr%40t%2Fof%3Fall";

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned();
    assert!(!said.contains(PASSWORD) && !said.contains("s3cr"), "{said}");
    said
}

#[track_caller]
fn expect(output: &Output, code: i32) -> String {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// An operator's shell with the database's owner.
fn owner(database: &Postgres) -> Setup {
    Setup::new().env("FLEET_URL", database.url())
}

/// A role that may connect, and no more. Of those that are asked for a password it has the one of all.
#[track_caller]
fn add_role(database: &Postgres, role: &str) {
    database.sql(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD '{PASSWORD}'"));
}

/// Has the database ask everybody but its owner for a password.
#[track_caller]
fn ask_for_passwords(database: &Postgres) {
    let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    fs::write(database.sql("SHOW hba_file"), rules).unwrap();
    database.sql("SELECT pg_reload_conf()");
    // Connections follow soon.
    within(SOON, "the rules are read", || {
        (database.sql("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'") == "1").then_some(())
    });
}

/// The fleet's database as a role with the password of all.
fn with_password(database: &Postgres, role: &str) -> String {
    format!("postgres://{role}:{ESCAPED}@{}/fleet?sslmode=disable", database.addr())
}

/// A database that is ready, with a role for agents.
fn ready_database() -> Postgres {
    let database = Postgres::start();
    add_role(&database, ROLE);
    expect(&owner(&database).verb(&["fleet", "init", "--grant", ROLE]), 0);
    database
}

/// An agent of the fleet, which has a part in it.
#[track_caller]
fn agent(database: &Postgres, name: &str) -> TestAgent {
    let setup = Setup::new();
    let file = setup.folder().join("fleet-url");
    fs::write(&file, database.url_as(ROLE) + "\n").unwrap();
    let agent = setup.env("FLEET_URL_FILE", file).env("FLEET_BUDGETS", "daily").env("AGENT_NAME", name).start();
    wait_for(&agent, "it takes part and has its budget", |fleet| {
        fleet["up"] == true && fleet["budgets"].as_array().is_some_and(|budgets| budgets.len() == 1)
    });
    agent
}

/// Waits until `GET /fleet` says something.
#[track_caller]
fn wait_for(agent: &TestAgent, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut told = String::new();
    within(SOON, what, || {
        let fleet = agent.get("/fleet").expect(200);
        if fleet.text() != told {
            told = fleet.text();
            println!("{told}");
        }
        let fleet = fleet.json();
        is_so(&fleet).then_some(fleet)
    })
}

/// The only agent of this name.
fn named<'a>(fleet: &'a Value, name: &str) -> &'a Value {
    fleet["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == name).unwrap_or(&Value::Null)
}

/// What is said at a terminal where somebody answers the question.
#[track_caller]
fn at_a_terminal(database: &Postgres, arguments: &[&str], answer: &str) -> String {
    let line = [&[program().to_str().unwrap()], arguments].concat().join(" ");
    let mut child = Command::new(tool("script"))
        .args(["-qefc", &line, "/dev/null"])
        .env("FLEET_URL", database.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut said, mut bytes) = (Vec::new(), [0; 1_024]);
    let mut is_answered = false;
    while let Ok(count @ 1..) = screen.read(&mut bytes) {
        said.extend_from_slice(&bytes[..count]);
        if !is_answered && String::from_utf8_lossy(&said).contains("[y/N] ") {
            keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
            is_answered = true;
        }
    }
    drop(keyboard);
    child.wait().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_database_is_made_ready_twice_and_a_role_may_take_part_and_no_more() {
    let database = Postgres::start();
    let shell = owner(&database);
    let first = expect(&shell.verb(&["fleet", "init"]), 0);
    assert_eq!(first, format!("{} is ready for a fleet\n", database.addr()));
    let row = || database.sql("SELECT * FROM lead_factory_fleet.fleet");
    let before = row();
    add_role(&database, ROLE);
    let again = expect(&shell.verb(&["fleet", "init", "--grant", ROLE]), 0);
    let guide = include_str!("../../../docs/fleet.md");
    assert!(guide.contains(&again.replace(&database.addr().to_string(), "db.internal:5432")), "the guide shows it: {again}");
    assert_eq!(row(), before, "nothing was made anew");

    let may = |rights: &str| database.sql(&format!("SELECT {rights}"));
    let of_tables = "SELECT bool_and(has_table_privilege('lead_factory_agent', c.oid, right_)) FROM pg_class c, \
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) right_ WHERE c.relnamespace = 'lead_factory_fleet'::regnamespace \
        AND c.relkind = 'r'";
    assert_eq!(database.sql(of_tables), "t");
    assert_eq!(may("has_schema_privilege('lead_factory_agent', 'lead_factory_fleet', 'CREATE')"), "f");
    assert_eq!(may("count(*) FROM pg_class WHERE relowner = 'lead_factory_agent'::regrole"), "0", "it owns nothing");
    let outside = "count(*) FROM pg_class WHERE relname IN ('fleet', 'agent', 'pool', 'lease', 'limit_override', 'sums') \
        AND relnamespace <> 'lead_factory_fleet'::regnamespace";
    assert_eq!(may(outside), "0", "all is in a schema of its own");

    let agent = agent(&database, "worker-1");
    agent.costs(r#"{"service":"openai","operation":"chat","amount_usd":"0.1"}"#).expect(200);
    let reservation = r#"{"service":"openai","estimated_cost_usd":1}"#;
    agent.client().post("/reservations", "application/json", reservation).expect(201);
    wait_for(&agent, "what it spent has arrived", |fleet| named(fleet, "worker-1")["total_usd"] == 0.1);
    agent.assert_healthy();
}

/// Guards against: the pods of a fleet that all make the database ready when they start, of which all but one fail.
#[test]
fn many_may_make_the_database_ready_at_once() {
    let database = Postgres::start();
    add_role(&database, ROLE);
    let all: Vec<Output> = std::thread::scope(|scope| {
        let init = || owner(&database).verb(&["fleet", "init", "--grant", ROLE]);
        let started: Vec<_> = (0..10).map(|_| scope.spawn(init)).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    all.iter().for_each(|output| drop(expect(output, 0)));
    assert_eq!(database.sql("SELECT count(*) FROM lead_factory_fleet.fleet"), "1");
}

#[test]
fn costs_and_status_are_those_of_the_fleet_whichever_agent_is_asked() {
    let mut database = ready_database();
    let (one, two) = (agent(&database, "worker-1"), agent(&database, "worker-2"));
    one.costs(r#"{"service":"openai","operation":"chat","amount_usd":"0.100000000001"}"#).expect(200);
    two.costs(r#"{"service":"openai","operation":"embed","amount_usd":"0.2"}"#).expect(200);
    two.costs(r#"{"service":"sendgrid","operation":"send","amount_usd":"1"}"#).expect(200);
    let expected = r#"{"openai":0.300000000001,"sendgrid":1}"#;
    for agent in [&one, &two] {
        within(SOON, "the fleet's total", || (agent.get("/fleet/costs/daily").text() == expected).then_some(()));
        for (arguments, path) in [
            (&["daily"][..], "/fleet/costs/daily"),
            (&["daily", "--by", "operation"], "/fleet/costs/daily?by=operation"),
            (&["monthly"], "/fleet/costs/monthly"),
            (&["history", "--days", "2"], "/fleet/costs/history?days=2"),
        ] {
            let output = agent.cli(&[&["fleet", "costs"], arguments, &["--output", "json"]].concat());
            let shown: Value = serde_json::from_str(&expect(&output, 0)).unwrap();
            assert_eq!(shown, agent.get(path).expect(200).json(), "{arguments:?}");
        }
        let csv = expect(&agent.cli(&["fleet", "costs", "daily", "--by", "operation", "--output", "csv"]), 0);
        assert_eq!(
            csv,
            "service,operation,cost_usd\r\nsendgrid,send,1\r\nopenai,embed,0.2\r\nopenai,chat,0.100000000001\r\n"
        );
    }
    wait_for(&one, "both are told", |fleet| named(fleet, "worker-2")["total_usd"] == 1.2);
    let table = expect(&one.cli(&["fleet", "status"]), 0);
    for part in ["This agent takes part in the fleet.", "daily", "worker-1", "worker-2", "0.10", "1.20"] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
    let csv = expect(&one.cli(&["fleet", "status", "--output", "csv"]), 0);
    assert_eq!(
        csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect::<Vec<_>>(),
        ["budget", "agent", "agent"]
    );

    database.kill();
    wait_for(&one, "it has seen that the database is gone", |fleet| fleet["up"] == false && fleet["as_of"].is_string());
    let table = expect(&one.cli(&["fleet", "status"]), 0);
    assert!(table.starts_with("This agent takes NO part in the fleet: ") && table.contains("worker-2"), "{table}");
    let table = expect(&one.cli(&["fleet", "costs", "daily"]), 0);
    assert!(table.starts_with("The fleet's database does not answer. As of ") && table.contains("sendgrid"), "{table}");
    one.costs(r#"{"service":"openai","operation":"chat","amount_usd":"0.5"}"#).expect(200);
    database.restart();
    let expected = r#"{"openai":0.800000000001,"sendgrid":1}"#;
    within(SOON, "the totals catch up", || (two.get("/fleet/costs/daily").text() == expected).then_some(()));
    one.assert_healthy();
}

#[test]
fn what_a_dead_agent_had_is_written_off_only_by_who_agrees() {
    let database = ready_database();
    let (mut dead, lives) = (agent(&database, "worker-1"), agent(&database, "worker-2"));
    dead.costs(r#"{"service":"openai","amount_usd":"2"}"#).expect(200);
    let hold = r#"{"service":"openai","estimated_cost_usd":3,"ttl_seconds":3600}"#;
    dead.client().post("/reservations", "application/json", hold).expect(201);
    let fleet = wait_for(&lives, "what it spent and holds has arrived", |fleet| {
        fleet["budgets"][0]["spent_usd"] == 2
            && fleet["budgets"][0]["held_usd"] == 3
            && named(fleet, "worker-1")["total_usd"] == 2
    });
    let ledger = named(&fleet, "worker-1")["ledger_id"].as_str().unwrap().to_owned();
    let shell = owner(&database);
    let claimed = || database.sql("SELECT claimed, held FROM lead_factory_fleet.pool");
    let said = expect(&shell.verb(&["fleet", "forget", &ledger]), 1);
    assert!(
        said.contains("waiting whether it stays silent") && said.contains("is there and takes part: stop it first"),
        "{said}"
    );
    wait_for(&lives, "it goes on as before", |fleet| fleet["budgets"][0]["held_usd"] == 3);
    dead.kill();

    // At a terminal somebody is asked, who has to wait until it is clear that it is gone.
    let before = claimed();
    let said = at_a_terminal(&database, &["fleet", "forget", &ledger], "n");
    assert!(said.contains(&format!("worker-1 (ledger {ledger}) is silent. It had ")), "{said}");
    assert!(said.contains("what it spent stays counted") && said.contains("nothing was written off"), "{said}");
    assert_eq!(claimed(), before, "nobody agreed");
    let said = at_a_terminal(&database, &["fleet", "forget", &ledger], "y");
    assert!(said.contains(&format!("worker-1 (ledger {ledger}) is forgotten: ")), "{said}");
    let fleet = wait_for(&lives, "it is free", |fleet| fleet["budgets"][0]["held_usd"] == 0);
    assert_eq!(fleet["budgets"][0]["spent_usd"], 2, "it stays counted");
    let all = r#"{"service":"openai","estimated_cost_usd":48,"ttl_seconds":60}"#;
    lives.client().post("/reservations", "application/json", all).expect(201);

    // A second time there is nothing left, and nobody is asked without a terminal.
    let said = expect(&shell.verb(&["fleet", "forget", &ledger]), 0);
    assert!(said.contains("0.00 USD are free again"), "{said}");
    let said = expect(&shell.verb(&["fleet", "forget", "0123456789abcdef", "--yes"]), 1);
    assert!(said.contains("the fleet has no ledger \"0123456789abcdef\"") && said.contains("fleet status"), "{said}");
}

#[test]
fn messages_say_what_is_wrong_and_what_to_do() {
    let database = Postgres::start();
    add_role(&database, ROLE);
    ask_for_passwords(&database);
    let shell = owner(&database);
    let as_url = |url: String| Setup::new().env("FLEET_URL", url);
    let refuses = |setup: &Setup, arguments: &[&str], code: i32, parts: &[&str]| {
        let said = expect(&setup.verb(arguments), code);
        println!("{said}");
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part} in\n{said}");
        }
    };
    let (init, forget) = (&["fleet", "init"][..], &["fleet", "forget", "0123456789abcdef", "--yes"][..]);
    let address = database.addr().to_string();
    let of_role = with_password(&database, ROLE);

    refuses(&Setup::new(), init, 2, &["no database is named", "FLEET_URL", "FLEET_URL_FILE"]);
    refuses(&as_url("mysql://root@h/d".into()), init, 78, &["FLEET_URL", "must begin with postgres://"]);
    refuses(&as_url(of_role.replace(ESCAPED, PASSWORD)), init, 78, &["%40 for @"]);
    let wrong = of_role.replace(ESCAPED, "wrong");
    let said = format!("password authentication failed for user \"{ROLE}\"");
    refuses(&as_url(wrong), init, 1, &[&address, &said, "check user and password"]);
    refuses(&as_url(database.url_as(ROLE)), init, 1, &[&address, "asks for a password", "put one into"]);
    let elsewhere = database.url().replace("/fleet", "/nowhere");
    refuses(&as_url(elsewhere), init, 1, &["database \"nowhere\" does not exist", "createdb"]);
    let nobody = free_addr().to_string();
    refuses(&as_url(database.url().replace(&address, &nobody)), init, 1, &["does not answer", &nobody, "refused"]);
    let secure = database.url().replace("sslmode=disable", "sslmode=require");
    refuses(&as_url(secure), init, 1, &[&address, "has no TLS", "sslmode=disable"]);
    refuses(&as_url(of_role.clone()), init, 1, &["permission denied", "owner"]);
    refuses(&shell, forget, 1, &["no fleet in it", "lead-factory-metrics fleet init"]);
    refuses(&shell, &["fleet", "init", "--grant", "nobody"], 1, &["role \"nobody\" does not exist", "CREATE ROLE"]);
    // The tables are there by now, but nobody may use them.
    refuses(&as_url(of_role), forget, 1, &["may not use", "fleet init --grant"]);
    database.sql("UPDATE lead_factory_fleet.fleet SET version = 999");
    refuses(&shell, forget, 1, &["version 999", "update the program"]);
    refuses(&shell, init, 1, &["version 999", "update the program"]);

    let alone = Setup::new().start();
    let said = expect(&alone.cli(&["fleet", "status"]), 1);
    assert!(said.contains("belongs to no fleet: FLEET_URL is not set"), "{said}");
}

#[test]
fn the_url_may_stand_in_a_file_that_counts_before_the_environment() {
    let database = Postgres::start();
    let shell = Setup::new().env("FLEET_URL", "postgres://somebody:else@127.0.0.1:9/fleet");
    let file = shell.folder().join("owner");
    fs::write(&file, database.url()).unwrap();
    let file = file.display().to_string();
    expect(&shell.verb(&["fleet", "init", "--fleet-url-file", &file]), 0);
    fs::write(&file, "not a URL").unwrap();
    let said = expect(&shell.verb(&["fleet", "init", "--fleet-url-file", &file]), 78);
    assert!(said.contains("must begin with postgres://"), "{said}");
    let config = shell.folder().join("agent.toml");
    fs::write(&config, format!("fleet_url = \"{}\"", database.url())).unwrap();
    let with_config = ["fleet", "init", "--config", &config.display().to_string()];
    expect(&Setup::new().verb(&with_config), 0);
}

/// Without a fleet there are none of its metrics; with one all of them, which somebody looks at.
#[test]
fn a_fleets_metrics_are_in_the_reference_the_dashboard_and_the_rules() {
    let database = ready_database();
    let agent = agent(&database, "worker-1");
    agent.costs(r#"{"service":"openai","amount_usd":"2"}"#).expect(200);
    wait_for(&agent, "its sums are sent", |fleet| named(fleet, "worker-1")["total_usd"] == 2);
    let metrics = agent.metrics();
    let exposed: BTreeSet<String> = metrics.families().into_iter().filter(|name| name.contains("_fleet_")).collect();
    let names =
        ["fleet_lease_refusals_total", "fleet_lease_usd", "fleet_sync_lag_seconds", "fleet_sync_rows_total", "fleet_up"];
    let expected: BTreeSet<String> = names.iter().map(|name| format!("lead_factory_{name}")).collect();
    assert_eq!(exposed, expected);
    assert_eq!(metrics.get("lead_factory_fleet_up", &[]), Some(1.0));
    assert_eq!(
        metrics.get("lead_factory_fleet_lease_refusals_total", &[("budget", "daily")]),
        Some(0.0),
        "from the beginning"
    );
    assert!(metrics.get("lead_factory_fleet_sync_rows_total", &[]).unwrap() >= 1.0);
    assert!(metrics.get("lead_factory_fleet_lease_usd", &[("budget", "daily")]).is_some());
    let root = env!("CARGO_MANIFEST_DIR");
    for file in ["docs/reference.md", "docs/fleet.md", "grafana/dashboard.json"] {
        let text = fs::read_to_string(format!("{root}/{file}")).unwrap();
        assert!(exposed.iter().all(|name| text.contains(name)), "{file}");
    }
    let alone = Setup::new().start();
    assert!(!alone.metrics().families().iter().any(|name| name.contains("_fleet_")));
    alone.get("/fleet").expect(404);
}

#[test]
fn the_role_of_the_compose_file_takes_part_with_its_password() {
    let database = Postgres::start();
    ask_for_passwords(&database);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fleet/agent-role.sql");
    let password = format!("FLEET_AGENT_PASSWORD={PASSWORD}");
    let port = database.addr().port().to_string();
    let psql = [
        "psql",
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "postgres",
        "-d",
        "fleet",
        "-f",
        file,
    ];
    run("env", &[&[&*password][..], &psql].concat());
    expect(&owner(&database).verb(&["fleet", "init", "--grant", ROLE]), 0);
    let agent = Setup::new().env("FLEET_URL", with_password(&database, ROLE)).env("FLEET_BUDGETS", "daily").start();
    wait_for(&agent, "it takes part", |fleet| fleet["up"] == true);
    agent.assert_healthy();
    assert!(!agent.log().contains("s3cr"), "{}", agent.log());
}
