//! The verbs, with their help and examples. What follows a verb stands beside what it does.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::budgets::BudgetsArgs;
use super::check_config::CheckConfigArgs;
use super::costs::CostsArgs;
use super::estimate::EstimateArgs;
use super::export::ExportArgs;
use super::fleet::FleetArgs;
use super::gate::GateArgs;
use super::healthcheck::HealthcheckArgs;
use super::import::ImportArgs;
use super::prices::PricesArgs;
use super::record::RecordArgs;
use super::reprice::RepriceArgs;
use super::reservations::ReservationsArgs;
use super::settings_args::SettingsArgs;
use super::top::TopArgs;
use super::verify::VerifyArgs;

/// Keeps an exact, durable ledger of what paid API calls cost, and serves it to Prometheus, REST clients and people.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(subcommand)]
    pub verb: Option<CliVerb>,
}

const EXAMPLES: &str = "Without a command it serves, and accepts the options of serve.

Examples:
  lead-factory-metrics --config agent.toml
  lead-factory-metrics record --service openai --amount-usd 0.0042 --operation chat
  lead-factory-metrics costs daily
  lead-factory-metrics budgets --output json
  lead-factory-metrics gate check --service openai --estimated-cost-usd 0.05

Exit codes: 0 success, 1 failure, 2 usage error, 3 refused by the gate, 78 configuration error";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum CliVerb {
    /// Run the agent (the default)
    #[command(after_help = "Examples:
  lead-factory-metrics serve
  lead-factory-metrics serve --config agent.toml --metrics-port 9000
  DAILY_BUDGET=20 lead-factory-metrics serve")]
    Serve(SettingsArgs),
    /// Check the configuration and show where each setting comes from
    #[command(after_help = "Examples:
  lead-factory-metrics check-config
  lead-factory-metrics check-config --config agent.toml --output json
  lead-factory-metrics check-config --strict

Exit codes: 0 valid, 78 not valid, or doubtful with --strict")]
    CheckConfig(CheckConfigArgs),
    /// Check that the agent is ready, for container probes
    #[command(after_help = "Examples:
  lead-factory-metrics healthcheck
  lead-factory-metrics healthcheck --url http://127.0.0.1:9000

Exit codes: 0 ready, 1 not ready")]
    Healthcheck(HealthcheckArgs),
    /// Record one event
    #[command(after_help = "Examples:
  lead-factory-metrics record --service openai --amount-usd 0.0042 --operation chat \\
      --model gpt-4o --usage input_tokens=1000 --usage output_tokens=50
  lead-factory-metrics record --service sendgrid --amount-usd 0.001 --id mail-4711
  lead-factory-metrics record --service openai --kind credit --amount-usd -2.50

With --id the command is safe to repeat: the event counts once.")]
    Record(Box<RecordArgs>),
    /// Show costs
    #[command(after_help = "Examples:
  lead-factory-metrics costs daily
  lead-factory-metrics costs monthly --month 2026-11 --by operation
  lead-factory-metrics costs history --days 7 --output csv
  lead-factory-metrics costs range --from 2026-11-01 --to 2026-11-15 --by attributes.team,model
  lead-factory-metrics costs leads --month 2026-11")]
    Costs(Box<CostsArgs>),
    /// Show all budgets and how much of each is used; set limits
    #[command(after_help = "Examples:
  lead-factory-metrics budgets
  lead-factory-metrics budgets --watch 10
  lead-factory-metrics budgets --key acme --output json
  lead-factory-metrics budgets set daily --limit-usd 80 --reason 'the launch is tonight' --expires-in 8h
  lead-factory-metrics budgets history

Exit codes: 0 done, 1 failed")]
    Budgets(BudgetsArgs),
    /// Watch the gate, costs, budgets, holds and events live in a terminal
    #[command(after_help = "Examples:
  lead-factory-metrics top
  lead-factory-metrics top --by model --month
  lead-factory-metrics top --interval 10 --url http://127.0.0.1:9000
  lead-factory-metrics top | cat

q ends it, ? shows all keys. Without a terminal it prints once.")]
    Top(TopArgs),
    /// Show, ask or set the scaling gate
    #[command(after_help = "Examples:
  lead-factory-metrics gate status
  lead-factory-metrics gate check --service openai --estimated-cost-usd 0.05
  lead-factory-metrics gate activate --reason 'provider is double billing' --expires-in 1h
  lead-factory-metrics gate auto --reason 'provider fixed its billing'

