//! The fleet that an agent belongs to, and that a budget which is said to be shared is, or nothing starts.

use std::time::Duration;

use super::*;
use crate::budget::BudgetScope;

const URL: &str = "postgres://lead:s3cret@db.internal:5433/fleet?sslmode=require";

fn shared(config: &Config) -> Vec<&str> {
    let budgets = config.policy.budgets.iter().filter(|budget| budget.scope == BudgetScope::Fleet);
    budgets.map(|budget| budget.name.as_str()).collect()
}

#[test]
fn budgets_are_shared_where_a_setting_or_their_table_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[budget]]\nname = 'night'\nperiod = 'hourly'\nlimit_usd = 2\nscope = 'fleet'\n\
                [[budget]]\nname = 'own'\nperiod = 'weekly'\nlimit_usd = 2\nscope = 'agent'";
    let mut sources = with_file(folder.path(), text);
    sources.environment =
        environment(&[("FLEET_URL", URL), ("FLEET_BUDGETS", "daily, monthly"), ("AGENT_NAME", "w-3")]).environment;
    let config = load(&sources).unwrap();
    assert_eq!(shared(&config), ["daily", "monthly", "night"]);
    let fleet = config.fleet.as_ref().unwrap();
    assert_eq!((fleet.url.hosts(), fleet.lease_ttl, fleet.agent.as_str()), ("db.internal:5433".into(), None, "w-3"));
    let scopes: Vec<_> = config.shown_budgets.iter().map(|budget| budget.scope).collect();
    assert_eq!(scopes, [Some(BudgetScope::Fleet), Some(BudgetScope::Fleet), Some(BudgetScope::Fleet), None]);
    assert!(!format!("{config:?}").contains("s3cret"));

    let alone = load(&environment(&[])).unwrap();
    assert!(alone.fleet.is_none() && shared(&alone).is_empty());
}

#[test]
fn what_cannot_be_shared_is_told() {
    let said = |pairs: &[(&str, &str)]| environment_problems(pairs);
    assert_eq!(
        said(&[("FLEET_BUDGETS", "daily")]),
        ["default: fleet_url is not set, but budget \"daily\" is shared by a fleet"]
    );
    assert_eq!(
        said(&[("FLEET_URL", URL), ("FLEET_BUDGETS", "dayly")]),
        ["environment FLEET_BUDGETS: names \"dayly\", and there is no such budget"]
    );
    let of_file = |keys: &str| {
        file_problems(&format!("fleet_url = '{URL}'\n[[budget]]\nname = 'x'\nperiod = 'daily'\n{keys}\nscope = 'fleet'"))
    };
    assert_eq!(
        of_file("limit_usd = 1\neach = 'lead'"),
        ["agent.toml:6:8: budget each and scope = \"fleet\" do not go together: a fleet shares one limit in USD"]
    );
    assert_eq!(of_file("limit_usage = { a = 1 }").len(), 1);
    let folder = tempfile::tempdir().unwrap();
    let text = "fleet_budgets = ['x']\n[[budget]]\nname = 'x'\nperiod = 'daily'\nlimit_usd = 1\neach = 'lead'";
    let mut sources = with_file(folder.path(), text);
    sources.environment = environment(&[("FLEET_URL", URL)]).environment;
    let problems = load(&sources).unwrap_err().to_string();
    assert!(problems.contains("fleet_budgets names \"x\", which has a limit for each value of something"), "{problems}");
}

#[test]
fn the_url_comes_from_one_place_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, format!("{URL}\n")).unwrap();
    let file = path.display().to_string();
    let config = load(&environment(&[("FLEET_URL_FILE", &file)])).unwrap();
    assert_eq!(config.fleet.unwrap().url.hosts(), "db.internal:5433");
    for (pairs, what) in [
        (vec![("FLEET_URL_FILE", file.as_str()), ("FLEET_URL", URL)], "and fleet_url are both set"),
        (vec![("FLEET_URL", "mysql://lead:s3cret@db/fleet")], "must begin with postgres://"),
        (vec![("FLEET_URL", "postgres://lead:s3c@ret/x@db/fleet")], "write %40 for @"),
        (vec![("FLEET_URL_FILE", "/nowhere/url")], "/nowhere/url cannot be read"),
        (vec![("FLEET_URL", URL), ("FLEET_LEASE_TTL", "3s")], "is below 6 seconds"),
        (vec![("FLEET_URL", URL), ("FLEET_LEASE_TTL", "10")], "has no unit"),
    ] {
        let problems = environment_problems(&pairs);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(what) && !problems[0].contains("s3c"), "{problems:?}");
    }
    let ttl = |text| load(&environment(&[("FLEET_URL", URL), ("FLEET_LEASE_TTL", text)])).unwrap().fleet.unwrap().lease_ttl;
    assert_eq!((ttl("10m"), ttl("6s"), ttl("none")), (Some(Duration::from_secs(600)), Some(Duration::from_secs(6)), None));
}
