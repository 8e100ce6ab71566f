//! Between the program's types and the model's: words are translated here, nothing is decided.

use std::sync::Arc;

use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use lead_factory_metrics::budget::{
    Account, Action, Admission, Asking, Budget, BudgetLeft, BudgetScope, BudgetStanding, CriticalOperations, Limit, Policy,
    Refusal, Spend, Unit,
};
use lead_factory_metrics::domain::{
    Attribution, BudgetZone, CostEvent, Cover, Cycle, EventKey, Facet, GateOverride, Kind, LimitOverride, Name, Now, Origin,
    Outcome, Pattern, Period, PeriodKind, Quantity, Reservation, ReservationRequest, ReservationState, Settlement, Span,
    Subject, Threshold, UsageCount, Usd,
};
use lead_factory_metrics::ledger::Reader;
use lead_factory_metrics::views::Published;
use lead_factory_metrics::views::tallies::{Missing, Tally};
use lead_factory_metrics::writer::{self, GateOrder, RecordError, ReservationAnswer, ReservationError};

use super::calendar::{self, Length, Nanos, Zone};
use super::command::{
    self, Answer, CRITICAL, Counts, KeyCounts, Left, Names, Pico, State, UNITS, USD, View, Who, Word, word,
};

/// What makes an id of a number.
const ID_PREFIX: &str = "id-";

// === to the program ===

pub fn timestamp(nanos: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap()
}

pub fn zone(zone: Zone) -> BudgetZone {
    BudgetZone::named(zone.name()).unwrap()
}

