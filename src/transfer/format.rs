//! The formats of an export.

use strum::{EnumString, IntoStaticStr};

use super::{focus, json_lines, sheet};
use crate::domain::BudgetZone;
use crate::ledger::{Exported, Lines};

/// How an export is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ExportFormat {
    /// One line an entry, which `import` reads: the whole ledger.
    #[default]
    Jsonl,
    /// One line an event as it stands.
    Csv,
    /// FOCUS 1.2, one line an entry.
    Focus,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Jsonl, Self::Csv, Self::Focus];

    /// The word that asks for it.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// What a line stands for.
    pub const fn lines(self) -> Lines {
        match self {
            Self::Jsonl | Self::Focus => Lines::Entries,
            Self::Csv => Lines::Events,
        }
    }

    /// Its `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv | Self::Focus => "text/csv; charset=utf-8",
        }
    }

    /// What stands before the first line.
    pub fn heading(self) -> Vec<u8> {
        match self {
            Self::Jsonl => Vec::new(),
            Self::Csv => sheet::heading(),
            Self::Focus => focus::heading(),
        }
    }

    /// Writes a line behind others. Months are those of the zone.
    pub fn write(self, exported: &Exported, zone: &BudgetZone, to: &mut Vec<u8>) {
        match self {
            Self::Jsonl => json_lines::write(exported, to),
            Self::Csv => sheet::write(exported, to),
            Self::Focus => focus::write(exported, zone, to),
        }
    }
}
