//! The file of bearer tokens: one a line, so that two are valid during a rotation.
//!
//! *Invariants.* No message repeats any part of a token. A line is a token to the letter: there are no comments, since `#` may be
//! part of one; only blank lines are skipped.

use std::path::Path;

use super::kinds::parse_token;
use super::page::read_bounded;
use crate::api::Token;

/// Largest file of tokens.
pub const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Tokens that may be valid at once. Every write is compared with each of them.
pub const TOKENS_MAX: usize = 32;

/// Reads all tokens, or says everything that is wrong with the file.
pub(super) fn read(path: &Path) -> Result<Vec<Token>, Vec<String>> {
    let shown = path.display();
    let text =
        read_bounded(path, TOKEN_FILE_BYTES_MAX).map_err(|reason| vec![format!("{shown} cannot be read: {reason}")])?;
    let (mut tokens, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match parse_token(line) {
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