pub fn id(number: u32) -> String {
    format!("{ID_PREFIX}{number}")
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn attribution(who: Who) -> Attribution {
    let [worker, batch_id, lead_id] = who.map(|text| text.map(Box::from));
    Attribution { worker, batch_id, lead_id }
}

pub fn event(event: &command::Event) -> CostEvent {
    let Attribution { worker, batch_id, lead_id } = attribution(event.who);
    CostEvent {
        key: EventKey { source: event.source.into(), id: id(event.id).into() },
        service: name(event.service),
        operation: name(event.operation),
        amount: Usd::from_pico(event.amount),
        kind: if event.credit { Kind::Credit } else { Kind::Charge },
        time: timestamp(event.time),
        time_given: event.time_given,
        worker,
        batch_id,
        lead_id,
        model: event.model.map(Box::from),
        usage: usage(&event.usage),
        duration_seconds: None,
        outcome: Outcome::Ok,
        attributes: event.team.map(|team| format!(r#"{{"team":"{team}"}}"#).into()),
        revision: event.revision,
        first_recorded_at: None,
        origin: event.road.map(|road| Box::new(Origin::of(road))),
    }
}

fn usage(counts: &Counts) -> Vec<UsageCount> {
    let said = UNITS[1..].iter().zip(counts).filter_map(|(unit, count)| Some((unit, (*count)?)));
    said.map(|(unit, count)| usage_count(unit, count)).collect()
}

fn usage_count(unit: &str, count: Pico) -> UsageCount {
    UsageCount { kind: name(unit), count: Quantity::from_micros(count.try_into().unwrap()) }
}

pub fn request(request: &command::Request) -> ReservationRequest {
    ReservationRequest {
        id: id(request.id).into(),
        id_given: request.id_given,
        service: name(request.service),
        operation: name(request.operation),
        estimated_cost: Usd::from_pico(request.estimate),
        ttl_seconds: request.ttl_seconds,
        attribution: attribution(request.who).shared(),
        model: request.model.map(Box::from),
        usage: usage(&request.usage),
    }
}

pub fn settlement(settlement: &command::Settlement) -> Settlement {
    Settlement {
        amount: Usd::from_pico(settlement.amount),
        cost: lead_factory_metrics::domain::CostSource::Told,
        time: timestamp(settlement.time),
        time_given: settlement.time_given,
        model: settlement.model.map(Box::from),
        usage: usage(&settlement.usage),
        duration_seconds: None,
        outcome: Outcome::Ok,
        attributes: None,
    }
}

pub fn manual(active: bool, reason: Word, lasts_seconds: Option<u32>, since: Timestamp) -> GateOrder {
    let lasts = lasts_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
    let expires_at = lasts.map(|lasts| since.checked_add(lasts).unwrap());
    GateOrder::Manual(GateOverride {
        active,
        reason: reason.to_owned(),
        actor: "operator".to_owned(),
        since,
        expires_at,
        token: None,
    })
}

pub fn limit(budget: Word, limit: Option<&[(usize, Pico)]>, lasts_seconds: Option<u32>, since: Timestamp) -> LimitOverride {
    let lasts = lasts_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
    LimitOverride {
        budget: budget.into(),
        limit: limit.map(|limit| limit.iter().map(|(unit, amount)| (UNITS[*unit].into(), *amount)).collect()),
        reason: "for tonight".to_owned(),
        actor: "operator".to_owned(),
        timestamp: since,
        expires_at: lasts.map(|lasts| since.checked_add(lasts).unwrap()),
        token: None,
    }
}

pub fn policy(policy: &command::Policy, in_zone: Zone) -> Arc<Policy> {
    Arc::new(Policy {
        zone: zone(in_zone),
        budgets: policy.budgets.iter().map(budget).collect(),
        gate_enabled: policy.gate_enabled,
        critical: CriticalOperations::new(CRITICAL),
    })
}

fn budget(budget: &command::Budget) -> Budget {
    let percent = |percent: &i128| Threshold::parse(&format!("{}.{:02}", percent / 100, percent % 100)).unwrap();
    let patterns = FACETS.into_iter().zip(&budget.patterns);
    Budget {
        name: budget.name.to_owned(),
        cover: patterns.fold(Cover::default(), |cover, (facet, patterns)| {
            cover.with(facet, patterns.iter().map(|pattern| Pattern::new(pattern)))
        }),
        each: budget.each.map(|each| FACETS[each]),
        cycle: cycle(budget.cycle),
        limit: match budget.limit.as_slice() {
            [(USD, usd)] => Limit::Usd(Usd::from_pico(*usd)),
            counts => Limit::Usage(counts.iter().map(|(unit, count)| usage_count(UNITS[*unit], *count)).collect()),
        },
        warn_at: budget.warn_percents.iter().map(percent).collect(),
        gate_at: percent(&budget.gate_percent),
        action: if budget.watch { Action::Watch } else { Action::Block },
        scope: BudgetScope::Agent,
    }
}

const FACETS: [Facet; 6] = [Facet::Service, Facet::Operation, Facet::Worker, Facet::Batch, Facet::Lead, Facet::Model];

fn cycle(calendar::Cycle { length, week_starts, start_day }: calendar::Cycle) -> Cycle {
    Cycle {
        kind: match length {
            Length::Hour => PeriodKind::Hourly,
            Length::Day => PeriodKind::Daily,
            Length::Week => PeriodKind::Weekly,
            Length::Month => PeriodKind::Monthly,
            Length::Quarter => PeriodKind::Quarterly,
            Length::Year => PeriodKind::Yearly,
            Length::Ever => PeriodKind::Total,
        },
        week_starts: Weekday::from_monday_zero_offset(week_starts.try_into().unwrap()).unwrap(),
        start_day: start_day.try_into().unwrap(),
    }
}

// === from the program ===

fn nanos(time: Timestamp) -> Nanos {
    time.as_nanosecond().try_into().unwrap()
}

fn number(id: &str) -> u32 {
    id.strip_prefix(ID_PREFIX).and_then(|number| number.parse().ok()).expect("histories use numbers as ids")
}

fn who(attribution: &Attribution) -> Who {
    let Attribution { worker, batch_id, lead_id } = attribution;
    [worker, batch_id, lead_id].map(|text| text.as_deref().map(word))
}

pub fn recorded(outcome: writer::RecordAnswer) -> Answer {
    match outcome {
        Ok(writer::Recorded { accepted, duplicates, revised, conflicts, .. }) if conflicts.is_empty() => {
            Answer::Recorded { accepted, duplicates, revised }
        }
        Ok(partly) => Answer::Failed(format!("{partly:?}")),
        Err(RecordError::Conflict(conflicts)) => {
            Answer::Conflicts(conflicts.into_iter().map(|found| (found.index, number(&found.id), found.fields)).collect())
        }
        Err(error) => Answer::Failed(format!("{error:?}")),
    }
}

pub fn ordered(outcome: Result<(), RecordError>) -> Answer {
    outcome.map_or_else(|error| Answer::Failed(format!("{error:?}")), |()| Answer::Ordered)
}

pub fn answered(outcome: ReservationAnswer) -> Answer {
    match outcome {
        Ok(done) => Answer::Done { reservation: reservation(&done.reservation), is_new: done.is_new },
        Err(ReservationError::NotFound) => Answer::NotFound,
        Err(ReservationError::Refused(refusal)) => refused(refusal),
        Err(ReservationError::Finished(stage)) => Answer::Finished(stage.as_str()),
        Err(ReservationError::Conflict(fields)) => Answer::OtherContent(fields),
        Err(ReservationError::NotRecorded(error)) => recorded(Err(error)),
    }
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::GateActive { budget, .. } => Answer::GateActive(budget.map(left)),
        Refusal::BudgetExhausted(budget) => Answer::Exhausted(left(budget)),
        Refusal::BeyondAllowance { .. } => panic!("no fleet shares these budgets"),
    }
}

fn left(left: BudgetLeft) -> Left {
    let BudgetLeft { name, key, remaining, span } = left;
    Left {
        name: word(&name),
        key: key.map(String::from),
        unit: unit(&remaining.unit),
        remaining: remaining.parts,
        period_end: period(span).map(|(_, end)| end),
    }
}

fn unit(unit: &Unit) -> Word {
    word(unit.as_str())
}

fn period(span: Span) -> calendar::Span {
    span.starts_at().zip(span.ends_at()).map(|(start, end)| (nanos(start), nanos(end)))
}

fn counts(usage: &[UsageCount]) -> Counts {
    let of = |unit: &Word| usage.iter().find(|count| count.kind.as_str() == *unit).map(|found| found.count.micros() as Pico);
    [of(&UNITS[1]), of(&UNITS[2]), of(&UNITS[3])]
}

pub fn reservation(reservation: &Reservation) -> command::Reservation {
    let Reservation { request, critical, created_at, expires_at, ended_at, state } = reservation;
    command::Reservation {
        request: command::Request {
            id: number(&request.id),
            id_given: request.id_given,
            service: word(request.service.as_str()),
            operation: word(request.operation.as_str()),
            estimate: request.estimated_cost.pico(),
            ttl_seconds: request.ttl_seconds,
            who: request.attribution.as_deref().map(who).unwrap_or_default(),
            usage: counts(&request.usage),
            model: request.model.as_deref().map(word),
        },
        critical: *critical,
        created_at: nanos(*created_at),
        expires_at: nanos(*expires_at),
        ended_at: ended_at.map(nanos),
        state: match state {
            ReservationState::Held => State::Held,
            ReservationState::Expired => State::Expired,
            ReservationState::Released { reason } => State::Released(reason.as_deref().map(word)),
            ReservationState::Settled { amount } => State::Committed(amount.pico()),
        },
    }
}

/// What the ledger has of a tally that is not in memory.
fn looked_up(reader: &Reader, missing: &Missing) -> Result<Option<Tally>, lead_factory_metrics::ledger::LedgerError> {
    let stored = reader.find_tally(missing.meter, missing.span_start, &missing.key)?;
    Ok(stored.map(|stored| Tally::read_back(stored.spent, stored.reached, stored.counted_to)))
}

/// Why a check is refused now; `None` where it is not.
pub fn refusal(published: &Published, reader: &Reader, names: &Names, more: &command::Amounts, now: Now) -> Option<Answer> {
    let [service, operation, worker, batch, lead, model] = *names;
    let (service, operation) = (name(service.unwrap()), name(operation.unwrap()));
    let subject = Subject { service: &service, operation: &operation, worker, batch, lead, model };
    let [usd, used @ ..] = more;
    let spend = Spend { subject, estimate: Usd::from_pico(*usd), usage: &usage(&used.map(Some)) };
    match published.admit(spend, Asking::Check, now, |missing| looked_up(reader, missing)).unwrap() {
        Admission::Refused(refusal) => Some(refused(refusal)),
        Admission::Critical | Admission::Unenforced | Admission::Fits => None,
    }
}

fn standing(standing: lead_factory_metrics::budget::Standing) -> command::Standing {
    command::Standing {
        name: word(&standing.name),
        key: standing.key.map(String::from),
        limit: standing.account.units().iter().map(|used| (unit(&used.unit), used.limit)).collect(),
        spent: standing.account.units().iter().map(|used| used.spent).collect(),
        reserved: standing.account.units().iter().map(|used| used.reserved).collect(),
        remaining: standing.account.units().iter().map(|used| used.remaining()).collect(),
        state: format!("{:?}", standing.state).to_lowercase(),
        period: period(standing.span),
    }
}

/// Where a key of the budget at a place stands, and since when its limit is used up, as far as that is known.
pub fn key_standing(
    published: &Published,
    reader: &Reader,
    position: usize,
    key: &str,
    now: Now,
) -> (command::Standing, Option<Nanos>) {
    let found = published.key_standing(position, key, now, |missing| looked_up(reader, missing)).unwrap().unwrap();
    let since = found.exhausted_at.filter(|_| found.state == lead_factory_metrics::budget::BudgetState::Exhausted);
    (standing(found), since.map(nanos))
}

/// The fullest keys of each budget that has keys, and what is used of them.
pub fn fullest(published: &Published, now: Now) -> Vec<(Word, Vec<Full>)> {
    let keyed = published.all_standings(now).into_iter().filter_map(|standing| match standing {
        BudgetStanding::Whole(_) => None,
        BudgetStanding::Keyed(keyed) => Some(keyed),
    });
    let key = |key: lead_factory_metrics::budget::KeyStanding| {
        (key.key.into(), used(&key.account), format!("{:?}", key.state).to_lowercase())
    };
    keyed.map(|keyed| (word(&keyed.standing.name), keyed.fullest.into_iter().map(key).collect())).collect()
}

/// A key, what is used of it, and its state.
pub type Full = (String, Vec<Used>, String);

/// Spent, reserved and remaining of a unit.
pub type Used = (Pico, Pico, Pico);

fn used(account: &Account) -> Vec<Used> {
    account.units().iter().map(|used| (used.spent, used.reserved, used.remaining())).collect()
}

/// What a reader sees at this instant.
pub fn view(published: &Published, now: Now) -> View {
    let (views, gate) = (&published.views, published.gate(now));
    let zone = &published.policy.zone;
    let today = views.day(zone.day_of(now.time));
    let services = today.into_iter().flat_map(|costs| costs.services());
    let key_counts = |(budget, counts): (String, lead_factory_metrics::budget::KeyCounts)| {
        let lead_factory_metrics::budget::KeyCounts { keys, warning, exhausted } = counts;
        (word(&budget), KeyCounts { keys, warning, exhausted })
    };
    View {
        budgets: published.standings(now).into_iter().map(standing).collect(),
        keys: published.key_counts(now).into_iter().map(key_counts).collect(),
        gate_active: gate.active,
        gate_mode: gate.mode.as_str().to_owned(),
        held: views.holds.held(now.steady),
        expired: views.holds.expired(now.steady),
        today: services.map(|(name, sums)| (word(name.as_str()), sums.net().pico())).collect(),
        month: views.sums(Period::Month(lead_factory_metrics::domain::Month::of(zone.day_of(now.time)))).net().pico(),
        entries: views.entries,
    }
}
