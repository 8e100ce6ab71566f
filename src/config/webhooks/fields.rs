//! The keys of a `[[webhook]]` table.

use strum::VariantArray;

use super::super::draft::Draft;
use super::super::kind::Parsed;
use super::super::kinds::{path, webhook_format, webhook_url};
use super::super::patterns::patterns;
use super::super::spec::Spec;
use super::super::table::{no_rules, tables};
use super::draft::WebhookDraft;
use crate::domain::Pattern;
use crate::notify::WEBHOOKS_MAX;
use crate::wire::MessageType;

/// One key.
type Field = Spec<WebhookDraft>;

/// The setting of the tables.
pub(in crate::config) fn setting() -> Spec<Draft> {
    tables("webhook", "A further receiver of messages", WEBHOOKS_MAX, all(), no_rules, |to: &mut Draft| &mut to.webhooks)
}

/// All of them, in the order in which they are listed.
fn all() -> Vec<Field> {
    vec![
        Field::new("url", "Where messages are sent", webhook_url(), |to| &mut to.url).required(),
        Field::new("format", "How messages are written", webhook_format(), |to| &mut to.format),
        Field::new("secret_file", "File of the secret that messages are signed with", path().optional(), |to| {
            &mut to.secret_file
        }),
        patterns("webhook", "events", "Types of messages that it is told", is_told, |to: &mut WebhookDraft, found| {
            to.subscription.events = found;
        }),
        patterns(
            "webhook",
            "budgets",
            "Names of budgets that it is told of",
            |_| Ok(()),
            |to: &mut WebhookDraft, found| {
                to.subscription.budgets = found;
            },
        ),
    ]
}

/// Whether there are messages of a type that matches.
fn is_told(pattern: &Pattern) -> Parsed<()> {
    let mut types = MessageType::VARIANTS.iter().map(|kind| kind.as_str());
    if types.any(|kind| pattern.matches_folded(kind)) {
        return Ok(());
    }
    let types: Vec<&str> = MessageType::VARIANTS.iter().map(|kind| kind.as_str()).collect();
    Err(format!("is no type of message; allowed: {}, * for any text", types.join(", ")))
}
