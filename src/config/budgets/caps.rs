//! Limits of single services that need no table: `<service>_daily_cap` and `<service>_monthly_cap`, in the file and, in upper
//! case, in the environment.
//!
//! *Invariants.* What ends like a cap is one or is a problem: a brake that silently is not there is worse than a refusal to start.
//!
//! *Deliberately not here.* Flags: the names are the operator's own, and the command line knows only names of its own.

use super::super::kinds::{parse_label, parse_limit};
use super::super::problem::{Origin, Placed, Problem};
use super::draft::BudgetDraft;
use crate::domain::{Name, PeriodKind};

/// Whether a key, in lower case, is one of a cap.
pub(in crate::config) fn is_cap(key: &str) -> bool {
    divided(key).is_some()
}

/// The service's part of a key, and the period.
fn divided(key: &str) -> Option<(&str, PeriodKind)> {
    let daily = key.strip_suffix("_daily_cap").map(|service| (service, PeriodKind::Daily));
    daily.or_else(|| key.strip_suffix("_monthly_cap").map(|service| (service, PeriodKind::Monthly)))
}

/// Reads a key, in lower case, that [`is_cap`], and its text or what is wrong with it.
pub(in crate::config) fn read(
    key: &str,
    text: Result<String, String>,
    origin: Origin,
) -> Result<Placed<BudgetDraft>, Problem> {
    match text.and_then(|text| parse(key, text.trim())) {
        Ok(value) => Ok(Placed { value, origin }),
        Err(wrong) => {
            // The environment's name says already which cap it is.
            let detail = if matches!(origin, Origin::File { .. }) { format!("{key} {wrong}") } else { wrong };
            Err(Problem { setting: None, origin, detail })
        }
    }
}

fn parse(key: &str, text: &str) -> Result<BudgetDraft, String> {
    let (service, period) = divided(key).unwrap_or((key, PeriodKind::Daily));
    if service.is_empty() {
        return Err("has no service in its name; write it as in OPENAI_DAILY_CAP".into());
    }
    let service = Name::new(service).map_err(|wrong| format!("has a service in its name that {wrong}"))?;
    let cap = BudgetDraft::of_service(service, period, parse_limit(text)?);
    // The budget is a label of metrics as the service is.
    parse_label(&cap.budget.name).map_err(|wrong| format!("makes the name of a budget that {wrong}"))?;
    Ok(cap)
}
