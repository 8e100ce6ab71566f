//! What was used, taken apart so that nothing is counted twice: cached tokens are input tokens too.
//!
//! *Invariants.* The parts and what is left of the whole add up to the whole, or to the sum of the parts where that is more: a
//! remainder is never negative.

use crate::domain::{Quantity, UsageCount};

/// All tokens that went in.
pub(super) const INPUT: &str = "input_tokens";
/// All tokens that came out.
pub(super) const OUTPUT: &str = "output_tokens";
/// How often something was asked for.
pub(super) const REQUESTS: &str = "requests";

/// A name for a part of something, and the names whose prices it has where it has none of its own.
struct Part {
    name: &'static str,
    /// What it is a part of.
    whole: &'static str,
    /// The nearest price first.
    fallback: &'static [&'static str],
    /// Parts of both this and another part.
    shared: &'static [&'static str],
}

const CACHED_AUDIO: &str = "cached_audio_input_tokens";
const CACHED_IMAGE: &str = "cached_image_input_tokens";

const fn part(name: &'static str, whole: &'static str, fallback: &'static [&'static str]) -> Part {
    Part { name, whole, fallback, shared: &[] }
}

/// All parts. Where nothing says what a cached token costs, it costs what any other costs.
const PARTS: &[Part] = &[
    Part { shared: &[CACHED_AUDIO, CACHED_IMAGE], ..part("cached_input_tokens", INPUT, &[INPUT]) },
    part("cache_write_input_tokens", INPUT, &[INPUT]),
    part("cache_write_1h_input_tokens", INPUT, &["cache_write_input_tokens", INPUT]),
    Part { shared: &[CACHED_AUDIO], ..part("audio_input_tokens", INPUT, &[INPUT]) },
    Part { shared: &[CACHED_IMAGE], ..part("image_input_tokens", INPUT, &[INPUT]) },
    part("video_input_tokens", INPUT, &[INPUT]),
    part(CACHED_AUDIO, INPUT, &["audio_input_tokens", "cached_input_tokens", INPUT]),
    part(CACHED_IMAGE, INPUT, &["image_input_tokens", "cached_input_tokens", INPUT]),
    part("reasoning_output_tokens", OUTPUT, &[OUTPUT]),
    part("audio_output_tokens", OUTPUT, &[OUTPUT]),
    part("image_output_tokens", OUTPUT, &[OUTPUT]),
    part("video_output_tokens", OUTPUT, &[OUTPUT]),
    part("citation_output_tokens", OUTPUT, &[OUTPUT]),
    part("annotated_pages", "pages", &["pages"]),
];

/// The wholes that have parts.
const WHOLES: [&str; 3] = [INPUT, OUTPUT, "pages"];

/// How many of something are billed by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count<'u> {
    pub name: &'u str,
    pub count: Quantity,
}

/// What was used, without what is counted under another name as well; and how many tokens went in, by which tiers are told.
pub(super) fn counts(usage: &[UsageCount]) -> (Vec<Count<'_>>, Quantity) {
    let of = |name: &str| usage.iter().find(|count| count.kind.as_str() == name).map_or(Quantity::ZERO, |count| count.count);
    let mut found = Vec::with_capacity(usage.len() + 2);
    let mut prompt = Quantity::ZERO;
    for whole in WHOLES {
        let mut parts = Quantity::ZERO;
        for part in PARTS.iter().filter(|part| part.whole == whole) {
            let mut count = of(part.name);
            for shared in part.shared {
                count = count.checked_sub(of(shared)).unwrap_or_default();
            }
            if count != Quantity::ZERO {
                parts += count;
                found.push(Count { name: part.name, count });
            }
        }
        let rest = of(whole).checked_sub(parts).unwrap_or_default();
        if rest != Quantity::ZERO {
            found.push(Count { name: whole, count: rest });
        }
        if whole == INPUT {
            prompt = parts;
            prompt += rest;
        }
    }
    let is_other = |name: &str| !WHOLES.contains(&name) && PARTS.iter().all(|part| part.name != name);
    let others = usage.iter().filter(|count| count.count != Quantity::ZERO && is_other(count.kind.as_str()));
    found.extend(others.map(|count| Count { name: count.kind.as_str(), count: count.count }));
    (found, prompt)
}

