//! The keys of a budget that are nearest to its limit, and those that are farthest from it.

use super::meter::Meter;
use super::tally::Tally;
use crate::budget::{Account, Amounts, Budget, KeyCounts, KeyStanding};
use crate::domain::{Folded, Span};

/// Keys that are shown of a budget with `each`.
pub const FULLEST_MAX: usize = 20;
/// Keys that are held while the fullest are looked for.
const HELD_MAX: usize = 1_024;

/// A key that may be one of the fullest.
struct Candidate {
    /// How much of the limit is spent; of one unit its amount, since all keys have one limit.
    used: (f64, i128),
    /// What is set aside, over all units.
    held: i128,
    key: Folded,
    spent: Amounts,
    reserved: Amounts,
}

impl Candidate {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let (used, others) = (&self.used, &other.used);
        let by_use = others.0.total_cmp(&used.0).then(others.1.cmp(&used.1));
        by_use.then(other.held.cmp(&self.held)).then_with(|| self.key.cmp(&other.key))
    }
}

impl Meter {
    /// The keys of which most is spent in a span, the fullest first; then those of which most is reserved.
    pub fn fullest(&self, budget: &Budget, span: Span) -> Vec<KeyStanding> {
        let mut found: Vec<Candidate> = Vec::new();
        self.each_key(span, |key, tally, reserved| {
            let (spent, reserved) = (tally.map(|tally| &tally.spent), reserved.cloned().unwrap_or_default());
            let used = match (self.bars().limits().as_slice(), spent) {
                (_, None) => (0.0, 0),
                // All of such a limit is used, whatever is spent.
                ([limit], _) if *limit <= 0 => (0.0, 0),
                ([_], Some(spent)) => (0.0, spent.first().copied().unwrap_or(0).max(0)),
                (_, spent) => (Account::new(&budget.limit, spent, None).utilization_percent(), 0),
            };
            let held = reserved.iter().copied().fold(0, i128::saturating_add);
            found.push(Candidate { used, held, key: key.clone(), spent: spent.cloned().unwrap_or_default(), reserved });
            if found.len() >= HELD_MAX {
                keep_fullest(&mut found);
            }
        });
        keep_fullest(&mut found);
        found.sort_unstable_by(Candidate::order);
        let standing = |Candidate { key, spent, reserved, .. }: Candidate| {
            let account = Account::new(&budget.limit, Some(&spent), Some(&reserved));
            let state = account.state(budget);
            KeyStanding { key: key.as_str().into(), account, state }
        };
        found.into_iter().map(standing).collect()
    }

    /// How the keys of a span stand, those that only hold something included.
    pub fn key_counts(&self, span: Span) -> KeyCounts {
        let mut counts = self.counts(span);
        // Nothing of these is spent, but of a limit of 0 there is nothing to spend.
        let state = self.bars().key_state(&Amounts::new());
        self.each_held_only(span, || counts.change(None, Some(state)));
        counts
    }
}

fn keep_fullest(found: &mut Vec<Candidate>) {
    if found.len() > FULLEST_MAX {
        found.select_nth_unstable_by(FULLEST_MAX, Candidate::order);
        found.truncate(FULLEST_MAX);
    }
}

/// Lets go of keys until so many are left, the emptiest first, as far as the ledger has them as they are, which `may_go` says. It takes time
/// with how many there are. What is counted must be committed.
pub fn let_go(meters: &mut [(&Budget, &mut Meter)], keys: usize, may_go: impl Fn(&Meter, &Tally) -> bool) {
    let kept: usize = meters.iter().map(|(_, meter)| meter.keys_len()).sum();
    let mut going: Vec<f64> = Vec::new();
    for (_, meter) in meters.iter_mut().filter(|(budget, _)| budget.each.is_some()) {
        meter.apply();
        for span in meter.spans() {
            meter.each_tally(span, |_, tally| {
                if may_go(meter, tally) {
                    going.push(used(meter.bars().limits(), &tally.spent));
                }
            });
        }
    }
    let superfluous = kept.saturating_sub(keys).min(going.len());
    if superfluous == 0 {
        return;
    }
    let (_, fullest, _) = going.select_nth_unstable_by(superfluous - 1, f64::total_cmp);
    let fullest = *fullest;
    // Of those that are as full as the fullest that goes, so many as it takes.
    let mut alike = superfluous - going.iter().filter(|used| **used < fullest).count();
    for (_, meter) in meters.iter_mut().filter(|(budget, _)| budget.each.is_some()) {
        let (spans, of_meter): (Vec<Span>, Meter) = (meter.spans().collect(), meter.clone());
        for span in spans {
            meter.leave_to_ledger(span, |tally| {
                let used = used(of_meter.bars().limits(), &tally.spent);
                let goes = may_go(&of_meter, tally) && (used < fullest || (used == fullest && alike > 0));
                alike -= usize::from(goes && used == fullest);
                goes
            });
        }
    }
}

/// About how much of the limit is spent: exactness is nothing to those that are let go.
fn used(limits: &Amounts, spent: &Amounts) -> f64 {
    let share = |(limit, spent): (&i128, &i128)| if *limit <= 0 { 1.0 } else { *spent as f64 / *limit as f64 };
    limits.iter().zip(spent).map(share).fold(0.0, f64::max)
}
