//! What may stand behind `gate`.

use clap::{Args, Subcommand};

use super::args::{AgentArgs, OutputArgs};
use super::token::TokenArgs;

/// Longest time that an order may hold by itself, in seconds: a year (contract, section 5).
const EXPIRES_IN_SECONDS_MAX: u64 = 31_536_000;

#[derive(Args, Debug)]
pub struct GateArgs {
    #[command(subcommand)]
    pub verb: GateVerb,
}

#[derive(Debug, Subcommand)]
pub enum GateVerb {
    /// Whether the gate is active, and why
    #[command(after_help = "Examples:
  lead-factory-metrics gate status
  lead-factory-metrics gate status --output json")]
    Status {
        #[command(flatten)]
        agent: AgentArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Whether something may be spent now; nothing is set aside
    #[command(after_help = "Examples:
  lead-factory-metrics gate check --service openai
  lead-factory-metrics gate check --service openai --operation chat --estimated-cost-usd 0.05 || exit

Exit codes: 0 allowed, 3 refused, 1 the agent was not reached or did not understand")]
    Check(CheckArgs),
    /// Stop work that is not critical, whatever the budgets say
    #[command(after_help = "Examples:
  lead-factory-metrics gate activate --reason 'the provider bills twice'
  lead-factory-metrics gate activate --reason 'night' --expires-in 8h --actor ann

Exit codes: 0 done, 1 failed")]
    Activate(OverrideArgs),
    /// Let work go on, whatever the budgets say
    #[command(after_help = "Examples:
  lead-factory-metrics gate deactivate --reason 'the launch must not stop' --expires-in 90m

Exit codes: 0 done, 1 failed")]
    Deactivate(OverrideArgs),
    /// Follow the budgets again
    #[command(after_help = "Examples:
  lead-factory-metrics gate auto --reason 'the provider has mended it'

Exit codes: 0 done, 1 failed")]
    Auto(OrderArgs),
    /// Every change of the gate, newest first
    #[command(after_help = "Examples:
  lead-factory-metrics gate history
  lead-factory-metrics gate history --limit 10 --output csv")]
    History {
        /// How many changes [default: 50]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: Option<u16>,
        #[command(flatten)]
        agent: AgentArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The service to be paid
    #[arg(long)]
    pub service: String,
    /// What it will be asked to do [default: unknown]
    #[arg(long)]
    pub operation: Option<String>,
    /// What it is thought to cost [default: 0]
    #[arg(long, value_name = "USD", value_parser = super::record::parse_amount)]
    pub estimated_cost_usd: Option<String>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct OrderArgs {
    /// Why; it stands in the history
    #[arg(long)]
    pub reason: String,
    /// Who says so [default: USER of the environment]
    #[arg(long)]
    pub actor: Option<String>,
    #[command(flatten)]
    pub token: TokenArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct OverrideArgs {
    /// For how long: 90s, 15m, 1h30m, 7d, or seconds [default: until another order]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub expires_in: Option<u64>,
    #[command(flatten)]
    pub order: OrderArgs,
}

/// Reads a length of time as whole seconds.
fn parse_seconds(text: &str) -> Result<u64, String> {
    const WRONG: &str = "is not a time such as 90s, 15m, 1h30m or 7d";
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| WRONG.to_owned())?;
        let mut behind = rest[digits..].chars();
        let unit_seconds = match behind.next() {
            // Bare digits are seconds, but only alone: the unit of `1h30` is a guess.
            None if digits == text.len() => 1,
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(WRONG.to_owned()),
        };
        total = total.saturating_add(number.saturating_mul(unit_seconds));
        rest = behind.as_str();
        if rest.is_empty() {
            break;
        }
    }
    if (1..=EXPIRES_IN_SECONDS_MAX).contains(&total) {
        Ok(total)
    } else {
        Err("is not between a second and 365 days".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_units() {
        for (text, seconds) in
            [("3600", 3_600), ("90s", 90), ("15m", 900), ("1h", 3_600), ("1h30m", 5_400), ("365d", 31_536_000), ("1", 1)]
        {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for text in ["", "0", "0h", "-1", "1.5h", "h", "1x", "1h30", "1 h", "366d", "31536001", "99999999999999999999", "1é"]
        {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
