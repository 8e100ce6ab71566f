//! From what is said about the fleet to its settings, and to the budgets that it shares.

use super::super::budgets::resolve::Budgets;
use super::super::layers::Layers;
use super::super::page;
use crate::budget::{Budget, BudgetScope, Limit};
use crate::fleet::{DatabaseUrl, LEASE_TTL_MIN, Settings};

/// Largest file of the database's URL.
pub const URL_FILE_BYTES_MAX: u64 = 4_096;

/// The fleet, if there is one. Budgets are marked as shared; what is wrong is noted.
pub(in crate::config) fn resolve(layers: &mut Layers, budgets: &mut Budgets, agent: Option<&str>) -> Option<Settings> {
    let url = find_url(layers);
    let is_set = layers.text_of("fleet_url").is_some() || layers.draft.fleet.url_file.is_some();
    share(layers, budgets);
    let shared = budgets.list.iter().find(|(budget, _)| budget.scope == BudgetScope::Fleet);
    // A URL that is wrong is noted already.
    let is_wrong = layers.problems.iter().any(|problem| matches!(problem.setting, Some("fleet_url" | "fleet_url_file")));
    if let (Some((budget, _)), false, false) = (shared, is_set, is_wrong) {
        layers.wrong("fleet_url", format!("is not set, but budget {:?} is shared by a fleet", budget.name));
    }
    let lease_ttl = layers.draft.fleet.lease_ttl;
    if lease_ttl.is_some_and(|ttl| ttl < LEASE_TTL_MIN) {
        layers.wrong("fleet_lease_ttl", format!("is below {} seconds", LEASE_TTL_MIN.as_secs()));
    }
    if !is_set && layers.text_of("fleet_lease_ttl").is_some() {
        layers.warnings.push("fleet_lease_ttl has no effect without fleet_url".into());
    }
    let agent = agent.unwrap_or(env!("CARGO_PKG_NAME")).to_owned();
    Some(Settings { url: url?, lease_ttl, agent, version: env!("CARGO_PKG_VERSION") })
}

/// The URL of the fleet's database, of whichever setting has it.
pub(in crate::config) fn find_url(layers: &mut Layers) -> Option<DatabaseUrl> {
    let Some(path) = layers.draft.fleet.url_file.clone() else { return layers.draft.fleet.url.clone() };
    if layers.text_of("fleet_url").is_some() {
        layers.wrong("fleet_url_file", "and fleet_url are both set; set one of them".into());
        return None;
    }
    layers.warnings.extend(page::exposure("fleet_url_file", &path));
    let text = page::read_bounded(&path, URL_FILE_BYTES_MAX);
    let url = match &text {
        Ok(text) => DatabaseUrl::parse(text.trim()).map_err(|wrong| format!("{} has a URL that {wrong}", path.display())),
        Err(reason) => Err(format!("{} cannot be read: {reason}", path.display())),
    };
    url.map_err(|detail| layers.wrong("fleet_url_file", detail)).ok()
}

/// Marks the budgets that the setting names.
fn share(layers: &mut Layers, budgets: &mut Budgets) {
    for name in std::mem::take(&mut layers.draft.fleet.budgets) {
        let found = budgets.list.iter_mut().find(|(budget, _)| budget.name == name);
        let wrong = match found {
            None => Some(format!("names {name:?}, and there is no such budget")),
            Some((Budget { each: Some(_), .. }, _)) => {
                Some(format!("names {name:?}, which has a limit for each value of something"))
            }
            Some((Budget { limit: Limit::Usage(_), .. }, _)) => Some(format!("names {name:?}, whose limit is not in USD")),
            Some((budget, _)) => {
                budget.scope = BudgetScope::Fleet;
                None
            }
        };
        if let Some(detail) = wrong {
            layers.wrong("fleet_budgets", detail);
        }
    }
}
