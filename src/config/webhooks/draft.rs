//! A receiver as somebody wrote it.

use std::path::PathBuf;

use reqwest::Url;

use crate::domain::Subscription;
use crate::notify::WebhookFormat;

/// A receiver whose secret is still in its file.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct WebhookDraft {
    pub url: Option<Url>,
    pub format: WebhookFormat,
    pub secret_file: Option<PathBuf>,
    pub subscription: Subscription,
}
