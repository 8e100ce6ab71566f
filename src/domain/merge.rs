//! What it means that a call is told again, over the same road or another: PURE.
//!
//! Workers say which telling of an event is the newest ([`revision`](super::CostEvent::revision)); LiteLLM, spans and logs do not know of each
//! other. So what they tell is put together: what the first left out is filled, what it said stays, unless a road of higher rank knows
//! better.
//!
//! *Invariants.* Telling the same again changes nothing. Roads of one rank that agree lead to the same event in any order.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{
    ATTRIBUTES_BYTES_MAX, CostEvent, CostSource, NATIVE_ROAD, Origin, REVISION_MAX, SERVICE_TIER, UsageCount, Usd, Zero,
    attribute_text, with_attributes,
};

/// What becomes of a call that is told again.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    /// Nothing: it is known.
    Again,
    /// Nothing, and it never cost anything: it was answered from a cache.
    CacheHit,
    /// It stands so from now on.
    Revised(Box<CostEvent>),
}

/// A call that is told again, and whether both tellings agree on what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// What becomes of it.
    pub merge: Merge,
    /// What it costs by the telling that is not believed, where that is another amount.
    pub disagreeing: Option<Usd>,
}

/// Puts what is told of a call to what is known of it.
pub fn merge(known: &CostEvent, told: CostEvent) -> Merged {
    let again = Merged { merge: Merge::Again, disagreeing: None };
    let (known_origin, told_origin) = (origin_of(known), origin_of(&told));
    if known_origin.is_repeat || known.revision >= REVISION_MAX {
        return again;
    }
    if is_cache_hit(known, &known_origin, &told, &told_origin) {
        return Merged { merge: Merge::CacheHit, ..again };
    }
    let by_rank = told_origin.rank.cmp(&known_origin.rank);
    let joined = joined(&known.usage, &told.usage);
    let is_detailed = joined.as_ref().is_some_and(|joined| *joined == told.usage);
    let is_costed = !told_origin.is_unpriced();
    let by_tier = by_tier(known, &known_origin, &told, &told_origin);
    // What the sender was told by its provider stays, also where the counts of another road make more of it.
    let takes_cost = is_costed
        && match by_tier.then(by_rank) {
            Ordering::Greater => true,
            Ordering::Equal => {
                has_no_cost(known, &known_origin)
                    || is_detailed && !known.usage.is_empty() && known_origin.cost != CostSource::Told
            }
            Ordering::Less => has_no_cost(known, &known_origin),
        };
    let usage = match by_rank {
        Ordering::Greater => Some(told.usage.clone()).filter(|usage| !usage.is_empty()),
        Ordering::Equal => joined,
        Ordering::Less => Some(told.usage.clone()).filter(|_| known.usage.is_empty()),
    };
    let mut standing = named(known, &told);
    standing.usage = usage.unwrap_or(standing.usage);
    if takes_cost {
        standing.amount = told.amount;
        standing.attributes = in_tier_of(&told, standing.attributes);
    }
    let is_as = |told: &CostEvent| standing.amount == told.amount && standing.usage == told.usage;
    let quality = match (is_as(known), is_as(&told)) {
        (true, true) => known_origin.quality.min(told_origin.quality),
        (true, false) => known_origin.quality,
        (false, true) => told_origin.quality,
        (false, false) => known_origin.quality.max(told_origin.quality),
    };
    let other = if takes_cost { known.amount } else { told.amount };
    let is_open = by_rank == Ordering::Equal && is_costed && !has_no_cost(known, &known_origin);
    let is_explained = known_origin.is_priced()
        && told_origin.is_priced()
        && (by_tier != Ordering::Equal || known.usage != told.usage && (is_detailed || contains(&known.usage, &told.usage)));
    let disagreeing = Some(other).filter(|other| is_open && *other != standing.amount && !is_explained);
    // Whose numbers stand is who is believed.
    let is_leading = match by_rank {
        Ordering::Greater => !is_empty(&told, &told_origin),
        Ordering::Equal => false,
        Ordering::Less => is_empty(known, &known_origin) && !is_empty(&told, &told_origin),
    };
    let mut origin = Origin { quality, amendment: 0, ..known_origin };
    if takes_cost {
        origin.cost = told_origin.cost;
    }
    if is_leading {
        (origin.rank, origin.road) = (told_origin.rank, told_origin.road);
    }
    if standing.origin.is_some() || takes_cost {
        standing.origin = Some(Box::new(origin));
    }
    if is_same(&standing, known) {
        return Merged { disagreeing, ..again };
    }
    standing.revision = known.revision + 1;
    standing.first_recorded_at = None;
    Merged { merge: Merge::Revised(Box::new(standing)), disagreeing }
}

