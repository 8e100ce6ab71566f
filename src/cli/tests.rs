use clap::Parser;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(words(line))?;
    Cli::from_arg_matches(&matches)
}

/// Splits as a shell does, as far as our examples go: single quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_command_line_is_well_formed() {
    command().debug_assert();
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_examples_in_its_help() {
    fn visit(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let leaf = command.get_subcommands().next().is_none();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(!leaf || help.contains("Examples:\n  "), "{path}");
        for line in help.lines().filter(|line| line.starts_with("  lead-factory-metrics ") && !line.ends_with('\\')) {
            // What the shell does with the output is not ours to parse.
            let ours = [" > ", " | ", " || "].iter().fold(line, |line, end| line.split(end).next().unwrap());
            assert!(parse(ours).is_ok(), "an example that does not parse: {line}");
        }
        command.get_subcommands().for_each(|verb| visit(verb, &path));
    }
    visit(&command(), "");
}

#[test]
fn settings_may_follow_serve_and_the_bare_name() {
    for line in ["p --daily-budget 5 --config a.toml", "p serve --daily-budget 5 --config a.toml"] {
        let cli = parse(line).unwrap();
        let arguments = match cli.verb {
            None => cli.settings,
            Some(CliVerb::Serve(arguments)) => arguments,
            other => panic!("{other:?}"),
        };
        let sources = arguments.over(Sources { terminal: true, ..Sources::default() });
        assert_eq!(sources.flags, [("daily_budget".to_owned(), "5".to_owned())]);
        assert_eq!(sources.config_flag.unwrap().to_str(), Some("a.toml"));
        assert!(sources.terminal);
    }
}

#[test]
fn every_setting_is_a_flag_with_its_names_in_the_help() {
    let mut command = command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    // Long names are wrapped.
    let help = serve.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in config::SETTINGS.iter() {
        for name in [format!("--{} ", setting.flag()), setting.environment_name(), format!("file key {}", setting.key)] {
            assert!(help.contains(&name), "{name}");
        }
    }
    assert!(!command.render_help().to_string().contains("--daily-budget"), "the first help names only the verbs");
}

#[test]
fn nonsense_is_a_usage_error() {
    for line in [
        "p nonsense",
        "p --colour",
        "p serve --daily-budget",
        "p serve --daily-budget --metrics-port 1",
        "p serve --daily-budget 1 --daily-budget 2",
        "p costs",
        "p costs history --days 401",
        "p gate history --limit 0",
        "p gate check",
        "p gate check --service a --estimated-cost-usd x",
        "p gate check --service a --estimated-cost-usd -1",
        "p gate activate",
        "p gate activate --reason a --expires-in tomorrow",
        "p gate auto --reason a --expires-in 1h",
        "p reservations --state released",
        "p reservations --limit 1001",
        "p reservations job-7 --state held",
        "p record --service a",
        "p record --service a --amount-usd --operation",
        "p record --service a --amount-usd 1,00",
        "p record --service a --amount-usd 1 --usage a",
        "p record --service a --amount-usd 1 --usage =1",
        "p record --service a --amount-usd 1 --revision 1",
        "p record --service a --amount-usd 1 --id i --revision -1",
        "p record --service a --amount-usd 1 --id i --revision 2147483648",
        "p record --service a --amount-usd 1 --usage a=-1",
        "p record --service a --amount-usd 1 --usage a=0.0000001",
        "p record --service a --amount-usd 1 --attributes [1]",
        "p record --service a --amount-usd 1 --duration-seconds inf",
        "p budgets --output yaml",
        "p budgets set",
        "p budgets set daily --reason a",
        "p budgets set daily --limit-usd 5",
        "p budgets set daily --limit-usd none --reason a",
        "p budgets set daily --limit-usd -1 --reason a",
        "p budgets set daily --limit-usd 5 --limit-usage a=1 --reason a",
        "p budgets clear daily",
        "p budgets clear daily --reason a --expires-in 1h",
        "p budgets --key a history",
        "p budgets history --limit 0",
        "p gate check --service a --usage a",
        "p fleet",
        "p fleet costs",
        "p fleet costs daily --by worker",
        "p fleet costs history --days 0",
        "p fleet costs history --to 2026-11-01",
        "p fleet init --grant",
        "p fleet init --grant=",
        "p fleet forget",
        "p fleet forget --yes",
    ] {
        assert_usage_error(line);
    }
}

