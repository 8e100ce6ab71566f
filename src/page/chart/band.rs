//! A band of time: which state something was in, and when that changed.

use maud::{Markup, PreEscaped, html};

use super::{Caption, Parts};

/// Height of the band, in pixels, without the labels below.
const HEIGHT: u32 = 28;

/// Which state it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StretchKind {
    /// The one that matters.
    Active,
    /// The usual one.
    Inactive,
    /// Nobody knows any more.
    Unknown,
}

/// A stretch of time in one state.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Where it begins.
    pub from: Parts,
    /// Where it ends.
    pub to: Parts,
    /// The state.
    pub kind: StretchKind,
    /// All of it in words.
    pub title: String,
}

/// A place on the axis.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Where.
    pub at: Parts,
    /// What is written there.
    pub label: String,
    /// Whether it is shown where there is little room.
    pub is_main: bool,
}

/// Stretches one after the other.
#[derive(Clone, Debug)]
pub struct Band {
    /// What the chart shows.
    pub caption: Caption,
    /// From left to right.
    pub stretches: Vec<Stretch>,
    /// The axis.
    pub ticks: Vec<Tick>,
}

impl StretchKind {
    const fn class(self) -> &'static str {
        match self {
            Self::Active => "on",
            Self::Inactive => "off",
            Self::Unknown => "unknown",
        }
    }
}

impl Band {
    /// The drawing. What is active is hatched, so that it is told apart without colour.
    pub fn draw(&self) -> Markup {
        let marks = html! {
            (PreEscaped(
                r#"<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" class="on-ground"/><rect width="2" height="6" class="on-line"/></pattern></defs>"#
            ))
            // A moment can be seen, too: what is active is drawn over what follows.
            @let (active, others): (Vec<&Stretch>, Vec<_>) = self.stretches.iter().partition(|stretch| stretch.kind == StretchKind::Active);
            @for Stretch { from, to, kind, title } in others.into_iter().chain(active) {
                @let width = if *kind == StretchKind::Active { from.to(*to).max(Parts(50)) } else { from.to(*to) };
                rect class=(kind.class()) x=(Parts(from.0.min(Parts::ALL.0 - width.0))) width=(width) height="100%" {
                    (PreEscaped("<title>")) (title) (PreEscaped("</title>"))
                }
            }
            @for Tick { at, label, is_main } in &self.ticks {
                text class=(if *is_main { "x" } else { "x minor" }) x=(at) y="100%" dy="18" { (label) }
            }
        };
        self.caption.drawing("band", HEIGHT, &marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_each_other_and_a_moment_can_be_seen() {
        let stretch = |from, to, kind| Stretch { from: Parts(from), to: Parts(to), kind, title: "<b>".into() };
        let caption = Caption { id: "gate-band", title: "T".into(), description: "D".into() };
        let stretches = vec![
            stretch(0, 2_500, StretchKind::Unknown),
            stretch(2_500, 9_999, StretchKind::Inactive),
            stretch(9_999, 10_000, StretchKind::Active),
        ];
        let ticks = vec![Tick { at: Parts(5_000), label: "12:00".into(), is_main: true }];
        let drawn = Band { caption, stretches, ticks }.draw().into_string();
        assert!(
            drawn.contains(r#"<rect class="unknown" x="0%" width="25%" height="100%"><title>&lt;b&gt;</title>"#),
            "{drawn}"
        );
        assert!(drawn.contains(r#"<rect class="off" x="25%" width="74.99%""#), "{drawn}");
        assert!(drawn.contains(r#"<rect class="on" x="99.5%" width="0.5%""#), "{drawn}");
        assert!(drawn.contains(r#"<text class="x" x="50%" y="100%" dy="18">12:00</text>"#), "{drawn}");
        assert!(!drawn.contains("style="));
    }
}
