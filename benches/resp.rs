//! Redis' protocol as the load generator speaks it.

use crate::Outcome;
use crate::load::Answers;

/// A command as an array of bulk strings.
pub fn command(parts: &[&str]) -> String {
    let mut text = format!("*{}\r\n", parts.len());
    for part in parts {
        text += &format!("${}\r\n{part}\r\n", part.len());
    }
    text
}

/// Finds where the replies to one request end. An error, and a key that was there before, is a failure.
#[derive(Clone, Debug)]
pub struct RespAnswers {
    replies: usize,
    read: usize,
    place: usize,
}

// === impl RespAnswers ===

impl RespAnswers {
    /// Requests of so many commands.
    pub fn of(replies: usize) -> Self {
        Self { replies, read: 0, place: 0 }
    }
}

impl Answers for RespAnswers {
    fn whole(&mut self, received: &[u8]) -> Outcome<Option<usize>> {
        while self.read < self.replies {
            let rest = received.get(self.place..).unwrap_or_default();
            let Some(line) = rest.iter().position(|&byte| byte == b'\n').map(|end| &rest[..=end]) else { return Ok(None) };
            let length = match line {
                [b'+', ..] | b":1\r\n" => line.len(),
                [b'$', digits @ .., b'\r', b'\n'] if digits != b"-1" => {
                    line.len() + std::str::from_utf8(digits)?.parse::<usize>()? + 2
                }
                other => return Err(format!("Redis replied {}", String::from_utf8_lossy(other).trim_end()).into()),
            };
            if rest.len() < length {
                return Ok(None);
            }
            self.place += length;
            self.read += 1;
        }
        self.read = 0;
        Ok(Some(std::mem::take(&mut self.place)))
    }
}
