//! `fleet status`: the shared budgets, and the agents that share them.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::{OutputFormat, Screen};
use super::super::table::{Cell, Table, Tone, people};
use super::super::watch::{self, Answer, WatchArgs};
use super::super::{Exit, Failure};
use crate::config::Sources;
use crate::domain::Usd;
use crate::wire::{FleetAgentItem, FleetAnswer, FleetBudgetItem};

/// Connected, an agent's sums arrive within so many seconds.
const LATE_SECONDS: f64 = 5.0;
/// After so long another place may speak for its ledger.
const SILENT_SECONDS: f64 = 30.0;

/// All columns, as CSV has them: lines of budgets, then lines of agents.
const COLUMNS: &[&str] = &[
    "kind",
    "name",
    "ledger_id",
    "state",
    "limit_usd",
    "spent_usd",
    "held_usd",
    "leased_usd",
    "free_usd",
    "overrun_usd",
    "own_lease_usd",
    "period_start",
    "period_end",
    "version",
    "last_seen",
    "lag_seconds",
    "sums",
    "total_usd",
];
const OF_BUDGETS: &[&str] =
    &["name", "state", "spent_usd", "held_usd", "leased_usd", "free_usd", "limit_usd", "own_lease_usd", "period_end"];
const BUDGETS_DROP_FIRST: &[&str] = &["period_end", "own_lease_usd", "state", "held_usd"];
const OF_AGENTS: &[&str] =
    &["name", "state", "ledger_id", "last_seen", "lag_seconds", "leased_usd", "total_usd", "sums", "version"];
const AGENTS_DROP_FIRST: &[&str] = &["sums", "version", "lag_seconds", "total_usd", "last_seen"];

#[derive(Args, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    agent: AgentArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: StatusArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let StatusArgs { watch, agent, output } = arguments;
    let client = AgentClient::new(&agent, process, ANSWER_TIMEOUT)?;
    let format = output.output;
    watch::show(&watch, format, client, screen, move |client| {
        let json = client.get("/fleet", &[])?;
        let fleet = read(&json)?;
        let table = if format == OutputFormat::Csv { lines(&fleet) } else { for_people(&fleet) };
        Ok(Answer { table, json })
    })
}

/// How the asked agent stands, what is to be looked at, the budgets, and the agents.
pub fn for_people(fleet: &FleetAnswer) -> Table {
    let mut budgets = Table::new(COLUMNS).for_people(OF_BUDGETS, BUDGETS_DROP_FIRST);
    fleet.budgets.iter().for_each(|item| budgets.push(budget(item)));
    let mut agents = Table::new(COLUMNS).for_people(OF_AGENTS, AGENTS_DROP_FIRST);
    fleet.agents.iter().for_each(|item| agents.push(agent(item)));
    if let Some(as_of) = fleet.as_of {
        agents = agents.under(format!("The agents as of {}:", people::time(as_of)));
    }
    let warnings = fleet.warnings.iter().map(|warning| format!("Warning: {warning}"));
    let above = std::iter::once(standing(fleet)).chain(warnings);
    above.fold(budgets, Table::under).followed_by(agents)
}

/// One line for each budget and each agent, with all digits.
pub fn lines(fleet: &FleetAnswer) -> Table {
    let mut table = Table::new(COLUMNS);
    fleet.budgets.iter().for_each(|item| table.push(budget(item)));
    fleet.agents.iter().for_each(|item| table.push(agent(item)));
    table
}

fn standing(fleet: &FleetAnswer) -> String {
    let answered = match fleet.lag_seconds {
        None => "The database has not answered yet".to_owned(),
        Some(seconds) => format!("The database answered {seconds:.1} s ago"),
    };
    match &fleet.problem {
        None => format!("This agent takes part in the fleet. {answered}."),
        Some(problem) => format!("This agent takes NO part in the fleet: {problem}. {answered}."),
    }
}

