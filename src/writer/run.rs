//! The loop of the one writer: take what queued, decide, commit, publish, answer.
//!
//! *Invariants.* An answer is given after the commit is synced *and* published, so whoever has it sees its cost everywhere.
//! Commands are decided in the order in which they queued, each against the ones before it. Whatever makes a commit fail, the
//! views are built anew from the file before the next one. Events are committed at once; the sums follow with the next tick, and
//! before anything reads them from the file or a checkpoint moves them there.
//!
//! *Limits.* [`COMMIT_EVENTS_MAX`] events in a commit, beyond the batch that crosses it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};

use super::command::{Command, ReservationCommand};
use super::draft::{Draft, Finished};
use super::exhausted::Exhausted;
use super::gate;
use super::instruments::Instruments;
use super::load::resident_floor;
use super::memory::Memory;
use super::meters::load_meters;
use super::notices::Notices;
use super::pending::Pending;
use super::saving::{Haste, Saving};
use super::shared::Shared;
use super::tally::Tally;
use super::unsaved::Unsaved;
use super::{Health, RecordError, Settings, spans};
use crate::budget::Policy;
use crate::clock::Clock;
use crate::domain::{Entry, Now};
use crate::error_chain::ErrorChain;
use crate::ledger::{BudgetChanges, Ledger, LedgerError};
use crate::views::tallies::Crossing;
use crate::views::{Board, Published};

/// Events from which a commit takes no further batch. Two full requests: a commit of that size takes some tens of
/// milliseconds, which everybody behind it waits.
const COMMIT_EVENTS_MAX: usize = 20_000;
/// Keys of budgets that wait for room in the outbox. Of more nobody is told.
const CROSSINGS_MAX: usize = 10_000;
/// Between two looks at what has lapsed.
const LAPSE_PAUSE: Duration = Duration::from_millis(20);
/// Pause between attempts to find the ledger writable again.
pub(super) const RECOVERY_PAUSE: Duration = Duration::from_millis(250);

/// How the writer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to, and everything is in the file.
    Cleanly,
    /// The disk failed to sync. Only a new process may look at the file again.
    SyncFailed,
}

/// What is worked off together.
#[derive(Default)]
struct Group {
    /// Those that somebody waits for, in the order in which they queued.
    commands: Vec<Command>,
    /// What to judge by from now on.
    policy: Option<Arc<Policy>>,
    /// Who waits for it to be in force.
    wait_for_policy: Vec<oneshot::Sender<()>>,
    /// Whether it was time to look at the clock.
    ticked: bool,
}

pub(super) struct Loop {
    pub ledger: Ledger,
    /// What the ledger's sums lack; `None` when they are up to date.
    pub unsaved: Option<Unsaved>,
    pub board: Arc<Board>,
    pub settings: Settings,
    pub clock: Clock,
    pub commands: mpsc::Receiver<Command>,
    pub queued_events: Arc<AtomicUsize>,
    pub health: Health,
    pub instruments: Instruments,
    pub notices: Notices,
    pub exhausted: Exhausted,
    pub shared: Shared,
    pub memory: Memory,
    pub saving: Saving,
    /// The keys of budgets that came to a threshold since a commit told of such.
    pub crossings: Vec<Crossing>,
    /// Settings that came while the ledger could not be read.
    pub late_policy: Option<Arc<Policy>>,
}

impl Loop {
    /// Runs until asked to stop, until nobody can ask any more, or until a sync fails.
    pub fn run(mut self) -> Ended {
        self.instruments.set_size(self.ledger.size_bytes());
        while let Some(command) = self.next_command() {
            let group = self.gather(command);
            let Err(error) = self.handle(group) else { continue };
            tracing::error!(error = %ErrorChain(&error), "the ledger could not record");
            if let Some(ended) = self.recover(error) {
                return ended;
            }
        }
        self.close()
    }

    /// Waits for a command; `None` once nobody can ask any more.
    fn next_command(&mut self) -> Option<Command> {
        loop {
            match self.commands.try_recv() {
                Ok(command) => return Some(command),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
                // Whoever queues something asks for a ring afterwards.
                Err(mpsc::error::TryRecvError::Empty) => self.wait(),
            }
        }
    }

    /// Sleeps until somebody rings or the next hold lapses.
    fn wait(&self) {
        let published = self.board.read();
        let Some(deadline) = published.views.holds.next_deadline() else { return std::thread::park() };
        let now = self.clock.instant().steady;
        if now < deadline {
            return std::thread::park_timeout(deadline.since(now).max(LAPSE_PAUSE));
        }
        self.lapse();
    }

