//! From the receivers as they were written to the list of those that are told.

use super::super::page::exposure;
use super::super::problem::{Origin, Placed, Problem};
use super::draft::WebhookDraft;
use super::secret;
use crate::domain::{Pattern, fold_text};
use crate::notify::{WEBHOOKS_MAX, Webhook};

/// The receivers, each with where it was written: the one of the settings first, the others as the file has them.
#[derive(Default)]
pub(in crate::config) struct Webhooks {
    pub list: Vec<(Webhook, Origin)>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

impl Webhooks {
    /// What is asked about budgets that there are none of.
    pub fn doubts<'n>(&self, budgets: impl Iterator<Item = &'n str> + Clone) -> Vec<String> {
        let is_of_none = |pattern: &&Pattern| !budgets.clone().any(|name| pattern.matches_folded(&fold_text(name)));
        let of = |(webhook, origin): &(Webhook, Origin)| {
            let found: Vec<&Pattern> = webhook.subscription.budgets.iter().filter(is_of_none).collect();
            found
                .into_iter()
                .map(|pattern| format!("{origin}: webhook budgets {:?} matches no budget", pattern.as_str()))
                .collect::<Vec<_>>()
        };
        self.list.iter().flat_map(of).collect()
    }
}

/// Puts all that was written into one list, and reads the secrets: the one of the settings, if there is a URL, with where they
/// name its secret; then the tables.
pub(in crate::config) fn resolve(
    single: Option<(Placed<WebhookDraft>, Origin)>,
    tables: Vec<Placed<WebhookDraft>>,
) -> Webhooks {
    let mut found = Webhooks::default();
    if let Some((webhook, secret_origin)) = single {
        found.add(webhook, "webhook_secret_file", "", secret_origin);
    }
    for webhook in tables {
        let place = webhook.origin.clone();
        found.add(webhook, "webhook", "secret_file ", place);
    }
    if let Some((_, origin)) = found.list.get(WEBHOOKS_MAX) {
        let detail = format!("is one webhook too many: there are {}; the maximum is {WEBHOOKS_MAX}", found.list.len());
        found.problems.push(Problem { setting: None, origin: origin.clone(), detail });
    }
    found
}

impl Webhooks {
    fn add(&mut self, webhook: Placed<WebhookDraft>, setting: &'static str, key: &str, secret_origin: Origin) {
        let Placed { value: WebhookDraft { url, format, secret_file, subscription }, origin } = webhook;
        let secret = secret_file.and_then(|path| match secret::read(&path) {
            Ok(secret) => {
                self.warnings.extend(exposure("the secret of a webhook", &path));
                Some(secret)
            }
            Err(wrong) => {
                let detail = format!("{key}{} {wrong}", path.display());
                self.problems.push(Problem { setting: Some(setting), origin: secret_origin, detail });
                None
            }
        });
        let Some(url) = url else { return };
        let same_url = || self.list.iter().filter(|(webhook, _)| webhook.url == url);
        if let Some((_, first)) = same_url().find(|(webhook, _)| webhook.format == format) {
            self.warnings.push(format!("{origin}: same webhook as {first}; each message is sent once"));
        } else if let Some((_, first)) = same_url().next() {
            self.warnings.push(format!("{origin}: same webhook URL as {first}; each message is sent twice"));
        }
        self.list.push((Webhook { url, format, secret, subscription }, origin));
    }
}
