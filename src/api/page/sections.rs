//! The sections of the page, each made by itself: what several need is read once, and whatever befalls one leaves the others alone.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::Shared;
use maud::Markup;

use super::super::fleet::standing as standing_of_fleet;
use super::reads::{Reading, Standing};
use crate::domain::Dimension;
use crate::page::{self, Agent, Breakdown, HoldsShown, MODELS, Part, Ranking, SERVICES, Totals, Troubles, WORKERS, failed};
use crate::query::ReadError;
use crate::wire::ReservationItem;

/// How long a section may take before its place says so.
const SECTION_TIME_MAX: Duration = Duration::from_secs(30);

/// A section on its way.
pub(super) type Section = Pin<Box<dyn Future<Output = String> + Send>>;
type Reader<T> = Pin<Box<dyn Future<Output = Result<Arc<T>, ReadError>> + Send>>;
type Once<T> = Shared<Reader<T>>;

/// What stands where a section cannot be.
struct Place {
    id: &'static str,
    title: &'static str,
    rest: &'static str,
}

/// All sections, in order.
pub(super) fn sections(reading: &Arc<Reading>, agent: Agent) -> Vec<Section> {
    let standing: Reader<Standing> = {
        let reading = Arc::clone(reading);
        Box::pin(async move { reading.standing().await.map(Arc::new) })
    };
    let standing = standing.shared();
    let service = Dimension::Service.word();
    let services = ranking(reading, service, SERVICES);
    let by = reading.view.asked.by();
    let chosen = if by == service { services.clone() } else { ranking(reading, by, SERVICES) };
    vec![
        problems(Arc::clone(reading), standing.clone()),
        start(reading, agent),
        gate(Arc::clone(reading), standing),
        totals(Arc::clone(reading), services.clone()),
        days(Arc::clone(reading), services),
        budgets(Arc::clone(reading)),
        fleet(Arc::clone(reading)),
        breakdown(Arc::clone(reading), SERVICES, chosen),
        fixed(reading, MODELS, Dimension::Model.word()),
        fixed(reading, WORKERS, Dimension::Worker.word()),
        holds(Arc::clone(reading)),
        unpriced(Arc::clone(reading)),
        events(Arc::clone(reading)),
    ]
}

/// A section within its time, or what befell it.
fn section(place: Place, make: impl Future<Output = Markup> + Send + 'static) -> Section {
    Box::pin(async move {
        let Place { id, title, rest } = place;
        let made = AssertUnwindSafe(tokio::time::timeout(SECTION_TIME_MAX, make)).catch_unwind().await;
        let markup = match made {
            Ok(Ok(markup)) => markup,
            Ok(Err(_elapsed)) => failed(id, title, rest, "This took too long. Load the page again in a moment."),
            Err(_panic) => {
                tracing::error!(section = id, "a section of the page panicked");
                failed(id, title, rest, "This could not be shown; the log says why.")
            }
        };
        markup.into_string()
    })
}

fn ranking(reading: &Arc<Reading>, by: &str, part: Part) -> Once<Ranking> {
    let (reading, by) = (Arc::clone(reading), by.to_owned());
    let ranking: Reader<Ranking> = Box::pin(async move { reading.ranking(&by, part.names_max).await.map(Arc::new) });
    ranking.shared()
}

fn problems(reading: Arc<Reading>, standing: Once<Standing>) -> Section {
    let place = Place { id: "problems", title: "What is wrong", rest: "/health" };
    section(place, async move {
        // A ledger that cannot be read is told of where its history is shown.
        let webhooks_failing = standing.await.ok().and_then(|standing| standing.webhooks_failing);
        let troubles = Troubles { webhooks_failing, ..reading.troubles() };
        page::problems(&reading.view, &troubles, reading.budgets())
    })
}

fn start(reading: &Reading, agent: Agent) -> Section {
    let is_empty = reading.published.views.entries == 0;
    let place = Place { id: "start", title: "Record the first cost", rest: "/openapi.json" };
    section(place, async move { if is_empty { page::start(&agent) } else { Markup::default() } })
}

