//! The list of the fleet's settings.

use super::super::draft::Setting;
use super::super::kind::{Kind, Shape};
use super::super::kinds::{duration_or_none, names, path};
use crate::fleet::DatabaseUrl;

/// All of them.
pub(in crate::config) fn all() -> Vec<Setting> {
    vec![
        Setting::new(
            "fleet_url",
            "PostgreSQL database that agents share budgets and totals through; better given in a file",
            url(),
            |to| &mut to.fleet.url,
        ),
        Setting::new("fleet_url_file", "File of fleet_url, in place of it", path().optional(), |to| &mut to.fleet.url_file),
        Setting::new("fleet_budgets", "Budgets that the fleet shares, besides those whose tables say so", names(), |to| {
            &mut to.fleet.budgets
        })
        .reloaded(),
        Setting::new(
            "fleet_lease_ttl",
            "After so long without the database an agent grants nothing of what it has; none: it goes on",
            duration_or_none(),
            |to| &mut to.fleet.lease_ttl,
        )
        .allowing("6s to 24h, or none"),
    ]
}

fn url() -> Kind<Option<DatabaseUrl>> {
    let allowed = "a URL such as postgres://user:password@host:5432/database?sslmode=require";
    let parse = |text: &str| DatabaseUrl::parse(text.trim()).map_err(|wrong| wrong.to_string());
    Kind::new(Shape::Secret, "URL", allowed, parse).optional()
}
