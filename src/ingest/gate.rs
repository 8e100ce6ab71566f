//! What an operator tells the scaling gate.

use std::str::FromStr;

use super::check::Check;
use super::limits::EXPIRES_IN_SECONDS;
use super::raw::{Field, RawGateOrder};
use super::reason::{Invalid, REASONS_MAX};

/// What the gate is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateWish {
    /// Active, or not, whatever the budgets say.
    Manual {
        /// `true`: stop work that is not critical.
        active: bool,
    },
    /// What the budgets say.
    Auto,
}

/// An operator's word about the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRequest {
    /// What it is to be.
    pub wish: GateWish,
    /// Why; 1 to 500 bytes.
    pub reason: String,
    /// Who says so; at most 200 bytes, empty when not said.
    pub actor: String,
    /// When the word lapses, in seconds from now; `None`: not by itself. Never with [`GateWish::Auto`], which has no end.
    pub expires_in_seconds: Option<u32>,
}

/// Validates an operator's word.
///
/// # Errors
/// The broken rules.
pub fn validate_gate_order(raw: &RawGateOrder<'_>) -> Result<GateRequest, Invalid> {
    let mut check = Check::new(REASONS_MAX);
    check.unknown(&raw.unknown, "the gate's state", &RawGateOrder::FIELDS);
    let made = request(raw, &mut check);
    check.finish(made, &Field::Absent)
}

fn request(raw: &RawGateOrder<'_>, check: &mut Check) -> Option<GateRequest> {
    let wish = check
        .required("state", &raw.state, "a string")
        .and_then(|text| check.one_of("state", text, "\"active\", \"inactive\" or \"auto\""));
    let reason = check.required("reason", &raw.reason, "a string").map(|text| check.reason(text));
    let actor = check.optional_text("actor", &raw.actor);
    let expires_in_seconds = check
        .optional("expires_in_seconds", &raw.expires_in_seconds, "a number")
        .and_then(|digits| check.integer("expires_in_seconds", digits, EXPIRES_IN_SECONDS));
    if wish == Some(GateWish::Auto) && raw.expires_in_seconds.is_present() {
        // Left unsaid, somebody would wait for an override to come back.
        check.refuse("expires_in_seconds", || "cannot be combined with the state \"auto\"".to_owned());
    }
    Some(GateRequest { wish: wish?, reason: reason?.into(), actor: actor.unwrap_or_default().into(), expires_in_seconds })
}

impl FromStr for GateWish {
    type Err = strum::ParseError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "active" => Ok(Self::Manual { active: true }),
            "inactive" => Ok(Self::Manual { active: false }),
            "auto" => Ok(Self::Auto),
            _ => Err(strum::ParseError::VariantNotFound),
        }
    }
}
