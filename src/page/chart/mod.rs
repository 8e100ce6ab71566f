//! Charts: pure functions from numbers to SVG.
//!
//! *Invariants.* Nothing is scaled by a float, and no size is a style: lengths are percentages of the drawing in attributes, so that a
//! chart has the width of its place and its text keeps its size. A chart says in words what it shows ([`Caption`]), and colour is never the
//! only sign.
//!
//! *Limits.* As many marks as numbers are given; the callers bound those.

mod band;
mod bars;
mod meter;
mod scale;
mod sparkline;

use maud::{Markup, PreEscaped, html};

pub use band::{Band, Stretch, StretchKind, Tick};
pub use bars::{Bar, Bars};
pub use meter::{Meter, meter};
pub use scale::{Parts, Scale};
pub use sparkline::sparkline;

/// What a chart shows, for those who do not see it.
#[derive(Clone, Debug)]
pub struct Caption {
    /// A word that is unique on the page.
    pub id: &'static str,
    /// What it is.
    pub title: String,
    /// What the numbers say.
    pub description: String,
}

impl Caption {
    /// A drawing with a title and a description. The title is no tooltip of everything in it: that is for the marks.
    fn drawing(&self, class: &str, height: u32, marks: &Markup) -> Markup {
        let Self { id, title, description } = self;
        html! {
            svg class=(class) role="img" aria-labelledby={ (id) "-title " (id) "-desc" } width="100%" height=(height) {
                (PreEscaped(format!("<title id=\"{id}-title\">"))) (title) (PreEscaped("</title>"))
                (PreEscaped(format!("<desc id=\"{id}-desc\">"))) (description) (PreEscaped("</desc>"))
                (marks)
            }
        }
    }
}
