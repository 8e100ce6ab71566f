//! The names under which LiteLLM's file has prices.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::catalogue::Timed;
use super::clock::{Days, Hours, Validity};
use super::json::Object;
use super::models_dev::whole;
use super::price::{Price, Prices, Rate};

/// Their names and ours. A name that stands twice: the first one that has a price counts.
const UNITS: [(&str, &str); 25] = [
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_token", "output_tokens"),
    ("cache_read_input_token_cost", "cached_input_tokens"),
    ("input_cost_per_token_cache_hit", "cached_input_tokens"),
    ("cache_creation_input_token_cost", "cache_write_input_tokens"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_input_tokens"),
    ("input_cost_per_audio_token", "audio_input_tokens"),
    ("cache_read_input_audio_token_cost", "cached_audio_input_tokens"),
    ("output_cost_per_audio_token", "audio_output_tokens"),
    ("input_cost_per_image_token", "image_input_tokens"),
    ("cache_read_input_image_token_cost", "cached_image_input_tokens"),
    ("output_cost_per_image_token", "image_output_tokens"),
    ("input_cost_per_video_token", "video_input_tokens"),
    ("output_cost_per_video_token", "video_output_tokens"),
    ("output_cost_per_reasoning_token", "reasoning_output_tokens"),
    ("citation_cost_per_token", "citation_output_tokens"),
    ("input_cost_per_character", "characters"),
    ("output_cost_per_character", "characters"),
    ("input_cost_per_second", "seconds"),
    ("output_cost_per_second", "seconds"),
    ("output_cost_per_image", "images"),
    ("input_cost_per_image", "images"),
    ("ocr_cost_per_page", "pages"),
    ("input_cost_per_query", "searches"),
    ("input_cost_per_request", "requests"),
];
/// What is behind a name for calls of another tier.
const TIERS: [(&str, &str); 3] = [("_batches", "batch"), ("_flex", "flex"), ("_priority", "priority")];

/// The prices of an entry by tier; the usual ones under the empty name.
pub(super) struct Entry {
    pub tiers: BTreeMap<&'static str, Prices>,
}

/// A name taken apart: our unit and its place in the list, the tier, and above how many tokens.
struct Named {
    rank: usize,
    unit: &'static str,
    tier: &'static str,
    above: Option<u64>,
}

impl Entry {
    /// Reads all prices of an entry. Names that say something else are passed over.
    pub fn read(entry: &Object<'_>) -> Result<Self, String> {
        let is_of_images = entry.text("mode").is_some_and(|mode| mode.starts_with("image"));
        let mut found: Vec<(Named, Rate)> = Vec::new();
        for (name, digits) in entry.numbers() {
            let Some(named) = Named::read(name) else { continue };
            // Elsewhere it is what an image in the prompt is thought to cost, which its tokens cost already.
            if named.unit == "images" && !is_of_images {
                continue;
            }
            found.push((named, Rate::of_float(digits, 1).map_err(|error| format!("{name} {error}"))?));
        }
        steps_of_ranges(entry, &mut found)?;
        if let Some(search) = entry.object("search_context_cost_per_query") {
            let mut sizes: Vec<&str> = search.numbers().map(|(_, digits)| digits).collect();
            sizes.dedup();
            // What depends on the size of the context cannot be told by a count.
            if let [digits] = sizes[..] {
                let named = Named { rank: UNITS.len(), unit: "searches", tier: "", above: None };
                let rate = Rate::of_float(digits, 1).map_err(|error| format!("search_context_cost_per_query {error}"))?;
                found.push((named, rate));
            }
        }
        // Of two names for one unit, one that has a price; a rank tells which comes first.
        found.sort_by_key(|(named, rate)| (rate.digits == 0, named.rank, named.above));
        let mut tiers: BTreeMap<&'static str, Prices> = BTreeMap::new();
        for (named, rate) in found.iter().filter(|(named, _)| named.above.is_none()) {
            let prices = tiers.entry(named.tier).or_default();
            if prices.iter().all(|(unit, _)| unit != named.unit) {
                prices.push((named.unit.into(), Price::flat(*rate)));
            }
        }
        for (named, rate) in found {
            let Some(limit) = named.above else { continue };
            let prices = tiers.get_mut(named.tier).into_iter().flatten();
            for (_, price) in prices.filter(|(unit, _)| unit == named.unit) {
                price.above.push((limit, rate));
            }
        }
        tiers.values_mut().flatten().for_each(|(_, price)| price.above.sort_by_key(|(limit, _)| *limit));
        Ok(Self { tiers })
    }
}

impl Named {
    /// Takes `input_cost_per_token_above_200k_tokens_priority` apart.
    fn read(name: &str) -> Option<Self> {
        let with_tier = TIERS.iter().find_map(|(end, tier)| Some((name.strip_suffix(end)?, *tier)));
        let (rest, tier) = with_tier.unwrap_or((name, ""));
        let (base, above) = match rest.strip_suffix("k_tokens").and_then(|rest| rest.rsplit_once("_above_")) {
            Some((base, thousands)) => (base, Some(thousands.parse::<u64>().ok()?.checked_mul(1_000)?)),
            None => (rest, None),
        };
        let rank = UNITS.iter().position(|(theirs, _)| *theirs == base)?;
        Some(Self { rank, unit: UNITS[rank].1, tier, above })
    }
}

/// Prices by ranges of the prompt, which some entries have in place of names with a limit.
fn steps_of_ranges(entry: &Object<'_>, found: &mut Vec<(Named, Rate)>) -> Result<(), String> {
    for range in entry.objects("tiered_pricing") {
        let bounds = range.texts("range");
        let Some(start) = bounds.first().and_then(|start| whole(start)) else { continue };
        for (name, digits) in range.numbers() {
            let Some(named) = Named::read(name).filter(|named| named.above.is_none()) else { continue };
            let above = (start > 0).then_some(start);
            let rate = Rate::of_float(digits, 1).map_err(|error| format!("tiered_pricing {name} {error}"))?;
            found.push((Named { above, ..named }, rate));
        }
    }
    Ok(())
}

/// The prices of quieter hours, once for each part of a day.
pub(super) fn off_peak(entry: &Object<'_>, usual: &Prices) -> Result<Vec<Timed>, String> {
    let Some(quiet) = entry.object("off_peak_pricing") else { return Ok(Vec::new()) };
    let mut usd = usual.clone();
    for (name, digits) in quiet.numbers() {
        let Some(named) = Named::read(name).filter(|named| named.above.is_none() && named.tier.is_empty()) else { continue };
        let rate = Rate::of_float(digits, 1).map_err(|error| format!("off_peak_pricing {name} {error}"))?;
        usd.retain(|(unit, _)| unit != named.unit);
        usd.push((named.unit.into(), Price::flat(rate)));
    }
    let ahead_seconds = ahead(&quiet)?;
    let mut found = Vec::new();
    let windows = quiet.objects("windows");
    for window in windows.iter().chain(std::iter::once(&quiet)) {
        let days = days(window)?.map(|days| days.ahead(ahead_seconds));
        for text in window.texts("hours_utc") {
            let hours = Hours::parse(&text).ok_or_else(|| format!("off_peak_pricing has hours that are none: {text}"))?;
            let validity = Validity { hours: Some(hours), days, ..Validity::default() };
            found.push(Timed { validity, usd: usd.clone() });
        }
    }
    Ok(found)
}

/// How far the zone in which days are counted is ahead of UTC.
fn ahead(quiet: &Object<'_>) -> Result<i32, String> {
    let Some(name) = quiet.text("weekday_timezone") else { return Ok(0) };
    let zone = TimeZone::get(&name).map_err(|_| format!("off_peak_pricing has an unknown zone: {name}"))?;
    // The zones of providers that have such prices know no summer time.
    let offset = zone.to_fixed_offset().unwrap_or_else(|_| zone.to_offset(Timestamp::UNIX_EPOCH));
    Ok(offset.seconds())
}

/// The days of a window; 1 is Monday.
fn days(window: &Object<'_>) -> Result<Option<Days>, String> {
    let numbers = window.texts("weekdays");
    if numbers.is_empty() {
        return Ok(None);
    }
    numbers
        .iter()
        .try_fold(Days::NONE, |days, number| {
            let day = number.parse().ok().and_then(|number| Weekday::from_monday_one_offset(number).ok());
            day.map(|day| days.with(day)).ok_or_else(|| format!("off_peak_pricing has a day that is none: {number}"))
        })
        .map(Some)
}
