//! A row of tiny steps, as small as a word.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::Parts;

/// Height of the drawing, in its own units.
const HEIGHT: i32 = 20;
/// What each number takes of the width, in the same.
const PITCH: usize = 3;

/// Numbers as steps on a common zero, as wide as `places` of them. The title says what matters of them.
///
/// It is drawn upside down, and turned by the style: so most lengths have a digit or two and no sign, and there are many on a page.
pub fn sparkline(values: &[i128], places: usize, title: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(0);
    let least = values.iter().copied().min().unwrap_or(0).min(0);
    let span = most.saturating_sub(least).max(1);
    // What is not nothing can be seen.
    let height = |value: i128| {
        let length = (Parts::of(value.saturating_abs(), span).0 * HEIGHT / Parts::ALL.0).max(1);
        if value < 0 { -length } else { length * i32::from(value > 0) }
    };
    let heights: Vec<i32> = values.iter().copied().map(height).collect();
    let mut path = String::new();
    if heights.iter().any(|height| *height != 0) {
        path.push_str("M0 0");
        // Neighbors of one height are one step.
        for step in heights.chunk_by(|left, right| left == right) {
            // Writing to a text does not fail.
            let _ = write!(path, "V{}h{}", step[0], step.len() * PITCH);
        }
        path.push_str("V0");
    }
    let bottom = height(least);
    let width = places.max(1) * PITCH;
    html! {
        svg.spark role="img" viewBox={ "0 " (bottom) " " (width) " " (HEIGHT) } preserveAspectRatio="none" {
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
        assert_eq!(path(&[0, 5, 10]), "M0 0V0h3V10h3V20h3V0");
        assert_eq!(path(&[7, 0, 0]), "M0 0V20h3V0h6V0");
        assert_eq!(path(&[1_000_000, 1]), "M0 0V20h3V1h3V0", "one that is small beside it can be seen");
        assert!(drawn(&[1]).contains("<title>most on &lt;1&gt;</title>"));
        assert!(drawn(&[1, 2]).contains(r#"viewBox="0 0 6 20""#));
    }

    #[test]
    fn credits_are_on_the_other_side_of_zero_and_nothing_is_nothing() {
        assert_eq!(path(&[10, -10]), "M0 0V10h3V-10h3V0");
        assert!(drawn(&[10, -10]).contains(r#"viewBox="0 -10 6 20""#));
        assert_eq!(path(&[-3, -6]), "M0 0V-10h3V-20h3V0");
        assert_eq!((path(&[0, 0, 0]), path(&[])), (String::new(), String::new()));
        assert_eq!(path(&[i128::MAX, i128::MIN + 1]).matches('V').count(), 3);
        assert_eq!(path(&[5, 5, 5]), "M0 0V20h9V0", "neighbors of one height are one step");
    }
}
