//! The page of `GET /` in a real browser, with an empty ledger and one that is full of everything.
//!
//! Guards against: a page that cannot be used with the keyboard.

mod driver;
mod ledger;

use driver::bears;

#[test]
fn everything_can_be_reached_and_opened_with_the_keyboard() {
    bears("keyboard", &ledger::full().url(), "full");
    bears("keyboard", &ledger::empty().url(), "empty");
}
