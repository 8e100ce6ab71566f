//! The file of bearer tokens: one a line, so that two are valid during a rotation.
//!
//! A line is a token to the letter, which allows everything, or `scope:name:token`, where scopes are joined by `+`. A token may have
//! colons in it. So a line is taken for the second where its first part has the word of a scope in it, or where it has two colons and
//! letters only before the first of them: then all of it must be right, since what was meant to allow little must never allow everything
//! because of a slip.
//!
//! *Invariants.* No message repeats any part of a line. There are no comments, since `#` may be part of a token; only blank lines are
//! skipped. A name may stand on several lines, as during a rotation; a token may not where it would allow different things.

use std::path::Path;

use super::kind::Parsed;
use super::kinds::parse_token;
use super::page::read_bounded;
use crate::api::{Scope, Scopes, Token};

/// Largest file of tokens.
pub const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Tokens that may be valid at once. Every write is compared with each of them.
pub const TOKENS_MAX: usize = 256;
/// Longest name of a token.
const NAME_BYTES_MAX: usize = 64;

/// Reads all tokens, or says everything that is wrong with the file.
pub(super) fn read(path: &Path) -> Result<Vec<Token>, Vec<String>> {
    let shown = path.display();
    let text =
        read_bounded(path, TOKEN_FILE_BYTES_MAX).map_err(|reason| vec![format!("{shown} cannot be read: {reason}")])?;
    let (mut tokens, mut problems) = (Vec::<Token>::new(), Vec::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match parse_line(line) {
            Ok(token) if tokens.iter().any(|known| contradict(known, &token)) => {
                problems
                    .push(format!("{shown}: the token on line {} is on an earlier line, and for something else", index + 1));
            }
            Ok(token) => tokens.push(token),
            Err(wrong) => problems.push(format!("{shown}: the token on line {} {wrong}", index + 1)),
        }
    }
    if tokens.is_empty() && problems.is_empty() {
        problems.push(format!("{shown} contains no token, so nobody could write"));
    }
    if tokens.len() > TOKENS_MAX {
        problems.push(format!("{shown} contains {} tokens; the maximum is {TOKENS_MAX}", tokens.len()));
    }
    if problems.is_empty() { Ok(tokens) } else { Err(problems) }
}

/// Whether a token that allows everything looks as if it was not meant to.
pub(super) fn looks_scoped(token: &Token) -> bool {
    let text = String::from_utf8_lossy(token.expose());
    token.name().is_none() && parse_line(&text).as_ref() != Ok(token)
}

/// Whether two tokens are the same to those who send them, and not to us.
pub(super) fn contradict(one: &Token, other: &Token) -> bool {
    one.expose() == other.expose() && one != other
}

/// A token alone, or `scope:name:token`.
fn parse_line(line: &str) -> Parsed<Token> {
    let mut parts = line.splitn(3, ':');
    let (Some(scopes), Some(second)) = (parts.next(), parts.next()) else { return parse_token(line) };
    let third = parts.next();
    let mut words = scopes.split(|char: char| !char.is_ascii_alphabetic());
    let names_a_scope = words.any(|word| word.to_ascii_lowercase().parse::<Scope>().is_ok());
    let has_the_form =
        third.is_some() && scopes.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'+' | b'*'));
    if !names_a_scope && !has_the_form {
        return parse_token(line);
    }
    let (name, token) = third.map(|token| (second, token)).ok_or("has a scope, but not the form scope:name:token")?;
    let scopes: Option<Scopes> = scopes.split('+').map(|word| word.parse::<Scope>().ok()).collect();
    let scopes = scopes.ok_or(
        "looks like scope:name:token, but has a scope that is none of record, reserve, admin and read (several are joined by +)",
    )?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !is_name || name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("has a name that is not 1 to {NAME_BYTES_MAX} letters, digits, dots, dashes and underscores"));
    }
    let token = parse_token(token)?;
    Ok(Token::scoped(&String::from_utf8_lossy(token.expose()), name, scopes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_token_or_says_what_it_is_for() {
        let scoped = |text, name, scopes: &[Scope]| Token::scoped(text, name, scopes.iter().copied().collect());
        for (line, token) in [
            ("s3cret", Token::new("s3cret")),
            ("se:cret", Token::new("se:cret")),
            ("pk-lf-1:sk-lf-2:3", Token::new("pk-lf-1:sk-lf-2:3")),
            ("9f:9f:9f:9f", Token::new("9f:9f:9f:9f")),
            ("record:worker-7:a", scoped("a", "worker-7", &[Scope::Record])),
            ("record+reserve:w.7_:a:b:c", scoped("a:b:c", "w.7_", &[Scope::Record, Scope::Reserve])),
            ("admin+read+admin:ops:record", scoped("record", "ops", &[Scope::Admin, Scope::Read])),
        ] {
            assert_eq!(parse_line(line), Ok(token), "{line}");
        }
    }

    #[test]
    fn what_was_meant_to_allow_little_never_allows_everything() {
        let long = format!("record:{}:abc", "n".repeat(NAME_BYTES_MAX + 1));
        for line in [
            "record:abc",
            "Record:worker:abc",
            "RECORD:worker:abc",
            "recrod:worker:abc",
            "write:worker:abc",
            "*:worker:abc",
            ":worker:abc",
            "record+:worker:abc",
            "+record:worker:abc",
            "record+write:worker:abc",
            "record,reserve:worker:abc",
            "record reserve:worker:abc",
            " record:worker:abc",
            "record::abc",
            "record:wor ker:abc",
            "record:wörker:abc",
            "record:worker:",
            "record:worker:a bc",
            &long,
        ] {
            let wrong = parse_line(line).unwrap_err();
            assert!(!wrong.contains("abc") && !wrong.contains("worker"), "{line}: {wrong}");
        }
    }

    #[test]
    fn a_token_alone_that_looks_like_a_line_of_the_file_is_told() {
        for (text, is_told) in [("s3cret", false), ("se:cret", false), ("record:w:s3cret", true), ("admin:s3cret", true)] {
            assert_eq!(looks_scoped(&Token::new(text)), is_told, "{text}");
        }
    }

    #[test]
    fn one_token_is_one_thing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let read_of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map(|tokens| tokens.len())
        };
        assert_eq!(read_of("record:worker:old\nrecord:worker:new\n\nadmin:worker:other\n"), Ok(3), "as in a rotation");
        assert_eq!(read_of("s3cret\ns3cret\n"), Ok(2));
        for text in ["s3cret\nrecord:worker:s3cret\n", "record:a:s3cret\nrecord:b:s3cret", "record:a:s3cret\nread:a:s3cret"]
        {
            let problems = read_of(text).unwrap_err();
            assert!(problems[0].contains("line 2 is on an earlier line") && !problems[0].contains("s3cret"), "{problems:?}");
        }
    }
}
