//! The file of a webhook's secret.
//!
//! *Invariants.* No message repeats any part of a secret.

use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::page::read_bounded;
use crate::notify::WebhookSecret;

/// Largest file of a secret: the longest secret in base64, with room for blanks around it.
pub const SECRET_FILE_BYTES_MAX: u64 = 1_024;
/// Bytes of a key (Standard Webhooks 1.0.0: 192 to 512 bits).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Reads the one secret of a file. An error completes a sentence that begins with the path.
pub(super) fn read(path: &Path) -> Result<WebhookSecret, String> {
    let text = read_bounded(path, SECRET_FILE_BYTES_MAX).map_err(|reason| format!("cannot be read: {reason}"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err("contains no secret".into());
    }
    if text.chars().any(char::is_control) {
        return Err("contains more than one line, or a control character".into());
    }
    if text.starts_with("whsk_") || text.starts_with("whpk_") {
        return Err("contains an asymmetric key; messages are signed with a secret that begins with whsec_".into());
    }
    let bytes = match text.strip_prefix("whsec_") {
        Some(digits) => base64().decode(digits).map_err(|_| "contains a secret that is not base64 after its whsec_")?,
        None => text.as_bytes().to_vec(),
    };
    if !SECRET_BYTES.contains(&bytes.len()) {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        return Err(format!("contains a secret of {} bytes; allowed: {least} to {most}", bytes.len()));
    }
    Ok(WebhookSecret(bytes))
}

/// Secrets are copied by hand; whether they end in `=` says nothing.
const fn base64() -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config)
}
