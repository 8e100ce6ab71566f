//! The keys of a web configuration, and what may be written there.
//!
//! *Invariants.* A key that is not listed is wrong, also one that others support: what somebody believes to be in force is in force.

use std::path::PathBuf;
use std::str::FromStr;

use strum::VariantNames;
use warp::http::{HeaderName, HeaderValue};

use super::super::near::nearest;
use super::yaml::{Key, Node, Place, Value};
use crate::api::PasswordHash;
use crate::net::{ClientAuth, TlsVersion};

const SECTIONS: &[&str] = &["tls_server_config", "http_server_config", "basic_auth_users"];
const TLS_KEYS: &[&str] = &["cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version", "max_version"];
const HTTP_KEYS: &[&str] = &["http2", "headers"];
/// The headers that may be added, and the values of those that know only some.
const HEADERS: &[(&str, &[&str])] = &[
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];
/// Users at most: a file has room for no more by far.
pub const USERS_MAX: usize = 1_000;

/// What a web configuration says, as far as it can be read.
#[derive(Debug, Default)]
pub struct Draft {
    /// `None`: nothing is said of TLS.
    pub tls: Option<TlsDraft>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub users: Vec<(String, PasswordHash)>,
}

/// What is said of TLS.
#[derive(Debug)]
pub struct TlsDraft {
    pub place: Place,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub client_ca_file: Option<PathBuf>,
    pub client_auth: ClientAuth,
    pub versions: [TlsVersion; 2],
}

/// One thing that is wrong: where, and a sentence without its subject, which is the file.
pub type Wrong = (Place, String);

/// Takes what is there from a tree; all that is wrong is noted.
pub fn read(document: &Node, wrong: &mut Vec<Wrong>) -> Draft {
    let mut draft = Draft::default();
    for (key, node) in entries("", SECTIONS, document, wrong) {
        match key.text.as_str() {
            "tls_server_config" => draft.tls = read_tls(key, node, wrong),
            "http_server_config" => draft.headers = read_http(node, wrong),
            _ => draft.users = read_users(node, wrong),
        }
    }
    draft
}

fn read_tls(section: &Key, node: &Node, wrong: &mut Vec<Wrong>) -> Option<TlsDraft> {
    let mut draft = TlsDraft {
        place: section.place,
        cert_file: None,
        key_file: None,
        client_ca_file: None,
        client_auth: ClientAuth::default(),
        versions: [TlsVersion::Tls12, TlsVersion::Tls13],
    };
    let entries = entries("tls_server_config.", TLS_KEYS, node, wrong);
    if entries.is_empty() {
        return None;
    }
    for (key, node) in entries {
        let name = format!("tls_server_config.{}", key.text);
        let Some(text) = text(&name, node, wrong) else { continue };
        match key.text.as_str() {
            "cert_file" => draft.cert_file = Some(text.into()),
            "key_file" => draft.key_file = Some(text.into()),
            "client_ca_file" => draft.client_ca_file = Some(text.into()),
            "client_auth_type" => draft.client_auth = word(&name, text, node, wrong).unwrap_or_default(),
            "min_version" => draft.versions[0] = word(&name, text, node, wrong).unwrap_or(TlsVersion::Tls12),
            _ => draft.versions[1] = word(&name, text, node, wrong).unwrap_or(TlsVersion::Tls13),
        }
    }
    Some(draft)
}

fn read_http(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (key, node) in entries("http_server_config.", HTTP_KEYS, node, wrong) {
        match key.text.as_str() {
            "http2" => check_boolean("http_server_config.http2", node, wrong),
            _ => headers = read_headers(node, wrong),
        }
    }
    headers
}