#[track_caller]
fn assert_usage_error(line: &str) {
    let error = parse(line).err().unwrap_or_else(|| panic!("{line}"));
    assert_eq!(error.exit_code(), 2, "{line}");
}

#[test]
fn a_day_a_month_or_a_time_that_cannot_be_read_is_a_usage_error() {
    for line in [
        "p costs daily --date yesterday",
        "p costs daily --date 2026-02-30",
        "p costs monthly --month 2026-13",
        "p costs monthly --month 2026-11-01",
        "p costs range --from 1.11.2026",
        "p costs range --from 2026-11-01 --to today",
        "p costs history --from 2026-11",
        "p costs history --from 2026-11-01 --to 2026-11-31",
        "p costs leads --date 22",
        "p costs leads --month november",
        "p costs batches --from 2026-11-01T00:00:00Z",
        "p costs batches --from 2026-11-01 --to tomorrow",
        "p fleet costs daily --date yesterday",
        "p fleet costs monthly --month 11",
        "p fleet costs history --from yesterday",
        "p fleet costs history --from 2026-11-01 --to x",
        "p export --from yesterday",
        "p export --to 2026-11-01T00:00:00",
        "p reprice --model m --from yesterday --to 2026-11-01",
        "p reprice --model m --from 2026-11-01 --to noon",
        "p prices show --model m --at 2026-11-01",
        "p estimate --model m --at noon",
        "p record --service a --amount-usd 1 --time now",
    ] {
        assert_usage_error(line);
    }
    for line in [
        "p costs daily --date 2026-11-22",
        "p costs leads --month 2026-11",
        "p fleet costs history --from 2026-11-01 --to 2026-11-22",
        "p export --from 2026-11-01 --to 2026-11-22T10:00:00.123456789123+0100",
        "p reprice --model m --from 2026-11-01 --to 2026-11-22T10:00:00Z",
        "p prices show --model m --at 2026-11-22T10:00:00Z",
        "p record --service a --amount-usd 1 --time 2026-11-22t10:00:00z",
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn wrong_settings_end_before_serving() {
    let arguments = ["p", "--metrics-port", "x"].map(OsString::from);
    assert_eq!(run(arguments, Sources::default(), |_, _| panic!("served")), Exit::Configuration);
    let arguments = ["p", "serve", "--metrics-port", "9"].map(OsString::from);
    let exit = run(arguments, Sources::default(), |config, sources| {
        assert_eq!(config.net.listen.port(), 9);
        assert_eq!(config::load(&sources).unwrap().net.listen.port(), 9, "a reload sees the same flags");
        Exit::Done
    });
    assert_eq!(exit, Exit::Done);
}

#[test]
fn arguments_do_not_print_secrets() {
    for line in ["p record --service a --amount-usd 1 --token s3cret", "p gate auto --reason a --token s3cret"] {
        assert!(!format!("{:?}", parse(line).unwrap()).contains("s3cret"));
    }
    assert!(!format!("{:?}", Cli::parse_from(["p", "--api-token", "s3cret"])).contains("s3cret"));
}

#[test]
fn a_negative_amount_is_a_value_and_not_a_flag() {
    for amount in ["-2.5", "-1e-5", "0"] {
        let line = format!("p record --service a --kind credit --amount-usd {amount}");
        assert!(parse(&line).is_ok(), "{line}");
    }
}