Exit codes: 0 done or allowed, 1 failed, 3 refused (gate check)")]
    Gate(GateArgs),
    /// Show reservations
    #[command(after_help = "Examples:
  lead-factory-metrics reservations
  lead-factory-metrics reservations --watch
  lead-factory-metrics reservations --state expired --limit 1000 --output csv
  lead-factory-metrics reservations job-7 --output json

Exit codes: 0 done, 1 failed, for example if there is no such reservation")]
    Reservations(ReservationsArgs),
    /// Show the agents that share budgets and what they spent; make their database ready
    #[command(after_help = "Examples:
  lead-factory-metrics fleet status
  lead-factory-metrics fleet costs daily
  lead-factory-metrics fleet init --fleet-url-file /run/secrets/fleet-owner --grant lead_factory_agent
  lead-factory-metrics fleet forget 00c5a1f2e3d4b596

status and costs ask an agent; init and forget need FLEET_URL or FLEET_URL_FILE.")]
    Fleet(FleetArgs),
    /// Work out what a call costs, by the prices in the settings and in the program
    #[command(after_help = "Examples:
  lead-factory-metrics estimate --model gpt-4o --input-tokens 1000 --cached-input-tokens 800 --output-tokens 50
  lead-factory-metrics estimate --model my-own-model --config agent.toml --usage serp_credits=3 --output json

Exit codes: 0 done, 1 there is no price")]
    Estimate(Box<EstimateArgs>),
    /// Show prices and what waits for one, bring prices up to date
    #[command(after_help = "Examples:
  lead-factory-metrics prices show --model gpt-4o
  lead-factory-metrics prices unpriced
  lead-factory-metrics prices check --file prices.toml
  lead-factory-metrics prices update --file model_prices_and_context_window.json
  lead-factory-metrics prices reload")]
    Prices(Box<PricesArgs>),
    /// Rate anew what the agent has priced, after a price was corrected
    #[command(after_help = "Examples:
  lead-factory-metrics reprice --from 2026-11-01 --to 2026-11-30 --model gpt-4o --dry-run
  lead-factory-metrics reprice --from 2026-11-01 --to 2026-11-30 --model gpt-4o

What a sender told is never touched. Safe to stop and to repeat.")]
    Reprice(Box<RepriceArgs>),
    /// Write the ledger as JSON lines, CSV or FOCUS
    #[command(after_help = "Examples:
  lead-factory-metrics export --output-file ledger.jsonl
  lead-factory-metrics export --format csv --from 2026-11-01 --to 2026-11-30 --service openai
  lead-factory-metrics export --format focus --url http://127.0.0.1:8000 --output-file focus.csv

The agent may keep running, and records meanwhile. jsonl is what import reads: everything, corrections included.")]
    Export(Box<ExportArgs>),
    /// Record the events of an export or of another record of cost
    #[command(after_help = "Examples:
  lead-factory-metrics import --any-age ledger.jsonl
  lead-factory-metrics export --url http://old:8000 | lead-factory-metrics import --any-age --url http://new:8000
  curl -s 'http://litellm:4000/spend/logs?summarize=false' | lead-factory-metrics import --format litellm-spend-logs
  lead-factory-metrics import --format sqlite-original --any-age --dry-run db/lead_factory.db

Safe to repeat: each row has an id of its own. Exit codes: 0 all recorded, 1 rows were rejected or it failed")]
    Import(Box<ImportArgs>),
    /// Verify the ledger file against its checksums and totals
    #[command(after_help = "Examples:
  lead-factory-metrics verify
  lead-factory-metrics verify --db-path /var/lib/lead-factory/ledger.db --output json

The agent may keep running. Exit codes: 0 sound, 1 damaged or not readable")]
    Verify(VerifyArgs),
    /// Print shell completions
    #[command(after_help = "Examples:
  lead-factory-metrics completions bash > ~/.local/share/bash-completion/completions/lead-factory-metrics
  lead-factory-metrics completions zsh > ~/.zfunc/_lead-factory-metrics
  lead-factory-metrics completions fish > ~/.config/fish/completions/lead-factory-metrics.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write all man pages to a folder
    #[command(after_help = "Examples:
  lead-factory-metrics man | man -l -
  lead-factory-metrics man --folder ~/.local/share/man/man1")]
    Man {
        /// Write one page per command to this folder, and create it if missing
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}
