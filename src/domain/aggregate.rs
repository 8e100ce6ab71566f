//! Which of two calls says again what the other one says, when one's span lies above the other's: PURE.
//!
//! Agents, chains and SDKs nest their spans, and several of them carry the counts of one and the same paid call. The call is charged where
//! it is known best: at the span with the provider's response id, else at the lowest one.

use jiff::{SignedDuration, Timestamp};

use super::{CostEvent, Quantity};

/// The beginning of the source of ids that providers gave their responses; the provider's name follows.
pub const RESPONSE_SOURCE: &str = "call:";

/// The counts by which calls are compared: every sender has them, while details are often left out.
const COMPARED_COUNTS: [&str; 2] = ["input_tokens", "output_tokens"];
/// How far the clocks of two processes of one trace may be apart. Less than a paid call takes, so that what follows one span right away does
/// not seem to lie in it.
const SKEW_MAX: SignedDuration = SignedDuration::from_millis(100);

/// What of a call decides whether it says again what another one says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    /// It adds up what is below it.
    pub is_wrapper: bool,
    /// It is known by the provider's response id.
    pub has_response_id: bool,
    /// The model.
    pub model: Option<Box<str>>,
    /// Tokens in and out, as far as they are known.
    pub counts: [Option<Quantity>; 2],
    /// When it began, if it is known, and ended.
    pub span: (Option<Timestamp>, Timestamp),
}

/// Which of two calls says again what the other one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The one above.
    Upper,
    /// The one below.
    Lower,
}

impl CallFacts {
    /// Of a call as it stands.
    pub fn of(event: &CostEvent) -> Self {
        let count = |kind: &str| event.usage.iter().find(|usage| usage.kind.as_str() == kind).map(|usage| usage.count);
        let duration = event.duration_seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        Self {
            is_wrapper: Self::is_of_wrapper(event),
            has_response_id: Self::is_of_response(event),
            model: event.model.clone(),
            counts: COMPARED_COUNTS.map(count),
            span: (duration.and_then(|duration| event.time.checked_sub(duration).ok()), event.time),
        }
    }

    /// Whether an event adds up what is below it.
    pub fn is_of_wrapper(event: &CostEvent) -> bool {
        event.origin.as_ref().is_some_and(|origin| origin.is_wrapper)
    }

    /// Whether an event is known by the provider's response id.
    pub fn is_of_response(event: &CostEvent) -> bool {
        event.key.source.starts_with(RESPONSE_SOURCE)
    }

    /// Which of the two says again what the other one says, where this one's span lies above the other's.
    pub fn above(&self, lower: &Self) -> Option<Repeats> {
        if self.is_wrapper {
            return Some(Repeats::Upper);
        }
        if lower.is_wrapper {
            return None;
        }
        let same_model = is_same_model(self.model.as_deref(), lower.model.as_deref());
        match (self.has_response_id, lower.has_response_id) {
            (true, true) => None,
            (false, _) => (same_model || self.has_same_counts(lower)).then_some(Repeats::Upper),
            // Who is called while a call goes on may well be another one.
            (true, false) => (same_model && !self.has_other_counts(lower)).then_some(Repeats::Lower),
        }
    }

    /// Whether it may add up a call of the same trace, of which it is not known whether it lies below: by their times.
    pub fn may_contain(&self, other: &Self) -> bool {
        let (begin, end) = self.span;
        let (other_begin, other_end) = (other.span.0.unwrap_or(other.span.1), other.span.1);
        let is_in_time = other_end.duration_since(end) <= SKEW_MAX;
        self.is_wrapper && is_in_time && begin.is_none_or(|begin| begin.duration_since(other_begin) <= SKEW_MAX)
    }

    fn has_same_counts(&self, other: &Self) -> bool {
        self.counts == other.counts && self.counts.iter().any(Option::is_some)
    }

