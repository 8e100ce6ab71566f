//! Messages as Slack's incoming webhooks take them: one line of text.

use crate::budget::BudgetState;
use crate::domain::Usd;
use crate::wire::{BudgetItem, Message, MessageData, Origin};

/// The body for Slack, made from a message's type and its own body.
pub(super) fn body(kind: &str, body: &str) -> String {
    // A message that another version of this program left in the outbox may not be understood; its type is better than nothing.
    let text = serde_json::from_str(body).map_or_else(|_| kind.to_owned(), |message| text(&message));
    serde_json::json!({ "text": escape(&text) }).to_string()
}

fn text(message: &Message) -> String {
    let what = match &message.data {
        MessageData::Budget(item) => budget(item),
        MessageData::Gate(status) => {
            let state = if status.scaling_gate_active { "active" } else { "inactive" };
            format!("Scaling gate is {state}: {}", status.reason)
        }
    };
    let Origin { agent, environment } = &message.origin;
    // A message of an older agent does not say who tells it.
    if agent.is_empty() { what } else { format!("{what} (agent {agent}, {environment})") }
}

fn budget(item: &BudgetItem) -> String {
    let service = item.service.as_ref().map(|service| format!(" for {service}")).unwrap_or_default();
    let state = match (item.threshold, item.state.known()) {
        // It may be past that by now, and past the next one.
        (Some(share), _) => format!("at its alert threshold of {}%", Usd::from_pico(share.pico().saturating_mul(100))),
        (None, Some(BudgetState::Warning)) => "at its alert threshold".into(),
        (None, _) => item.state.as_str().to_owned(),
    };
    let key = item.key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
    let period = item.period_end.map(|end| format!(" in the period ending {end}")).unwrap_or_default();
    // Rounded down: what is not all used must not read as 100.
    let percent = (item.utilization_percent * 10.0).floor() / 10.0;
    let spent = item.spent().unwrap_or_default();
    format!("Budget {}{key}{service} is {state}: {percent}% used, {spent} of {} spent{period}", item.name, item.limit())
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
        let item = |state: &str, service: &str| {
            format!(
                r#"{{"type":"budget.{state}","timestamp":"2026-11-22T10:00:00Z","data":{{"name":"daily","service":{service},
                "period":"daily","limit_usd":50,"spent_usd":49.999999999999,"reserved_usd":0,"remaining_usd":0.000000000001,
                "utilization_percent":99.999999999998,"period_start":"2026-11-22T00:00:00Z","period_end":"2026-11-23T00:00:00Z",
                "state":"{state}","forecast_usd":120,"exhausted_at":null,"owner":"of a newer agent"}}}}"#
            )
        };
        assert_eq!(
            text_of("budget.critical", &item("critical", "null")),
            "Budget daily is critical: 99.9% used, 49.999999999999 of 50 USD spent in the period ending 2026-11-23T00:00:00Z"
        );
        assert!(
            text_of("budget.warning", &item("warning", r#""openai""#))
                .starts_with("Budget daily for openai is at its alert threshold: ")
        );
    }

    /// Guards against: three messages at once that read the same, because the spending passed three thresholds in one step.
    #[test]
    fn a_threshold_is_named_whatever_the_state_is_by_now() {
        let message = r#"{"type":"budget.warning","timestamp":"2026-11-22T10:00:00Z","data":{"name":"per-lead","service":null,
            "period":"total","limit_usd":5,"spent_usd":6,"reserved_usd":0,"remaining_usd":-1,"utilization_percent":120.0,
            "state":"exhausted","period_start":null,"period_end":null,"forecast_usd":null,"exhausted_at":null,
            "each":"lead","key":"acme","threshold":0.825}}"#;
        assert_eq!(
            text_of("budget.warning", message),
            "Budget per-lead (acme) is at its alert threshold of 82.5%: 120% used, 6 of 5 USD spent"
        );
    }

    #[test]
    fn who_tells_it_comes_last() {
        let message = r#"{"type":"gate.inactive","timestamp":"2026-11-22T10:00:00Z","agent":"factory-7","environment":"staging",
            "data":{"scaling_gate_active":false,"reason":"Below threshold","timestamp":"2026-11-22T10:00:00Z","mode":"auto"}}"#;
        let expected = "Scaling gate is inactive: Below threshold (agent factory-7, staging)";
        assert_eq!(text_of("gate.inactive", message), expected);
    }

    #[test]
    fn the_gate_says_why_and_nothing_becomes_a_mark_of_slacks() {
        let message = r#"{"type":"gate.active","timestamp":"2026-11-22T10:00:00Z","data":{"scaling_gate_active":true,
            "reason":"<!channel> a & b\nsecond > first","timestamp":"2026-11-22T10:00:00Z","mode":"manual"}}"#;
        assert_eq!(text_of("gate.active", message), "Scaling gate is active: &lt;!channel&gt; a &amp; b second &gt; first");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_type() {
        assert_eq!(text_of("budget.warning", "{}"), "budget.warning");
        assert_eq!(text_of("other", "{}"), "other");
    }
}
