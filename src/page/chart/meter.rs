//! How much of a limit is used: spent, held beside it, and where thresholds are.

use maud::{Markup, PreEscaped, html};

use super::Parts;

/// Height of the bar, in pixels.
const HEIGHT: u32 = 12;

/// What is used of a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter<'m> {
    /// What was spent; below zero counts as nothing.
    pub spent: i128,
    /// What is set aside besides.
    pub held: i128,
    /// The limit.
    pub limit: i128,
    /// Where thresholds are, in the same unit, with a word for each.
    pub marks: &'m [(i128, &'m str)],
    /// How serious it is, as a class of the style.
    pub class: &'m str,
}

/// The bar. Once the limit is passed, the bar ends where the spending does, and a line shows the limit. The title says it in words.
pub fn meter(Meter { spent, held, limit, marks, class }: Meter<'_>, title: &str) -> Markup {
    let (spent, held) = (spent.max(0), held.max(0));
    let used = spent.saturating_add(held);
    let whole = limit.max(used).max(1);
    let at = |number: i128| Parts::of(number, whole);
    // What is there can be seen.
    let least = |parts: Parts, number: i128| if number > 0 { parts.max(Parts(40)) } else { parts };
    let spent_to = least(at(spent), spent);
    let held_wide = Parts(at(used).0 - spent_to.0).max(Parts(40));
    html! {
        svg.meter.(class) role="img" width="100%" height=(HEIGHT) {
            (PreEscaped("<title>")) (title) (PreEscaped("</title>"))
            rect.track width="100%" height="100%" rx="3" {}
            @if held > 0 { rect.held x=(Parts(spent_to.0.min(Parts::ALL.0 - held_wide.0))) width=(held_wide) height="100%" {} }
            @if spent_to > Parts::NONE { rect.spent width=(spent_to) height="100%" rx="3" {} }
            @for (mark, _) in marks.iter().filter(|(mark, _)| *mark > 0 && *mark < whole) {
                line.mark x1=(at(*mark)) x2=(at(*mark)) y1="0" y2="100%" {}
            }
            @if limit > 0 && limit < whole { line.end x1=(at(limit)) x2=(at(limit)) y1="0" y2="100%" {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(spent: i128, held: i128, limit: i128) -> String {
        let marks = [(80, "warns"), (90, "closes the gate")];
        meter(Meter { spent, held, limit, marks: &marks, class: "ok" }, "<half>").into_string()
    }

    #[test]
    fn what_is_held_follows_what_was_spent() {
        let half = drawn(50, 25, 100);
        assert!(
            half.contains(r#"<rect class="held" x="50%" width="25%""#) && half.contains(r#"class="spent" width="50%""#),
            "{half}"
        );
        assert!(half.contains(r#"<line class="mark" x1="80%""#) && half.contains("<title>&lt;half&gt;</title>"), "{half}");
        assert!(!half.contains(r#"class="end""#), "{half}");
    }

    #[test]
    fn beyond_the_limit_a_line_shows_where_it_was() {
        let over = drawn(200, 0, 100);
        assert!(over.contains(r#"class="spent" width="100%""#) && over.contains(r#"<line class="end" x1="50%""#), "{over}");
        assert!(drawn(100, 100, 100).contains(r#"class="held" x="50%" width="50%""#));
    }

    #[test]
    fn the_least_can_be_seen_and_nothing_is_nothing() {
        assert!(drawn(1, 1, 1_000_000_000).contains(r#"class="held" x="0.4%" width="0.4%""#));
        for (spent, held, limit) in [(0, 0, 100), (-5, 0, 100), (0, 0, 0)] {
            let empty = drawn(spent, held, limit);
            assert!(!empty.contains("spent") && !empty.contains("held"), "{empty}");
        }
        assert!(drawn(5, 0, 0).contains(r#"width="100%""#), "a limit of zero is used up");
        assert!(drawn(i128::MAX, i128::MAX, 1).contains("spent"));
    }
}
