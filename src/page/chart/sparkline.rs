//! A row of tiny bars, as small as a word.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::{Parts, Scale};

/// Height of the drawing, in its own units.
const HEIGHT: i32 = 20;
/// What each number takes of the width, in the same.
const PITCH: usize = 3;

/// Numbers as bars on a common zero, as wide as `places` of them. The title says what matters of them.
pub fn sparkline(values: &[i128], places: usize, title: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0);
    let scale = Scale::over(values.iter().copied().min().unwrap_or(0), most);
    // A round scale would waste a part of so little height.
    let top = scale.height(most.max(0)).max(Parts(1));
    let y = |number: i128| HEIGHT - (scale.height(number).0 * HEIGHT / top.0.max(scale.height(0).0)).min(HEIGHT);
    let mut path = String::new();
    for (place, value) in values.iter().enumerate().filter(|(_, value)| **value != 0) {
        let (zero, end) = (y(0), y(*value));
        let end = if end != zero {
            end
        } else if *value > 0 {
            (zero - 1).max(0)
        } else {
            (zero + 1).min(HEIGHT)
        };
        // Writing to a text does not fail.
        let _ = write!(path, "M{} {zero}V{end}", place * PITCH + 1);
    }
    let width = places.max(1) * PITCH;
    html! {
        svg.spark role="img" viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" width="96" height="20" {
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
        assert_eq!(path(&[0, 5, 10]), "M4 20V10M7 20V0");
        assert_eq!(path(&[7, 0, 0]), "M1 20V0");
        assert_eq!(path(&[1_000_000, 1]), "M1 20V0M4 20V19", "one that is small beside it can be seen");
        assert!(drawn(&[1]).contains("<title>most on &lt;1&gt;</title>"));
        assert!(drawn(&[1, 2]).contains(r#"viewBox="0 0 6 20""#));
    }

    #[test]
    fn credits_hang_below_zero_and_nothing_is_nothing() {
        assert_eq!(path(&[10, -10]), "M1 10V0M4 10V20");
        assert_eq!(path(&[-3, -6]), "M1 0V10M4 0V20");
        assert_eq!((path(&[0, 0, 0]), path(&[])), (String::new(), String::new()));
        assert_eq!(path(&[i128::MAX, i128::MIN + 1]).matches('M').count(), 2);
    }
}
