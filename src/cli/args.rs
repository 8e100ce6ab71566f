//! What may stand on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::gate_args::GateArgs;
use super::output::Format;
use super::settings_args::SettingsArgs;
use super::token::TokenArgs;

/// Keeps an exact, durable ledger of what paid API calls cost, and shows it to Prometheus, REST clients and people.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

const EXAMPLES: &str = "Without a verb it serves, and takes the flags of serve.

Examples:
  lead-factory-metrics --config agent.toml
  lead-factory-metrics record --service openai --amount-usd 0.0042 --operation chat
  lead-factory-metrics costs daily
  lead-factory-metrics budgets --output json
  lead-factory-metrics gate check --service openai --estimated-cost-usd 0.05

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by the gate, 78 wrong settings";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the agent (the default)
    #[command(after_help = "Examples:
  lead-factory-metrics serve
  lead-factory-metrics serve --config agent.toml --metrics-port 9000
  DAILY_BUDGET=20 lead-factory-metrics serve")]
    Serve(SettingsArgs),
    /// Check the settings and show each with where it came from
    #[command(after_help = "Examples:
  lead-factory-metrics check-config
  lead-factory-metrics check-config --config agent.toml --output json

Exit codes: 0 the settings are good, 78 they are not")]
    CheckConfig(CheckConfigArgs),
    /// Ask the agent whether it is ready, for container probes
    #[command(after_help = "Examples:
  lead-factory-metrics healthcheck
  lead-factory-metrics healthcheck --url http://127.0.0.1:9000

Exit codes: 0 ready, 1 not")]
    Healthcheck(HealthcheckArgs),
    /// Record one event
    #[command(after_help = "Examples:
  lead-factory-metrics record --service openai --amount-usd 0.0042 --operation chat \\
      --model gpt-4o --usage input_tokens=1000 --usage output_tokens=50
  lead-factory-metrics record --service sendgrid --amount-usd 0.001 --id mail-4711
  lead-factory-metrics record --service openai --kind credit --amount-usd -2.50

With an --id of yours the command can be run again: the event counts once.")]
    Record(Box<RecordArgs>),
    /// Show what was spent
    #[command(after_help = "Examples:
  lead-factory-metrics costs daily
  lead-factory-metrics costs monthly --month 2026-11 --by operation
  lead-factory-metrics costs history --days 7 --output csv")]
    Costs(CostsArgs),
    /// Show every budget and how far it is used
    #[command(after_help = "Examples:
  lead-factory-metrics budgets
  lead-factory-metrics budgets --output json")]
    Budgets(BudgetsArgs),
    /// Show the scaling gate, ask it, or say what it is to be
    #[command(after_help = "Examples:
  lead-factory-metrics gate status
  lead-factory-metrics gate check --service openai --estimated-cost-usd 0.05
  lead-factory-metrics gate activate --reason 'the provider bills twice' --expires-in 1h
  lead-factory-metrics gate auto --reason 'it is mended'

Exit codes: 0 done or allowed, 1 failed, 3 refused (gate check)")]
    Gate(GateArgs),
    /// Show what is set aside for work under way
    #[command(after_help = "Examples:
  lead-factory-metrics reservations
  lead-factory-metrics reservations --state expired --limit 1000 --output csv
  lead-factory-metrics reservations job-7 --output json

Exit codes: 0 done, 1 failed, such as no reservation under that id")]
    Reservations(ReservationsArgs),
    /// Prove the ledger file against its checksums and totals
    #[command(after_help = "Examples:
  lead-factory-metrics verify
  lead-factory-metrics verify --db-path /var/lib/lead-factory/ledger.db --output json

