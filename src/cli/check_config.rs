//! `check-config`: the settings as they hold, or everything that is wrong with them.

use serde_json::json;

use super::args::CheckConfigArgs;
use super::output::{Cell, Format, Screen, Table, note, print_line};
use super::{Exit, Failure};
use crate::config::{self, Config, Problems, Sources};

/// Runs the verb.
pub fn run(arguments: &CheckConfigArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    let sources = arguments.settings.clone().over(process);
    let format = arguments.output.output;
    match config::load(&sources) {
        Ok(config) => {
            table(&config).write(format, &good_json(&config), screen)?;
            for warning in config.warnings.iter().filter(|_| format != Format::Json) {
                note(&format!("warning: {warning}"));
            }
            Ok(Exit::Done)
        }
        Err(problems) if format == Format::Json => {
            print_line(&bad_json(&problems))?;
            Ok(Exit::Configuration)
        }
        Err(problems) => Err(problems.into()),
    }
}

fn table(config: &Config) -> Table {
    let mut table = Table::new(&["setting", "value", "from"]);
    for shown in &config.shown {
        let value = shown.value.clone().unwrap_or_default();
        table.push(vec![Cell::text(shown.key), Cell::text(value), Cell::text(shown.origin.to_string())]);
    }
    table
}

fn good_json(config: &Config) -> String {
    let settings: Vec<_> = config
        .shown
        .iter()
        .map(|shown| json!({"setting": shown.key, "value": shown.value, "from": shown.origin.to_string()}))
        .collect();
    json!({"valid": true, "settings": settings, "warnings": config.warnings}).to_string()
}

fn bad_json(problems: &Problems) -> String {
    let list: Vec<_> = problems
        .0
        .iter()
        .map(|problem| json!({"setting": problem.setting, "from": problem.origin.to_string(), "detail": problem.detail}))
        .collect();
    json!({"valid": false, "problems": list}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(name: &str, value: &str) -> Sources {
        Sources { environment: [(name.to_owned(), value.to_owned())].into(), ..Sources::default() }
    }

    #[test]
    fn settings_are_shown_with_their_origin_and_without_secrets() {
        let config = config::load(&sources("API_TOKEN", "s3cret")).unwrap();
        let text = table(&config).csv() + &good_json(&config);
        assert!(!text.contains("s3cret"));
        assert!(text.contains("api_token,•••,environment API_TOKEN\r\n"));
        assert!(text.contains("daily_budget,50.0,default\r\n"));
        assert!(text.contains(r#"{"from":"default","setting":"api_token_file","value":null}"#));
    }

    #[test]
    fn problems_are_data_in_json() {
        let problems = config::load(&sources("METRICS_PORT", "x")).unwrap_err();
        assert_eq!(
            bad_json(&problems),
            r#"{"problems":[{"detail":"\"x\" is not a whole number; allowed: 0 to 65535","from":"environment METRICS_PORT","setting":"metrics_port"}],"valid":false}"#
        );
    }
}