    fn has_other_counts(&self, other: &Self) -> bool {
        self.counts.iter().zip(&other.counts).any(|(mine, theirs)| mine.is_some() && theirs.is_some() && mine != theirs)
    }
}

/// Whether two calls may be of one model: senders leave out the provider in front of a name, or the date behind it.
pub fn is_same_model(one: Option<&str>, other: Option<&str>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    let bare = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let (one, other) = (bare(one), bare(other));
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let Some(rest) = long.strip_prefix(&short) else { return false };
    // `gpt-4o` is not `gpt-4o-mini`.
    rest.is_empty() || rest.trim_start_matches(['-', '@', ':']).starts_with(|digit: char| digit.is_ascii_digit())
}

/// Puts in whom a call is for where that is not known, as the call above it says. Returns whether anything was.
pub fn complete(event: &mut CostEvent, from: [&Option<Box<str>>; 3]) -> bool {
    let mut is_changed = false;
    for (mine, theirs) in [&mut event.worker, &mut event.batch_id, &mut event.lead_id].into_iter().zip(from) {
        if mine.is_none() && theirs.is_some() {
            mine.clone_from(theirs);
            is_changed = true;
        }
    }
    is_changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventKey, Name, Origin, UsageCount};

    fn call(id: bool, wrapper: bool, model: &str, counts: (u64, u64)) -> CallFacts {
        let count = |kind: &str, count| UsageCount { kind: Name::new(kind).unwrap(), count: Quantity::of(count) };
        CallFacts::of(&CostEvent {
            key: EventKey { source: if id { "call:openai" } else { "span" }.into(), id: "x".into() },
            model: Some(model).filter(|model| !model.is_empty()).map(Box::from),
            usage: if counts == (0, 0) {
                vec![]
            } else {
                vec![count("input_tokens", counts.0), count("output_tokens", counts.1)]
            },
            duration_seconds: Some(2.0),
            origin: Some(Box::new(Origin { is_wrapper: wrapper, ..Origin::of("otlp:x") })),
            ..CostEvent::example()
        })
    }

    #[test]
    fn a_call_is_charged_where_it_is_known_best() {
        use Repeats::{Lower, Upper};
        let plain = |id, model, counts| call(id, false, model, counts);
        for (upper, lower, repeats) in [
            (call(false, true, "", (9, 9)), plain(true, "gpt-4o", (1, 2)), Some(Upper)),
            (call(false, true, "", (9, 9)), call(false, true, "", (9, 9)), Some(Upper)),
            (plain(false, "gpt-4o", (1, 2)), call(false, true, "gpt-4o", (1, 2)), None),
            // OpenInference around an SDK that makes spans itself.
            (plain(false, "claude-sonnet-4-5", (1, 53)), plain(true, "claude-sonnet-4-5-20250929", (1, 50)), Some(Upper)),
            (plain(false, "", (1, 2)), plain(true, "gpt-4o", (1, 2)), Some(Upper)),
            (plain(false, "my-router", (1, 2)), plain(true, "gpt-4o", (1, 2)), Some(Upper)),
            (plain(false, "my-router", (1, 2)), plain(true, "gpt-4o", (1, 3)), None),
            (plain(false, "gpt-4o", (1, 2)), plain(false, "gpt-4o", (1, 2)), Some(Upper)),
            (plain(true, "gpt-4o", (1, 2)), plain(false, "openai/gpt-4o", (1, 2)), Some(Lower)),
            (plain(true, "gpt-4o", (1, 2)), plain(false, "gpt-4o", (0, 0)), Some(Lower)),
            // A tool that asks the same model something else.
            (plain(true, "gpt-4o", (1, 2)), plain(false, "gpt-4o", (1, 3)), None),
            (plain(true, "gpt-4o", (1, 2)), plain(false, "gpt-4o-mini", (1, 2)), None),
            (plain(true, "gpt-4o", (1, 2)), plain(true, "gpt-4o", (1, 2)), None),
        ] {
            assert_eq!(upper.above(&lower), repeats, "{upper:?} above {lower:?}");
        }
    }

    #[test]
    fn a_model_is_the_same_without_its_provider_and_its_date() {
        for (one, other, same) in [
            ("gpt-4o", "gpt-4o-2024-08-06", true),
            ("anthropic/claude-sonnet-4-5", "claude-sonnet-4-5@20250929", true),
            ("GPT-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o", "gpt-4", false),
            ("gpt-4o", "claude-sonnet-4-5", false),
        ] {
            assert_eq!(is_same_model(Some(one), Some(other)), same, "{one} {other}");
            assert_eq!(is_same_model(Some(other), Some(one)), same, "{other} {one}");
        }
    }

    #[test]
    fn what_happened_before_or_after_an_agent_is_no_part_of_it() {
        let agent = call(false, true, "", (9, 9));
        let moved = |millis: i64| {
            let mut other = call(true, false, "gpt-4o", (1, 2));
            let by = SignedDuration::from_millis(millis);
            other.span = (other.span.0.map(|begin| begin + by), other.span.1 + by);
            other
        };
        for (millis, contains) in [(0, true), (90, true), (-90, true), (150, false), (-150, false), (5_000, false)] {
            assert_eq!(agent.may_contain(&moved(millis)), contains, "{millis} ms later");
        }
        assert!(!moved(0).may_contain(&moved(0)), "only what adds up may be above without anybody saying so");
    }

    #[test]
    fn whom_a_call_is_for_is_filled_in_where_it_is_not_known() {
        let from = [Some(Box::from("w")), None, Some(Box::from("l"))];
        let mut event = CostEvent { lead_id: Some("mine".into()), ..CostEvent::example() };
        assert!(complete(&mut event, from.each_ref()));
        assert_eq!(event, CostEvent { worker: Some("w".into()), lead_id: Some("mine".into()), ..CostEvent::example() });
        assert!(!complete(&mut event, from.each_ref()), "nothing is left to fill in");
        assert!(!complete(&mut event, [&None, &None, &None]));
    }

    #[test]
    fn a_call_is_compared_by_its_counts_of_tokens_and_the_time_that_it_took() {
        let event = CostEvent {
            usage: UsageCount::list(&[("cached_input_tokens", 3), ("input_tokens", 7), ("output_tokens", 9)]),
            duration_seconds: Some(1.5),
            ..CostEvent::example()
        };
        let facts = CallFacts::of(&event);
        assert_eq!(facts.counts, [Some(Quantity::of(7)), Some(Quantity::of(9))]);
        assert_eq!(facts.span, (Some(event.time - SignedDuration::from_millis(1_500)), event.time));
        let without = CallFacts::of(&CostEvent { duration_seconds: None, ..CostEvent::example() });
        assert_eq!((without.counts, without.span.0), ([None, None], None));
    }

    #[test]
    fn clocks_of_one_trace_may_be_a_tenth_of_a_second_apart() {
        let agent = call(false, true, "", (9, 9));
        let at = |begin_ms: i64, end_ms: i64| {
            let (begin, end) = (agent.span.0.unwrap(), agent.span.1);
            let moved = |time, millis| time + SignedDuration::from_millis(millis);
            CallFacts { span: (Some(moved(begin, begin_ms)), moved(end, end_ms)), ..call(true, false, "", (1, 2)) }
        };
        for (begin_ms, end_ms, contains) in
            [(-100, 0, true), (-101, 0, false), (0, 100, true), (0, 101, false), (100, -100, true)]
        {
            assert_eq!(agent.may_contain(&at(begin_ms, end_ms)), contains, "{begin_ms} {end_ms}");
        }
        let of_unknown_begin = CallFacts { span: (None, agent.span.1), ..agent.clone() };
        assert!(of_unknown_begin.may_contain(&at(-5_000, 0)), "nobody knows when it began");
    }
}
