//! `GET /health`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Whether cost can be recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// `healthy` or `unhealthy`.
    pub status: Cow<'static, str>,
}

impl HealthAnswer {
    /// Healthy, but for a reason.
    pub fn of(reason: Option<&'static str>) -> Self {
        let status = if reason.is_none() { "healthy" } else { "unhealthy" };
        Self { reason: reason.map(Cow::Borrowed), status: status.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_given_where_there_is_one() {
        let json = |reason| serde_json::to_string(&HealthAnswer::of(reason)).unwrap();
        assert_eq!(json(None), r#"{"status":"healthy"}"#);
        assert_eq!(json(Some("disk full")), r#"{"reason":"disk full","status":"unhealthy"}"#);
    }
}
