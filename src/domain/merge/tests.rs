use proptest::prelude::*;

use super::*;
use crate::domain::{PriceTag, Quality, Rank};

fn priced() -> CostSource {
    CostSource::Priced(PriceTag { name: "book openai/gpt-4o".into(), version: "1".into(), date: None })
}

fn told(road: &str, cost: CostSource, dollars: i64, counts: &[(&str, u64)]) -> CostEvent {
    let origin = Some(Box::new(Origin { cost, ..Origin::of(road) }));
    CostEvent { amount: Usd::from_dollars(dollars), usage: UsageCount::list(counts), origin, ..CostEvent::example() }
}

fn ranked(mut event: CostEvent, rank: Rank) -> CostEvent {
    event.origin.as_mut().unwrap().rank = rank;
    event
}

fn of_quality(mut event: CostEvent, quality: Quality) -> CostEvent {
    event.origin.as_mut().unwrap().quality = quality;
    event
}

/// Tells calls one after the other. Returns how the event stands, how often it was revised, and the amounts that were not believed.
#[track_caller]
fn tell(tellings: &[CostEvent]) -> (CostEvent, usize, Vec<Usd>) {
    let (mut standing, mut revised, mut disagreeing) = (tellings[0].clone(), 0, Vec::new());
    for telling in &tellings[1..] {
        let merged = merge(&standing, telling.clone());
        disagreeing.extend(merged.disagreeing);
        if let Merge::Revised(event) = merged.merge {
            assert_eq!(event.revision, standing.revision + 1);
            (standing, revised) = (*event, revised + 1);
        }
    }
    (standing, revised, disagreeing)
}

const IN_OUT: &[(&str, u64)] = &[("input_tokens", 1_000), ("output_tokens", 50)];
const CACHED: &[(&str, u64)] = &[("cached_input_tokens", 800), ("input_tokens", 1_000), ("output_tokens", 50)];

#[test]
fn a_later_road_fills_what_the_first_one_left_out() {
    let mut named = told("otlp:x", priced(), 2, CACHED);
    (named.worker, named.batch_id) = (Some("w".into()), Some("b".into()));
    (named.lead_id, named.model) = (Some("l".into()), Some("gpt-4o".into()));
    let (standing, revised, disagreeing) = tell(&[told("cloudevents", CostSource::Told, 2, &[]), named.clone()]);
    assert_eq!((revised, disagreeing), (1, vec![]));
    assert_eq!(
        (&standing.worker, &standing.batch_id, &standing.lead_id, &standing.model),
        (&named.worker, &named.batch_id, &named.lead_id, &named.model)
    );
    assert_eq!(standing.usage, UsageCount::list(CACHED));
    assert_eq!(&*standing.origin.unwrap().road, "cloudevents", "over which it came first");
    // What differs is left as it was.
    let mut other = named.clone();
    (other.worker, other.lead_id) = (Some("other".into()), None);
    assert_eq!(tell(&[named.clone(), other]), (named, 0, vec![]));
}

#[test]
fn a_cost_is_filled_in_once() {
    let unpriced = told("otlp:x", CostSource::Unpriced, 0, IN_OUT);
    let (standing, revised, disagreeing) = tell(&[
        unpriced.clone(),
        told("litellm", CostSource::Told, 3, &[]),
        unpriced.clone(),
        told("cloudevents", priced(), 4, IN_OUT),
    ]);
    assert_eq!((standing.amount, revised, disagreeing), (Usd::from_dollars(3), 1, vec![Usd::from_dollars(4)]));
    assert!(!standing.is_unpriced());
    assert_eq!(tell(&[told("litellm", CostSource::Told, 3, IN_OUT), unpriced]).1, 0);
}

#[test]
fn more_detail_makes_another_price_and_no_disagreement() {
    let (plain, cached) = (told("litellm", priced(), 3, IN_OUT), told("otlp:x", priced(), 2, CACHED));
    for (order, revised) in [([&plain, &cached], 1), ([&cached, &plain], 0)] {
        let (standing, count, disagreeing) = tell(&order.map(Clone::clone));
        assert_eq!(
            (standing.amount, standing.usage, count, disagreeing),
            (Usd::from_dollars(2), UsageCount::list(CACHED), revised, vec![])
        );
    }
    // What a sender says stays, whatever the counts of others make of it, and both are told.
    let said = told("litellm", CostSource::Told, 3, IN_OUT);
    let (standing, revised, disagreeing) = tell(&[said, cached]);
    assert_eq!((standing.amount, standing.usage, revised), (Usd::from_dollars(3), UsageCount::list(CACHED), 1));
    assert_eq!(disagreeing, [Usd::from_dollars(2)]);
    // The same counts at two prices are no matter of detail.
    assert_eq!(tell(&[plain.clone(), told("otlp:x", priced(), 4, IN_OUT)]).2, [Usd::from_dollars(4)]);
}

