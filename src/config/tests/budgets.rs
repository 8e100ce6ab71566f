//! Budgets of tables and caps.

use super::super::BUDGETS_MAX;
use super::*;
use crate::budget::Budget;
use crate::domain::PeriodKind;

#[track_caller]
fn of_file(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    load(&with_file(folder.path(), text)).unwrap()
}

/// A file and an environment on top of it.
fn layered(folder: &Path, text: &str, pairs: &[(&str, &str)]) -> Sources {
    Sources { environment: environment(pairs).environment, ..with_file(folder, text) }
}

#[track_caller]
fn find<'a>(config: &'a Config, name: &str) -> &'a Budget {
    config.policy.budgets.iter().find(|budget| budget.name == name).unwrap_or_else(|| panic!("no budget {name}"))
}

fn names(config: &Config) -> Vec<&str> {
    config.policy.budgets.iter().map(|budget| budget.name.as_str()).collect()
}

const TABLE: &str =
    "[[budget]]\nname = 'openai-daily'\nservice = 'openai'\nperiod = 'daily'\nlimit_usd = 5\nwarn_at = 0.5\n";

#[test]
fn a_table_makes_a_budget() {
    let config = of_file(
        "[[budget]]\nname = 'Team A'\nperiod = 'monthly'\nlimit_usd = 0.100\n\
         [[budget]]\nname = 'seo'\nservice = 'DataForSEO v3'\nperiod = 'daily'\nlimit_usd = '1e-05'\nwarn_at = 0.5\ngate_at = '0.75'\n",
    );
    assert_eq!(names(&config), ["daily", "monthly", "Team A", "seo"]);
    let team = find(&config, "Team A");
    assert_eq!((team.service.clone(), team.period, team.limit.to_string()), (None, PeriodKind::Monthly, "0.1".into()));
    assert_eq!((team.warn_at.percent(), team.gate_at.percent()), (80.0, 90.0));
    let seo = find(&config, "seo");
    assert_eq!(seo.service.as_ref().map(Name::as_str), Some("DataForSEO v3"));
    assert_eq!((seo.period, seo.limit.to_string()), (PeriodKind::Daily, "0.00001".into()));
    assert_eq!((seo.warn_at.percent(), seo.gate_at.percent()), (50.0, 75.0));
    let doubt = "budget \"Team A\" (0.1 USD a month) is below budget \"daily\" (50 USD a day): one day may use up the month";
    assert_eq!(config.warnings, [doubt]);
}

#[test]
fn a_cap_makes_a_budget_of_the_service_in_lower_case() {
    let config = load(&environment(&[
        ("OPENAI_DAILY_CAP", " 20 "),
        ("GOOGLE_MAPS_MONTHLY_CAP", "0"),
        ("SENDGRID_DAILY_CAP", "none"),
        ("MAIL_DAILY_CAP", " "),
        ("DAILY_ALERT_THRESHOLD", "0.5"),
        ("SCALING_GATE_MONTHLY_THRESHOLD", "0.95"),
    ]))
    .unwrap();
    assert_eq!(names(&config), ["daily", "monthly", "google_maps-monthly", "openai-daily"]);
    let openai = find(&config, "openai-daily");
    assert_eq!(openai.service.as_ref().map(Name::as_str), Some("openai"));
    assert_eq!((openai.period, openai.limit.to_string()), (PeriodKind::Daily, "20".into()));
    assert_eq!((openai.warn_at.percent(), openai.gate_at.percent()), (50.0, 90.0));
    let maps = find(&config, "google_maps-monthly");
    assert_eq!((maps.period, maps.limit), (PeriodKind::Monthly, Usd::ZERO));
    assert_eq!((maps.warn_at.percent(), maps.gate_at.percent()), (80.0, 95.0));
    let reserved: Vec<&str> = config.writer.series.reserved.iter().map(Name::as_str).collect();
    assert_eq!(reserved, ["google_maps", "openai"]);
}

