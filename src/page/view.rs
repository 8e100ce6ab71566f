//! Under which circumstances a page is made: what is asked, when, and in which zone.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use maud::{Markup, html};

use super::room::Pool;
use super::{Asked, words};
use crate::domain::{BudgetZone, Month};

/// Under which circumstances a page is made.
#[derive(Debug)]
pub struct View {
    /// What is asked.
    pub asked: Asked,
    /// When.
    pub now: Timestamp,
    /// Whose days and months are counted.
    pub zone: BudgetZone,
    /// The current day.
    pub today: Date,
    /// The month that is shown.
    pub month: Month,
    /// What is left of the page for lists.
    pub(super) pool: Pool,
}

impl View {
    /// A page that is made now.
    pub fn new(asked: Asked, now: Timestamp, zone: BudgetZone) -> Self {
        let today = zone.day_of(now);
        let month = asked.month.unwrap_or_else(|| Month::of(today));
        Self { asked, now, zone, today, month, pool: Pool::default() }
    }

    /// Whether the month is the one that it is.
    pub fn is_current(&self) -> bool {
        self.month == Month::of(self.today)
    }

    /// The first day of the month, and the last one that may have cost: today, or its last.
    pub fn days(&self) -> (Date, Date) {
        let (first, last) = (self.month.first_day(), self.month.last_day());
        (first, if first <= self.today { last.min(self.today) } else { last })
    }

    /// Every one of these days.
    pub fn each_day(&self) -> Vec<Date> {
        let (first, last) = self.days();
        first.series(1.day()).take_while(|day| *day <= last).collect()
    }

    /// The month before.
    pub fn previous(&self) -> Month {
        Month::of(self.month.first_day().yesterday().unwrap_or(Date::MIN))
    }

    /// The month after, unless that has not come.
    pub fn next(&self) -> Option<Month> {
        let next = Month::of(self.month.last_day().tomorrow().ok()?);
        (next <= Month::of(self.today)).then_some(next)
    }

    /// The month in words: `November 2026`.
    pub fn month_words(&self) -> String {
        month_words(self.month)
    }

    /// A time, short, with all of it for programs and in the title.
    pub fn time(&self, time: Timestamp) -> Markup {
        let all = self.zone.civil(time).strftime("%Y-%m-%d %H:%M:%S").to_string();
        html! { time datetime=(time) title={ (all) " " (self.zone.name()) } { (words::clock(time, self.now, &self.zone)) } }
    }

    /// A time and how far away it is.
    pub fn time_from_now(&self, time: Timestamp) -> Markup {
        html! { (self.time(time)) " (" (words::from_now(time, self.now)) ")" }
    }

    /// The REST answer with the month's cost by day and by something.
    pub fn history_link(&self, by: &str) -> String {
        let (first, last) = self.days();
        format!("/costs/history?from={first}&to={last}&by={}", super::asked::encoded(by))
    }
}

/// A month in words.
pub fn month_words(month: Month) -> String {
    month.first_day().strftime("%B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(month: Option<&str>, now: &str) -> View {
        let asked = Asked { month: month.map(|month| month.parse().unwrap()), ..Asked::default() };
        View::new(asked, now.parse().unwrap(), BudgetZone::named("Asia/Tokyo").unwrap())
    }

    #[test]
    fn the_month_is_that_of_the_zone_and_ends_today() {
        let current = view(None, "2026-11-30T15:30:00Z");
        assert_eq!((current.month_words().as_str(), current.is_current()), ("December 2026", true));
        assert_eq!(current.history_link("a b"), "/costs/history?from=2026-12-01&to=2026-12-01&by=a+b");
        assert_eq!((current.previous().to_string().as_str(), current.next()), ("2026-11", None));
        let before = view(Some("2026-10"), "2026-11-30T15:30:00Z");
        assert_eq!((before.each_day().len(), before.is_current()), (31, false));
        assert_eq!(before.next().map(|month| month.to_string()).as_deref(), Some("2026-11"));
        let ahead = view(Some("2027-02"), "2026-11-30T15:30:00Z");
        assert_eq!((ahead.each_day().len(), ahead.next()), (28, None));
        assert_eq!(view(Some("9999-12"), "2026-11-30T15:30:00Z").next(), None);
    }

    #[test]
    fn a_time_has_its_digits_for_programs_and_its_zone_for_people() {
        let shown = view(None, "2026-11-29T12:00:00Z").time("2026-11-29T03:04:05Z".parse().unwrap()).into_string();
        assert_eq!(shown, r#"<time datetime="2026-11-29T03:04:05Z" title="2026-11-29 12:04:05 Asia/Tokyo">12:04</time>"#);
    }
}
