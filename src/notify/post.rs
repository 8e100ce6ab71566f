//! One attempt: a message as a request, and what the answer means.
//!
//! *Invariants.* Redirects are not followed; of an answer only status and headers are read. No text here holds a URL. Proxies are
//! those of the environment, as for every client that an operator knows.
//!
//! *Limits.* [`CONNECT_MAX`], [`ATTEMPT_MAX`].

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};

use super::schedule::retry_after;
use super::{Webhook, WebhookFormat, signature, slack};
use crate::error_chain::ErrorChain;
use crate::ledger::StoredMessage;

/// How long a connection may take to come about, TLS included.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long a whole attempt may take. Standard Webhooks recommends 15 to 30 s; receivers are told to queue and answer at once.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(15);
/// Who we say we are.
const AGENT: &str = concat!("lead-factory-metrics/", env!("CARGO_PKG_VERSION"));

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The receiver has it.
    Delivered,
    /// The receiver wants no more of it.
    Gone,
    /// It may go better next time.
    Failed {
        /// Why, for the log.
        why: String,
        /// The pause that the receiver asked for.
        asked: Option<Duration>,
    },
}

/// Posts to one receiver.
#[derive(Debug)]
pub(super) struct Poster {
    webhook: Webhook,
    attempt_max: Duration,
    client: Option<Client>,
}

impl Poster {
    pub fn new(webhook: Webhook, attempt_max: Duration) -> Self {
        Self { webhook, attempt_max, client: None }
    }

    /// Tries once. It blocks for up to its time.
    pub fn post(&mut self, message: &StoredMessage, now: Timestamp) -> Attempt {
        match self.send(message, now) {
            Ok(answer) => judge(answer.status(), answer.headers(), now),
            Err(error) => Attempt::Failed { why: ErrorChain(&error.without_url()).to_string(), asked: None },
        }
    }

    fn send(&mut self, message: &StoredMessage, now: Timestamp) -> reqwest::Result<Response> {
        let body = match self.webhook.format {
            WebhookFormat::Json => Cow::Borrowed(message.body.as_str()),
            WebhookFormat::Slack => slack::body(&message.kind, &message.body).into(),
        };
        let timestamp = now.as_second();
        let mut request = self
            .client()?
            .post(self.webhook.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp);
        if let Some(secret) = &self.webhook.secret {
            request = request.header("webhook-signature", signature::sign(secret, &message.id, timestamp, &body));
        }
        request.body(body.into_owned()).send()
    }

    /// The client, which needs the system's certificates and so may be had only later.
    fn client(&mut self) -> reqwest::Result<Client> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX.min(self.attempt_max))
            .timeout(self.attempt_max)
            // Messages are rare: a kept connection would be found closed by the next one, which would cost it an attempt.
            .pool_max_idle_per_host(0)
            .build()?;
        self.client = Some(client.clone());
        Ok(client)
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Attempt {
    if status.is_success() {
        return Attempt::Delivered;
    }
    if status == StatusCode::GONE {
        return Attempt::Gone;
    }
    let asked = headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    Attempt::Failed { why: format!("the answer was {status}"), asked }
}