fn read_headers(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<(HeaderName, HeaderValue)> {
    let names: Vec<&str> = HEADERS.iter().map(|(name, _)| *name).collect();
    let mut headers = Vec::new();
    for (key, node) in entries("http_server_config.headers.", &names, node, wrong) {
        let name = format!("http_server_config.headers.{}", key.text);
        // Without a value a header is not set.
        let Some(text) = text(&name, node, wrong) else { continue };
        let known = HEADERS.iter().find(|(known, _)| *known == key.text).map_or(&[][..], |(_, values)| values);
        if !known.is_empty() && !known.contains(&text) {
            wrong.push((node.place, format!("{name} is {text:?}; allowed: {}", known.join(", "))));
            continue;
        }
        match (HeaderName::from_str(&key.text), HeaderValue::from_str(text)) {
            (Ok(header), Ok(value)) => headers.push((header, value)),
            _ => wrong.push((node.place, format!("{name} has characters that no header may have"))),
        }
    }
    headers
}

fn read_users(node: &Node, wrong: &mut Vec<Wrong>) -> Vec<(String, PasswordHash)> {
    let mut users = Vec::new();
    for (key, node) in mapping("basic_auth_users", node, wrong) {
        let name = format!("basic_auth_users.{}", key.text);
        if key.text.is_empty() || key.text.contains(':') {
            wrong.push((key.place, format!("{name}: a user's name has at least one character, and no colon")));
        }
        match PasswordHash::parse(text(&name, node, wrong).unwrap_or_default()) {
            Ok(hash) => users.push((key.text.clone(), hash)),
            // What stands there may be the password itself.
            Err(reason) => wrong.push((node.place, format!("{name} {reason}"))),
        }
    }
    if users.len() > USERS_MAX {
        wrong.push((node.place, format!("basic_auth_users has {} users; the maximum is {USERS_MAX}", users.len())));
    }
    users
}

/// The entries of a mapping that may have these keys only.
fn entries<'n>(path: &str, known: &[&str], node: &'n Node, wrong: &mut Vec<Wrong>) -> Vec<&'n (Key, Node)> {
    let is_known = |(key, _): &&(Key, Node)| {
        let is_known = known.contains(&key.text.as_str());
        if !is_known {
            let of_file = known.iter().copied().find(|known| known.strip_suffix("_file") == Some(&key.text));
            let near = of_file.or_else(|| nearest(&key.text, known.iter().copied()));
            let near = near.map(|near| format!(" (did you mean {near}?)"));
            let allowed = known.join(", ");
            let detail = format!("{path}{} is not supported{}; allowed: {allowed}", key.text, near.unwrap_or_default());
            wrong.push((key.place, detail));
        }
        is_known
    };
    let mut noted = Vec::new();
    let found = mapping(path.trim_end_matches('.'), node, &mut noted);
    let found = found.iter().filter(is_known).collect();
    wrong.append(&mut noted);
    found
}

fn mapping<'n>(name: &str, node: &'n Node, wrong: &mut Vec<Wrong>) -> &'n [(Key, Node)] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null => &[],
        Value::Text(_) | Value::List => {
            let detail = format!("{name} must be a mapping of keys to values");
            wrong.push((node.place, detail.trim_start().to_owned()));
            &[]
        }
    }
}

/// A text; `None` where it is empty.
fn text<'n>(name: &str, node: &'n Node, wrong: &mut Vec<Wrong>) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
        Value::Null => None,
        Value::List | Value::Mapping(_) => {
            wrong.push((node.place, format!("{name} must be one value")));
            None
        }
    }
}

fn word<T: FromStr + VariantNames>(name: &str, text: &str, node: &Node, wrong: &mut Vec<Wrong>) -> Option<T> {
    let word = text.parse().ok();
    if word.is_none() {
        wrong.push((node.place, format!("{name} {text:?} is not supported; allowed: {}", T::VARIANTS.join(", "))));
    }
    word
}

/// Nothing depends on it: HTTP/1.1 is spoken, which every client of HTTP/2 speaks, too.
fn check_boolean(name: &str, node: &Node, wrong: &mut Vec<Wrong>) {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "y", "n"];
    if let Some(text) = text(name, node, wrong)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
    {
        wrong.push((node.place, format!("{name} is {text:?}; allowed: true, false")));
    }
}