    /// Readers see by themselves what has lapsed, but looking for it takes time with how much there is. The ledger is told with the
    /// next tick that can write.
    pub(super) fn lapse(&self) {
        let mut next = self.published();
        let lapsed = next.lapse(self.clock.instant().steady);
        if lapsed > 0 {
            self.instruments.count_reservations(Tally::lapsed(lapsed));
            self.board.publish(next);
        }
    }

    /// The command that came, and whatever else queued meanwhile.
    fn gather(&mut self, first: Command) -> Group {
        let mut group = Group::default();
        let mut events_len = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            events_len += command.events_len();
            match command {
                Command::SetPolicy { policy, in_force } => {
                    group.policy = Some(policy);
                    group.wait_for_policy.push(in_force);
                }
                Command::ReportDeliveries(reports) => self.notices.take_reports(reports),
                Command::Tick => group.ticked = true,
                // What queued before the close is still handed out.
                Command::Stop => self.commands.close(),
                waited_for => group.commands.push(waited_for),
            }
            next = if events_len < COMMIT_EVENTS_MAX { self.commands.try_recv().ok() } else { None };
        }
        self.queued_events.fetch_sub(events_len, Ordering::Relaxed);
        group
    }

    /// Decides a group, commits and publishes what it changes, and answers everybody in it: with what was decided, or, after an
    /// error, that it is not known.
    fn handle(&mut self, group: Group) -> Result<(), LedgerError> {
        let Group { commands, policy, ticked, wait_for_policy: _dropped_at_the_end } = group;
        let has_new_policy = policy.is_some();
        let events_len = || commands.iter().map(Command::events_len).sum();
        let span = spans::group(commands.len(), events_len);
        let _entered = span.enter();
        let now = self.clock.instant();
        let mut commands = commands.into_iter();
        let mut pending = Vec::with_capacity(commands.len());
        let done = self.prepare(policy, commands.as_slice(), now).and_then(|wants_rollup| {
            let days = self.old_days(commands.as_slice())?;
            let mut draft = Draft::begin(&self.ledger, self.published(), self.unsaved.take(), days, now)?;
            for mut command in commands.by_ref() {
                if let Command::Reservation { command: ReservationCommand::Reserve { request, .. }, .. } = &mut command {
                    self.shared.take(request);
                }
                draft.decide(command, &mut self.memory, &mut pending, self.settings.holds_max)?;
            }
            let finished = draft.finish(ticked || wants_rollup)?;
            self.commit(finished, Haste::AsDue, now)
        });
        match done {
            Ok(()) => {
                self.memory.trim();
                pending.into_iter().for_each(Pending::send);
                if ticked || has_new_policy {
                    self.exhausted.tell(&self.board.read(), now);
                }
                self.housekeep(now, ticked)
            }
            Err(error) => {
                self.memory.clear();
                pending.into_iter().for_each(Pending::refuse);
                commands.for_each(|command| command.refuse(RecordError::Unavailable));
                Err(error)
            }
        }
    }

    /// Brings memory and file to where commands can be decided. Says whether the sums are to be written with this commit.
    fn prepare(&mut self, policy: Option<Arc<Policy>>, commands: &[Command], now: Now) -> Result<bool, LedgerError> {
        let published = self.board.read();
        let names_services = policy.as_ref().is_some_and(|policy| self.settings.series.lacks(policy.services()));
        let clock_stepped_back = published.policy.zone.day_of(now.time) < published.views.resident_from()
            || published.tallies.lack(&published.policy, now.time);
        let is_late = self.old_days(commands)?.iter().any(|day| !published.views.is_resident(*day));
        // Sums may be about to be read back from the file.
        let reads_sums = clock_stepped_back || is_late || policy.is_some();
        // What time alone did to the gate was seen by readers. A command that undoes it must not take it out of the history.
        let gate_moved = !commands.is_empty() && gate::unnoted(&published, now).is_some();
        let rolled_up = if reads_sums || gate_moved { self.roll_up(now, Haste::AsDue) } else { Ok(()) };
        if let Some(policy) = policy {
            self.set_policy(policy)?;
        }
        rolled_up?;
        if clock_stepped_back || names_services {
            // The clock was ahead, and what the current periods need was let go; or a budget names a service whose cost was added
            // up with others'.
            self.reload_views()?;
        }
        Ok(is_late)
    }

    /// The days before those in memory in which commands may add events. Next to never are there any.
    fn old_days(&self, commands: &[Command]) -> Result<BTreeSet<Date>, LedgerError> {
        let resident_from = self.board.read().views.resident_from();
        let times = || commands.iter().flat_map(Command::event_times);
        let mut days = BTreeSet::new();
        if times().min().is_some_and(|earliest| self.ledger.day_of(earliest) < resident_from) {
            days.extend(times().map(|time| self.ledger.day_of(time)));
        }
        for revision in commands.iter().flat_map(Command::revisions_without_time) {
            // It counts where the event does.
            let known = self.ledger.find(&self.ledger.keyed(revision.clone()))?;
            days.extend(known.map(|known| self.ledger.day_of(known.event.time)));
        }
        Ok(days)
    }

    /// Readers judge by it at once; what it means for the gate's history follows with the next commit, and what it means for the
    /// names in metrics when the views are next built.
    ///
    /// # Errors
    /// What is counted of new budgets cannot be read. The policy is kept for when it can.
    fn set_policy(&mut self, policy: Arc<Policy>) -> Result<(), LedgerError> {
        self.settings.series.reserve(policy.services());
        self.late_policy = Some(Arc::clone(&policy));
        let (published, instant) = (self.board.read(), self.clock.instant());
        // Of what was used up under the limits so far nobody would hear otherwise.
        self.exhausted.tell(&published, instant);
        let now = instant.time;
        let (in_force, _) = published.views.overrides.in_force(&policy, now);
        let keys_max = self.settings.budget_keys_max;
        let meters = load_meters(&mut self.ledger, &in_force, published.tallies.meters(), keys_max, now)?;
        let (next, crossings) = published.under(policy, meters, now);
        self.crossings.extend(crossings);
        self.saving.forget();
        self.board.publish(next);
        self.late_policy = None;
        Ok(())
    }

    pub(super) fn published(&self) -> Published {
        Published::clone(&self.board.read())
    }

    /// Brings the file's sums up to date.
    pub(super) fn roll_up(&mut self, now: Now, haste: Haste) -> Result<(), LedgerError> {
        let draft = Draft::begin(&self.ledger, self.published(), self.unsaved.take(), [], now)?;
        let finished = draft.finish(true)?;
        self.commit(finished, haste, now)
    }

    /// Writes what was decided, and publishes it.
    fn commit(&mut self, finished: Finished, haste: Haste, now: Now) -> Result<(), LedgerError> {
        let Finished { mut commit, mut next, unsaved, crossings, tally } = finished;
        self.crossings.extend(crossings);
        commit.outbox = self.notices.changes(&next, &self.crossings, now, || self.ledger.outbox_room())?;
        let newest = self.ledger.events() + commit.events.len() as i64;
        let haste = if commit.rollup.is_some() { haste.max(Haste::WithSums) } else { haste };
        let saved = self.saving.changes(&next, &self.ledger, newest, haste, now);
        commit.budgets = BudgetChanges { overrides: std::mem::take(&mut commit.budgets.overrides), ..saved };
        if unsaved.is_none() {
            // Only what the file's sums hold may be let go, so never before they are worked out.
            let zone = &next.policy.zone;
            let (floor, today) = (resident_floor(&self.settings, zone, now.time), zone.day_of(now.time));
            next.views.retire(floor, today);
        }
        self.unsaved = unsaved;
        if !commit.is_empty() {
            let start = Instant::now();
            let span = spans::commit(&commit);
            span.in_scope(|| self.ledger.commit(&commit, now.time)).inspect_err(|_| spans::failed(&span))?;
            let before = (newest - commit.events.len() as i64).cast_unsigned();
            self.board.newest().note(before, commit.events.iter().map(|keyed| (keyed.day, &keyed.event)));
            self.count_unpriced(&mut next);
            if self.saving.saved(&mut next, &commit.budgets) {
                next.tallies.make_room(&Arc::clone(&next.policy), self.settings.budget_keys_max);
            }
            self.notices.told(&commit.outbox);
            self.instruments.committed(start.elapsed(), commit.events.len());
            for keyed in commit.events.iter().filter(|keyed| keyed.entry == Entry::First) {
                self.instruments.called(&keyed.event, &next.views.series);
            }
            for line in commit.rollup.iter().flat_map(|rollup| &rollup.gate) {
                tracing::warn!(active = line.active, reason = %line.reason, "the scaling gate changed");
            }
        }
        if self.notices.is_full() {
            self.crossings.truncate(CROSSINGS_MAX);
        } else {
            self.crossings.clear();
        }
        next.tallies.retire(now.time);
        self.instruments.count_reservations(tally);
        self.board.publish(next);
        Ok(())
    }

    /// Counts what has come to wait for a price and what no longer does; whether there was anything.
    pub(super) fn count_unpriced(&mut self, next: &mut Published) -> bool {
        let changes = self.ledger.take_unpriced_changes();
        changes.iter().for_each(|change| next.views.change_unpriced(&change.service, &change.model, change.is_added));
        !changes.is_empty()
    }
}
