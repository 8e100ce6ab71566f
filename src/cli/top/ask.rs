//! What the agent is asked, and its answers as values: nothing is added up here that REST does not add up, but a total of its sums.
//!
//! *Limits.* [`HOLDS_MAX`], [`EVENTS_MAX`], [`CHANGES_MAX`], [`ROWS_MAX`], [`DAYS`]; time-outs are the client's.

use jiff::civil::Date;

use super::super::answer::read;
use super::super::client::{AgentClient, ClientError};
use super::question::{Period, Question};
use crate::domain::{GroupKey, Usd};
use crate::wire::{
    BudgetItem, CostsByName, CostsOfDay, EventSeen, EventsSeen, FleetAnswer, GateLine, GateStatus, HealthAnswer,
    ReservationItem, UnpricedItem,
};

/// Open holds that are asked for.
pub const HOLDS_MAX: usize = 200;
/// Events that are asked for at once, the newest.
pub const EVENTS_MAX: usize = 200;
/// Changes of the gate that are asked for: of 24 hours, in all likelihood.
const CHANGES_MAX: usize = 200;
/// Names that are kept: the largest.
const ROWS_MAX: usize = 1_000;
/// Days of a history.
pub const DAYS: u16 = 30;

/// A part of an answer, or why there is none.
pub type Heard<T> = Result<T, String>;

/// How things stand.
#[derive(Debug)]
pub struct Standing {
    /// Why cost cannot be recorded, if it cannot.
    pub unhealthy: Option<String>,
    pub gate: GateStatus,
    /// Newest first.
    pub changes: Heard<Vec<GateLine>>,
    pub budgets: Heard<Vec<BudgetItem>>,
    pub today: Heard<Usd>,
    pub month: Heard<Usd>,
    pub holds: Heard<Vec<ReservationItem<'static>>>,
    pub unpriced: Heard<Vec<UnpricedItem>>,
    /// Newest first.
    pub events: Heard<Vec<EventSeen>>,
    /// `None` where the agent belongs to no fleet.
    pub fleet: Option<FleetAnswer>,
}

/// What was spent on what.
#[derive(Debug)]
pub struct Costs {
    pub question: Question,
    pub total: Usd,
    /// The largest first.
    pub rows: Vec<CostRow>,
    /// Names beyond these.
    pub more: usize,
    /// All of it by day, today last.
    pub days: Vec<(Date, Usd)>,
}

/// One name, and what it cost.
#[derive(Debug)]
pub struct CostRow {
    /// Empty for cost without one.
    pub name: String,
    pub cost: Usd,
    /// By day, today last.
    pub days: Vec<Usd>,
}

/// Nobody answers at all.
#[derive(Debug)]
pub struct Away(pub String);

/// Asks how things stand.
///
/// # Errors
/// The agent does not answer, or tells nothing of its gate: then it is not ready, or no agent.
pub fn standing(client: &AgentClient) -> Result<Standing, Away> {
    let gate = client.get("/scaling-gate/status", &[]).map_err(|error| Away(told(error)))?;
    let gate = read(&gate).map_err(|failure| Away(failure.to_string()))?;
    let unhealthy = health(client)?;
    Ok(Standing {
        // Refused where there is none.
        fleet: part(client, "/fleet", &[])?.ok(),
        unhealthy,
        gate,
        changes: part(client, "/scaling-gate/history", &[("limit", CHANGES_MAX.to_string())])?,
        budgets: part(client, "/budgets", &[])?,
        today: total(client, Period::Day)?,
        month: total(client, Period::Month)?,
        holds: part(client, "/reservations", &[("state", "held".into()), ("limit", HOLDS_MAX.to_string())])?,
        unpriced: part(client, "/unpriced", &[])?,
        events: part::<EventsSeen>(client, "/events", &[("limit", EVENTS_MAX.to_string())])?.map(|page| page.events),
    })
}

/// Asks what was spent on what.
///
/// # Errors
/// Why it is not known.
pub fn costs(client: &AgentClient, question: Question) -> Heard<Costs> {
    let by = ("by", question.by.word().to_owned());
    let sums = client.get(question.period.path(), std::slice::from_ref(&by)).map_err(told)?;
    let sums: CostsByName = read(&sums).map_err(|failure| failure.to_string())?;
    let days = client.get("/costs/history", &[by, ("days", DAYS.to_string())]).map_err(told)?;
    let days: Vec<CostsOfDay> = read(&days).map_err(|failure| failure.to_string())?;
    let mut largest: Vec<(&GroupKey, &Usd)> = sums.0.iter().collect();
    // Stable: names stand in their order.
    largest.sort_by(|(_, left), (_, right)| right.cmp(left));
    let more = largest.len().saturating_sub(ROWS_MAX);
    largest.truncate(ROWS_MAX);
    let row = |(key, cost): (&GroupKey, &Usd)| CostRow {
        name: key.values().collect::<Vec<_>>().join("/"),
        cost: *cost,
        days: days.iter().map(|day| day.by.0.get(key).copied().unwrap_or(Usd::ZERO)).collect(),
    };
    let rows = largest.into_iter().map(row).collect();
    let days = days.iter().map(|day| (day.date, day.total_usd)).collect();
    Ok(Costs { question, total: sums.total(), rows, more, days })
}

fn total(client: &AgentClient, period: Period) -> Result<Heard<Usd>, Away> {
    Ok(part::<CostsByName>(client, period.path(), &[])?.map(|sums| sums.total()))
}

/// Why cost cannot be recorded: the agent says that with an answer that is an error elsewhere.
fn health(client: &AgentClient) -> Result<Option<String>, Away> {
    match client.get("/health", &[]) {
        Ok(answer) => Ok(match read::<HealthAnswer>(&answer) {
            Ok(HealthAnswer { reason, .. }) => reason.map(|reason| reason.into_owned()),
            Err(failure) => Some(failure.to_string()),
        }),
        Err(error) => refused(error).map(Some),
    }
}

fn part<T: serde::de::DeserializeOwned>(
    client: &AgentClient,
    path: &str,
    query: &[(&str, String)],
) -> Result<Heard<T>, Away> {
    match client.get(path, query) {
        Ok(answer) => Ok(read(&answer).map_err(|failure| failure.to_string())),
        Err(error) => refused(error).map(Err),
    }
}

/// What a refusal says. Without an answer there is no use in asking on.
fn refused(error: ClientError) -> Result<String, Away> {
    match error {
        ClientError::TryAgain { said, .. } | ClientError::Refused(said) => Ok(said),
        ClientError::NotReached(said) | ClientError::AnswerLost(said) => Err(Away(said)),
    }
}

fn told(error: ClientError) -> String {
    match error {
        ClientError::NotReached(said) | ClientError::AnswerLost(said) | ClientError::Refused(said) => said,
        ClientError::TryAgain { said, .. } => said,
    }
}
