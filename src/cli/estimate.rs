//! `estimate`: what a call costs, by the prices in the settings and in the program. No agent is asked.

use clap::{Arg, ArgMatches, Args, Command};
use jiff::Timestamp;
use serde_json::json;

use super::agent_args::OutputArgs;
use super::output::Screen;
use super::settings_args::SettingsArgs;
use super::table::{Cell, Table};
use super::{Exit, Failure, parse};
use crate::clock::Clock;
use crate::config::{self, Sources};
use crate::domain::{Name, PriceTag, Quantity, UsageCount, Usd};
use crate::pricing::{Query, Rated};

/// The flags, and the names in `usage` that they are for; others are said with `--usage`.
const NAMES: [(&str, &str); 15] = [
    ("input-tokens", "input_tokens"),
    ("cached-input-tokens", "cached_input_tokens"),
    ("cache-write-input-tokens", "cache_write_input_tokens"),
    ("cache-write-1h-input-tokens", "cache_write_1h_input_tokens"),
    ("output-tokens", "output_tokens"),
    ("reasoning-output-tokens", "reasoning_output_tokens"),
    ("audio-input-tokens", "audio_input_tokens"),
    ("audio-output-tokens", "audio_output_tokens"),
    ("image-input-tokens", "image_input_tokens"),
    ("images", "images"),
    ("seconds", "seconds"),
    ("characters", "characters"),
    ("requests", "requests"),
    ("searches", "searches"),
    ("pages", "pages"),
];

#[derive(Args, Debug)]
pub struct EstimateArgs {
    /// The model
    #[arg(long)]
    pub model: String,
    /// The service that is paid [default: whoever the model's name tells of]
    #[arg(long, default_value = "")]
    pub service: String,
    /// At this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    #[command(flatten)]
    pub usage: UsageFlags,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// What is used, by flags.
#[derive(Clone, Debug, Default)]
pub struct UsageFlags(Vec<(String, Quantity)>);

impl Args for UsageFlags {
    fn augment_args(command: Command) -> Command {
        let other = Arg::new("usage")
            .long("usage")
            .value_name("NAME=QUANTITY")
            .help("Any other usage, such as serp_credits=3; repeatable")
            .action(clap::ArgAction::Append)
            .value_parser(parse::usage);
        let flag = |(flag, name): (&'static str, &'static str)| {
            let arg = Arg::new(name).long(flag).value_name("QUANTITY").value_parser(parse::quantity);
            arg.help(format!("{} used", name.replace('_', " ")))
        };
        command.args(NAMES.map(flag)).arg(other)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for UsageFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let named = NAMES.iter().filter_map(|(_, name)| Some(((*name).to_owned(), *matches.get_one::<Quantity>(name)?)));
        let others = matches.get_many::<(String, Quantity)>("usage").into_iter().flatten().cloned();
        self.0 = named.chain(others).collect();
        Ok(())
    }
}

/// Runs the verb.
pub fn run(arguments: EstimateArgs, process: Sources, screen: &Screen) -> Result<Exit, Failure> {
    let EstimateArgs { model, service, at, usage, output, settings } = arguments;
    let book = config::load(&settings.over(process))?.book;
    let usage = counts(usage.0)?;
    let time = at.unwrap_or_else(|| Clock::System.now());
    let query = Query { service: &service, model: &model, time, usage: &usage, attributes: None };
    let Rated::Priced { amount, price } = book.rate(&query) else {
        return Err(Failure::Failed(format!("there is no price for {model:?}")));
    };
    let answer = json!({ "amount_usd": amount, "price": price }).to_string();
    table(amount, &price).write(output.output, &answer, screen)?;
    Ok(Exit::Done)
}

pub(super) fn table(amount: Usd, price: &PriceTag) -> Table {
    let mut table = Table::new(&["estimate", "result"]);
    table.push(vec![Cell::text("amount_usd").shown_as("amount USD".to_owned()), Cell::text(amount.to_string())]);
    table.push(vec![Cell::text("price"), Cell::text(&*price.name)]);
    table.push(vec![Cell::text("version"), Cell::text(&*price.version)]);
    table.push(vec![Cell::text("date"), Cell::text(price.date.map(|date| date.to_string()).unwrap_or_default())]);
    table
}

/// What is used, each name once.
fn counts(flags: Vec<(String, Quantity)>) -> Result<Vec<UsageCount>, Failure> {
    let mut usage: Vec<UsageCount> = Vec::with_capacity(flags.len());
    for (name, count) in flags {
        let kind = Name::new(&name).map_err(|error| Failure::Usage(format!("{name} {error}")))?;
        if usage.iter().any(|known| known.kind == kind) {
            return Err(Failure::Usage(format!("{name} was given twice")));
        }
        usage.push(UsageCount { kind, count });
    }
    if usage.is_empty() {
        return Err(Failure::Usage("say what is used, such as --input-tokens 1000".to_owned()));
    }
    usage.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
    Ok(usage)
}

#[cfg(test)]
mod tests {
    use super::super::agent_args::parsed;
    use super::*;

    #[test]
    fn usage_is_said_by_flags_of_its_own_or_by_name() {
        let said: UsageFlags = parsed(&["--output-tokens", "50", "--input-tokens", "1000", "--usage", "serp_credits=0.5"]);
        let usage = counts(said.0).unwrap();
        let found: Vec<_> = usage.iter().map(|count| (count.kind.as_str(), count.count.to_string())).collect();
        let expected = [("input_tokens", "1000"), ("output_tokens", "50"), ("serp_credits", "0.5")];
        assert_eq!(found, expected.map(|(name, count)| (name, count.to_owned())));
        let twice: UsageFlags = parsed(&["--input-tokens", "1", "--usage", "input_tokens=2"]);
        assert!(counts(twice.0).is_err() && counts(Vec::new()).is_err());
    }
}
