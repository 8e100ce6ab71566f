//! Budgets of tables and caps.

use super::super::BUDGETS_MAX;
use super::*;
use crate::budget::{Action, Limit};
use crate::domain::{Facet, PeriodKind};

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
    assert_eq!(
        (team.cover.service(), team.cycle.kind, team.limit.to_string()),
        (None, PeriodKind::Monthly, "0.1 USD".into())
    );
    assert_eq!((warn_at(team), team.gate_at.percent()), (80.0, 90.0));
    let seo = find(&config, "seo");
    assert_eq!(seo.cover.service(), Some("DataForSEO v3"));
    assert_eq!((seo.cycle.kind, seo.limit.to_string()), (PeriodKind::Daily, "0.00001 USD".into()));
    assert_eq!((warn_at(seo), seo.gate_at.percent()), (50.0, 75.0));
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
    assert_eq!(openai.cover.service(), Some("openai"));
    assert_eq!((openai.cycle.kind, openai.limit.to_string()), (PeriodKind::Daily, "20 USD".into()));
    assert_eq!((warn_at(openai), openai.gate_at.percent()), (50.0, 90.0));
    let maps = find(&config, "google_maps-monthly");
    assert_eq!((maps.cycle.kind, maps.limit.usd()), (PeriodKind::Monthly, Some(Usd::ZERO)));
    assert_eq!((warn_at(maps), maps.gate_at.percent()), (80.0, 95.0));
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
        found.map(|budget| (budget.limit.usd().unwrap().to_string(), warn_at(budget)))
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
         [[budget]]\nname = ''\nperiod = 'fortnightly'\nlimit_usd = 'lots'\nwarn_at = 80\ngate_at = [1]\nservice = ''\n\
         [[budget]]\nnmae = 'x'\ncolour = 1\nperiod = 5\nmetrics_port = 1\nx_daily_cap = 1\n\
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
            "agent.toml:6:10: budget period \"fortnightly\" is not a period; allowed: hourly, daily, weekly, monthly, quarterly, yearly or total".into(),
            "agent.toml:7:13: budget limit_usd \"lots\" is not an amount in USD such as 50 or 0.25; allowed: an amount in USD from 0, or none".into(),
            format!("agent.toml:8:11: budget warn_at \"80\" is not a share of the limit (1 is the whole limit); for 80 percent write 0.8; {share}; or up to 10 of them"),
            "agent.toml:9:11: budget gate_at must be a number or a string, not an array".into(),
            format!("agent.toml:10:11: budget service must not be empty; {name}; without it the budget is for all services"),
            "agent.toml:12:1: budget has no key \"nmae\"; did you mean name?".into(),
            "agent.toml:13:1: budget has no key \"colour\"; its keys are name, service, period, week_starts, start_day, match, each, limit_usd, limit_usage, warn_at, gate_at, action, scope".into(),
            "agent.toml:14:10: budget period must be a string, in quotes, not an integer".into(),
            "agent.toml:15:1: budget has no key \"metrics_port\"; a setting of the agent must stand above the first table".into(),
            "agent.toml:16:1: budget has no key \"x_daily_cap\"; a setting of the agent must stand above the first table".into(),
            format!("agent.toml:11:1: budget has no name; {name}"),
            "agent.toml:11:1: budget has no limit_usd, nor limit_usage for what is counted".into(),
            "agent.toml:18:10: webhook format \"xml\" is not a supported format; allowed: json or slack".into(),
            "agent.toml:17:1: webhook has no url; allowed: a URL that begins with http:// or https://, without user name, password and fragment".into(),
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
    assert!(problems[0].ends_with("is one budget too many: there are 65; the maximum is 64"), "{problems:?}");
    let tables: String = (0..=BUDGETS_MAX).map(|_| "[[budget]]\n").collect();
    let problems = file_problems(&tables);
    assert_eq!(problems[0], "agent.toml:65:1: budget appears 65 times; the maximum is 64");
}

#[test]
fn a_reload_picks_up_a_changed_table() {
    let folder = tempfile::tempdir().unwrap();
    let sources = with_file(folder.path(), TABLE);
    assert_eq!(find(&load(&sources).unwrap(), "openai-daily").limit.usd(), Some(Usd::from_dollars(5)));
    with_file(folder.path(), &TABLE.replace("limit_usd = 5", "limit_usd = 6"));
    assert_eq!(find(&load(&sources).unwrap(), "openai-daily").limit.usd(), Some(Usd::from_dollars(6)));
    with_file(folder.path(), "");
    assert_eq!(names(&load(&sources).unwrap()), ["daily", "monthly"]);
}

