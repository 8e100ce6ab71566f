//! Receivers of messages: the settings `webhook_*` and the `[[webhook]]` tables of the file, as one list.
//!
//! *Invariants.* No message repeats a secret, or more of a URL than its scheme, host and port: the path of a webhook often is its
//! password.
//!
//! *Limits.* [`WEBHOOKS_MAX`], [`SECRET_FILE_BYTES_MAX`].

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::Url;

use super::file::{exposure, read_bounded};
use super::problem::{Origin, Problem};
use super::section::{Array, Field, Section};
use super::table::{Shape, put};
use super::value;
use crate::notify::{WEBHOOKS_MAX, Webhook, WebhookFormat, WebhookSecret};

/// Largest file of a secret: the longest secret in base64, with room for blanks around it.
pub const SECRET_FILE_BYTES_MAX: u64 = 1_024;
/// Bytes of a key (Standard Webhooks 1.0.0: 192 to 512 bits).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// One receiver as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct WebhookDraft {
    pub url: Option<Url>,
    pub format: WebhookFormat,
    pub secret_file: Option<PathBuf>,
}

/// `[[webhook]]`.
pub(super) const TABLES: Array<WebhookDraft> = Array { name: "webhook", fields: &FIELDS, tables_max: WEBHOOKS_MAX };

const FIELDS: [Field<WebhookDraft>; 3] = [
    Field {
        key: "url",
        shape: Shape::Secret,
        required: true,
        allowed: value::WEBHOOK_URL,
        set: |table, text| put(&mut table.url, value::webhook_url(text).map(Some)),
    },
    Field {
        key: "format",
        shape: Shape::Text,
        required: false,
        allowed: value::WEBHOOK_FORMAT,
        set: |table, text| put(&mut table.format, value::webhook_format(text)),
    },
    Field {
        key: "secret_file",
        shape: Shape::Text,
        required: false,
        allowed: "a path",
        set: |table, text| put(&mut table.secret_file, value::path(text).map(Some)),
    },
];

/// What the layers say about webhooks.
pub(super) struct Written {
    /// The one of the settings, if there is a URL.
    pub single: Option<Section<WebhookDraft>>,
    /// Where the settings name its secret.
    pub single_secret: Origin,
    pub tables: Vec<Section<WebhookDraft>>,
}

/// The receivers, each with where it was written: the one of the settings first, the others as the file has them.
#[derive(Default)]
pub(super) struct Webhooks {
    pub list: Vec<(Webhook, Origin)>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

/// Puts all that was written into one list, and reads the secrets.
pub(super) fn resolve(written: Written) -> Webhooks {
    let Written { single, single_secret, tables } = written;
    let mut found = Webhooks::default();
    if let Some(section) = single {
        found.add(section, "webhook_secret_file", "", single_secret);
    }
    for section in tables {
        let place = section.origin.clone();
        found.add(section, "webhook", "secret_file ", place);
    }
    if let Some((_, origin)) = found.list.get(WEBHOOKS_MAX) {
        let detail = format!("is one webhook too many: there are {}, more than {WEBHOOKS_MAX}", found.list.len());
        found.problems.push(Problem { setting: None, origin: origin.clone(), detail });
    }
    found
}

impl Webhooks {
    fn add(&mut self, section: Section<WebhookDraft>, setting: &'static str, key: &str, secret_origin: Origin) {
        let Section { draft: WebhookDraft { url, format, secret_file }, origin } = section;
        let secret = secret_file.and_then(|path| match secret(&path) {
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
            self.warnings
                .push(format!("{origin}: a webhook with URL and format of {first} is the same receiver, told once"));
        } else if let Some((_, first)) = same_url().next() {
            self.warnings.push(format!("{origin}: a webhook with the URL of {first} gets every message twice"));
        }
        self.list.push((Webhook { url, format, secret }, origin));
    }
}

/// Reads the one secret of a file. An error completes a sentence that begins with the path.
fn secret(path: &Path) -> Result<WebhookSecret, String> {
    let text = read_bounded(path, SECRET_FILE_BYTES_MAX).map_err(|reason| format!("cannot be read: {reason}"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err("holds no secret".into());
    }
    if text.chars().any(char::is_control) {
        return Err("holds more than one line, or a control character".into());
    }
    if text.starts_with("whsk_") || text.starts_with("whpk_") {
        return Err("holds an asymmetric key; messages are signed with a secret that begins with whsec_".into());
    }
    let bytes = match text.strip_prefix("whsec_") {
        Some(digits) => base64().decode(digits).map_err(|_| "holds a secret that is not base64 after its whsec_")?,
        None => text.as_bytes().to_vec(),
    };
    if !SECRET_BYTES.contains(&bytes.len()) {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        return Err(format!("holds a secret of {} bytes, not {least} to {most}", bytes.len()));
    }
    Ok(WebhookSecret(bytes))
}

/// Secrets are copied by hand; whether they end in `=` says nothing.
const fn base64() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config)
}
