//! A page as the browser has it: sections with their links, tables and numbers.

use serde_json::Value;

use crate::support::Amount;

pub fn plain(amount: &Amount) -> String {
    amount.normalized().to_plain_string()
}

pub fn texts<'v>(value: &'v Value, member: &str) -> Vec<&'v str> {
    value[member].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// The answer that the section's heading links to.
#[track_caller]
pub fn answer_of<'v>(section: &'v Value, begin: &str) -> &'v str {
    let links = texts(section, "links");
    links.into_iter().find(|link| link.starts_with(begin)).unwrap_or_else(|| panic!("no link to {begin}: {section}"))
}

pub fn rows(section: &Value) -> Vec<&Vec<Value>> {
    let tables = section["tables"].as_array().unwrap().iter();
    tables.flat_map(|table| table["rows"].as_array().unwrap()).map(|row| row.as_array().unwrap()).collect()
}

/// All digits of the first number in a cell.
pub fn value(cell: &Value) -> Option<&str> {
    cell["values"][0]["value"].as_str()
}

/// The first number of a row that is no share.
#[track_caller]
pub fn amount(row: &[Value]) -> &str {
    let amounts = row.iter().filter(|cell| !cell["text"].as_str().unwrap().ends_with('%'));
    amounts.filter_map(value).next().unwrap_or_else(|| panic!("no amount in {row:?}"))
}
