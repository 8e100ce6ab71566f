//! [`CostsByName`](super::CostsByName) as text, where the sums come one after the other and are too many to be held twice.

use crate::domain::Usd;

/// Bytes from which on a new part begins: so small that the memory of one is used again for another.
const PART_BYTES: usize = 64 * 1024;

/// A text that is being written.
#[derive(Debug)]
pub struct CostsInParts {
    done: Vec<Vec<u8>>,
    part: Vec<u8>,
    /// The outer name whose sums are being written.
    outer: Option<Box<str>>,
    is_empty: bool,
}

impl Default for CostsInParts {
    fn default() -> Self {
        Self { done: Vec::new(), part: vec![b'{'], outer: None, is_empty: true }
    }
}

impl CostsInParts {
    /// Writes the sum of a name, or of one below it. Names come in their order, each once.
    ///
    /// # Errors
    /// None: our own types always serialize.
    pub fn push(&mut self, name: &str, below: Option<&str>, sum: Usd) -> serde_json::Result<()> {
        let Some(below) = below else {
            if !std::mem::take(&mut self.is_empty) {
                self.part.push(b',');
            }
            return self.member(name, sum);
        };
        if self.outer.as_deref() == Some(name) {
            self.part.push(b',');
        } else {
            if self.outer.is_some() {
                self.part.extend_from_slice(b"},");
            }
            serde_json::to_writer(&mut self.part, name)?;
            self.part.extend_from_slice(b":{");
            self.outer = Some(name.into());
        }
        self.member(below, sum)
    }

    /// The text, part by part.
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        if self.outer.is_some() {
            self.part.push(b'}');
        }
        self.part.push(b'}');
        self.done.push(self.part);
        self.done
    }

    fn member(&mut self, name: &str, sum: Usd) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.part, name)?;
        self.part.push(b':');
        serde_json::to_writer(&mut self.part, &sum)?;
        if self.part.len() >= PART_BYTES {
            let next = Vec::with_capacity(PART_BYTES + PART_BYTES / 16);
            self.done.push(std::mem::replace(&mut self.part, next));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::CostsByName;
    use super::*;
    use crate::domain::GroupKey;

    #[test]
    fn the_parts_are_what_the_whole_would_be() {
        let names: Vec<String> = (0..9_000).map(|number| format!("näme \"{number:05}\"")).collect();
        for count in [0, 1, 2, 9_000] {
            for is_nested in [false, true] {
                let mut parts = CostsInParts::default();
                let mut whole = CostsByName::default();
                for (number, name) in (0_i128..).zip(&names[..count]) {
                    let sum = Usd::from_pico(number * 1_000_003 - 7_000_000);
                    let below: &[&str] = if !is_nested {
                        &[]
                    } else if number % 3 == 0 {
                        &["a", "b"]
                    } else {
                        &["c"]
                    };
                    for below in below {
                        parts.push(name, Some(below), sum).unwrap();
                        whole.0.insert(GroupKey::of([name, *below]), sum);
                    }
                    if !is_nested {
                        parts.push(name, None, sum).unwrap();
                        whole.0.insert(GroupKey::of([name.as_str()]), sum);
                    }
                }
                let parts = parts.finish();
                assert!(parts.iter().all(|part| part.len() <= PART_BYTES + 100));
                assert_eq!(String::from_utf8(parts.concat()).unwrap(), serde_json::to_string(&whole).unwrap());
            }
        }
    }
}
