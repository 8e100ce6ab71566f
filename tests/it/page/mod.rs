//! The page of `GET /` in a real browser, with an empty ledger and one that is full of everything.
//!
//! Guards against: a page that scrolls sideways or cuts something on some screen or on paper, that cannot be used with the keyboard, without
//! script or by a screen reader, that asks anybody for anything, and names that become markup.

mod driver;
mod ledger;
mod numbers;
mod shown;

use driver::bears;

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