#[test]
fn the_order_is_global_tables_of_the_file_caps_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str| format!("[[budget]]\nname = '{name}'\nperiod = 'daily'\nlimit_usd = 1\n");
    let text = format!("zeta_daily_cap = 1\nalpha_monthly_cap = '1'\n{}{}", table("z"), table("a"));
    let sources = layered(folder.path(), &text, &[("MIKE_DAILY_CAP", "1"), ("ALPHA_DAILY_CAP", "1")]);
    let config = load(&sources).unwrap();
    let expected = ["daily", "monthly", "z", "a", "alpha-daily", "alpha-monthly", "mike-daily", "zeta-daily"];
    assert_eq!(names(&config), expected);
    let shown: Vec<&str> = config.shown_budgets.iter().map(|budget| budget.name.as_str()).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_cap_of_the_environment_goes_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file_cap = "openai_daily_cap = 5";
    let limit = |text: &str, cap: &str| {
        let config = load(&layered(folder.path(), text, &[("OPENAI_DAILY_CAP", cap)])).unwrap();
        let found = config.policy.budgets.iter().find(|budget| budget.name == "openai-daily");
        found.map(|budget| (budget.limit.to_string(), budget.warn_at.percent()))
    };
    assert_eq!(limit(file_cap, ""), Some(("5".into(), 80.0)));
    assert_eq!(limit(file_cap, "7"), Some(("7".into(), 80.0)));
    assert_eq!(limit(file_cap, "none"), None);
    assert_eq!(limit("openai_daily_cap = 'none'", "7"), Some(("7".into(), 80.0)));
    assert_eq!(limit(TABLE, "7"), Some(("7".into(), 50.0)), "the table keeps its thresholds");
    assert_eq!(limit(TABLE, "none"), None);
    assert_eq!(limit(&TABLE.replace("= 5", "= 'none'"), "7"), Some(("7".into(), 50.0)));
    let config = load(&layered(folder.path(), TABLE, &[("OPENAI_DAILY_CAP", "7")])).unwrap();
    assert_eq!(config.shown_budgets[2].origin, Origin::Environment("OPENAI_DAILY_CAP".into()));
}

#[test]
fn a_name_is_given_once() {
    let other = TABLE.replace("'openai'", "'other'");
    assert_eq!(
        file_problems(&format!("{TABLE}{TABLE}")),
        ["agent.toml:7:1: budget name \"openai-daily\" is already taken by agent.toml:1:1"]
    );
    assert_eq!(
        file_problems(&TABLE.replace("openai-daily", "daily")),
        ["agent.toml:1:1: budget name \"daily\" is already taken by daily_budget"]
    );
    assert_eq!(
        file_problems(&format!("monthly_budget = 3\n{}", TABLE.replace("openai-daily", "monthly"))),
        ["agent.toml:2:1: budget name \"monthly\" is already taken by agent.toml:1:18"]
    );
    assert_eq!(
        file_problems(&format!("openai_daily_cap = 3\n{TABLE}")),
        ["agent.toml:1:20: defines the budget \"openai-daily\", whose name is already taken by agent.toml:2:1"]
    );
    let folder = tempfile::tempdir().unwrap();
    let problems = load(&layered(folder.path(), &other, &[("OPENAI_DAILY_CAP", "1")])).unwrap_err().to_string();
    assert!(
        problems
            .contains("environment OPENAI_DAILY_CAP: defines the budget \"openai-daily\", whose name is already taken by"),
        "another service: {problems}"
    );
    assert_eq!(
        environment_problems(&[("OPENAI_DAILY_CAP", "1"), ("openai_daily_cap", "2")]),
        [
            "environment openai_daily_cap: defines the budget \"openai-daily\", whose name is already taken by environment OPENAI_DAILY_CAP"
        ]
    );
}

#[test]
fn a_global_budget_that_is_removed_leaves_its_name() {
    let config = of_file(&format!("daily_budget = 'none'\n{}", TABLE.replace("openai-daily", "daily")));
    assert_eq!(limits(&config), [("monthly".into(), "1000".into()), ("daily".into(), "5".into())]);
}

