//! The spellings of a model's name: gateways put a provider before it, clouds a region, dates are written in two ways.
//!
//! *Invariants.* A spelling stands for the same model as the name itself: the name comes first, what leaves more of it out comes later.

use std::borrow::Cow;

/// Names of one thing that go before a model's name, as Google and Microsoft have them.
const FOLDERS: [&str; 4] = ["models/", "publishers/", "projects/", "deployments/"];
/// Longest name that is taken apart: as long as a model's name in an event may be.
const NAME_BYTES_MAX: usize = 200;

/// A model's name in lower case, and others for the same model. `is_provider` says whether a word stands for the provider that is asked.
pub(super) fn spellings(model: &str, is_provider: impl Fn(&str) -> bool) -> Vec<Cow<'_, str>> {
    let mut found = vec![Cow::Borrowed(model)];
    if model.len() > NAME_BYTES_MAX {
        return found;
    }
    let mut rest = model;
    // `vertex_ai/publishers/google/models/gemini-2.5-pro`, `openai/responses/gpt-5`, an ARN with slashes.
    while let Some((first, behind)) = rest.split_once('/') {
        let is_folder = FOLDERS.iter().any(|folder| rest.starts_with(folder));
        if is_folder {
            rest = rest.rsplit_once('/').map_or(behind, |(_, last)| last);
        } else if is_provider(first) || is_place(first) || first.starts_with("arn:aws:bedrock:") {
            rest = behind;
        } else {
            break;
        }
        found.push(Cow::Borrowed(rest));
    }
    let dated: Vec<_> = found.iter().filter_map(|name| with_dashes(name)).map(Cow::Owned).collect();
    found.extend(dated);
    let undated: Vec<_> =
        found.iter().filter_map(|name| without_date(name)).map(|name| Cow::Owned(name.to_owned())).collect();
    found.extend(undated);
    found
}

/// What LiteLLM puts between a provider and a model: a way to call it, or a region such as `us-east-1`. Not what has prices of its own:
/// Azure's data zones (`us`, `eu`), Amazon's regions for governments.
fn is_place(word: &str) -> bool {
    let is_region = || {
        let mut parts = word.rsplit('-');
        let number = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        let is_word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
        number && parts.clone().count() >= 2 && parts.all(is_word)
    };
    ["converse", "invoke", "responses", "chat", "global", "global-standard"].contains(&word)
        || (is_region() && !word.contains("gov"))
}

/// `gpt-5.2-2025-12-11` for `gpt-5.2-20251211`.
fn with_dashes(name: &str) -> Option<String> {
    let (at, digits) = date(name, 8)?;
    let (day, behind) = digits.split_at_checked(8)?;
    let (year, rest) = day.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Some(format!("{}-{year}-{month}-{day}{behind}", &name[..at]))
}

/// `claude-sonnet-4-5` for `claude-sonnet-4-5-20250929` and `claude-sonnet-4-5@20250929`, `gpt-5.1` for `gpt-5.1-2025-11-13`.
fn without_date(name: &str) -> Option<&str> {
    let (at, digits) = date(name, 8).or_else(|| date(name, 10))?;
    matches!(digits.len(), 8 | 10).then(|| &name[..at])
}

/// Where a date of so many characters begins, with the sign before it, and the name from the date on.
fn date(name: &str, length: usize) -> Option<(usize, &str)> {
    let starts = name.match_indices(['-', '@']).map(|(at, _)| at);
    for at in starts {
        let rest = name.get(at + 1..)?;
        let Some(date) = rest.get(..length) else { continue };
        let digits: String = date.chars().filter(char::is_ascii_digit).collect();
        let is_written = if length == 8 { digits.len() == 8 } else { dashes(date) && digits.len() == 8 };
        let ends = rest[length..].chars().next().is_none_or(|next| matches!(next, '-' | ':' | '@'));
        if is_written && ends && is_date(&digits) {
            return Some((at, rest));
        }
    }
    None
}

