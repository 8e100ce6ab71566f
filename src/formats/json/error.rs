//! Where and why a text is not strict JSON.

/// Why a text is not strict JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (byte {at})")]
pub struct JsonError {
    /// Byte offset in the text that was read.
    pub at: usize,
    /// What is wrong there, in words.
    pub problem: String,
}

/// What serde_json says where something follows a whole value.
const TRAILING: &str = "trailing characters";

impl JsonError {
    /// What serde met in `part`, which begins at this offset of the text.
    pub(super) fn from_serde(error: &serde_json::Error, part: &str, part_at: usize) -> Self {
        if error.is_eof() {
            return Self { at: part_at + part.len(), problem: "unexpected end of the JSON".to_owned() };
        }
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let problem = said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said).to_owned();
        let line_at: usize = part.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        Self { at: part_at + line_at + column.saturating_sub(1), problem }
    }

    /// A sentence for the client. `text` is what was read; lines and columns count from 1, columns in characters.
    pub fn describe(&self, text: &str) -> String {
        self.describe_in(text, 1)
    }

    /// As [`JsonError::describe`], where the text is part of another and begins at the `first` line.
    pub fn describe_in(&self, text: &str, first: usize) -> String {
        let before = text.as_bytes().get(..self.at).unwrap_or(text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + first;
        let line_text = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(line_text).chars().count() + 1;
        format!("Invalid JSON at line {line}, column {column}: {}", self.problem)
    }

    /// Whether a second value seems to begin where the text should have ended.
    pub fn is_second_value(&self, text: &str) -> bool {
        let next = text.as_bytes().get(self.at);
        self.problem == TRAILING && next.is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9'))
    }
}
