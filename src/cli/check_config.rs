//! `check-config`: the settings as they hold, or everything that is wrong with them.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::agent_args::OutputArgs;
use super::output::{OutputFormat, Screen, note, print_line};
use super::settings_args::SettingsArgs;
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::budget::Action;
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

pub(super) fn table(config: &Config) -> Table {
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
        let mut words = format!("{} as {}, {signed}", webhook.url, webhook.format);
        for (what, patterns) in [("only", &webhook.events), ("of budgets", &webhook.budgets)] {
            if !patterns.is_empty() {
                words = format!("{words}, {what} {}", patterns.join(" or "));
            }
        }
        row("webhook".into(), words, webhook.origin.to_string());
    }
    table
}

fn budget_in_words(budget: &ShownBudget) -> String {
    let usage = budget.limit_usage.iter().map(|(name, count)| format!("{count} {name}"));
    let limits: Vec<String> = budget.limit_usd.map(|usd| format!("{usd} USD")).into_iter().chain(usage).collect();
    let begins = match (&budget.week_starts, budget.start_day) {
        (Some(day), _) => format!(" from {day}"),
        (None, Some(day)) => format!(" from day {day}"),
        (None, None) => String::new(),
    };
    let percents =
        if budget.warn_at_percents.is_empty() { vec![budget.warn_at_percent] } else { budget.warn_at_percents.clone() };
    let warnings: Vec<String> = percents.iter().map(|percent| format!("{percent} %")).collect();
    format!(
        "{} {}{begins} for {}, warning at {}, critical at {} %{}",
        limits.join(", "),
        budget.period.as_str(),
        covered_in_words(budget),
        warnings.join(", "),
        budget.gate_at_percent,
        if budget.action == Some(Action::Watch) { ", only watched" } else { "" }
    )
}

fn covered_in_words(budget: &ShownBudget) -> String {
    let facets: Vec<String> =
        budget.cover.iter().map(|(facet, patterns)| format!("{facet} {}", patterns.join(" or "))).collect();
    let covered = match &budget.service {
        Some(service) => service.clone(),
        None if facets.is_empty() => "all services".to_owned(),
        None => facets.join(" and "),
    };
    budget.each.map_or(covered.clone(), |facet| format!("each {} of {covered}", facet.as_str()))
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
    fn budgets_of_anything_and_what_receivers_are_told_are_shown_in_words_and_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        let text = "daily_budget = 'none'\nmonthly_budget = 'none'\n\
            [[budget]]\nname = 'lead'\nperiod = 'total'\neach = 'lead'\nlimit_usd = 5\nmatch = { service = 'openai' }\naction = 'watch'\n\
            [[budget]]\nname = 'tokens'\nperiod = 'weekly'\nweek_starts = 'sunday'\nlimit_usage = { input_tokens = 2e6, pages = 1.5 }\n\
            match = { model = ['gpt-*', 'o3'], batch = '*' }\nwarn_at = [0.5, 0.8]\n\
            [[budget]]\nname = 'quarter'\nperiod = 'quarterly'\nstart_day = 10\nlimit_usd = 300\n\
            [[webhook]]\nurl = 'https://a.example/'\nevents = ['budget.*', 'gate.active']\nbudgets = 'tokens'\n";
        std::fs::write(&path, text).unwrap();
        let config = config::load(&Sources { config_flag: Some(path), ..Sources::default() }).unwrap();
        let (csv, json) = (table(&config).csv().unwrap(), good_json(&config).unwrap());
        for words in [
            "budget lead,\"5 USD total for each lead of openai, warning at 80 %, critical at 90 %, only watched\"",
            "budget tokens,\"2000000 input_tokens, 1.5 pages weekly from sunday for batch * and model gpt-* or o3, warning at 50 %, 80 %, critical at 90 %\"",
            "budget quarter,\"300 USD quarterly from day 10 for all services, warning at 80 %, critical at 90 %\"",
            "webhook,\"https://a.example/••• as json, not signed, only budget.* or gate.active, of budgets tokens\"",
        ] {
            assert!(csv.contains(words), "{words}\n{csv}");
        }
        for members in [
            r#"{"name":"lead","service":"openai","period":"total","each":"lead","limit_usd":5,"warn_at_percent":80.0,"gate_at_percent":90.0,"action":"watch","from":"#,
            r#"{"name":"tokens","service":null,"period":"weekly","week_starts":"sunday","match":{"batch":["*"],"model":["gpt-*","o3"]},"limit_usage":{"input_tokens":2000000,"pages":1.5},"warn_at_percent":50.0,"warn_at_percents":[50.0,80.0],"gate_at_percent":90.0,"from":"#,
            r#"{"name":"quarter","service":null,"period":"quarterly","start_day":10,"limit_usd":300,"#,
            r#""signed":false,"events":["budget.*","gate.active"],"budgets":["tokens"],"from":"#,
        ] {
            assert!(json.contains(members), "{members}\n{json}");
        }
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