fn dashes(date: &str) -> bool {
    let bytes = date.as_bytes();
    bytes[4] == b'-' && bytes[7] == b'-'
}

/// Eight digits of this century that are a day.
fn is_date(digits: &str) -> bool {
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<i16>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(4..6), number(6..8)) else { return false };
    let (month, day) = (i8::try_from(month).unwrap_or(0), i8::try_from(day).unwrap_or(0));
    (2000..2100).contains(&year) && jiff::civil::Date::new(year, month, day).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_these_spellings() {
        let is_google = |word: &str| matches!(word, "google" | "gemini" | "vertex_ai");
        let is_bedrock = |word: &str| matches!(word, "bedrock" | "aws");
        assert_eq!(spellings("gpt-4o", |_| false), ["gpt-4o"]);
        assert_eq!(spellings("openai/gpt-4o", |word| word == "openai"), ["openai/gpt-4o", "gpt-4o"]);
        assert_eq!(spellings("meta/llama-3", |word| word == "openai"), ["meta/llama-3"]);
        assert_eq!(spellings("models/gemini-2.5-pro", is_google), ["models/gemini-2.5-pro", "gemini-2.5-pro"]);
        assert_eq!(
            spellings("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", is_google).last().unwrap(),
            "gemini-2.5-pro"
        );
        assert_eq!(
            spellings("bedrock/us-east-1/anthropic.claude-v2", is_bedrock),
            ["bedrock/us-east-1/anthropic.claude-v2", "us-east-1/anthropic.claude-v2", "anthropic.claude-v2"]
        );
        assert_eq!(
            spellings("arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0", is_bedrock).last().unwrap(),
            "us.amazon.nova-pro-v1:0"
        );
    }

    #[test]
    fn dates_are_written_in_two_ways_and_left_out_last() {
        assert_eq!(
            spellings("gpt-5.2-20251211", |_| false),
            ["gpt-5.2-20251211", "gpt-5.2-2025-12-11", "gpt-5.2", "gpt-5.2"]
        );
        assert_eq!(spellings("gpt-5.1-2025-11-13", |_| false), ["gpt-5.1-2025-11-13", "gpt-5.1"]);
        assert_eq!(spellings("claude-opus-4-1@20250805", |_| false).last().unwrap(), "claude-opus-4-1");
        // No days, no dates.
        for name in ["gpt-5.2-20251332", "gpt-4-1106-preview", "gpt-4-2025-13-01", "m-19991231", "x-20250101b", "é-202é0101"]
        {
            assert_eq!(spellings(name, |_| false), [name], "{name}");
        }
        // What stands behind the date says which variant it is.
        assert_eq!(
            spellings("gemini-2.5-20250505-preview", |_| false),
            ["gemini-2.5-20250505-preview", "gemini-2.5-2025-05-05-preview"]
        );
    }

    #[test]
    fn a_name_as_long_as_an_event_may_have_is_taken_apart_and_no_longer_one() {
        let name = |bytes: usize| format!("openai/{}", "x".repeat(bytes - "openai/".len()));
        assert_eq!([200, 201, 300].map(|bytes| spellings(&name(bytes), |_| true).len()), [2, 1, 1]);
    }

    #[test]
    fn a_place_is_a_way_to_call_or_a_region_that_has_no_prices_of_its_own() {
        for (word, expected) in [
            ("converse", true),
            ("global-standard", true),
            ("us-east-1", true),
            ("us", false),
            ("east-1", false),
            ("us-east-x", false),
            ("us-east-", false),
            ("us-e4st-1", false),
            ("us-gov-west-1", false),
        ] {
            assert_eq!(is_place(word), expected, "{word}");
        }
    }

    #[test]
    fn a_date_of_ten_characters_has_dashes_in_both_places() {
        for name in ["m-2025a11b13", "m-2025-11x13", "m-2025x11-13", "m-20251-11-3"] {
            assert_eq!(spellings(name, |_| false), [name], "{name}");
        }
    }
}