fn budget(item: &FleetBudgetItem) -> Vec<Cell> {
    let state = if item.overrun_usd > Usd::ZERO {
        Cell::toned("over", Tone::Bad)
    } else if item.spent_usd >= item.limit_usd {
        Cell::toned("exhausted", Tone::Bad)
    } else if item.free_usd > Usd::ZERO {
        Cell::toned("ok", Tone::Good)
    } else {
        Cell::toned("all given", Tone::Warning)
    };
    row([
        ("kind", Cell::text("budget")),
        ("name", Cell::name(item.name.as_str())),
        ("state", state),
        ("limit_usd", Cell::money(item.limit_usd)),
        ("spent_usd", Cell::money(item.spent_usd)),
        ("held_usd", Cell::money(item.held_usd)),
        ("leased_usd", Cell::money(item.leased_usd)),
        ("free_usd", Cell::money(item.free_usd)),
        ("overrun_usd", Cell::money(item.overrun_usd)),
        ("own_lease_usd", Cell::money(item.own_lease_usd)),
        ("period_start", Cell::optional(item.period_start, Cell::time)),
        ("period_end", Cell::optional(item.period_end, Cell::time)),
    ])
}

fn agent(item: &FleetAgentItem) -> Vec<Cell> {
    let state = if item.lag_seconds > SILENT_SECONDS {
        Cell::toned("silent", Tone::Bad)
    } else if item.lag_seconds > LATE_SECONDS {
        Cell::toned("late", Tone::Warning)
    } else {
        Cell::toned("ok", Tone::Good)
    };
    row([
        ("kind", Cell::text("agent")),
        ("name", Cell::name(item.name.as_str())),
        ("ledger_id", Cell::whole(item.ledger_id.as_str())),
        ("state", state),
        ("leased_usd", Cell::money(item.leased_usd)),
        ("version", Cell::name(item.version.as_str())),
        ("last_seen", Cell::time(item.last_seen)),
        ("lag_seconds", Cell::seconds(item.lag_seconds)),
        ("sums", Cell::count(item.sums)),
        ("total_usd", Cell::money(item.total_usd)),
    ])
}

/// A row with these cells in their columns, and nothing in the others.
fn row<const COUNT: usize>(cells: [(&str, Cell); COUNT]) -> Vec<Cell> {
    let in_column = |column: &&str| cells.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.clone());
    COLUMNS.iter().map(|column| in_column(column).unwrap_or_else(|| Cell::text(""))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: &str = r#"{"up":false,"problem":"the database does not answer","lag_seconds":12.34,"as_of":"2026-11-29T10:00:00Z",
        "warnings":["The agents' limits for daily differ"],"budgets":[{"name":"daily","period_start":"2026-11-29T00:00:00Z",
        "period_end":"2026-11-30T00:00:00Z","limit_usd":50,"spent_usd":45.1,"held_usd":0.000000000001,"leased_usd":5,
        "free_usd":-0.100000000001,"overrun_usd":0.100000000001,"own_lease_usd":2}],"agents":[{"ledger_id":"00c5a1f2e3d4b596",
        "name":"worker-1","version":"0.1.0","last_seen":"2026-11-29T09:59:20Z","lag_seconds":40.5,"sums":12,"total_usd":1234.5,
        "leased_usd":5}]}"#;

    #[test]
    fn people_see_what_is_wrong_first() {
        let painted = for_people(&read(FLEET).unwrap()).paint(Screen::wide(200));
        let expected = "This agent takes NO part in the fleet: the database does not answer. The database answered 12.3 s ago.\n\
                        Warning: The agents' limits for daily differ\n┌";
        assert!(painted.starts_with(expected), "{painted}");
        for text in ["over", "silent", "The agents as of 2026-11-29 10:00:00Z:\n", "00c5a1f2e3d4b596", "40.5"] {
            assert!(painted.contains(text), "{text} in\n{painted}");
        }
    }

    #[test]
    fn programs_get_a_line_for_each_with_all_digits() {
        assert_eq!(
            lines(&read(FLEET).unwrap()).csv().unwrap(),
            "kind,name,ledger_id,state,limit_usd,spent_usd,held_usd,leased_usd,free_usd,overrun_usd,own_lease_usd,period_start,period_end,\
             version,last_seen,lag_seconds,sums,total_usd\r\n\
             budget,daily,,over,50,45.1,0.000000000001,5,-0.100000000001,0.100000000001,2,2026-11-29T00:00:00Z,2026-11-30T00:00:00Z,,,,,\r\n\
             agent,worker-1,00c5a1f2e3d4b596,silent,,,,5,,,,,,0.1.0,2026-11-29T09:59:20Z,40.5,12,1234.5\r\n"
        );
    }
}
