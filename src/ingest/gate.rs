//! The body that tells the scaling gate what to do.

use std::ops::RangeInclusive;

use super::RequestError;
use super::request::{Kind, read_object};

/// How long an operator's word may hold by itself, in seconds: a year (contract, section 5).
pub const EXPIRES_IN_SECONDS: RangeInclusive<u32> = 1..=31_536_000;

const GATE: Kind = Kind { what: "the gate's state", fields: &["state", "reason", "actor", "expires_in_seconds"] };

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

/// Reads the body of `PUT /scaling-gate`.
///
/// # Errors
/// See [`RequestError`].
pub fn read_gate(body: &[u8]) -> Result<GateRequest, RequestError> {
    read_object(body, &GATE, |members, check| {
        let wish = match members.get("state") {
            Some(value) => check.one_of("state", Some(value), "\"active\", \"inactive\" or \"auto\"", GateWish::from_word),
            None => check.missing("state"),
        };
        let reason = match members.get("reason") {
            Some(value) => check.reason(Some(value)),
            None => check.missing("reason"),
        };
        let actor = check.optional_text("actor", members.get("actor"));
        let expires_in = members.get("expires_in_seconds");
        let expires_in_seconds = check.whole_number("expires_in_seconds", expires_in, EXPIRES_IN_SECONDS);
        if wish == Some(GateWish::Auto) && expires_in.is_some() {
            // Left unsaid, somebody would wait for an override to come back.
            check.refuse("expires_in_seconds", || "does not go with \"auto\", which has no end".to_owned());
        }
        Some(GateRequest {
            wish: wish?,
            reason: reason?.into(),
            actor: actor.unwrap_or_default().into(),
            expires_in_seconds,
        })
    })
}

impl GateWish {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Manual { active: true }),
            "inactive" => Some(Self::Manual { active: false }),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields that are refused, and why.
    #[track_caller]
    fn refused(body: &str) -> Vec<(String, String)> {
        match read_gate(body.as_bytes()) {
            Err(RequestError::Invalid(problems)) => {
                problems.into_iter().map(|each| (each.field.unwrap_or_default(), each.detail)).collect()
            }
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn an_order_is_read_with_all_that_belongs_to_it() {
        let body = r#"{"state":"active","reason":"sale","actor":"ann","expires_in_seconds":31536000}"#;
        let expected = GateRequest {
            wish: GateWish::Manual { active: true },
            reason: "sale".into(),
            actor: "ann".into(),
            expires_in_seconds: Some(31_536_000),
        };
        assert_eq!(read_gate(body.as_bytes()), Ok(expected));
        let least = read_gate(br#"{"state":"auto","reason":"x"}"#).unwrap();
        assert_eq!((least.wish, &*least.actor, least.expires_in_seconds), (GateWish::Auto, "", None));
        let bounds = format!(r#"{{"state":"inactive","reason":"{}","actor":"{}"}}"#, "r".repeat(500), "a".repeat(200));
        assert_eq!(read_gate(bounds.as_bytes()).unwrap().wish, GateWish::Manual { active: false });
    }

    #[test]
    fn an_order_that_breaks_a_rule_is_refused_by_field() {
        for (body, field, detail) in [
            (r#"{"reason":"x"}"#, "state", "state is required"),
            (r#"{"state":"on","reason":"x"}"#, "state", r#"state must be "active", "inactive" or "auto", not "on""#),
            (r#"{"state":null,"reason":"x"}"#, "state", "state is null, which is not a value; leave the field out"),
            (r#"{"state":true,"reason":"x"}"#, "state", "state must be a string, not a boolean"),
            (r#"{"state":"active"}"#, "reason", "reason is required"),
            (r#"{"state":"active","reason":""}"#, "reason", "reason must not be empty"),
            (r#"{"state":"active","reason":"a\nb"}"#, "reason", "reason contains a control character"),
            (
                r#"{"state":"auto","reason":"x","expires_in_seconds":5}"#,
                "expires_in_seconds",
                "expires_in_seconds does not go with \"auto\", which has no end",
            ),
            (
                r#"{"state":"active","reason":"x","expires_in":5}"#,
                "expires_in",
                "\"expires_in\" is not a field of the gate's state; did you mean \"expires_in_seconds\"?",
            ),
        ] {
            assert_eq!(refused(body), [(field.to_owned(), detail.to_owned())], "{body}");
        }
        for seconds in ["0", "-1", "31536001", "1.0", "1e3", "4294967297"] {
            let body = format!(r#"{{"state":"active","reason":"x","expires_in_seconds":{seconds}}}"#);
            let detail = "expires_in_seconds must be a whole number from 1 to 31536000";
            assert_eq!(refused(&body), [("expires_in_seconds".to_owned(), detail.to_owned())], "{seconds}");
        }
        for (field, bytes) in [("reason", 501), ("actor", 201)] {
            let (reason, actor) = if field == "reason" { (bytes, 1) } else { (1, bytes) };
            let body = format!(r#"{{"state":"active","reason":"{}","actor":"{}"}}"#, "r".repeat(reason), "a".repeat(actor));
            assert_eq!(refused(&body)[0].0, field);
        }
    }
}