fn in_tier(mut event: CostEvent, attributes: &str) -> CostEvent {
    event.attributes = Some(attributes.into());
    event
}

/// Guards against: a call of the priority tier that costs what the road says that does not know the tier, if that comes first.
#[test]
fn the_price_of_the_tier_that_only_one_road_knows_stands_in_either_order() {
    let usual = told("otlp:x", priced(), 2, CACHED);
    for (priority, rank) in [(CACHED, Rank::Usual), (CACHED, Rank::Lower), (CACHED, Rank::Higher)] {
        let priority = ranked(in_tier(told("otlp:y", priced(), 4, priority), r#"{"service_tier":"priority"}"#), rank);
        for (order, revised) in [([&usual, &priority], 1), ([&priority, &usual], usize::from(rank == Rank::Lower))] {
            let (standing, count, disagreeing) = tell(&order.map(Clone::clone));
            assert_eq!((standing.amount, count, disagreeing), (Usd::from_dollars(4), revised, vec![]), "{rank:?}");
            assert_eq!(standing.attributes.as_deref(), Some(r#"{"service_tier":"priority"}"#), "{rank:?}");
            let again: Vec<_> = std::iter::once(standing).chain(order.map(Clone::clone)).collect();
            assert_eq!(tell(&again).1, 0, "told again");
        }
    }
    let (standing, _, disagreeing) = tell(&[
        in_tier(usual.clone(), r#"{ "team":"a" }"#),
        in_tier(told("otlp:y", priced(), 4, CACHED), r#"{"service_tier":"flex"}"#),
    ]);
    assert_eq!(standing.attributes.as_deref(), Some(r#"{"service_tier":"flex", "team":"a" }"#));
    assert_eq!((standing.amount, disagreeing), (Usd::from_dollars(4), vec![]));
}

#[test]
fn a_tier_changes_no_cost_that_its_own_counts_do_not_bear() {
    let cached = told("otlp:x", priced(), 2, CACHED);
    let plain = in_tier(told("otlp:y", priced(), 6, IN_OUT), r#"{"service_tier":"priority"}"#);
    assert_eq!(tell(&[cached.clone(), plain]), (cached.clone(), 0, vec![]));
    // What a sender was billed has its tier in it, and two that contradict each other are told of.
    let said = in_tier(told("litellm", CostSource::Told, 3, CACHED), r#"{"service_tier":"priority"}"#);
    assert_eq!(tell(&[said.clone(), cached.clone()]).0.amount, Usd::from_dollars(3));
    let (flex, priority) = (r#"{"service_tier":"flex"}"#, r#"{"service_tier":"priority"}"#);
    let (flex, priority) = (in_tier(cached.clone(), flex), in_tier(told("otlp:y", priced(), 4, CACHED), priority));
    assert_eq!(tell(&[flex.clone(), priority]), (flex, 0, vec![Usd::from_dollars(4)]));
    // No more than an event may say.
    let long = in_tier(cached, &format!(r#"{{"a":"{}"}}"#, "x".repeat(ATTRIBUTES_BYTES_MAX - 8)));
    let tiered = in_tier(told("otlp:y", priced(), 4, CACHED), r#"{"service_tier":"flex"}"#);
    assert_eq!(tell(&[long.clone(), tiered]).0.attributes, long.attributes);
}

#[test]
fn the_road_that_knows_best_wins_in_either_order() {
    let usual =
        of_quality(told("otlp:wrapper", priced(), 3, &[("input_tokens", 9), ("output_tokens", 53)]), Quality::Estimated);
    let best = ranked(told("otlp:sdk", priced(), 2, &[("input_tokens", 9), ("output_tokens", 50)]), Rank::Higher);
    for (order, revised) in [([&usual, &best], 1), ([&best, &usual], 0)] {
        let (standing, count, disagreeing) = tell(&order.map(Clone::clone));
        assert_eq!(
            (standing.amount, &standing.usage, count, disagreeing),
            (Usd::from_dollars(2), &best.usage, revised, vec![])
        );
        let origin = standing.origin.unwrap();
        assert_eq!((origin.rank, origin.quality, &*origin.road), (Rank::Higher, Quality::Exact, "otlp:sdk"));
    }
    // One that knows worse fills what is missing, and no more.
    let worse = ranked(told("otlp:guess", priced(), 7, &[("input_tokens", 1), ("x", 1)]), Rank::Lower);
    assert_eq!(tell(&[usual.clone(), worse.clone()]), (usual.clone(), 0, vec![]));
    let lacking = told("cloudevents", CostSource::Unpriced, 0, &[]);
    assert_eq!(tell(&[lacking, worse, usual]).0.amount, Usd::from_dollars(3));
    // A road that knows the counts best and no cost, told twice.
    let unpriced = ranked(told("otlp:sdk", CostSource::Unpriced, 0, IN_OUT), Rank::Higher);
    let (standing, revised, _) =
        tell(&[unpriced.clone(), told("litellm", CostSource::Told, 3, CACHED), unpriced.clone(), unpriced]);
    assert_eq!((standing.amount, standing.usage, revised), (Usd::from_dollars(3), UsageCount::list(IN_OUT), 1));
}

#[test]
fn amounts_that_differ_leave_the_first_and_are_told() {
    let (first, second) = (told("litellm", CostSource::Told, 3, IN_OUT), told("cloudevents", CostSource::Told, 5, IN_OUT));
    assert_eq!(tell(&[first.clone(), second.clone(), second]), (first, 0, vec![Usd::from_dollars(5); 2]));
}

#[test]
fn a_cache_hit_is_no_call_whichever_comes_first() {
    let (call, hit) = (told("cloudevents", CostSource::Told, 3, IN_OUT), told("cloudevents", CostSource::Told, 0, IN_OUT));
    let merged = merge(&call, hit.clone());
    assert_eq!((merged.merge, merged.disagreeing), (Merge::CacheHit, None));
    let (standing, _, disagreeing) = tell(&[hit.clone(), call, hit.clone()]);
    assert_eq!((standing.amount, disagreeing), (Usd::from_dollars(3), vec![]));
    // Zero of whoever also says so of an unknown price is no hit, unless it knew this one.
    let unsure = |road: &str| {
        let mut hit = told(road, CostSource::Unpriced, 0, IN_OUT);
        hit.origin.as_mut().unwrap().zero = Zero::Unsure;
        hit
    };
    let (call, free) = (told("litellm", CostSource::Told, 3, IN_OUT), told("litellm", CostSource::Told, 0, IN_OUT));
    assert_eq!(merge(&call, unsure("litellm")).merge, Merge::CacheHit);
    for known in [told("otlp:x", CostSource::Told, 3, IN_OUT), free] {
        assert_eq!(merge(&known, unsure("litellm")).merge, Merge::Again);
    }
    // That a call waits for its price does not make it free, unless somebody else knows that it is.
    let unpriced = told("cloudevents", CostSource::Unpriced, 0, IN_OUT);
    assert_eq!(merge(&unpriced, hit.clone()).merge, Merge::CacheHit);
    let (standing, revised, _) = tell(&[unpriced, told("otlp:x", CostSource::Told, 0, IN_OUT)]);
    assert_eq!((standing.amount, standing.is_unpriced(), revised), (Usd::ZERO, false, 1));
}

#[test]
fn what_says_again_what_others_say_stays_without_cost() {
    let mut repeat = told("otlp:x", CostSource::Told, 0, &[]);
    repeat.origin.as_mut().unwrap().is_repeat = true;
    assert_eq!(tell(&[repeat.clone(), told("otlp:x", priced(), 3, IN_OUT)]), (repeat, 0, vec![]));
}

#[test]
fn an_event_that_the_agent_has_amended_is_known_when_it_is_told_again() {
    let first = told("otlp:x", CostSource::Unpriced, 0, IN_OUT);
    let mut rated = told("otlp:x", priced(), 3, IN_OUT);
    rated.origin.as_mut().unwrap().amendment = 2;
    assert_eq!(tell(&[rated.clone(), first.clone(), told("otlp:x", priced(), 3, IN_OUT)]), (rated, 0, vec![]));
    let last = CostEvent { revision: REVISION_MAX, ..first };
    assert_eq!(tell(&[last.clone(), told("litellm", CostSource::Told, 3, CACHED)]), (last, 0, vec![]));
}

#[test]
fn what_a_worker_told_stays_and_is_completed() {
    let native = CostEvent { amount: Usd::from_dollars(3), ..CostEvent::example() };
    let (standing, revised, disagreeing) = tell(&[native.clone(), told("otlp:x", priced(), 2, CACHED)]);
    assert_eq!((standing.amount, revised, disagreeing), (Usd::from_dollars(3), 1, vec![Usd::from_dollars(2)]));
    assert_eq!((standing.usage, standing.origin), (UsageCount::list(CACHED), None));
}

/// What one road may say of one call: a part of the truth, and the right cost or none.
fn road() -> impl Strategy<Value = CostEvent> {
    let counts = prop::sample::subsequence(vec![("a", 1_u64), ("b", 2), ("c", 3), ("d", 4)], 0..=4);
    let cost = prop::sample::select(vec![CostSource::Told, priced(), CostSource::Unpriced]);
    let rank = prop::sample::select(vec![Rank::Lower, Rank::Usual, Rank::Higher]);
    let says = prop::array::uniform4(any::<bool>());
    (counts, cost, says, prop::sample::select(vec!["litellm", "otlp:x", "cloudevents"]), rank).prop_map(
        |(counts, cost, says, road, rank)| {
            let dollars = if cost == CostSource::Unpriced { 0 } else { 7 };
            let mut event = ranked(told(road, cost, dollars, &counts), rank);
            let fields = [&mut event.worker, &mut event.batch_id, &mut event.lead_id, &mut event.model];
            fields.into_iter().zip(says).filter(|(_, says)| *says).for_each(|(field, _)| *field = Some("x".into()));
            event
        },
    )
}

/// What must not depend on the order. Of counts, those of the best road that has any stand.
type Outcome = (Usd, bool, [bool; 4], Vec<UsageCount>);

fn outcome(event: &CostEvent) -> Outcome {
    let says = [&event.worker, &event.batch_id, &event.lead_id, &event.model].map(Option::is_some);
    (event.amount, event.is_unpriced(), says, event.usage.clone())
}

proptest! {
    #[test]
    fn roads_that_agree_make_the_same_event_in_any_order(
        (roads, shuffled) in prop::collection::vec(road(), 1..6)
            .prop_map(|mut roads| {
                let rank = roads[0].origin.as_ref().unwrap().rank;
                roads.iter_mut().for_each(|road| road.origin.as_mut().unwrap().rank = rank);
                roads
            })
            .prop_flat_map(|roads| (Just(roads.clone()), Just(roads).prop_shuffle())),
    ) {
        let (standing, _, disagreeing) = tell(&roads);
        let (other, _, others) = tell(&shuffled);
        prop_assert_eq!(outcome(&standing), outcome(&other));
        prop_assert!(disagreeing.is_empty() && others.is_empty());
        // The truth is what all of them say together.
        let is_known = roads.iter().any(|road| !road.is_unpriced());
        prop_assert_eq!(standing.amount, if is_known { Usd::from_dollars(7) } else { Usd::ZERO });
        let all: std::collections::BTreeSet<_> = roads.iter().flat_map(|road| &road.usage).map(|count| count.kind.clone()).collect();
        prop_assert!(standing.usage.iter().map(|count| count.kind.clone()).eq(all));
    }

    #[test]
    fn told_again_in_any_order_nothing_changes(
        (roads, again) in prop::collection::vec(road(), 1..6)
            .prop_flat_map(|roads| (Just(roads.clone()), Just(roads).prop_shuffle())),
    ) {
        let (standing, _, _) = tell(&roads);
        let all: Vec<_> = std::iter::once(standing.clone()).chain(again).collect();
        let (after, _, disagreeing) = tell(&all);
        prop_assert_eq!(outcome(&after), outcome(&standing));
        prop_assert!(disagreeing.is_empty());
        let settled: Vec<_> = std::iter::once(after).chain(all).collect();
        prop_assert_eq!(tell(&settled).1, 0, "and is no revision");
    }
}

#[test]
fn counts_that_contradict_each_other_are_no_matter_of_detail() {
    let (one, other) = (told("litellm", priced(), 3, IN_OUT), told("otlp:x", priced(), 4, &[("input_tokens", 7)]));
    assert_eq!(tell(&[one, other]).2, [Usd::from_dollars(4)]);
}

#[test]
fn what_is_put_together_of_both_is_as_doubtful_as_the_worse() {
    let said = told("litellm", CostSource::Told, 3, IN_OUT);
    let detailed = of_quality(told("otlp:x", priced(), 2, CACHED), Quality::Estimated);
    let (standing, _, _) = tell(&[said, detailed]);
    assert_eq!((standing.amount, &*standing.usage), (Usd::from_dollars(3), &*UsageCount::list(CACHED)));
    assert_eq!(standing.origin.unwrap().quality, Quality::Estimated);
}

#[test]
fn what_is_told_anew_has_not_been_amended() {
    let mut amended = told("litellm", priced(), 3, IN_OUT);
    amended.origin.as_mut().unwrap().amendment = 3;
    let (standing, revised, _) = tell(&[amended, told("otlp:x", priced(), 2, CACHED)]);
    assert_eq!((revised, standing.amendment()), (1, 0));
}
