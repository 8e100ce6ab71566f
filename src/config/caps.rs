//! Limits of single services that need no table: `<service>_daily_cap` and `<service>_monthly_cap`, in the file and, in upper
//! case, in the environment.
//!
//! *Invariants.* What ends like a cap is one or is a problem: a brake that silently is not there is worse than a refusal to start.
//!
//! *Deliberately not here.* Flags: the names are the operator's own, and the command line knows only names of its own.

use super::problem::{Origin, Problem, quoted};
use super::value;
use crate::domain::{Name, PeriodKind, Usd};

/// One such limit.
#[derive(Clone, Debug)]
pub(super) struct Cap {
    pub service: Name,
    pub period: PeriodKind,
    /// `None`: there shall be none.
    pub limit: Option<Usd>,
    pub origin: Origin,
}

/// Whether a key, in lower case, is one of a cap.
pub(super) fn is_cap(key: &str) -> bool {
    divided(key).is_some()
}

/// The service's part of a key, and the period.
fn divided(key: &str) -> Option<(&str, PeriodKind)> {
    let daily = key.strip_suffix("_daily_cap").map(|service| (service, PeriodKind::Daily));
    daily.or_else(|| key.strip_suffix("_monthly_cap").map(|service| (service, PeriodKind::Monthly)))
}

impl Cap {
    /// Reads a key, in lower case, that [`is_cap`], and its text or what is wrong with it.
    pub fn read(key: &str, text: Result<String, String>, origin: Origin) -> Result<Self, Problem> {
        match text.and_then(|text| Self::parse(key, text.trim())) {
            Ok((service, period, limit)) => Ok(Self { service, period, limit, origin }),
            Err(wrong) => {
                // The environment's name says already which cap it is.
                let detail = if matches!(origin, Origin::File { .. }) { format!("{key} {wrong}") } else { wrong };
                Err(Problem { setting: None, origin, detail })
            }
        }
    }

    fn parse(key: &str, text: &str) -> Result<(Name, PeriodKind, Option<Usd>), String> {
        let (service, period) = divided(key).unwrap_or((key, PeriodKind::Daily));
        if service.is_empty() {
            return Err("has no service in its name; write it as in OPENAI_DAILY_CAP".into());
        }
        let name = Name::new(service).map_err(|wrong| format!("has a service in its name that {wrong}"))?;
        // The budget is a label of metrics as the service is.
        value::label(&budget_name(&name, period)).map_err(|wrong| format!("makes the name of a budget that {wrong}"))?;
        let limit = value::limit(text).map_err(|wrong| format!("{} {wrong}; allowed: {}", quoted(text), value::LIMIT))?;
        Ok((name, period, limit))
    }

    /// The name of its budget, such as `openai-daily`.
    pub fn budget_name(&self) -> String {
        budget_name(&self.service, self.period)
    }
}

fn budget_name(service: &Name, period: PeriodKind) -> String {
    format!("{service}-{}", period.as_str())
}
