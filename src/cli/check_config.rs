//! `check-config`: the settings as they hold, or everything that is wrong with them.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::agent_args::OutputArgs;
use super::output::{OutputFormat, Screen, note, print_line};
use super::settings_args::SettingsArgs;
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::config::{self, Config, Problems, ShownBudget, ShownWebhook, Sources};

#[derive(Args, Debug)]
pub struct CheckConfigArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// The answer in JSON when nothing is wrong.
#[derive(Serialize)]
struct Good<'a> {
    budgets: &'a [ShownBudget],
    settings: Vec<Value>,
    valid: bool,
    warnings: &'a [String],
    webhooks: &'a [ShownWebhook],
}

/// Runs the verb.
pub fn run(arguments: &CheckConfigArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    let sources = arguments.settings.clone().over(process);
    let format = arguments.output.output;
    match config::load(&sources) {
        Ok(config) => {
            table(&config).write(format, &good_json(&config)?, screen)?;
            for warning in config.warnings.iter().filter(|_| format != OutputFormat::Json) {
                note(&format!("warning: {warning}"));
            }
            Ok(Exit::Done)
        }
        Err(problems) if format == OutputFormat::Json => {
            print_line(&bad_json(&problems))?;
            Ok(Exit::Configuration)
        }
        Err(problems) => Err(problems.into()),
    }
}

fn table(config: &Config) -> Table {
    let mut table = Table::new(&["setting", "value", "from"]);
    let mut row = |setting: String, value: String, from: String| {
        table.push(vec![Cell::text(setting), Cell::text(value), Cell::text(from)]);
    };
    for shown in &config.shown {
        row(shown.key.into(), shown.value.clone().unwrap_or_default(), shown.origin.to_string());
    }
    for budget in &config.shown_budgets {
        row(format!("budget {}", budget.name), budget_in_words(budget), budget.origin.to_string());
    }
    for webhook in &config.shown_webhooks {
        let signed = if webhook.signed { "signed" } else { "not signed" };
        row("webhook".into(), format!("{} as {}, {signed}", webhook.url, webhook.format), webhook.origin.to_string());
    }
    table
}

fn budget_in_words(budget: &ShownBudget) -> String {
    let covered = budget.service.as_ref().map_or("all services", |service| service.as_str());
    format!(
        "{} {} for {covered}, warning at {} %, critical at {} %",
        budget.limit,
        budget.period.as_str(),
        budget.warn_at_percent,
        budget.gate_at_percent
    )
}

fn good_json(config: &Config) -> Result<String, Failure> {
    let settings = config
        .shown
        .iter()
        .map(|shown| json!({"setting": shown.key, "value": shown.value, "from": shown.origin.to_string()}))
        .collect();
    let good = Good {
        budgets: &config.shown_budgets,
        settings,
        valid: true,
        warnings: &config.warnings,
        webhooks: &config.shown_webhooks,
    };
    serde_json::to_string(&good).map_err(|error| Failure::Failed(format!("cannot write the answer: {error}")))
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
        let text = table(&config).csv().unwrap() + &good_json(&config).unwrap();
        assert!(!text.contains("s3cret"));
        assert!(text.contains("api_token,•••,environment API_TOKEN\r\n"));
        assert!(text.contains("daily_budget,50.0,default\r\n"));
        assert!(text.contains(r#"{"from":"default","setting":"api_token_file","value":null}"#));
    }

    #[test]
    fn caps_and_webhooks_are_shown_without_the_path_of_a_url() {
        let mut sources = sources("OPENAI_DAILY_CAP", "20.50");
        sources.environment.insert("WEBHOOK_URL".into(), "https://hooks.example:8443/s3cret?key=s3cret".into());
        sources.environment.insert("MONTHLY_BUDGET".into(), "none".into());
        let config = config::load(&sources).unwrap();
        let (csv, json) = (table(&config).csv().unwrap(), good_json(&config).unwrap());
        assert!(!csv.contains("s3cret") && !json.contains("s3cret"));
        assert!(csv.ends_with(
            "budget daily,\"50 USD daily for all services, warning at 80 %, critical at 90 %\",default\r\n\
             budget openai-daily,\"20.5 USD daily for openai, warning at 80 %, critical at 90 %\",environment OPENAI_DAILY_CAP\r\n\
             webhook,\"https://hooks.example:8443/••• as json, not signed\",environment WEBHOOK_URL\r\n"
        ), "{csv}");
        assert!(json.contains(
            r#"{"name":"openai-daily","service":"openai","period":"daily","limit_usd":20.5,"warn_at_percent":80.0,"gate_at_percent":90.0,"from":"environment OPENAI_DAILY_CAP"}"#
        ), "{json}");
        assert!(json.ends_with(
            r#""webhooks":[{"url":"https://hooks.example:8443/•••","format":"json","signed":false,"from":"environment WEBHOOK_URL"}]}"#
        ), "{json}");
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
