//! What a client writes to have cost grouped: `service`, `model,attributes.team`.

use super::{BY_MAX, Dimension};

/// Stands before a comma or another one in the name of an attribute.
const ESCAPE: char = '\\';

/// Reads what to group by, outermost first. One word of old has two dimensions: operations stand below their services.
///
/// # Errors
/// A sentence that says what is wrong: other words, more than [`BY_MAX`], or one of them twice.
pub fn dimensions(text: &str) -> Result<Vec<Dimension>, String> {
    let words = words(text)?;
    if words.len() > BY_MAX {
        return Err(format!("by takes at most {BY_MAX} words, with commas between them"));
    }
    let mut by: Vec<Dimension> = Vec::with_capacity(words.len());
    for word in words {
        let dimension = Dimension::parse(&word).ok_or_else(|| unknown(&word))?;
        if by.contains(&dimension) {
            return Err(format!("by has {} twice", shown(&word)));
        }
        by.push(dimension);
    }
    Ok(if by == [Dimension::Operation] { vec![Dimension::Service, Dimension::Operation] } else { by })
}

/// Words between commas. A comma that belongs to a word has a backslash before it, and so has a backslash.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let char = match char {
            ',' => {
                words.push(String::new());
                continue;
            }
            ESCAPE => match chars.next() {
                Some(escaped @ (',' | ESCAPE)) => escaped,
                _ => return Err("in by, a backslash stands before a comma or a backslash only".into()),
            },
            other => other,
        };
        if let Some(word) = words.last_mut() {
            word.push(char);
        }
    }
    Ok(words)
}

fn unknown(word: &str) -> String {
    let fields = Dimension::FIELDS.map(|dimension| dimension.word()).join(", ");
    format!("by does not know {}; it takes {fields} and attributes.<name> (a name of at most 200 bytes)", shown(word))
}

/// The beginning of a text in quotes, with what a terminal should not be sent escaped.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str) -> Dimension {
        Dimension::Attribute(name.into())
    }

    #[test]
    fn words_stand_between_commas_and_an_operation_below_its_service() {
        use Dimension::{Batch, Lead, Model, Operation, Service};
        for (text, by) in [
            ("service", vec![Service]),
            ("model,lead,batch", vec![Model, Lead, Batch]),
            ("operation", vec![Service, Operation]),
            ("operation,service", vec![Operation, Service]),
            (r"attributes.a\,b,service", vec![attribute("a,b"), Service]),
            (r"attributes.a\\", vec![attribute(r"a\")]),
        ] {
            assert_eq!(dimensions(text), Ok(by), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_beginning_of_the_word() {
        let long = format!("\u{1b}{}", "x".repeat(100));
        for (text, said) in [
            ("service,operation,worker,batch", "at most 3 words".to_owned()),
            ("lead,model,lead", "by has \"lead\" twice".into()),
            ("", "by does not know \"\"; it takes service, operation, ".into()),
            ("service,", "by does not know \"\"".into()),
            ("colour", "by does not know \"colour\"".into()),
            (&long, format!("by does not know \"\\u{{1b}}{}\";", "x".repeat(39))),
            (r"attributes.a\b", "a backslash stands before a comma or a backslash only".into()),
            ("attributes.a\\", "a backslash stands before a comma or a backslash only".into()),
        ] {
            let error = dimensions(text).unwrap_err();
            assert!(error.contains(&said), "{text}: {error}");
        }
    }
}
