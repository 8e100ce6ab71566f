//! What somebody sets a budget's limit to, in place of that of the settings.

use super::amount::parse_estimate;
use super::check::Check;
use super::limits::EXPIRES_IN_SECONDS;
use super::names::Names;
use super::raw::{Field, RawLimitOrder, Shape};
use super::reason::{Invalid, REASONS_MAX};
use crate::domain::{UsageCount, Usd};

/// What a limit is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitWish {
    /// So much money, zero or more.
    Usd(Usd),
    /// So much usage, ordered by kind, each kind once, at least one.
    Usage(Vec<UsageCount>),
    /// What the settings say.
    Configured,
}

/// Somebody's word about a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRequest {
    /// What it is to be.
    pub wish: LimitWish,
    /// Why; 1 to 500 bytes.
    pub reason: String,
    /// Who says so; at most 200 bytes, empty when not said.
    pub actor: String,
    /// When the word lapses, in seconds from now; `None`: not by itself. Never with [`LimitWish::Configured`], which has no end.
    pub expires_in_seconds: Option<u32>,
}

/// Validates somebody's word about a limit.
///
/// # Errors
/// The broken rules.
pub fn validate_limit_order(raw: &RawLimitOrder<'_>) -> Result<LimitRequest, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    check.unknown(&raw.unknown, "a limit", &RawLimitOrder::FIELDS);
    let made = request(raw, &mut check);
    check.finish(made, &Field::Absent)
}

fn request(raw: &RawLimitOrder<'_>, check: &mut Check) -> Option<LimitRequest> {
    let wish = wish(raw, check);
    let reason = check.required("reason", &raw.reason, "a string").map(|text| check.reason(text));
    let actor = check.optional_text("actor", &raw.actor);
    let expires_in_seconds = check
        .optional("expires_in_seconds", &raw.expires_in_seconds, "a number")
        .and_then(|digits| check.integer("expires_in_seconds", digits, EXPIRES_IN_SECONDS));
    if wish == Some(LimitWish::Configured) && raw.expires_in_seconds.is_present() {
        // Left unsaid, somebody would wait for the override to come back.
        check.refuse("expires_in_seconds", || "cannot be combined with null, which has no end".to_owned());
    }
    Some(LimitRequest { wish: wish?, reason: reason?.into(), actor: actor.unwrap_or_default().into(), expires_in_seconds })
}

/// One of the two members, of which either may be null.
fn wish(raw: &RawLimitOrder<'_>, check: &mut Check) -> Option<LimitWish> {
    match (&raw.limit_usd, &raw.limit_usage) {
        (Field::Absent, Field::Absent) => {
            check.refuse("limit_usd", || "or limit_usage is required; null lifts what was set".to_owned());
            None
        }
        (Field::Misshapen(Shape::Null), Field::Absent) | (Field::Absent, Field::Misshapen(Shape::Null)) => {
            Some(LimitWish::Configured)
        }
        (limit_usd, Field::Absent) => {
            let digits = check.required("limit_usd", limit_usd, "a number, a numeric string or null")?;
            let amount = parse_estimate(digits);
            amount.map(LimitWish::Usd).map_err(|message| check.refuse("limit_usd", || message)).ok()
        }
        (Field::Absent, limit_usage) => {
            let counts = check.counts("limit_usage", limit_usage, &mut Names::default());
            if counts.is_empty() && matches!(limit_usage, Field::Given(counts) if counts.is_empty()) {
                check.refuse("limit_usage", || "must not be empty".to_owned());
            }
            Some(LimitWish::Usage(counts))
        }
        _ => {
            check.refuse("limit_usage", || "cannot be combined with limit_usd".to_owned());
            None
        }
    }
}
