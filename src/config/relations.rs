//! Rules between settings of different stages.

use super::draft::Draft;
use super::problem::{Conflict, Says};

/// Every rule that is broken.
pub(super) fn broken(draft: &Draft) -> Vec<Conflict> {
    let mut broken = Vec::new();
    let mut wrong = |keys, sentence| broken.push(Conflict { keys, says: Says::Of(sentence) });
    let (body, in_flight) = (draft.ingest.body_bytes_max, draft.api.body_bytes_in_flight_max);
    if body > in_flight {
        wrong(
            ["max_body_bytes_in_flight", "max_body_bytes"],
            format!(
                "max_body_bytes_in_flight ({in_flight}) is below max_body_bytes ({body}), so no body of that size could be \
                 accepted"
            ),
        );
    }
    let (services, pairs) = (draft.series.services_max, draft.series.pairs_max);
    if services > pairs {
        wrong(
            ["metric_pairs_max", "metric_services_max"],
            format!("metric_pairs_max ({pairs}) is below metric_services_max ({services}), but each service needs a pair"),
        );
    }
    let days_min = draft.ingest.age_max.as_secs().div_euclid(86_400) + 1;
    if let Some(days) = draft.ledger.retention_days.filter(|days| i64::from(*days) < days_min) {
        wrong(
            ["retention_days", "max_event_age_seconds"],
            format!(
                "retention_days ({days}) is too short for max_event_age_seconds: an id must be remembered as long as its \
                 retry may come, {days_min} days"
            ),
        );
    }
    broken
}
