//! A row of tiny bars, as small as a word.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::Parts;

/// Height of the drawing, in its own units.
const HEIGHT: i32 = 20;
/// What each number takes of the width, in the same.
const PITCH: usize = 3;

/// Numbers as bars on a common zero, as wide as `places` of them. The title says what matters of them.
///
/// It is drawn upside down, and turned by the style: so most lengths have one sign and a digit or two, and there are many on a page.
pub fn sparkline(values: &[i128], places: usize, title: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(0);
    let least = values.iter().copied().min().unwrap_or(0).min(0);
    let span = most.saturating_sub(least).max(1);
    let length = |value: i128| (Parts::of(value.saturating_abs(), span).0 * HEIGHT / Parts::ALL.0).max(1);
    let mut path = String::new();
    for (place, value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
        let sign = if *value < 0 { "-" } else { "" };
        // Writing to a text does not fail.
        let _ = write!(path, "M{} 0V{sign}{}", place * PITCH + 1, length(*value));
    }
    let bottom = if least < 0 { -length(least) } else { 0 };
    let width = places.max(1) * PITCH;
    html! {
        svg.spark role="img" viewBox={ "0 " (bottom) " " (width) " " (HEIGHT) } preserveAspectRatio="none" width="96" height="20" {
            (PreEscaped("<title>")) (title) (PreEscaped("</title>"))
            path d=(path) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[i128]) -> String {
        sparkline(values, values.len(), "most on <1>").into_string()
    }

    fn path(values: &[i128]) -> String {
        drawn(values).split("d=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    #[test]
    fn the_largest_number_is_as_high_as_the_drawing() {
        assert_eq!(path(&[0, 5, 10]), "M4 0V10M7 0V20");
        assert_eq!(path(&[7, 0, 0]), "M1 0V20");
        assert_eq!(path(&[1_000_000, 1]), "M1 0V20M4 0V1", "one that is small beside it can be seen");
        assert!(drawn(&[1]).contains("<title>most on &lt;1&gt;</title>"));
        assert!(drawn(&[1, 2]).contains(r#"viewBox="0 0 6 20""#));
    }

    #[test]
    fn credits_are_on_the_other_side_of_zero_and_nothing_is_nothing() {
        assert_eq!(path(&[10, -10]), "M1 0V10M4 0V-10");
        assert!(drawn(&[10, -10]).contains(r#"viewBox="0 -10 6 20""#));
        assert_eq!(path(&[-3, -6]), "M1 0V-10M4 0V-20");
        assert_eq!((path(&[0, 0, 0]), path(&[])), (String::new(), String::new()));
        assert_eq!(path(&[i128::MAX, i128::MIN + 1]).matches('M').count(), 2);
    }
}
