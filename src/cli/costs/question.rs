//! What is asked for: days, grouping and filters, as arguments and as a query.

use std::str::FromStr;

use clap::Args;

use super::super::filter_args::FilterArgs;
use super::super::parse;
use crate::domain::{Dimension, dimensions};

/// What costs are added up by: the text in the query, and the headings of the columns that hold the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupBy {
    text: String,
    pub headings: Vec<String>,
}

/// From one day to another, both included.
#[derive(Args, Clone, Debug)]
pub struct RangeArgs {
    /// First day, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse::day)]
    pub from: String,
    /// Last day, YYYY-MM-DD [default: today]
    #[arg(long, value_name = "DATE", value_parser = parse::day)]
    pub to: Option<String>,
}

/// A day, a month or a range.
#[derive(Args, Clone, Debug)]
pub struct DaysArgs {
    /// The day, YYYY-MM-DD [default: today]
    #[arg(long, value_parser = parse::day, conflicts_with_all = ["month", "from", "to"])]
    pub date: Option<String>,
    /// The month, YYYY-MM
    #[arg(long, value_parser = parse::month, conflicts_with_all = ["from", "to"])]
    pub month: Option<String>,
    /// First day, YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = parse::day)]
    pub from: Option<String>,
    /// Last day, YYYY-MM-DD [default: today]
    #[arg(long, value_name = "DATE", value_parser = parse::day, requires = "from")]
    pub to: Option<String>,
}

/// The parameters of a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Question(pub Vec<(&'static str, String)>);

impl Question {
    /// The same, with a parameter if it is given.
    pub fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        self.0.extend(value.map(|value| (name, value)));
        self
    }

    /// The same, grouped.
    pub fn by(self, by: &GroupBy) -> Self {
        self.with("by", Some(by.text.clone()))
    }

    /// The same, of some costs only.
    pub fn filtered(self, filters: &FilterArgs) -> Self {
        filters.given().fold(self, |question, (name, value)| question.with(name, Some(value.to_owned())))
    }

    /// The same, of some days.
    pub fn of_days(self, days: DaysArgs) -> Self {
        let DaysArgs { date, month, from, to } = days;
        let given = [("date", date), ("month", month), ("from", from), ("to", to)];
        given.into_iter().fold(self, |question, (name, value)| question.with(name, value))
    }
}

impl FromStr for GroupBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let headings = dimensions(text)?.into_iter().map(|dimension| match dimension {
            Dimension::Attribute(name) => format!("attributes.{name}"),
            field => field.word().to_owned(),
        });
        Ok(Self { headings: headings.collect(), text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::agent_args::parsed;
    use super::*;

    #[test]
    fn a_grouping_names_its_columns() {
        for (text, headings) in [
            ("service", &["service"][..]),
            ("operation", &["service", "operation"]),
            ("model,attributes.team,lead", &["model", "attributes.team", "lead"]),
            ("attributes.a\\,b", &["attributes.a,b"]),
        ] {
            assert_eq!(GroupBy::from_str(text).unwrap().headings, headings, "{text}");
        }
        for text in ["", "colour", "service,service", "service,operation,worker,lead", "attributes."] {
            assert!(GroupBy::from_str(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_given_is_asked_for_and_an_empty_filter_is_given() {
        let filters: FilterArgs = parsed(&["--service", "a b", "--lead="]);
        let by = GroupBy::from_str("model,lead").unwrap();
        let question = Question::default().with("date", None).by(&by).filtered(&filters);
        let expected =
            [("by", "model,lead"), ("service", "a b"), ("lead", "")].map(|(name, value)| (name, value.to_owned()));
        assert_eq!(question.0, expected);
        let days: DaysArgs = parsed(&["--from", "2026-11-01", "--to", "2026-11-02"]);
        let expected = [("from", "2026-11-01"), ("to", "2026-11-02")].map(|(name, value)| (name, value.to_owned()));
        assert_eq!(Question::default().of_days(days).0, expected);
    }
}
