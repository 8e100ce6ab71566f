//! `prices show`: what a model costs.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::{OutputFormat, Screen, note};
use super::super::table::{Cell, Table};
use super::super::{Exit, Failure, parse};
use crate::config::Sources;
use crate::wire::{PriceItem, PricesAnswer};

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The model
    #[arg(long)]
    pub model: String,
    /// The service that is paid [default: whoever the model's name tells of]
    #[arg(long)]
    pub service: Option<String>,
    /// At this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    pub at: Option<String>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: &ShowArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let ShowArgs { model, service, at, agent, output } = arguments;
    let mut query = vec![("model", model.clone())];
    query.extend(service.iter().map(|service| ("service", service.clone())));
    query.extend(at.iter().map(|at| ("at", at.clone())));
    let answer = AgentClient::new(agent, process, ANSWER_TIMEOUT)?.get("/prices", &query)?;
    let PricesAnswer { service, model, prices, .. } = read(&answer)?;
    if output.output == OutputFormat::Table {
        note(&format!("{service} {model}"));
    }
    table(prices).write(output.output, &answer, screen)?;
    Ok(Exit::Done)
}

/// The table of a model's prices.
pub fn table(prices: Vec<PriceItem>) -> Table {
    let mut table = Table::new(&["unit", "usd", "per", "above", "price", "version", "date"])
        .for_people(&["unit", "usd", "per", "above", "price", "date"], &["date", "price"]);
    for item in prices {
        let name = |name: &str| Cell::name(name);
        let date = |price: &crate::domain::PriceTag| Cell::text(price.date.map(|date| date.to_string()).unwrap_or_default());
        let (price, per) = (&item.price, item.per);
        let mut row = |usd: &str, above: String| {
            table.push(vec![
                Cell::name(&*item.unit),
                Cell::text(usd),
                Cell::count(per),
                Cell::text(above),
                name(&price.name),
                Cell::text(&*price.version),
                date(price),
            ]);
        };
        row(item.usd.get(), String::new());
        item.above.iter().for_each(|above| row(above.usd.get(), above.tokens.to_string()));
    }
    table
}
