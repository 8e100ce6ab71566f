//! Messages as Slack's incoming webhooks take them: one line of text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// What the line says of a budget. Amounts are taken as they stand, never through a float.
#[derive(Deserialize)]
struct Budget {
    name: String,
    service: Option<String>,
    limit_usd: Box<RawValue>,
    spent_usd: Box<RawValue>,
    utilization_percent: f64,
    period_end: String,
}

/// What the line says of the gate.
#[derive(Deserialize)]
struct Gate {
    reason: String,
}

#[derive(Deserialize)]
struct Body<Data> {
    data: Data,
}

/// The body for Slack, made from a message's type and its own body.
pub(super) fn body(kind: &str, body: &str) -> String {
    // A message of a type that is not known here, or of another shape, is still better than none.
    let text = text(kind, body).unwrap_or_else(|| kind.to_owned());
    serde_json::json!({ "text": escape(&text) }).to_string()
}

fn text(kind: &str, body: &str) -> Option<String> {
    match kind.split_once('.')? {
        ("budget", state) => {
            let budget: Budget = data(body)?;
            let service = budget.service.map(|service| format!(" of {service}")).unwrap_or_default();
            Some(format!(
                "Budget {}{service} is {}: {}% used, {} of {} USD spent in the period that ends {}",
                budget.name,
                phrase(state),
                // Rounded down: what is not all used must not read as 100.
                (budget.utilization_percent * 10.0).floor() / 10.0,
                budget.spent_usd,
                budget.limit_usd,
                budget.period_end
            ))
        }
        ("gate", state) => {
            let gate: Gate = data(body)?;
            Some(format!("Scaling gate is {state}: {}", gate.reason))
        }
        _ => None,
    }
}

fn phrase(state: &str) -> Cow<'_, str> {
    match state {
        "warning" => "at its warning threshold".into(),
        other => other.into(),
    }
}

fn data<Data: DeserializeOwned>(body: &str) -> Option<Data> {
    serde_json::from_str::<Body<Data>>(body).ok().map(|body| body.data)
}

/// Slack takes these three for its own marks; a line has no end but one.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn text_of(kind: &str, message: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&body(kind, message)).unwrap();
        body["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_budget_is_one_line_with_its_exact_amounts() {
        let item = |service: &str| {
            format!(
                r#"{{"type":"budget.critical","timestamp":"2026-11-22T10:00:00Z","data":{{"name":"daily","service":{service},
                "period":"daily","limit_usd":50,"spent_usd":49.999999999999,"utilization_percent":99.999999999998,
                "period_end":"2026-11-23T00:00:00Z","state":"critical","exhausted_at":null}}}}"#
            )
        };
        assert_eq!(
            text_of("budget.critical", &item("null")),
            "Budget daily is critical: 99.9% used, 49.999999999999 of 50 USD spent in the period that ends 2026-11-23T00:00:00Z"
        );
        assert!(
            text_of("budget.warning", &item(r#""openai""#))
                .starts_with("Budget daily of openai is at its warning threshold: ")
        );
    }

    #[test]
    fn the_gate_says_why_and_nothing_becomes_a_mark_of_slacks() {
        let message = r#"{"data":{"scaling_gate_active":true,"reason":"<!channel> a & b\nsecond > first","mode":"manual"}}"#;
        assert_eq!(text_of("gate.active", message), "Scaling gate is active: &lt;!channel&gt; a &amp; b second &gt; first");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_type() {
        assert_eq!(text_of("budget.warning", "{}"), "budget.warning");
        assert_eq!(text_of("other", "{}"), "other");
    }
}