#[test]
fn everything_wrong_with_tables_and_caps_comes_at_once_with_its_place() {
    let problems = file_problems(
        "_daily_cap = 1\nx_daily_cap = -1\ny_monthly_cap = true\n\
         [[budget]]\nname = ''\nperiod = 'weekly'\nlimit_usd = 'lots'\nwarn_at = 80\ngate_at = [1]\nservice = ''\n\
         [[budget]]\nnmae = 'x'\ncolour = 1\nperiod = 5\n\
         [[webhook]]\nformat = 'xml'\n",
    );
    let name = "allowed: 1 to 128 bytes without control characters";
    let share = "allowed: a share above 0 and at most 10, where 1 is the whole limit";
    assert_eq!(
        problems,
        [
            "agent.toml:1:14: _daily_cap has no service in its name; write it as in OPENAI_DAILY_CAP".to_owned(),
            "agent.toml:2:15: x_daily_cap \"-1\" is negative; allowed: an amount in USD from 0, or none".into(),
            "agent.toml:3:17: y_monthly_cap must be a number or a string, not a boolean".into(),
            format!("agent.toml:5:8: budget name must not be empty; {name}"),
            "agent.toml:6:10: budget period \"weekly\" is not a period; allowed: daily or monthly".into(),
            "agent.toml:7:13: budget limit_usd \"lots\" is not an amount in USD such as 50 or 0.25; allowed: an amount in USD from 0, or none".into(),
            format!("agent.toml:8:11: budget warn_at \"80\" is not a share of the limit (1 is the whole limit); for 80 percent write 0.8; {share}"),
            "agent.toml:9:11: budget gate_at must be a number or a string, not an array".into(),
            format!("agent.toml:10:11: budget service must not be empty; {name}; without it the budget is for all services"),
            "agent.toml:12:1: budget has no key \"nmae\"; did you mean name?".into(),
            "agent.toml:13:1: budget has no key \"colour\"; its keys are name, service, period, limit_usd, warn_at, gate_at".into(),
            "agent.toml:14:10: budget period must be a string, in quotes, not an integer".into(),
            format!("agent.toml:11:1: budget has no name; {name}"),
            "agent.toml:11:1: budget has no limit_usd; allowed: an amount in USD from 0, or none".into(),
            "agent.toml:16:10: webhook format \"xml\" is not a supported format; allowed: json or slack".into(),
            "agent.toml:15:1: webhook has no url; allowed: a URL that begins with http:// or https://, without user name, password and fragment".into(),
        ]
    );
}

#[test]
fn a_cap_in_the_environment_is_never_passed_over() {
    for (name, value, said) in [
        (
            "OPENAI_DAILY_CAP",
            "x",
            "\"x\" is not an amount in USD such as 50 or 0.25; allowed: an amount in USD from 0, or none",
        ),
        ("_MONTHLY_CAP", "1", "has no service in its name; write it as in OPENAI_DAILY_CAP"),
        ("A\u{1}_DAILY_CAP", "1", "has a service in its name that contains a control character"),
    ] {
        assert_eq!(environment_problems(&[(name, value)]), [format!("environment {name}: {said}")]);
    }
    let long = format!("{}_DAILY_CAP", "A".repeat(125));
    assert!(environment_problems(&[(&long, "1")])[0].ends_with("makes the name of a budget that is longer than 128 bytes"));
    let sources = Sources { not_utf8: vec!["OPENAI_DAILY_CAP".into()], ..Sources::default() };
    let problems = load(&sources).unwrap_err();
    assert_eq!(problems.0[0].to_string(), "environment OPENAI_DAILY_CAP: is not UTF-8 text");
}

#[test]
fn names_in_the_file_that_are_near_a_table_or_a_cap_are_suggested() {
    for (text, near) in [
        ("[[budgets]]\nname = 'x'", "budget"),
        ("[[webhooks]]\nurl = 'x'", "webhook"),
        ("OPENAI_DAILY_CAP = 1", "openai_daily_cap"),
        ("openai-daily-cap = 1", "openai_daily_cap"),
    ] {
        let problems = file_problems(text);
        assert!(problems[0].ends_with(&format!("is not a setting; did you mean {near}?")), "{problems:?}");
    }
    assert_eq!(
        file_problems("[budget]\nname = 'x'"),
        ["agent.toml:1:1: budget must be tables, each under [[budget]], not a table"]
    );
    assert_eq!(file_problems("budget = [1]"), ["agent.toml:1:11: budget must be a table, not an integer"]);
}

