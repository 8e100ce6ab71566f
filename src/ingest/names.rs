//! Names that the events of a request share.

use crate::domain::{Name, NameError};

/// Names remembered. A request rarely has more services, operations and kinds of usage, and all are compared for each event.
const NAMES_MAX: usize = 16;

/// The latest names of a request: events that name the same service share one text in memory.
#[derive(Debug, Default)]
pub(super) struct Names {
    latest: Vec<Name>,
    replaced_next: usize,
}

impl Names {
    /// The name for a text, made when it is not remembered.
    pub(super) fn take(&mut self, text: &str) -> Result<Name, NameError> {
        if let Some(known) = self.latest.iter().find(|name| name.as_str() == text) {
            return Ok(known.clone());
        }
        let name = Name::new(text)?;
        if self.latest.len() < NAMES_MAX {
            self.latest.push(name.clone());
        } else if let Some(oldest) = self.latest.get_mut(self.replaced_next) {
            *oldest = name.clone();
            self.replaced_next = (self.replaced_next + 1) % NAMES_MAX;
        }
        Ok(name)
    }
}
