//! Names and other texts that the operator chooses, and tokens.

use super::super::kind::{Kind, Parsed, Shape};
use crate::api::Token;
use crate::domain::{NAME_BYTES_MAX, Name, check_text};

/// Longest token: what fits a header line that servers accept, with room to spare.
const TOKEN_BYTES_MAX: usize = 1_024;

/// A text that can be a label of metrics.
pub fn parse_label(text: &str) -> Parsed<String> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    check_text(text, NAME_BYTES_MAX).map_err(|problem| problem.to_string())?;
    Ok(text.to_owned())
}

/// A label such as `production`.
pub fn label() -> Kind<String> {
    Kind::new(Shape::Text, "NAME", "1 to 128 bytes without control characters", parse_label).shown_as(String::clone)
}

/// A service of which there is one or none.
pub fn service() -> Kind<Option<Name>> {
    let allowed = "1 to 128 bytes without control characters; without it the budget is for all services";
    let parse = |text: &str| match Name::new(text) {
        Ok(_) if text.contains('*') => Err("has a *, which stands for any text in match = { service = … } only".into()),
        Ok(name) => Ok(Some(name)),
        Err(wrong) => Err(wrong.to_string()),
    };
    Kind::new(Shape::Text, "NAME", allowed, parse)
}

/// Patterns of operations, separated by commas.
pub fn operations() -> Kind<Vec<String>> {
    let one = |pattern: &str| match check_text(pattern, 2 * NAME_BYTES_MAX + 1) {
        Ok(()) if pattern.starts_with(':') || pattern.ends_with(':') => {
            Err(format!("has {pattern:?}, where one side of the colon is missing"))
        }
        Ok(()) => Ok(pattern.to_owned()),
        Err(problem) => Err(format!("has a pattern that {problem}")),
    };
    let allowed = "operation or service:operation, separated by commas, * for any text";
    Kind::new(Shape::List, "PATTERNS", allowed, move |text| items(text).map(one).collect())
        .shown_as(|list: &Vec<String>| list.join(","))
}

/// Names, separated by commas.
pub fn names() -> Kind<Vec<String>> {
    Kind::new(Shape::List, "NAMES", "names separated by commas", |text| items(text).map(parse_label).collect())
        .shown_as(|list: &Vec<String>| list.join(","))
}

/// The items of a list, without blanks around them.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A bearer token. What a header cannot carry would never match, so it is refused here; the text is not repeated.
pub fn parse_token(text: &str) -> Parsed<Token> {
    if text.is_empty() {
        return Err("must not be empty".into());
    }
    if text.len() > TOKEN_BYTES_MAX {
        return Err(format!("is longer than {TOKEN_BYTES_MAX} bytes"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("contains a space or another character that a header cannot carry".into());
    }
    Ok(Token::new(text))
}

/// A bearer token as a setting.
pub fn token() -> Kind<Option<Token>> {
    Kind::new(Shape::Secret, "TOKEN", "text without spaces", parse_token).optional()
}
