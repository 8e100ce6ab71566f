//! A usage object, and the counts in it.

use super::extracted::{DEPTH_MAX, ExtractError};
use crate::domain::Quantity;
use crate::pricing::json::Object;

/// A usage object.
pub(super) type Node<'j> = Object<'j>;

/// Where a usage object stands in an answer.
const PLACES: [&str; 6] = ["usage", "usageMetadata", "usage_metadata", "usage_info", "meta", "response"];

/// Reads an object, and sees that it is not nested too deep.
pub(super) fn read(text: &str) -> Result<Node<'_>, ExtractError> {
    let object = Object::read(text).map_err(|error| ExtractError::Json(error.to_string()))?;
    if depth(text) > DEPTH_MAX {
        return Err(ExtractError::TooDeep);
    }
    object.ok_or(ExtractError::NotAnObject)
}

/// The usage object in an answer; itself where it is one. A response of the realtime API has it two levels down.
pub(super) fn within_answer(mut node: Node<'_>) -> Node<'_> {
    for _ in 0..2 {
        let is_usage = node.names().any(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("token") || name == "billed_units" || name == "seconds" || name == "pages_processed"
        });
        let inner = PLACES.iter().find_map(|place| node.object(place));
        match inner {
            Some(inner) if !is_usage => node = inner,
            _ => return node,
        }
    }
    node
}

/// Counts by their paths.
pub(super) trait Counts {
    /// The count at a path; zero where there is none.
    fn count(&self, path: &[&str]) -> Result<Quantity, ExtractError>;

    /// The first count that is there and not zero.
    fn first(&self, paths: &[&[&str]]) -> Result<Quantity, ExtractError> {
        for path in paths {
            let count = self.count(path)?;
            if count != Quantity::ZERO {
                return Ok(count);
            }
        }
        Ok(Quantity::ZERO)
    }
}

impl Counts for Node<'_> {
    fn count(&self, path: &[&str]) -> Result<Quantity, ExtractError> {
        let Some(digits) = self.digits(path) else { return Ok(Quantity::ZERO) };
        Quantity::parse(digits)
            .ok()
            .filter(|count| *count < Quantity::of(1 << 53))
            .ok_or_else(|| ExtractError::Number(path.join("."), format!("is not a count: {}", shortened(digits))))
    }
}

fn shortened(digits: &str) -> String {
    digits.chars().take(40).collect()
}

/// How deep a JSON text is nested.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_are_no_nesting() {
        for (text, expected) in [
            ("{}", 1),
            (r#"{"a":[{}]}"#, 3),
            (r#"{"a":[],"b":[]}"#, 2),
            (r#"{"a":{},"b":{"c":{}}}"#, 3),
            (r#"{"[[[":"{{{"}"#, 1),
            (r#"{"a":"\"[[[","b":[]}"#, 2),
            (r#"{"a":"\\","b":[[]]}"#, 3),
            (r#"{"a":"}}","b":[]}"#, 2),
            (r#"{"a":"]]","b":[[]]}"#, 3),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn an_answer_may_be_nested_to_the_bound() {
        let nested = |levels: usize| format!("{}{}", "{\"a\":".repeat(levels - 1) + "{", "}".repeat(levels));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(read(&nested(DEPTH_MAX + 1)).unwrap_err(), ExtractError::TooDeep);
        assert_eq!(read("[]").unwrap_err(), ExtractError::NotAnObject);
    }

    #[test]
    fn what_has_counts_itself_is_the_usage_object() {
        for (text, is_itself) in [
            (r#"{"usage":{"inner":1}}"#, false),
            (r#"{"response":{"usage":{"inner":1}}}"#, false),
            (r#"{"Total_Tokens":1,"usage":{"inner":1}}"#, true),
            (r#"{"billed_units":{},"meta":{"inner":1}}"#, true),
            (r#"{"seconds":1,"usage":{"inner":1}}"#, true),
            (r#"{"pages_processed":1,"usage":{"inner":1}}"#, true),
            (r#"{"model":"x","usage":{"inner":1}}"#, false),
        ] {
            assert_eq!(!within_answer(read(text).unwrap()).has("inner"), is_itself, "{text}");
        }
    }
}
