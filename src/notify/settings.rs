//! Who is told, and how.

use std::fmt;

use reqwest::Url;
use ring::digest::{SHA256, digest};
use strum::{EnumString, IntoStaticStr};

use crate::domain::Subscription;

/// Bytes of a hash that name a receiver: enough that no two are alike.
const RECEIVER_BYTES: usize = 16;

/// One receiver of messages.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where messages are posted: http or https. Its path may be a secret; only its host is ever shown.
    pub url: Url,
    /// How they are written.
    pub format: WebhookFormat,
    /// The key they are signed with; without one they are not signed.
    pub secret: Option<WebhookSecret>,
    /// What it is told.
    pub subscription: Subscription,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum WebhookFormat {
    /// `{"type", "timestamp", "data"}`.
    #[default]
    Json,
    /// `{"text"}`, which Slack's incoming webhooks, and those of its likes, take.
    Slack,
}

/// The key of the signature (Standard Webhooks: 24 to 64 bytes).
#[derive(Clone)]
pub struct WebhookSecret(pub Vec<u8>);

impl Webhook {
    /// The receiver's name in the ledger: a hash of where and how it is told, since the URL may be a secret.
    pub fn receiver(&self) -> String {
        let hash = digest(&SHA256, format!("{} {}", self.format.as_str(), self.url).as_bytes());
        hash.as_ref().iter().take(RECEIVER_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What may be shown of where messages go.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

impl WebhookFormat {
    /// The word in the settings.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret")
    }
}