/// The tables of this with a name, a period and a limit, unless they say otherwise.
#[track_caller]
fn table(keys: &str) -> Budget {
    let config = of_file(&format!("[[budget]]\nname = 'x'\n{keys}"));
    find(&config, "x").clone()
}

fn covered(budget: &Budget, facet: Facet) -> Vec<&str> {
    budget.cover.patterns(facet).iter().map(|pattern| pattern.as_str()).collect()
}

#[test]
fn a_table_may_say_what_it_covers_and_for_each_of_what() {
    let budget = table(
        "period = 'weekly'\nweek_starts = 'Sunday'\neach = 'lead'\naction = 'watch'\nlimit_usd = 5\nwarn_at = [0.9, '0.5', 0.75]\n\
         match = { service = 'openai', model = ['GPT-*', 'o3'], batch = ['night, *'] }",
    );
    assert_eq!(covered(&budget, Facet::Service), ["openai"]);
    assert_eq!(covered(&budget, Facet::Model), ["GPT-*", "o3"]);
    assert_eq!(covered(&budget, Facet::Batch), ["night, *"], "a comma is a part of a name");
    assert_eq!((budget.each, budget.action, budget.is_global()), (Some(Facet::Lead), Action::Watch, false));
    assert_eq!(format!("{:?} {:?}", budget.cycle.kind, budget.cycle.week_starts), "Weekly Sunday");
    let percents: Vec<f64> = budget.warn_at.iter().map(|share| share.percent()).collect();
    assert_eq!(percents, [50.0, 75.0, 90.0]);

    let of_table = table("period = 'quarterly'\nstart_day = 10\nlimit_usd = 5\n[budget.match]\nworker = 'w-*'");
    assert_eq!((of_table.cycle.start_day, covered(&of_table, Facet::Worker)), (10, vec!["w-*"]));
    assert!(table("period = 'total'\nlimit_usd = 500").is_global());
    let service = table("period = 'daily'\nlimit_usd = 5\nservice = 'X'\nmatch = { lead = '*' }");
    assert_eq!((covered(&service, Facet::Service), covered(&service, Facet::Lead)), (vec!["X"], vec!["*"]));
}

#[test]
fn a_table_may_limit_what_is_counted() {
    let budget = table("period = 'hourly'\nlimit_usage = { output_tokens = '0.5', input_tokens = 2_000_000 }");
    assert_eq!(budget.limit.to_string(), "2000000 input_tokens, 0.5 output_tokens");
    assert!(
        matches!(&budget.limit, Limit::Usage(counts) if counts.is_sorted_by_key(|count| count.kind.as_str().to_owned()))
    );
    let folder = tempfile::tempdir().unwrap();
    let text = "[[budget]]\nname = 'openai-daily'\nservice = 'openai'\nperiod = 'daily'\nlimit_usage = { pages = 5 }\n";
    let problems = load(&layered(folder.path(), text, &[("OPENAI_DAILY_CAP", "1")])).unwrap_err().to_string();
    assert!(problems.contains("is already taken by"), "a cap of money is no limit of pages: {problems}");
}

