//! `GET /costs/daily`, `/costs/monthly`, `/costs/history`: what things cost, by what the client asks for.
//!
//! *Invariants.* The sum over any grouping is the total. Days in memory are answered from one published state; only days that
//! have left it, and groupings that only the events know, are read from the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::groups::{Grouping, Groups, GroupsByDay};
use super::problem::Problem;
use super::query::Query;
use crate::domain::{Dimension, Filter, GroupKey, Month, Name, Period, Usd};
use crate::ledger::{Breakdown, LedgerError, Reader};
use crate::views::{DayCosts, Published};

/// Days of a history (contract, section 1).
const HISTORY_DAYS_MAX: u32 = 400;
/// Days when the client does not say.
const HISTORY_DAYS_DEFAULT: u32 = 30;
/// Sums that are added up where the request arrived, which takes less than a millisecond; more of them beside the async threads.
const INLINE_PAIRS_MAX: usize = 5_000;

/// What `by` may name.
const GROUPINGS: [(&str, By); 6] = [
    ("service", By::Rollup(Grouping::Service)),
    ("operation", By::Rollup(Grouping::Operation)),
    ("worker", By::Event(Dimension::Worker)),
    ("batch", By::Event(Dimension::Batch)),
    ("lead", By::Event(Dimension::Lead)),
    ("model", By::Event(Dimension::Model)),
];

/// What to group by, and who knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum By {
    /// The rollups of each day.
    Rollup(Grouping),
    /// Only the events.
    Event(Dimension),
}

/// A question about the days from `first` to `last`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    by: By,
    service: Option<Name>,
    first: Date,
    last: Date,
    /// One group a day, or one for all.
    by_day: bool,
}

/// One day of a history.
#[derive(Serialize)]
struct HistoryDay<'a> {
    date: Date,
    total_usd: Usd,
    by: &'a Groups,
}

pub(super) async fn daily(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = Query::of(&call)?;
    let published = state.board.read();
    let period = match query.get("date") {
        Some(text) => Period::parse_day(text).map_err(|error| Problem::malformed(format!("date {error}")))?,
        None => Period::Day(published.policy.zone.day_of(state.clock.now())),
    };
    one_group(&state, published, &query, period).await
}

pub(super) async fn monthly(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = Query::of(&call)?;
    let published = state.board.read();
    let month = match query.get("month") {
        Some(text) => text.parse().map_err(|error| Problem::malformed(format!("month {error}")))?,
        None => Month::of(published.policy.zone.day_of(state.clock.now())),
    };
    one_group(&state, published, &query, Period::Month(month)).await
}

pub(super) async fn history(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = Query::of(&call)?;
    let published = state.board.read();
    let count = query.number("days", 1..=HISTORY_DAYS_MAX)?.unwrap_or(HISTORY_DAYS_DEFAULT);
    let last = published.policy.zone.day_of(state.clock.now());
    let first = last.saturating_sub(i64::from(count - 1).days());
    let question = Question { by: by(&query)?, service: service(&query)?, first, last, by_day: true };
    answer_with(&state, published, question, |question, groups| {
        let without_cost = Groups::default();
        let lines: Vec<HistoryDay<'_>> = question
            .days()
            .map(|date| {
                let by = groups.get(&date).unwrap_or(&without_cost);
                HistoryDay { date, total_usd: by.total(), by }
            })
            .collect();
        answer::json_text(&lines)
    })
    .await
}

async fn one_group(
    state: &State,
    published: Arc<Published>,
    query: &Query<'_>,
    period: Period,
) -> Result<Response, Problem> {
    let (first, last) = period.days();
    let question = Question { by: by(query)?, service: service(query)?, first, last, by_day: false };
    answer_with(state, published, question, |_, groups| answer::json_text(groups.get(&first).unwrap_or(&Groups::default())))
        .await
}

