//! The keys of a `[[webhook]]` table.

use super::super::kinds::{path, webhook_format, webhook_url};
use super::super::spec::Spec;
use super::draft::WebhookDraft;

/// One key.
pub(in crate::config) type Field = Spec<WebhookDraft>;

/// All of them, in the order in which they are listed.
pub(in crate::config) fn all() -> Vec<Field> {
    vec![
        Field::new("url", "Where messages are sent", webhook_url(), |to| &mut to.url).required(),
        Field::new("format", "How messages are written", webhook_format(), |to| &mut to.format),
        Field::new("secret_file", "File of the secret that messages are signed with", path().optional(), |to| {
            &mut to.secret_file
        }),
    ]
}