/// The names whose prices count for a name, in order, after its own.
pub(super) fn fallback(name: &str) -> &'static [&'static str] {
    PARTS.iter().find(|part| part.name == name).map_or(&[], |part| part.fallback)
}

/// Whether something is counted in tokens, so that its price may depend on the length of the prompt.
pub(super) fn is_tokens(name: &str) -> bool {
    name == INPUT || name == OUTPUT || PARTS.iter().any(|part| part.name == name && part.whole != "pages")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_counts(sent: &[(&str, u64)], prompt: u64, expected: &[(&str, u64)]) {
        let usage = UsageCount::list(sent);
        let (found, tokens) = counts(&usage);
        let mut found: Vec<_> = found.iter().map(|count| (count.name, count.count)).collect();
        found.sort_unstable();
        let mut expected: Vec<_> = expected.iter().map(|(name, count)| (*name, Quantity::of(*count))).collect();
        expected.sort_unstable();
        assert_eq!((found, tokens), (expected, Quantity::of(prompt)), "{sent:?}");
    }

    #[test]
    fn a_token_is_counted_under_its_narrowest_name() {
        assert_counts(&[], 0, &[]);
        assert_counts(&[("input_tokens", 1000), ("output_tokens", 0)], 1000, &[("input_tokens", 1000)]);
        assert_counts(
            &[("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)],
            1000,
            &[("input_tokens", 200), ("cached_input_tokens", 800), ("output_tokens", 30), ("reasoning_output_tokens", 20)],
        );
        assert_counts(
            &[
                ("input_tokens", 1000),
                ("cached_input_tokens", 600),
                ("cache_write_input_tokens", 200),
                ("cache_write_1h_input_tokens", 100),
            ],
            1000,
            &[
                ("input_tokens", 100),
                ("cached_input_tokens", 600),
                ("cache_write_input_tokens", 200),
                ("cache_write_1h_input_tokens", 100),
            ],
        );
        for (kind, cached) in [("audio_input_tokens", CACHED_AUDIO), ("image_input_tokens", CACHED_IMAGE)] {
            assert_counts(
                &[("input_tokens", 1000), ("cached_input_tokens", 500), (kind, 600), (cached, 300)],
                1000,
                &[("input_tokens", 200), ("cached_input_tokens", 200), (kind, 300), (cached, 300)],
            );
        }
        assert_counts(&[("pages", 10), ("annotated_pages", 4)], 0, &[("pages", 6), ("annotated_pages", 4)]);
        assert_counts(&[("serp_credits", 3), ("seconds", 0)], 0, &[("serp_credits", 3)]);
    }

    #[test]
    fn parts_that_are_more_than_their_whole_leave_nothing_of_it() {
        assert_counts(&[("input_tokens", 100), ("cached_input_tokens", 800)], 800, &[("cached_input_tokens", 800)]);
        assert_counts(&[("reasoning_output_tokens", 5)], 0, &[("reasoning_output_tokens", 5)]);
        assert_counts(
            &[("input_tokens", 10), ("audio_input_tokens", 5), ("cached_audio_input_tokens", 7)],
            10,
            &[("input_tokens", 3), ("cached_audio_input_tokens", 7)],
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_counted_twice(
            input in 0..100_u64, cached in 0..100_u64, write in 0..100_u64, hour in 0..100_u64, video in 0..100_u64,
        ) {
            let usage = UsageCount::list(&[
                ("input_tokens", input),
                ("cached_input_tokens", cached),
                ("cache_write_input_tokens", write),
                ("cache_write_1h_input_tokens", hour),
                ("video_input_tokens", video),
            ]);
            let (found, prompt) = counts(&usage);
            let sum: u128 = found.iter().map(|count| count.count.micros()).sum();
            prop_assert_eq!(sum, prompt.micros());
            prop_assert_eq!(prompt, Quantity::of(input.max(cached + write + hour + video)));
        }
    }
}
