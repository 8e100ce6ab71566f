//! What of the costs is wanted: of which time, and by what.

use clap::ValueEnum;

/// What costs are added up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The service that is paid
    #[default]
    Service,
    /// The model that was asked
    Model,
    /// The process that spends
    Worker,
}

/// Of which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Period {
    /// Today, in the budget time zone.
    #[default]
    Day,
    /// This month.
    Month,
}

/// Which sums are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub by: By,
    pub period: Period,
}

impl By {
    /// As `by=` takes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Model => "model",
            Self::Worker => "worker",
        }
    }

    /// As a heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Service => "Services",
            Self::Model => "Models",
            Self::Worker => "Workers",
        }
    }

    /// What `g` turns to.
    pub const fn next(self) -> Self {
        match self {
            Self::Service => Self::Model,
            Self::Model => Self::Worker,
            Self::Worker => Self::Service,
        }
    }
}

impl Period {
    /// As people say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Day => "today",
            Self::Month => "this month",
        }
    }

    /// Where its costs are read.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Day => "/costs/daily",
            Self::Month => "/costs/monthly",
        }
    }
}