#[test]
fn a_warning_above_the_gate_is_told_and_let_be() {
    let config = of_file(&format!("monthly_alert_threshold = 0.95\n{TABLE}gate_at = 0.4\n"));
    assert_eq!(
        config.warnings,
        [
            "budget \"monthly\": its warning threshold (95 %) is above its gate threshold (90 %), so its state is never warning",
            "budget \"openai-daily\": its warning threshold (50 %) is above its gate threshold (40 %), so its state is never warning",
        ]
    );
}

#[test]
fn limits_that_contradict_each_other_are_told_and_let_be() {
    let warnings = |pairs: &[(&str, &str)]| load(&environment(pairs)).unwrap().warnings;
    for (pairs, said) in [
        (&[("MONTHLY_BUDGET", "40")][..], "budget \"monthly\" (40 USD a month) is below budget \"daily\" (50 USD a day)"),
        (&[("OPENAI_DAILY_CAP", "60")], "budget \"openai-daily\" (60 USD) is above budget \"daily\" (50 USD)"),
        (
            &[("OPENAI_MONTHLY_CAP", "1000.5")],
            "budget \"openai-monthly\" (1000.5 USD) is above budget \"monthly\" (1000 USD)",
        ),
        (
            &[("OPENAI_DAILY_CAP", "9"), ("OPENAI_MONTHLY_CAP", "8")],
            "budget \"openai-monthly\" (8 USD a month) is below budget \"openai-daily\" (9 USD a day)",
        ),
        (
            &[("DAILY_BUDGET", "none"), ("OPENAI_DAILY_CAP", "2000")],
            "budget \"openai-daily\" (2000 USD) is above budget \"monthly\" (1000 USD)",
        ),
        (&[("DAILY_ALERT_THRESHOLD", "0.95")], "budget \"daily\": its warning threshold (95 %) is above its gate threshold"),
    ] {
        let found = warnings(pairs);
        assert!(found.len() == 1 && found[0].starts_with(said), "{pairs:?}: {found:?}");
        let strict = Sources { strict: true, ..environment(pairs) };
        let problems = load(&strict).unwrap_err();
        assert_eq!(problems.0[0].to_string(), format!("flag --strict: {}", found[0]));
    }
    for pairs in [
        &[("MONTHLY_BUDGET", "50")][..],
        &[("MONTHLY_BUDGET", "0")],
        &[("MONTHLY_BUDGET", "none"), ("DAILY_BUDGET", "none"), ("OPENAI_DAILY_CAP", "5000")],
        &[("OPENAI_DAILY_CAP", "50"), ("SENDGRID_MONTHLY_CAP", "40")],
    ] {
        assert_eq!(warnings(pairs), Vec::<String>::new(), "{pairs:?}");
        assert!(load(&Sources { strict: true, ..environment(pairs) }).is_ok(), "{pairs:?}");
    }
}

#[test]
fn budgets_are_bounded() {
    let caps = |count: usize| (0..count).map(|index| format!("s{index}_daily_cap = 1\n")).collect::<String>();
    assert_eq!(of_file(&caps(BUDGETS_MAX - 2)).policy.budgets.len(), BUDGETS_MAX);
    let problems = file_problems(&caps(BUDGETS_MAX - 1));
    assert_eq!(problems.len(), 1);
    assert!(problems[0].ends_with("is one budget too many: there are 1001; the maximum is 1000"), "{problems:?}");
    let tables: String = (0..=BUDGETS_MAX).map(|_| "[[budget]]\n").collect();
    let problems = file_problems(&tables);
    assert_eq!(problems[0], "agent.toml:1001:1: budget appears 1001 times; the maximum is 1000");
}

#[test]
fn a_reload_picks_up_a_changed_table() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_file(folder.path(), TABLE);
    assert_eq!(find(&load(&sources).unwrap(), "openai-daily").limit, Usd::from_dollars(5));
    with_file(folder.path(), &TABLE.replace("limit_usd = 5", "limit_usd = 6"));
    assert_eq!(find(&load(&sources).unwrap(), "openai-daily").limit, Usd::from_dollars(6));
    with_file(folder.path(), "");
    assert_eq!(names(&load(&sources).unwrap()), ["daily", "monthly"]);
}
