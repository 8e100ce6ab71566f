//! The page of `GET /` in a real browser, with an empty ledger and one that is full of everything.
//!
//! Guards against: a page that scrolls sideways or cuts something on some screen or on paper, that cannot be used with the keyboard, without
//! script or by a screen reader, that asks anybody for anything, and names that become markup.

mod driver;
mod ledger;
mod numbers;
mod sections;
mod shown;

use driver::bears;

#[test]
fn nothing_is_cut_or_scrolls_sideways_at_any_width() {
    bears("widths", &ledger::full().url(), "full");
    bears("widths", &ledger::empty().url(), "empty");
}

#[test]
fn paper_holds_all_of_it_in_dark_letters() {
    bears("print", &ledger::full().url(), "full");
    bears("print", &ledger::empty().url(), "empty");
}

#[test]
fn axe_finds_nothing() {
    bears("axe", &ledger::full().url(), "full");
    bears("axe", &ledger::empty().url(), "empty");
}

#[test]
fn everything_can_be_reached_and_opened_with_the_keyboard() {
    bears("keyboard", &ledger::full().url(), "full");
    bears("keyboard", &ledger::empty().url(), "empty");
}

#[test]
fn it_asks_nobody_for_anything_and_no_name_becomes_markup() {
    bears("alone", &ledger::full().url(), "full");
}

#[test]
fn it_loads_itself_again_when_asked_to() {
    bears("refresh", &ledger::empty().url(), "empty");
}

#[test]
fn a_screen_reader_finds_its_way() {
    bears("structure", &ledger::full().url(), "full");
    bears("structure", &ledger::empty().url(), "empty");
}
