//! Operations that are never refused: to be able to look, pay and stop matters more than to save.

use crate::domain::{Name, matches};

/// Patterns of critical operations (`CRITICAL_OPERATIONS`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalOperations(Vec<Pattern>);

/// One pattern. `*` stands for any text, also none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// `None`: of any service.
    service: Option<Box<str>>,
    operation: Box<str>,
}

impl CriticalOperations {
    /// Takes patterns, each `operation` or `service:operation` (divided at the first colon).
    pub fn new(patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self(patterns.into_iter().map(|pattern| Pattern::of(pattern.as_ref())).collect())
    }

    /// Whether an operation is critical.
    pub fn contains(&self, service: &Name, operation: &Name) -> bool {
        self.0.iter().any(|pattern| {
            matches(&pattern.operation, operation.as_str())
                && pattern.service.as_ref().is_none_or(|pattern| matches(pattern, service.as_str()))
        })
    }
}

impl Pattern {
    fn of(text: &str) -> Self {
        match text.split_once(':') {
            Some((service, operation)) => Self { service: Some(service.into()), operation: operation.into() },
            None => Self { service: None, operation: text.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let critical = CriticalOperations::new(["health_check", "admin_*", "billing:*", "mail:send*now"]);
        for (service, operation, expected) in [
            ("any", "health_check", true),
            ("any", "health_check2", false),
            ("any", "Health_check", false),
            ("any", "admin_", true),
            ("any", "admin_reset", true),
            ("any", "xadmin_reset", false),
            ("billing", "anything at all", true),
            ("billing2", "anything", false),
            ("mail", "send it now", true),
            ("mail", "sendnow", true),
            ("mail", "send now!", false),
            ("other", "send it now", false),
        ] {
            let found = critical.contains(&Name::new(service).unwrap(), &Name::new(operation).unwrap());
            assert_eq!(found, expected, "{service}:{operation}");
        }
    }
}
