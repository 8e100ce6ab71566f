//! What is around the sections: the beginning, which is always the same, the head, which needs nothing that is read, and the foot.

use maud::{Markup, PreEscaped, html};

use super::View;
use super::view::month_words;

/// What every page begins with, so that it need not be made for each. [`head`] follows.
pub const BEGINNING: &str = concat!(
    "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
    "<style>",
    include_str!("style.css"),
    "</style>",
);

/// The sections, as the navigation names them.
const SECTIONS: [(&str, &str); 9] = [
    ("gate", "Gate"),
    ("totals", "Totals"),
    ("days", "Days"),
    ("budgets", "Budgets"),
    ("breakdown", "Breakdown"),
    ("models", "Models"),
    ("workers", "Workers"),
    ("holds", "Holds"),
    ("events", "Events"),
];
/// How often the page may be loaded anew, as it is offered.
const REFRESHES: [(Option<u32>, &str); 4] = [(None, "off"), (Some(10), "10 s"), (Some(60), "1 min"), (Some(600), "10 min")];

/// Something that REST answers.
#[derive(Clone, Debug)]
pub struct Link {
    /// The path, with a query where it needs one.
    pub target: String,
    /// What is answered.
    pub summary: &'static str,
}

/// What follows [`BEGINNING`], up to the first section.
pub fn head(view: &View) -> Markup {
    let program = env!("CARGO_PKG_NAME");
    html! {
        title { "Cost in " (view.month_words()) " · " (program) }
        (PreEscaped("</head><body>"))
        a.skip href="#main" { "Skip to the numbers" }
        header {
            div.bar {
                p.program { a href="/" { (program) } }
                nav.sections aria-label="On this page" {
                    ul { @for (id, title) in SECTIONS { li { a href={ "#" (id) } { (title) } } } }
                }
            }
            div.month {
                h1 { "Cost in " (view.month_words()) }
                (months(view))
            }
            p.asof {
                "As of " (view.time(view.now)) ", " span.zone { (view.zone.name()) } "."
                (refreshes(view))
            }
        }
        (PreEscaped("<main id=\"main\">"))
    }
}

fn months(view: &View) -> Markup {
    let previous = view.previous();
    html! {
        nav.months aria-label="Month" {
            a href=(view.asked.of_month(Some(previous)).link()) rel="prev" { "← " (month_words(previous)) }
            @if let Some(next) = view.next() {
                a href=(view.asked.of_month(Some(next)).link()) rel="next" { (month_words(next)) " →" }
            }
            @if !view.is_current() { a href=(view.asked.of_month(None).link()) { "This month" } }
        }
    }
}

fn refreshes(view: &View) -> Markup {
    let now = view.asked.refresh_seconds;
    html! {
        span.refresh {
            " Refresh: "
            @if let Some(seconds) = now.filter(|seconds| !REFRESHES.iter().any(|(known, _)| *known == Some(*seconds))) {
                a aria-current="true" href=(view.asked.link()) { (seconds) " s" } " "
            }
            @for (seconds, words) in REFRESHES {
                @let current = (seconds == now).then_some("true");
                a aria-current=[current] href=(view.asked.refreshed_every(seconds).link()) { (words) } " "
            }
        }
    }
}

/// Everything after the last section: what else can be read here.
pub fn foot(links: &[Link]) -> Markup {
    html! {
        (PreEscaped("</main>"))
        footer {
            p {
                (env!("CARGO_PKG_NAME")) " " (env!("CARGO_PKG_VERSION"))
                ". Every amount is exact: a rounded one has all its digits in its " code { "value" } "."
            }
            nav aria-label="REST" {
                ul.routes { @for Link { target, summary } in links { li { a href=(target) title=(summary) { (target) } } } }
            }
        }
        (PreEscaped("</body></html>\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BudgetZone;
    use crate::page::Asked;

    #[test]
    fn months_and_refreshes_are_links_that_keep_the_rest() {
        let asked = Asked { month: Some("2026-10".parse().unwrap()), by: Some("model".into()), refresh_seconds: Some(7) };
        let view = View::new(asked, "2026-11-29T12:00:00Z".parse().unwrap(), BudgetZone::UTC);
        let head = head(&view).into_string();
        for expected in [
            r#"<a href="/?month=2026-09&amp;by=model&amp;refresh=7" rel="prev">← September 2026</a>"#,
            r#"<a href="/?month=2026-11&amp;by=model&amp;refresh=7" rel="next">November 2026 →</a>"#,
            r#"<a href="/?by=model&amp;refresh=7">This month</a>"#,
            r#"<a aria-current="true" href="/?month=2026-10&amp;by=model&amp;refresh=7">7 s</a>"#,
            r#"<a href="/?month=2026-10&amp;by=model&amp;refresh=60">1 min</a>"#,
            r#"<a href="/?month=2026-10&amp;by=model">off</a>"#,
            "<h1>Cost in October 2026</h1>",
        ] {
            assert!(head.contains(expected), "{expected} in {head}");
        }
        let view = View::new(Asked::default(), "2026-11-29T12:00:00Z".parse().unwrap(), BudgetZone::UTC);
        let head = super::head(&view).into_string();
        assert!(!head.contains(r#"rel="next""#) && head.contains(r#"<a aria-current="true" href="/">off</a>"#), "{head}");
    }
}