#[test]
fn everything_wrong_with_what_a_table_covers_and_counts_comes_at_once_with_its_place() {
    let problems = file_problems(
        "[[budget]]\nname = 'a'\nperiod = 'weekly'\nservice = 'x'\nstart_day = 29\nmatch = { service = 'y', modell = 'z', batch_id = 'b', lead = [] }\n\
         each = 'customer'\naction = 'stop'\nwarn_at = [0.5, 0.50]\n\
         [[budget]]\nname = 'b'\nperiod = 'daily'\nlimit_usd = 1\nlimit_usage = { pages = -1, ' x' = 1, images = 0.0000001, seconds = 9007199254740992 }\n\
         week_starts = 'monday'\nstart_day = 1\nmodel = 'gpt-5'\nbatch_id = 'b'\n\
         [[budget]]\nname = 'c'\nperiod = 'total'\nlimit_usage = 5\nmatch = 'openai'\n\
         [[budget]]\nname = 'd'\nperiod = 'total'\nlimit_usage = {}\nmatch = {}\nwarn_at = []\nservice = 'a*'\nweek_starts = 'mon'\n\
         [[budget]]\nname = 'e'\nperiod = 'yearly'\nlimit_usd = 1\nmatch = { lead = [1, '', ' x', \"a\\tb\"] }\nwarn_at = [0.5, 80]\n",
    );
    let shares = "allowed: a share above 0 and at most 10, where 1 is the whole limit; or up to 10 of them";
    assert_eq!(
        problems,
        [
            "agent.toml:5:13: budget start_day \"29\" is above 28; allowed: 1 to 28".to_owned(),
            "agent.toml:6:26: budget match has no key \"modell\"; did you mean model?".into(),
            "agent.toml:6:40: budget match has no key \"batch_id\"; did you mean batch?".into(),
            "agent.toml:6:63: budget match lead must not be empty".into(),
            "agent.toml:7:8: budget each \"customer\" is none of these; allowed: worker, batch, lead, model, service or operation".into(),
            "agent.toml:8:10: budget action \"stop\" is neither; allowed: block or watch".into(),
            format!("agent.toml:9:11: budget warn_at \"0.5,0.50\" has 0.5 twice; {shares}"),
            "agent.toml:1:1: budget has no limit_usd, nor limit_usage for what is counted".into(),
            "agent.toml:4:11: budget service and match.service are both there; write one of them".into(),
            "agent.toml:5:13: budget start_day has no meaning in a budget that is weekly; only in one that is monthly, quarterly or yearly".into(),
            "agent.toml:14:25: budget limit_usage pages \"-1\" must not be negative".into(),
            "agent.toml:14:36: budget limit_usage name \" x\" must not begin or end with white space".into(),
            "agent.toml:14:48: budget limit_usage images \"0.0000001\" must have at most 6 decimals".into(),
            "agent.toml:14:69: budget limit_usage seconds \"9007199254740992\" is not below 9007199254740992".into(),
            "agent.toml:17:1: budget has no key \"model\"; did you mean match = { model = … }?".into(),
            "agent.toml:18:1: budget has no key \"batch_id\"; did you mean match = { batch = … }?".into(),
            "agent.toml:14:15: budget limit_usage and limit_usd are both there; write one of them".into(),
            "agent.toml:15:15: budget week_starts has no meaning in a budget that is daily; only in one that is weekly".into(),
            "agent.toml:16:13: budget start_day has no meaning in a budget that is daily; only in one that is monthly, quarterly or yearly".into(),
            "agent.toml:22:15: budget limit_usage must be a table in braces such as { input_tokens = 1000000 }, not an integer".into(),
            "agent.toml:23:9: budget match must be a table in braces, not a string".into(),
            "agent.toml:27:15: budget limit_usage is empty; it has the names of what is counted, each with its limit".into(),
            "agent.toml:28:9: budget match is empty; its keys are service, operation, worker, batch, lead, model".into(),
            format!("agent.toml:29:11: budget warn_at is not a number; {shares}"),
            "agent.toml:30:11: budget service \"a*\" has a *, which stands for any text in match = { service = … } only; allowed: 1 to 128 bytes without control characters; without it the budget is for all services".into(),
            "agent.toml:31:15: budget week_starts \"mon\" is not a day of the week; allowed: monday to sunday".into(),
            "agent.toml:31:15: budget week_starts has no meaning in a budget that is total; only in one that is weekly".into(),
            "agent.toml:36:19: budget match lead must be a string, or an array of strings, not an integer".into(),
            "agent.toml:36:22: budget match lead must not be empty".into(),
            "agent.toml:36:26: budget match lead \" x\" must not begin or end with white space".into(),
            "agent.toml:36:32: budget match lead \"a\\tb\" contains a control character".into(),
            format!("agent.toml:37:11: budget warn_at \"0.5,80\" has \"80\", which is not a share of the limit (1 is the whole limit); for 80 percent write 0.8; {shares}"),
        ]
    );
}