/// What is known, with the names that it leaves out as the other telling has them.
fn named(known: &CostEvent, told: &CostEvent) -> CostEvent {
    let mut standing = known.clone();
    let names = [&mut standing.worker, &mut standing.batch_id, &mut standing.lead_id, &mut standing.model];
    for (mine, theirs) in names.into_iter().zip([&told.worker, &told.batch_id, &told.lead_id, &told.model]) {
        if mine.is_none() {
            mine.clone_from(theirs);
        }
    }
    standing
}

/// The origin, also of an event that a worker told with its amount.
fn origin_of(event: &CostEvent) -> Origin {
    event.origin.as_deref().cloned().unwrap_or_else(|| Origin::of(NATIVE_ROAD))
}

/// Whether a call is told again with a cost of zero because it was answered from a cache the second time. Another road may well be the only
/// one that knows that a model is free. Who says zero also of a price that it does not know has known this one before.
fn is_cache_hit(known: &CostEvent, known_origin: &Origin, told: &CostEvent, told_origin: &Origin) -> bool {
    let is_same_road = known_origin.road == told_origin.road;
    let is_free = match told_origin.zero {
        Zero::Sure => true,
        Zero::Unsure => is_same_road && known_origin.cost == CostSource::Told && known.amount > Usd::ZERO,
        Zero::Unsaid => told_origin.cost == CostSource::Told && told.amount == Usd::ZERO,
    };
    is_free && (known.amount > Usd::ZERO || known_origin.is_unpriced() && is_same_road)
}

/// Whether any cost is better than the one that is known. A zero may have been a cache hit, told before the call itself.
fn has_no_cost(known: &CostEvent, known_origin: &Origin) -> bool {
    known_origin.is_unpriced() || known_origin.cost == CostSource::Told && known.amount == Usd::ZERO
}

/// Whether it is known only that there was a call.
fn is_empty(event: &CostEvent, origin: &Origin) -> bool {
    event.usage.is_empty() && origin.is_unpriced()
}

/// Which of two tellings knows the price, where both have it by the price book: the one that alone says the service tier, if it counts all that
/// the other counts.
fn by_tier(known: &CostEvent, known_origin: &Origin, told: &CostEvent, told_origin: &Origin) -> Ordering {
    if !known_origin.is_priced() || !told_origin.is_priced() {
        return Ordering::Equal;
    }
    match (tier(known).is_empty(), tier(told).is_empty()) {
        (true, false) if contains(&told.usage, &known.usage) => Ordering::Greater,
        (false, true) if contains(&known.usage, &told.usage) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// The service tier; empty where nobody says it, as for the usual one.
fn tier(event: &CostEvent) -> Cow<'_, str> {
    let json = event.attributes.as_deref().unwrap_or("{}");
    attribute_text(json, SERVICE_TIER).unwrap_or_default()
}

/// Attributes with the tier of the telling whose cost is taken, as far as they say none and there is room.
fn in_tier_of(told: &CostEvent, attributes: Option<Box<str>>) -> Option<Box<str>> {
    let tier = tier(told);
    let completed = with_attributes(attributes.clone(), Some((SERVICE_TIER, &*tier)).filter(|(_, tier)| !tier.is_empty()));
    completed.filter(|completed| completed.len() <= ATTRIBUTES_BYTES_MAX).or(attributes)
}

/// What both say of the counts, where they do not contradict each other and one says more than is known.
fn joined(known: &[UsageCount], told: &[UsageCount]) -> Option<Vec<UsageCount>> {
    let known_as = |count: &UsageCount| known.iter().find(|known| known.kind == count.kind);
    let is_new = |count: &&UsageCount| known_as(count).is_none();
    let agrees = |count: &UsageCount| known_as(count).is_none_or(|known| known == count);
    if !told.iter().all(agrees) || !told.iter().any(|count| is_new(&count)) {
        return None;
    }
    let mut joined: Vec<UsageCount> = known.iter().chain(told.iter().filter(is_new)).cloned().collect();
    joined.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
    Some(joined)
}

/// Whether counts say all that others say.
fn contains(counts: &[UsageCount], others: &[UsageCount]) -> bool {
    others.iter().all(|count| counts.contains(count))
}

/// Whether an event stands as it did; how often the agent has changed it does not matter.
fn is_same(standing: &CostEvent, known: &CostEvent) -> bool {
    let amendment = known.amendment();
    match &standing.origin {
        Some(origin) if origin.amendment != amendment => {
            let origin = Some(Box::new(Origin { amendment, ..Origin::clone(origin) }));
            CostEvent { origin, ..standing.clone() } == *known
        }
        _ => standing == known,
    }
}

#[cfg(test)]
mod tests;