/// The answer that was given to the same question in the same state, or a new one.
async fn answer_with(
    state: &State,
    published: Arc<Published>,
    question: Question,
    write: impl FnOnce(&Question, BTreeMap<Date, Groups>) -> Result<Bytes, Problem>,
) -> Result<Response, Problem> {
    let events = published.views.events;
    if let Some(text) = state.memo.get(events, &question) {
        return Ok(answer::json_of(text));
    }
    // What the ledger's file says may be newer than this state.
    let is_in_memory = matches!(question.by, By::Rollup(_)) && published.views.resident_from() <= question.first;
    let groups = ask(state, published, question.clone()).await?;
    let text = write(&question, groups)?;
    if is_in_memory {
        state.memo.put(events, question, &text);
    }
    Ok(answer::json_of(text))
}

fn by(query: &Query<'_>) -> Result<By, Problem> {
    let Some(wanted) = query.get("by") else { return Ok(By::Rollup(Grouping::Service)) };
    let found = GROUPINGS.iter().find(|(word, _)| *word == wanted);
    found
        .map(|(_, by)| *by)
        .ok_or_else(|| Problem::malformed(format!("by must be one of {}", GROUPINGS.map(|(word, _)| word).join(", "))))
}

fn service(query: &Query<'_>) -> Result<Option<Name>, Problem> {
    let name = query.get("service").map(Name::new).transpose();
    name.map_err(|error| Problem::malformed(format!("service {error}")))
}

/// The groups, by their day, or by the first day when there is one for all. Days without cost may be absent.
async fn ask(state: &State, published: Arc<Published>, question: Question) -> Result<BTreeMap<Date, Groups>, Problem> {
    match question.by {
        By::Event(dimension) => {
            let Question { first, last, service, by_day, .. } = question;
            let of_service = service.map(|name| Filter { dimension: Dimension::Service, value: name.as_str().into() });
            let breakdown =
                Breakdown { by: vec![dimension], filters: of_service.into_iter().collect(), first, last, by_day };
            let found = state.reads.scan(move |reader, should_stop| reader.breakdown(&breakdown, should_stop)).await?;
            let flat = |group: BTreeMap<GroupKey, Usd>| {
                group.into_iter().map(|(key, net)| (key.as_str().to_owned(), net)).collect()
            };
            Ok(found.into_iter().map(|(day, group)| (day, Groups::Flat(flat(group)))).collect())
        }
        By::Rollup(grouping) => {
            let pairs: usize = question.days().filter_map(|day| published.views.day(day)).map(DayCosts::pairs_len).sum();
            if pairs <= INLINE_PAIRS_MAX && published.views.resident_from() <= question.first {
                let in_memory = |day| published.views.day(day);
                let mut groups = GroupsByDay::new(grouping, question.service.clone());
                question.days().for_each(|day| groups.add_day(question.group(day), in_memory(day)));
                return Ok(groups.into_days());
            }
            let add_up = move |reader: &Reader, should_stop: &dyn Fn() -> bool| {
                add_up(reader, &published, &question, grouping, should_stop)
            };
            state.reads.look_up(add_up).await
        }
    }
}

/// Adds up rollups that are many, or not all in memory.
fn add_up(
    reader: &Reader,
    published: &Published,
    question: &Question,
    grouping: Grouping,
    should_stop: &dyn Fn() -> bool,
) -> Result<BTreeMap<Date, Groups>, LedgerError> {
    let mut groups = GroupsByDay::new(grouping, question.service.clone());
    for day in question.days() {
        if published.views.is_resident(day) {
            groups.add_day(question.group(day), published.views.day(day));
            continue;
        }
        if should_stop() {
            return Err(LedgerError::Stopped);
        }
        // Day by day, so that no more than one day's rows are in memory.
        for row in reader.days(day, day)?.into_values().flatten() {
            groups.add(question.group(day), &row.pair, row.sums.net());
        }
    }
    Ok(groups.into_days())
}

impl Question {
    /// What a day cost, by service.
    #[cfg(test)]
    pub(super) fn of_day(day: Date) -> Self {
        Self { by: By::Rollup(Grouping::Service), service: None, first: day, last: day, by_day: false }
    }

    fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        self.first.series(1.day()).take_while(move |day| *day <= last)
    }

    /// The day under which a day's cost is shown.
    fn group(&self, day: Date) -> Date {
        if self.by_day { day } else { self.first }
    }
}
