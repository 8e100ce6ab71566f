//! Prices and what waits for one: `GET /prices`, `GET /unpriced`, `POST /prices/reload`, `POST /reprice`.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use warp::reply::Response;

use super::State;
use super::answer;
use super::call::{BodyStream, Call};
use super::events::{cursor, place};
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{EventField, EventQuestion, check_text};
use crate::ingest::{TEXT_BYTES_MAX, read_time};
use crate::ledger::{Reader, UnpricedGroup};
use crate::pricing::{Found, UnitPrice};
use crate::query::ReadError;
use crate::transfer::read_selection;
use crate::wire::{PriceItem, PriceStep, PricesAnswer, ReloadAnswer, RepriceAnswer, UnpricedItem};
use crate::writer::{NewRate, RateAnswer, RateOrder, Rateable, ToRate};

/// Groups of one answer at most.
const GROUPS_MAX: u32 = 1_000;
/// Events that one request looks at: a few milliseconds of the writer's time.
const REPRICED_MAX: usize = 500;

pub(super) async fn unpriced(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    answer::json(&unpriced_items(&state).await?)
}

/// What waits for a price, the most events first.
pub(super) async fn unpriced_items(state: &State) -> Result<Vec<UnpricedItem>, ReadError> {
    let groups = state.reads.scan(|reader: &Reader, _: &dyn Fn() -> bool| reader.unpriced_groups(GROUPS_MAX)).await?;
    Ok(groups.into_iter().map(item).collect())
}

fn item(group: UnpricedGroup) -> UnpricedItem {
    let at = |ns: i64| Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default();
    UnpricedItem {
        service: group.service,
        model: group.model,
        // As the ledger wrote it.
        usage: serde_json::from_str(&group.usage).unwrap_or_default(),
        events: group.events,
        first: at(group.first_ns),
        last: at(group.last_ns),
    }
}

/// What a model costs.
pub(super) async fn show(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let model = query.get("model").filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| Problem::malformed("model is required"))?;
    let service = query.get("service").unwrap_or_default();
    for (name, text) in [("model", model), ("service", service)] {
        check_text(text, TEXT_BYTES_MAX).map_err(|error| Problem::malformed(format!("{name} {error}")))?;
    }
    let at = query.get("at").map_or(Ok(state.clock.now()), read_time);
    let at = at.map_err(|error| Problem::malformed(format!("at {error}")))?;
    let found = state.book.load().find(service, model, at);
    let unpriced = || Problem::UnpricedModel { service: service.to_owned(), model: model.to_owned(), instead: None };
    let Found { provider, model, units } = found.ok_or_else(unpriced)?;
    let prices: Option<Vec<PriceItem>> = units.into_iter().map(price_item).collect();
    // Prices are decimal digits.
    answer::json(&PricesAnswer { service: provider, model, at, prices: prices.ok_or(Problem::Internal)? })
}

fn price_item(UnitPrice { unit, usd, per, above, price }: UnitPrice) -> Option<PriceItem> {
    let number = |digits: String| RawValue::from_string(digits).ok();
    let steps = above.into_iter().map(|(tokens, usd)| Some(PriceStep { tokens, usd: number(usd)? }));
    Some(PriceItem { unit, usd: number(usd)?, per, above: steps.collect::<Option<_>>()?, price })
}

/// Has settings and prices read again, as SIGHUP does, and says whether they were taken.
pub(super) async fn reload(state: Arc<State>, call: Arc<Call>, _: BodyStream) -> Result<Response, Problem> {
    QueryString::of(&call)?;
    let (tell, told) = oneshot::channel();
    state.reload.try_send(tell).map_err(|_| Problem::Overloaded)?;
    // Nobody answers any more: the agent is stopping.
    told.await.map_err(|_| Problem::ShuttingDown)?.map_err(Problem::SettingsInvalid)?;
    let prices_file_version = state.book.load().file_version().map(Box::from);
    answer::json(&ReloadAnswer { reloaded: true, prices_file_version })
}

/// Rates anew what the book has priced, a part at a time: the answer says where to go on.
pub(super) async fn reprice(state: Arc<State>, call: Arc<Call>, _: BodyStream) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    for needed in ["from", "to", "model"] {
        if query.get(needed).is_none_or(str::is_empty) {
            return Err(Problem::malformed(format!("{needed} is required")));
        }
    }
    let is_dry_run = query.flag("dry_run")?;
    let zone = state.board.read().policy.zone.clone();
    let mut selection = read_selection(|name| query.get(name), &zone).map_err(Problem::malformed)?;
    selection.filters.retain(|filter| matches!(filter.field, EventField::Service | EventField::Model));
    let after = match query.get("after") {
        None => None,
        Some(text) => Some(place(text).ok_or_else(|| Problem::malformed("after must be what an answer gave as next"))?),
    };
    let question =
        EventQuestion { selection, keys: vec![], newest_first: false, after, limit: REPRICED_MAX, suspected: None };
    let (events, next) = state
        .reads
        .scan(move |reader, should_stop| {
            let mut listing = reader.begin_listing(question)?;
            reader.continue_listing(&mut listing, i64::MAX, should_stop)?;
            reader.listed(&listing)
        })
        .await?;
    let (book, usd_max) = (state.book.load_full(), state.limits.event_usd_max);
    let mut counts = RateAnswer::default();
    let mut to_rate = Vec::new();
    for listed in &events {
        let rate = Rateable::Priced.rate(&listed.event, &book, usd_max);
        if matches!(rate, NewRate::Rated(_)) && !is_dry_run {
            to_rate.push(ToRate { first: listed.place.seq, time: listed.event.time });
        } else {
            counts.add(listed.event.amount, &rate);
        }
    }
    if !to_rate.is_empty() {
        let order = RateOrder { events: to_rate, which: Rateable::Priced, book, usd_max };
        let RateAnswer { rated, unchanged, unknown, before, after } = state.writer.rate(order).await?;
        counts.rated += rated;
        counts.unchanged += unchanged;
        counts.unknown += unknown;
        counts.before += before;
        counts.after += after;
    }
    answer::json(&RepriceAnswer {
        repriced: counts.rated,
        unchanged: counts.unchanged,
        unpriced: counts.unknown,
        before_usd: counts.before,
        after_usd: counts.after,
        next: next.map(cursor),
    })
}
