//! What it means that a call is told again, over the same road or another: PURE.
//!
//! Workers say which telling of an event is the newest ([`revision`](super::CostEvent::revision)); LiteLLM, spans and logs do not know of each
//! other. So what they tell is put together: what the first left out is filled, what it said stays, unless a road of higher rank knows
//! better.
//!
//! *Invariants.* Telling the same again changes nothing. Roads of one rank that agree lead to the same event in any order.

use super::{CostEvent, CostSource, Origin, UsageCount, Usd};

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
    if known_origin.is_repeat {
        return again;
    }
    if told_origin.cost == CostSource::Told && told.amount == Usd::ZERO && known.amount > Usd::ZERO {
        return Merged { merge: Merge::CacheHit, ..again };
    }
    let is_better = told_origin.rank > known_origin.rank;
    let knows_more = told_origin.rank == known_origin.rank && has_more(&known.usage, &told.usage);
    let is_costed = !told_origin.is_unpriced();
    // What the sender was told by its provider stays, also where the counts of another road make more of it.
    let takes_cost =
        is_costed && (is_better || known_origin.is_unpriced() || knows_more && known_origin.cost != CostSource::Told);
    let takes_usage = !told.usage.is_empty() && (is_better || knows_more || known.usage.is_empty());
    let disagreeing = match (known_origin.is_unpriced(), is_costed && told.amount != known.amount) {
        (false, true) => Some(if takes_cost { known.amount } else { told.amount }),
        _ => None,
    };
    let mut standing = known.clone();
    for (mine, theirs) in [
        (&mut standing.worker, told.worker),
        (&mut standing.batch_id, told.batch_id),
        (&mut standing.lead_id, told.lead_id),
        (&mut standing.model, told.model),
    ] {
        if mine.is_none() {
            *mine = theirs;
        }
    }
    if takes_usage {
        standing.usage = told.usage;
    }
    if takes_cost {
        standing.amount = told.amount;
    }
    let mut origin = known_origin;
    if takes_cost {
        origin.cost = told_origin.cost;
    }
    if takes_cost || is_better && takes_usage {
        (origin.quality, origin.rank) = (told_origin.quality, told_origin.rank);
        origin.road = told_origin.road;
    }
    origin.amendment = 0;
    if standing.origin.is_some() || takes_cost {
        standing.origin = Some(Box::new(origin));
    }
    if standing == *known {
        return Merged { disagreeing, ..again };
    }
    standing.revision = known.revision.saturating_add(1);
    standing.first_recorded_at = None;
    Merged { merge: Merge::Revised(Box::new(standing)), disagreeing }
}

/// The origin, also of an event that a worker told with its amount.
fn origin_of(event: &CostEvent) -> Origin {
    event.origin.as_deref().cloned().unwrap_or_else(|| Origin::of(super::NATIVE_ROAD))
}

/// Whether counts say all that is known, and something besides.
fn has_more(known: &[UsageCount], told: &[UsageCount]) -> bool {
    told.len() > known.len() && known.iter().all(|count| told.contains(count))
}
