//! `WEB_CONFIG_FILE`: the file that Prometheus and its exporters take as `--web.config.file`: TLS, logins, headers.
//!
//! The format: <https://prometheus.io/docs/prometheus/latest/configuration/https/>. What it can say beyond what is done here is
//! refused by name.
//!
//! *Invariants.* Everything wrong is found in one go. No message repeats a password, its hash or a key.
//!
//! *Limits.* [`WEB_FILE_BYTES_MAX`], [`PEM_FILE_BYTES_MAX`], [`USERS_MAX`].

mod keys;
mod pem;
mod yaml;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use warp::http::{HeaderName, HeaderValue};

use self::keys::{TlsDraft, Wrong};
use self::yaml::Place;
use super::page::{exposure, read_bounded};
use super::problem::{Origin, Problem};
use crate::api::PasswordHash;
use crate::net::{ClientAuth, Tls, TlsError, TlsParts};

pub use keys::USERS_MAX;
pub use pem::{PEM_FILE_BYTES_MAX, certificates};

/// Largest web configuration.
pub const WEB_FILE_BYTES_MAX: u64 = 256 * 1024;
/// What is longer and begins as a hash of bcrypt is one, or most of one.
const HASH_BYTES_MIN: usize = 20;
/// The setting that names it.
const SETTING: &str = "web_config_file";

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Web {
    pub tls: Option<Tls>,
    pub users: Vec<(String, PasswordHash)>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub warnings: Vec<String>,
}

/// Reads the file and those that it names, or says everything that is wrong; `origin` is where the file was named.
pub(super) fn load(path: &Path, origin: Origin) -> Result<Web, Vec<Problem>> {
    let mut wrong = Vec::new();
    let draft = read(path, origin, &mut wrong)?;
    let mut warnings = Vec::new();
    let tls = draft.tls.map(|tls| tls.finish(path, &mut wrong, &mut warnings));
    if !wrong.is_empty() {
        return Err(wrong.into_iter().map(|wrong| problem(path, wrong)).collect());
    }
    if tls.is_none() && !draft.users.is_empty() {
        warnings.push(format!("{} has users but no TLS: passwords go over the network as they are", path.display()));
    }
    Ok(Web { tls: tls.flatten(), users: draft.users, headers: draft.headers, warnings })
}

/// What the agent shows to clients, for those on its own host.
#[derive(Debug, Default)]
pub struct OwnTls {
    /// Its certificate first. Empty where it cannot be read.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key to it, where clients are asked for a certificate and there is no other.
    pub key: Option<PrivateKeyDer<'static>>,
}

/// How the agent with this file is spoken to: `None` without TLS. Only that is looked at: a running agent goes on with what it read
/// before a file was spoilt.
pub(super) fn own_tls(path: &Path, origin: Origin) -> Result<Option<OwnTls>, Vec<Problem>> {
    let draft = read(path, origin, &mut Vec::new())?;
    let Some(TlsDraft { cert_file: Some(file), key_file, client_auth, .. }) = draft.tls else { return Ok(None) };
    let chain = pem::certificates(&beside(path, &file)).unwrap_or_default();
    let key_file = key_file.filter(|_| client_auth != ClientAuth::NoClientCert && !chain.is_empty());
    let key = key_file.and_then(|file| pem::key(&beside(path, &file)).ok());
    Ok(Some(OwnTls { chain, key }))
}

fn read(path: &Path, origin: Origin, wrong: &mut Vec<Wrong>) -> Result<keys::Draft, Vec<Problem>> {
    let text = read_bounded(path, WEB_FILE_BYTES_MAX).map_err(|reason| {
        let detail = format!("{} cannot be read: {reason}", path.display());
        vec![Problem { setting: Some(SETTING), origin, detail }]
    })?;
    let document = yaml::read(&text).map_err(|error| vec![problem(path, (error.place, error.detail))])?;
    Ok(keys::read(&document, wrong))
}

fn problem(path: &Path, (Place { line, column }, detail): Wrong) -> Problem {
    let origin = Origin::File { path: path.display().to_string(), line, column };
    Problem { setting: Some(SETTING), origin, detail: without_hashes(&detail) }
}

/// A sentence about a key, which may be a hash that somebody has written in the name's place.
fn without_hashes(detail: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(detail.len()), detail);
    while let Some((before, hash)) = rest.find("$2").and_then(|at| rest.split_at_checked(at)) {
        let end = hash.find(|char: char| !(char.is_ascii_alphanumeric() || "$./".contains(char))).unwrap_or(hash.len());
        let (hash, behind) = hash.split_at(end);
        shown += before;
        shown += if hash.len() > HASH_BYTES_MIN { "•••" } else { hash };
        rest = behind;
    }
    shown + rest
}

/// A file that the configuration names: relative to itself.
fn beside(path: &Path, file: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(file)
}

impl TlsDraft {
    /// Reads the files, and makes TLS of them unless something is wrong.
    fn finish(self, path: &Path, wrong: &mut Vec<Wrong>, warnings: &mut Vec<String>) -> Option<Tls> {
        let place = self.place;
        let mut note = |detail: String| wrong.push((place, format!("tls_server_config.{detail}")));
        if self.client_ca_file.is_some() && self.client_auth == ClientAuth::NoClientCert {
            note("client_ca_file asks for a client_auth_type that uses it, such as RequireAndVerifyClientCert".into());
        }
        if self.client_ca_file.is_none() && self.client_auth.verifies() {
            let word: &str = self.client_auth.into();
            note(format!("client_auth_type {word} needs a client_ca_file to verify with"));
        }
        if self.versions[0] > self.versions[1] {
            note("min_version is newer than max_version".into());
        }
        let file = |file: &Option<PathBuf>| file.as_deref().map(|file| beside(path, file));
        let chain = match file(&self.cert_file) {
            Some(file) => pem::certificates(&file).map_err(|reason| format!("cert_file {} {reason}", file.display())),
            None => Err("cert_file is missing".into()),
        };
        let key = match file(&self.key_file) {
            Some(file) => {
                warnings.extend(exposure("key_file", &file));
                pem::key(&file).map_err(|reason| format!("key_file {} {reason}", file.display()))
            }
            None => Err("key_file is missing".into()),
        };
        let authorities = match file(&self.client_ca_file) {
            Some(file) => pem::certificates(&file).map_err(|reason| format!("client_ca_file {} {reason}", file.display())),
            None => Ok(Vec::new()),
        };
        let (chain, key, authorities) = match (chain, key, authorities) {
            (Ok(chain), Ok(key), Ok(authorities)) => (chain, key, authorities),
            (chain, key, authorities) => {
                let found = [chain.err(), key.err(), authorities.err()];
                found.into_iter().flatten().for_each(note);
                return None;
            }
        };
        if !wrong.is_empty() {
            return None;
        }
        let (versions, client_auth) = (self.versions, self.client_auth);
        let parts = TlsParts { chain, key, versions, client_auth, client_authorities: authorities };
        Tls::new(parts)
            .map_err(|error| {
                let detail = match error {
                    TlsError::ClientAuthorities(error) => format!("client_ca_file cannot be used: {error}"),
                    TlsError::Certificate(error) => format!("cert_file and key_file cannot be used: {error}"),
                };
                wrong.push((place, format!("tls_server_config.{detail}")));
            })
            .ok()
    }
}
