//! Bars over days, with a limit as a line.

use maud::{Markup, PreEscaped, html};

use super::{Caption, Parts, Scale};

/// Height of the drawing without the labels below, in pixels.
const HEIGHT: u32 = 200;
/// The share of its place that a bar takes.
const BAR_PARTS: i32 = 70;
/// What is not zero is drawn at least so high.
const LEAST: Parts = Parts(60);
/// A limit of more than so many times the largest bar would flatten all bars: its line is drawn at the upper edge, and says so.
const LIMIT_TIMES_MAX: i128 = 8;

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it stands for, such as the day of the month.
    pub label: String,
    /// Whether the label is shown where there is little room.
    pub is_main: bool,
    /// The number.
    pub value: i128,
    /// All of it in words.
    pub title: String,
    /// Whether it is above the limit, or still growing, as a class of the style.
    pub class: &'static str,
}

/// Bars side by side.
#[derive(Clone, Debug)]
pub struct Bars {
    /// What the chart shows.
    pub caption: Caption,
    /// From left to right.
    pub bars: Vec<Bar>,
    /// Places for bars, those that are empty at the right included.
    pub places: usize,
    /// Where the line is drawn, and what stands at it.
    pub limit: Option<(i128, String)>,
    /// How a number is written at the axis.
    pub write: fn(i128) -> String,
}

impl Bars {
    /// The drawing.
    pub fn draw(&self) -> Markup {
        let numbers = || self.bars.iter().map(|bar| bar.value);
        let most = numbers().max().unwrap_or(0).max(0);
        let limit = self.limit.as_ref().map(|(limit, text)| (*limit, text));
        let drawn_limit = limit.map(|(limit, _)| limit).filter(|limit| most == 0 || *limit / LIMIT_TIMES_MAX <= most);
        let scale = Scale::over(numbers().min().unwrap_or(0), most.max(drawn_limit.unwrap_or(0)));
        let marks = html! {
            @for step in scale.steps() {
                (grid_line(scale.height(step), step == 0, &(self.write)(step)))
            }
            @for (place, bar) in self.bars.iter().enumerate() { (self.bar(place, bar, &scale)) }
            @if let Some((limit, text)) = limit { (limit_line(drawn_limit.map(|_| scale.height(limit)), text)) }
        };
        self.caption.drawing("plot", HEIGHT, &marks)
    }

    fn bar(&self, place: usize, bar: &Bar, scale: &Scale) -> Markup {
        let all = Parts::ALL.0;
        let places = i32::try_from(self.places.max(1)).unwrap_or(all);
        let start = i32::try_from(place).map_or(all, |place| all.saturating_mul(place) / places);
        let (width, middle) = (all / places * BAR_PARTS / 100, Parts(start + all / places / 2));
        let (zero, end) = (scale.height(0), scale.height(bar.value));
        let (low, high) = (zero.min(end), zero.max(end));
        let height = if bar.value == 0 { Parts::NONE } else { low.to(high).max(LEAST) };
        let top = if bar.value < 0 { zero.rest() } else { Parts((zero.rest().0 - height.0).max(0)) };
        let class = if bar.is_main { "x" } else { "x minor" };
        html! {
            @if height > Parts::NONE {
                rect.bar.(bar.class) x=(Parts(middle.0 - width / 2)) y=(top) width=(Parts(width)) height=(height) {
                    (PreEscaped("<title>")) (bar.title) (PreEscaped("</title>"))
                }
            }
            text class=(class) x=(middle) y="100%" dy="18" { (bar.label) }
        }
    }
}

fn grid_line(height: Parts, is_zero: bool, text: &str) -> Markup {
    let (y, class) = (height.rest(), if is_zero { "zero" } else { "grid" });
    html! {
        line class=(class) x1="0" x2="100%" y1=(y) y2=(y) {}
        text.y x="0" dx="-8" y=(y) dy="4" { (text) }
    }
}

/// `None`: the limit is far above everything that is drawn.
fn limit_line(height: Option<Parts>, text: &str) -> Markup {
    let y = height.unwrap_or(Parts::ALL).rest();
    // Below the line where there is no room above.
    let dy = if y.0 < 1_000 { "15" } else { "-6" };
    let beyond = if height.is_none() { " ↑ far above" } else { "" };
    html! {
        line.limit x1="0" x2="100%" y1=(y) y2=(y) {}
        text.limit-text x="100%" y=(y) dy=(dy) { (text) (beyond) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[i128], limit: Option<i128>) -> String {
        let bar = |(place, value): (usize, &i128)| Bar {
            label: (place + 1).to_string(),
            is_main: place == 0,
            value: *value,
            title: format!("<{value}>"),
            class: "",
        };
        let caption = Caption { id: "days", title: "T".into(), description: "D & E".into() };
        let limit = limit.map(|limit| (limit, format!("limit {limit}")));
        let bars: Vec<Bar> = values.iter().enumerate().map(bar).collect();
        Bars { caption, places: bars.len(), bars, limit, write: |number| number.to_string() }.draw().into_string()
    }

    #[test]
    fn bars_stand_on_zero_and_credits_hang_below_it() {
        let drawn = bars(&[20, -20, 0], None);
        assert!(drawn.contains(r#"role="img" aria-labelledby="days-title days-desc""#), "{drawn}");
        assert!(drawn.contains(r#"<title id="days-title">T</title><desc id="days-desc">D &amp; E</desc>"#), "{drawn}");
        assert!(drawn.contains(r#"y="0%" width="23.33%" height="50%"><title>&lt;20&gt;</title>"#), "{drawn}");
        assert!(drawn.contains(r#"y="50%" width="23.33%" height="50%"><title>&lt;-20&gt;</title>"#), "{drawn}");
        assert_eq!(drawn.matches("<rect").count(), 2, "a day without cost has no bar: {drawn}");
        assert!(drawn.contains(r#"<line class="zero" x1="0" x2="100%" y1="50%" y2="50%">"#), "{drawn}");
        assert!(!drawn.contains("style="), "{drawn}");
    }

    #[test]
    fn the_limit_is_on_the_scale_unless_that_would_flatten_the_bars() {
        let drawn = bars(&[10, 5], Some(40));
        assert!(drawn.contains(r#"<line class="limit" x1="0" x2="100%" y1="0%" y2="0%">"#), "{drawn}");
        assert!(drawn.contains(">limit 40<") && drawn.contains(r#"y="75%""#), "{drawn}");
        let drawn = bars(&[10, 5], Some(1_000));
        assert!(drawn.contains(">limit 1000 ↑ far above<") && drawn.contains(r#"height="100%""#), "{drawn}");
        let drawn = bars(&[50], Some(40));
        assert!(drawn.contains(r#"y1="33.34%""#), "{drawn}");
    }

    #[test]
    fn nothing_one_day_and_huge_days_can_be_drawn() {
        let drawn = bars(&[0, 0], None);
        assert!(!drawn.contains("<rect") && !drawn.contains("class=\"y\""), "{drawn}");
        assert!(bars(&[0, 0], Some(50)).contains("limit 50"));
        assert!(!bars(&[], None).contains("rect"));
        assert_eq!(bars(&[7], None).matches("<rect").count(), 1);
        let drawn = bars(&[i128::MAX, 1], Some(i128::MAX));
        assert!(drawn.contains(r#"height="0.6%""#), "one that is small beside it can be seen: {drawn}");
    }
}
