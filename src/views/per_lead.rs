//! What a lead costs on average: worked out now and then beside the views, since only the ledger knows leads.

use std::time::Duration;

use jiff::civil::Date;

use crate::domain::{Month, Now, Steady, Usd};

/// How old it may be when it is shown.
const AGE_MAX: Duration = Duration::from_secs(60);

/// What a lead costs on average: attributed cost divided by the number of leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostPerLead {
    /// The day that was the current one.
    pub day: Date,
    /// When everything recorded before was counted.
    pub as_of: Steady,
    /// Of the day; `None` without leads.
    pub daily: Option<Usd>,
    /// Of the day's month.
    pub monthly: Option<Usd>,
}

impl CostPerLead {
    /// What of it may be shown at this instant, with `today` as the current day: of the day, and of the month.
    pub fn at(&self, now: Now, today: Date) -> (Option<Usd>, Option<Usd>) {
        let is_fresh = now.steady.since(self.as_of) <= AGE_MAX;
        let of_day = self.daily.filter(|_| is_fresh && self.day == today);
        let of_month = self.monthly.filter(|_| is_fresh && Month::of(self.day) == Month::of(today));
        (of_day, of_month)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn it_is_shown_in_its_own_day_and_month_while_it_is_fresh() {
        let start = Now { time: jiff::Timestamp::UNIX_EPOCH, steady: Steady::default() };
        let day = date(2026, 11, 30);
        let [one, two] = [1, 2].map(|dollars| Some(Usd::from_dollars(dollars)));
        let costs = CostPerLead { day, as_of: start.steady, daily: one, monthly: two };
        let after = |length| Now { steady: start.steady + length, ..start };
        assert_eq!(costs.at(after(AGE_MAX), day), (one, two));
        assert_eq!(costs.at(after(AGE_MAX + Duration::from_nanos(1)), day), (None, None));
        assert_eq!(costs.at(start, date(2026, 11, 29)), (None, two));
        assert_eq!(costs.at(start, date(2026, 12, 1)), (None, None));
    }
}
