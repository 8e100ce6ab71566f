//! What the agent said when it said no, for a person.

use reqwest::StatusCode;

use super::output::printable;
use crate::wire::{HealthAnswer, ProblemDocument};

/// Lines that are shown of a problem's list.
const ERRORS_SHOWN_MAX: usize = 20;

/// Title, status and detail, and a line for each entry of the list.
pub fn text(status: StatusCode, body: &str) -> String {
    if let Ok(HealthAnswer { reason: Some(reason), .. }) = serde_json::from_str(body) {
        return printable(&format!("{status}: {reason}"));
    }
    let problem: ProblemDocument = serde_json::from_str(body).unwrap_or_default();
    let mut text = match (problem.title.is_empty(), problem.detail.is_empty()) {
        (false, false) => format!("{} ({}): {}", problem.title, status.as_u16(), problem.detail),
        (false, true) => format!("{} ({})", problem.title, status.as_u16()),
        (true, false) => format!("{status}: {}", problem.detail),
        (true, true) => format!("the agent answered {status}"),
    };
    text = printable(&text);
    for item in problem.errors.iter().take(ERRORS_SHOWN_MAX) {
        let field = item.field.as_deref().filter(|field| !item.detail.starts_with(field));
        let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
        text += &format!("\n  {}", printable(&format!("{field}{}", item.detail)));
    }
    if let Some(more) = problem.errors.len().checked_sub(ERRORS_SHOWN_MAX).filter(|more| *more > 0) {
        text += &format!("\n  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_list_and_without_control_characters() {
        let body = r#"{"type":"/problems/invalid-event","title":"Invalid event","status":422,"detail":"1 of 1 events is bad",
            "errors":[{"index":0,"field":"amount_usd","detail":"is \u001b[31m negative"}]}"#;
        assert_eq!(
            text(StatusCode::UNPROCESSABLE_ENTITY, body),
            "Invalid event (422): 1 of 1 events is bad\n  amount_usd: is \u{fffd}[31m negative"
        );
        assert_eq!(
            text(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unhealthy","reason":"disk full"}"#),
            "503 Service Unavailable: disk full"
        );
        assert_eq!(text(StatusCode::BAD_GATEWAY, "<html>"), "the agent answered 502 Bad Gateway");
    }
}