fn gate(reading: Arc<Reading>, standing: Once<Standing>) -> Section {
    let place = Place { id: "gate", title: "Scaling gate", rest: "/scaling-gate/status" };
    section(place, async move {
        let standing = standing.await;
        let history = standing.as_ref().map(|standing| standing.history.as_slice()).map_err(|error| *error);
        page::gate(&reading.view, &reading.gate(), reading.budgets(), history)
    })
}

fn totals(reading: Arc<Reading>, services: Once<Ranking>) -> Section {
    let place = Place { id: "totals", title: "Totals", rest: "/budgets" };
    section(place, async move {
        let month = services.await.map(|ranking| ranking.total);
        let totals = Totals { today: reading.today().await, month };
        page::totals(&reading.view, &totals, reading.budgets())
    })
}

fn days(reading: Arc<Reading>, services: Once<Ranking>) -> Section {
    let place = Place { id: "days", title: "Cost by day", rest: "/costs/history" };
    section(place, async move {
        let services = services.await;
        let days = services.as_ref().map(|ranking| ranking.days.as_slice()).map_err(|error| *error);
        page::days(&reading.view, days, reading.budgets())
    })
}

fn budgets(reading: Arc<Reading>) -> Section {
    let place = Place { id: "budgets", title: "Budgets", rest: "/budgets" };
    section(place, async move { page::budgets(&reading.view, reading.budgets()) })
}

fn fleet(reading: Arc<Reading>) -> Section {
    let place = Place { id: "fleet", title: "Fleet", rest: "/fleet" };
    section(place, async move {
        let Some(fleet) = &reading.state.fleet else { return Markup::default() };
        page::fleet(&reading.view, &standing_of_fleet(&reading.state, fleet).await)
    })
}

fn breakdown(reading: Arc<Reading>, part: Part, ranking: Once<Ranking>) -> Section {
    let place = Place { id: part.id, title: "Breakdown", rest: "/costs/history" };
    section(place, async move {
        let ranking = ranking.await;
        let by = reading.view.asked.by();
        Breakdown { part, by }.show(&reading.view, ranking.as_deref().map_err(|error| *error))
    })
}

/// A section by something that the visitor does not choose.
fn fixed(reading: &Arc<Reading>, part: Part, by: &'static str) -> Section {
    let place = Place { id: part.id, title: part.title.unwrap_or_default(), rest: "/costs/history" };
    let reading = Arc::clone(reading);
    section(place, async move {
        let breakdown = Breakdown { part, by };
        if reading.view.asked.by() == by {
            return breakdown.shown_above(&reading.view);
        }
        let ranking = reading.ranking(by, part.names_max).await;
        breakdown.show(&reading.view, ranking.as_ref().map_err(|error| *error))
    })
}

fn holds(reading: Arc<Reading>) -> Section {
    let place = Place { id: "holds", title: "Open holds", rest: "/reservations" };
    section(place, async move {
        let (oldest, count) = match reading.holds().await {
            Ok(held) => held,
            Err(error) => return page::holds(&reading.view, Err(error)),
        };
        let oldest: Vec<ReservationItem<'_>> = oldest.iter().map(ReservationItem::from).collect();
        page::holds(&reading.view, Ok(HoldsShown { oldest: &oldest, count }))
    })
}

fn unpriced(reading: Arc<Reading>) -> Section {
    let place = Place { id: "unpriced", title: "Without a price", rest: "/unpriced" };
    section(place, async move {
        let groups = reading.unpriced().await;
        page::unpriced(&reading.view, groups.as_deref().map_err(|error| *error))
    })
}

fn events(reading: Arc<Reading>) -> Section {
    let place = Place { id: "events", title: "Recent events", rest: "/events" };
    section(place, async move {
        let events = reading.events().await;
        page::events(&reading.view, events.as_deref().map_err(|error| *error))
    })
}