Works beside a running agent. Exit codes: 0 sound, 1 not")]
    Verify(VerifyArgs),
    /// Write completions for a shell
    #[command(after_help = "Examples:
  lead-factory-metrics completions bash > ~/.local/share/bash-completion/completions/lead-factory-metrics
  lead-factory-metrics completions zsh > ~/.zfunc/_lead-factory-metrics
  lead-factory-metrics completions fish > ~/.config/fish/completions/lead-factory-metrics.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page, or all of them
    #[command(after_help = "Examples:
  lead-factory-metrics man | man -l -
  lead-factory-metrics man --folder ~/.local/share/man/man1")]
    Man {
        /// Write a page for each verb into this folder, which is made when missing
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

/// Where the agent is.
#[derive(Args, Debug)]
pub struct AgentArgs {
    /// Address of the agent [default: the local one, by METRICS_HOST, METRICS_PORT and CONFIG_FILE]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// How the answer is written.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// For people a table; for programs json (the agent's answer) or csv
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
}

#[derive(Args, Debug)]
pub struct CheckConfigArgs {
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

#[derive(Args, Debug)]
pub struct HealthcheckArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
}

#[derive(Args, Debug)]
pub struct RecordArgs {
    /// The paid service
    #[arg(long)]
    pub service: String,
    /// What it cost; a credit is 0 or less
    #[arg(long, value_name = "USD", allow_hyphen_values = true, value_parser = super::record::parse_amount)]
    pub amount_usd: String,
    /// What the service was asked to do [default: unknown]
    #[arg(long)]
    pub operation: Option<String>,
    /// Idempotency key: the same one counts once [default: a new UUIDv7]
    #[arg(long)]
    pub id: Option<String>,
    /// Who made the id
    #[arg(long)]
    pub source: Option<String>,
    /// When it happened, RFC 3339 with offset [default: when received]
    #[arg(long, value_name = "TIME")]
    pub time: Option<String>,
    /// A charge or a credit [default: charge]
    #[arg(long, value_parser = ["charge", "credit"])]
    pub kind: Option<String>,
    /// The process that made the call
    #[arg(long)]
    pub worker: Option<String>,
    /// The batch of work it belongs to
    #[arg(long)]
    pub batch_id: Option<String>,
    /// The lead it was made for
    #[arg(long)]
    pub lead_id: Option<String>,
    /// The model or tier used
    #[arg(long)]
    pub model: Option<String>,
    /// A counted quantity; may be given many times
    #[arg(long, value_name = "NAME=COUNT", value_parser = super::record::parse_usage)]
    pub usage: Vec<(String, u64)>,
    /// How long the call took
    #[arg(long, value_name = "SECONDS", value_parser = super::record::parse_seconds)]
    pub duration_seconds: Option<f64>,
    /// How the call ended [default: ok]
    #[arg(long, value_parser = ["ok", "error"])]
    pub outcome: Option<String>,
    /// Anything else, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = super::record::parse_attributes)]
    pub attributes: Option<Box<serde_json::value::RawValue>>,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct CostsArgs {
    #[command(subcommand)]
    pub period: CostsPeriod,
}

#[derive(Debug, Subcommand)]
pub enum CostsPeriod {
    /// Cost of a day
    #[command(after_help = "Examples:
  lead-factory-metrics costs daily
  lead-factory-metrics costs daily --watch
  lead-factory-metrics costs daily --date 2026-11-22 --by operation")]
    Daily {
        /// The day, YYYY-MM-DD [default: today]
        #[arg(long)]
        date: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Cost of a month
    #[command(after_help = "Examples:
  lead-factory-metrics costs monthly
  lead-factory-metrics costs monthly --month 2026-11 --by model")]
    Monthly {
        /// The month, YYYY-MM [default: this one]
        #[arg(long)]
        month: Option<String>,
        #[command(flatten)]
        view: CostsView,
    },
    /// Cost of each of the last days
    #[command(after_help = "Examples:
  lead-factory-metrics costs history
  lead-factory-metrics costs history --days 90 --service openai --output csv")]
    History {
        /// How many days, today included [default: 30]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=400))]
        days: Option<u16>,
        #[command(flatten)]
        view: CostsView,
    },
}

#[derive(Args, Debug)]
pub struct CostsView {
    /// What to add up by
    #[arg(long, value_enum, default_value = "service")]
    pub by: Grouping,
    /// Only this service
    #[arg(long)]
    pub service: Option<String>,
    /// Ask again every so many seconds, until interrupted [default without a number: 2]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    pub watch: Option<u16>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Grouping {
    Service,
    Operation,
    Worker,
    Batch,
    Lead,
    Model,
}

impl Grouping {
    /// The word in the query and in headings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Worker => "worker",
            Self::Batch => "batch",
            Self::Lead => "lead",
            Self::Model => "model",
        }
    }
}

#[derive(Args, Debug)]
pub struct BudgetsArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct ReservationsArgs {
    /// Only the reservation with this id, also one that is over
    #[arg(conflicts_with_all = ["state", "limit", "after"])]
    pub id: Option<String>,
    /// Only those that are held, or that expired [default: both]
    #[arg(long, value_parser = ["held", "expired"])]
    pub state: Option<String>,
    /// How many, oldest first [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: Option<u16>,
    /// Only those made after the one with this id
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger [default: as DB_PATH and CONFIG_FILE say]
    #[arg(long, value_name = "FILE", alias = "db")]
    pub db_path: Option<PathBuf>,
    /// File of settings that names the ledger (CONFIG_FILE)
    #[arg(long, value_name = "FILE", conflicts_with = "db_path")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
}