#[test]
fn what_a_table_lists_is_bounded() {
    let texts = |count: usize| (0..count).map(|index| format!("'l{index}'")).collect::<Vec<_>>().join(", ");
    let head = "[[budget]]\nname = 'x'\nperiod = 'daily'\nlimit_usd = 1\nmatch = ";
    assert_eq!(
        covered(&table(&format!("period = 'daily'\nlimit_usd = 1\nmatch = {{ lead = [{}] }}", texts(100))), Facet::Lead)
            .len(),
        100
    );
    let problems = file_problems(&format!("{head}{{ lead = [{}] }}", texts(101)));
    assert!(
        problems.len() == 1 && problems[0].ends_with("budget match lead has 101 patterns; the maximum is 100"),
        "{problems:?}"
    );
    let problems = file_problems(&format!("{head}{{ lead = '{}' }}", "l".repeat(201)));
    assert!(problems[0].ends_with("is longer than 200 bytes"), "{problems:?}");
    let units: Vec<String> = (0..9).map(|index| format!("u{index} = 1")).collect();
    let problems =
        file_problems(&format!("[[budget]]\nname = 'x'\nperiod = 'daily'\nlimit_usage = {{ {} }}", units.join(", ")));
    assert_eq!(problems, ["agent.toml:4:81: budget limit_usage has 9 names; the maximum is 8"]);
    let shares: Vec<String> = (1..=11).map(|index| format!("0.{index:02}")).collect();
    let problems = file_problems(&format!("{head}{{ lead = '*' }}\nwarn_at = [{}]", shares.join(", ")));
    assert!(problems[0].contains("has 11 shares; allowed:"), "{problems:?}");
}

#[test]
fn a_gate_threshold_that_closes_no_gate_is_told_and_let_be() {
    let head = "[[budget]]\nname = 'x'\nperiod = 'daily'\nlimit_usd = 1\ngate_at = 0.9\n";
    for (keys, why) in [
        ("each = 'lead'", Some("is not of all cost")),
        ("match = { model = 'gpt-*' }", Some("is not of all cost")),
        ("action = 'watch'", Some("only watches")),
        ("service = 'openai'", None),
        ("", None),
    ] {
        let said =
            why.map(|why| format!("budget \"x\" {why}, so its gate_at closes no gate; from there its state is critical"));
        assert_eq!(of_file(&format!("{head}{keys}")).warnings, Vec::from_iter(said), "{keys}");
    }
}

#[test]
fn budgets_of_any_period_and_cover_are_compared_where_that_says_something() {
    let tables = |tables: &[&str]| -> Vec<String> {
        let text: String =
            tables.iter().enumerate().map(|(index, keys)| format!("[[budget]]\nname = 'b{index}'\n{keys}\n")).collect();
        of_file(&format!("daily_budget = 'none'\nmonthly_budget = 'none'\n{text}")).warnings
    };
    let of_lead = |period: &str, limit: u32| format!("period = '{period}'\neach = 'lead'\nlimit_usd = {limit}");
    assert_eq!(
        tables(&[&of_lead("hourly", 6), &of_lead("weekly", 5), "period = 'weekly'\nlimit_usd = 4"]),
        [
            "budget \"b1\" (5 USD a week) is below budget \"b0\" (6 USD an hour): one hour may use up the week",
            "budget \"b0\" (6 USD) is above budget \"b2\" (4 USD), which covers all services and is used up before",
            "budget \"b1\" (5 USD) is above budget \"b2\" (4 USD), which covers all services and is used up before",
        ]
    );
    let tokens = |period: &str, limit: u32| format!("period = '{period}'\nlimit_usage = {{ input_tokens = {limit} }}");
    assert_eq!(
        tables(&[&tokens("yearly", 5), &tokens("quarterly", 6)]),
        [
            "budget \"b0\" (5 input_tokens a year) is below budget \"b1\" (6 input_tokens a quarter): one quarter may use up the year"
        ]
    );
    for quiet in [
        // A week is no part of a month, money no number of tokens, and what was paid ahead lasts as long as it lasts.
        [of_lead("weekly", 6), "period = 'monthly'\nlimit_usd = 5".into()],
        [tokens("yearly", 5), "period = 'daily'\nlimit_usd = 6".into()],
        ["period = 'total'\nlimit_usd = 5".into(), "period = 'monthly'\nlimit_usd = 6".into()],
        [format!("{}\naction = 'watch'", of_lead("weekly", 6)), "period = 'weekly'\nlimit_usd = 5".into()],
        [
            "period = 'monthly'\nstart_day = 2\nlimit_usd = 6\nservice = 'x'".into(),
            "period = 'yearly'\nlimit_usd = 5".into(),
        ],
    ] {
        assert_eq!(tables(&[&quiet[0], &quiet[1]]), Vec::<String>::new(), "{quiet:?}");
    }
    assert_eq!(tables(&["period = 'monthly'\nlimit_usd = 6\nservice = 'x'", "period = 'yearly'\nlimit_usd = 5"]).len(), 1);
}
