//! That a key of a table may itself be a table.

use toml::de::DeTable;

use super::super::kinds::count;
use super::super::page::{Page, Reading};
use super::super::spec::Spec;
use super::super::table::read;

#[derive(Default)]
struct Inner {
    most: usize,
}

#[derive(Default)]
struct Outer {
    inner: Inner,
}

fn outer() -> Vec<Spec<Outer>> {
    let fields = vec![Spec::new("most", "A bound", count("COUNT", 1, 9), |to: &mut Inner| &mut to.most).required()];
    vec![Spec::of_file("inner", "An inline table", move |to: &mut Outer, value, reading| {
        if let Some(table) = value.get_ref().as_table() {
            read("outer inner", &fields, &mut to.inner, value.span().start, table, reading);
        }
    })]
}

fn said(text: &str) -> (usize, Vec<String>) {
    let mut reading = Reading { page: Page::new("f", text), problems: Vec::new() };
    let mut value = Outer::default();
    let (table, _) = DeTable::parse_recoverable(text);
    read("outer", &outer(), &mut value, 0, table.get_ref(), &mut reading);
    (value.inner.most, reading.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn a_key_may_be_an_inline_table() {
    assert_eq!(said("inner = { most = 3 }"), (3, vec![]));
    assert_eq!(said("inner = { most = 0 }").1, ["f:1:18: outer inner most \"0\" is below 1; allowed: 1 to 9"]);
    assert_eq!(said("inner = { moist = 1 }").1[0], "f:1:11: outer inner has no key \"moist\"; did you mean most?");
    assert_eq!(said("inner = { }").1, ["f:1:9: outer inner has no most; allowed: 1 to 9"]);
}
