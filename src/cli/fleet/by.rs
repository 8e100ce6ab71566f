//! What the fleet's costs are added up by.

use clap::ValueEnum;

/// The fleet's database has sums by service and operation, and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FleetBy {
    Service,
    /// Below its service.
    Operation,
}

impl FleetBy {
    /// As the query has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
        }
    }

    /// The headings of the columns that hold the names.
    pub fn headings(self) -> Vec<String> {
        let service = FleetBy::Service.word().to_owned();
        match self {
            Self::Service => vec![service],
            Self::Operation => vec![service, self.word().to_owned()],
        }
    }
}
