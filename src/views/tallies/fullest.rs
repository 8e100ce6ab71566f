//! The keys of a budget that are nearest to its limit, and those that are farthest from it.

use super::counted::Tally;
use super::meter::Meter;
use crate::budget::{Account, Budget, KeyCounts, KeyStanding};
use crate::domain::Span;

/// Keys that are shown of a budget with `each`.
pub const FULLEST_MAX: usize = 20;

impl Meter {
    /// The keys of which most is spent in a span, the fullest first; then those of which most is reserved.
    pub fn fullest(&self, budget: &Budget, span: Span) -> Vec<KeyStanding> {
        let with_cost = self.tallies(span).map(|(key, tally)| (key, Some(&tally.spent), self.reserved(key)));
        let held_only =
            self.all_reserved().filter(|(key, _)| !self.has(span, key)).map(|(key, held)| (key, None, Some(held)));
        let mut keys: Vec<_> = with_cost
            .chain(held_only)
            .map(|(key, spent, reserved)| {
                let account = Account::new(&budget.limit, spent, reserved);
                let held: i128 = account.units().iter().map(|used| used.reserved).fold(0, i128::saturating_add);
                (account.utilization_percent(), held, key, account)
            })
            .collect();
        let order = |one: &(f64, i128, &str, Account), other: &(f64, i128, &str, Account)| {
            other.0.total_cmp(&one.0).then(other.1.cmp(&one.1)).then_with(|| one.2.cmp(other.2))
        };
        if keys.len() > FULLEST_MAX {
            keys.select_nth_unstable_by(FULLEST_MAX, order);
            keys.truncate(FULLEST_MAX);
        }
        keys.sort_unstable_by(order);
        let standing = |(_, _, key, account): (f64, i128, &str, Account)| {
            let state = account.state(budget);
            KeyStanding { key: key.into(), account, state }
        };
        keys.into_iter().map(standing).collect()
    }

    /// How the keys of a span stand, those that only hold something included.
    pub fn key_counts(&self, budget: &Budget, span: Span) -> KeyCounts {
        let mut counts = self.counts(span);
        // Nothing of these is spent, but of a limit of 0 there is nothing to spend.
        let state = Account::new(&budget.limit, None, None).key_state(budget);
        self.all_reserved().filter(|(key, _)| !self.has(span, key)).for_each(|_| counts.change(None, Some(state)));
        counts
    }

    fn has(&self, span: Span, key: &str) -> bool {
        matches!(self.find(0, span, key), Ok(Some(_)) | Err(_))
    }
}

/// Lets go of keys until so many are left, the emptiest first, as far as the ledger has them as they are, which `may_go` says. It takes time
/// with how many there are.
pub fn let_go(meters: &mut [(&Budget, &mut Meter)], keys: usize, may_go: impl Fn(&Meter, &Tally) -> bool) {
    let kept: usize = meters.iter().map(|(_, meter)| meter.keys_len()).sum();
    let mut going: Vec<(f64, usize, Span, Box<str>)> = Vec::new();
    for (at, (budget, meter)) in meters.iter().enumerate().filter(|(_, (budget, _))| budget.each.is_some()) {
        let may_go = meter.all().filter(|(_, _, tally)| may_go(meter, tally));
        going.extend(may_go.map(|(span, key, tally)| {
            let account = Account::new(&budget.limit, Some(&tally.spent), None);
            (account.utilization_percent(), at, span, Box::from(key))
        }));
    }
    let superfluous = kept.saturating_sub(keys).min(going.len());
    if superfluous == 0 {
        return;
    }
    if superfluous < going.len() {
        going.select_nth_unstable_by(superfluous, |one, other| one.0.total_cmp(&other.0).then_with(|| one.3.cmp(&other.3)));
    }
    for (_, at, span, key) in going.drain(..superfluous) {
        meters[at].1.leave_to_ledger(span, &key);
    }
}
