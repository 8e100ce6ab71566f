//! The loop of the one writer: take what queued, decide, commit, publish, answer.
//!
//! *Invariants.* An answer is given after the commit is synced *and* published, so whoever has it sees its cost everywhere.
//! Commands are decided in the order in which they queued, each against the ones before it. Whatever makes a commit fail, the
//! views are built anew from the file before the next one. Events are committed at once; the sums follow with the next tick, and
//! before anything reads them from the file or a checkpoint moves them there.
//!
//! *Limits.* [`COMMIT_EVENTS_MAX`] events in a commit, beyond the batch that crosses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::mpsc;

use super::decide::NewEvents;
use super::handle::{Command, Reply};
use super::instruments::Instruments;
use super::load::{load_views, resident_floor};
use super::unsaved::{Unsaved, make_resident};
use super::{Health, RecordError, Recorded, Settings, spans};
use crate::budget::Policy;
use crate::clock::Clock;
use crate::domain::{CostEvent, GateChange, GateMode};
use crate::error_chain::ErrorChain;
use crate::ledger::{Commit, KeyedEvent, Ledger, LedgerError};
use crate::views::{Board, Published};

/// Events from which a commit takes no further batch. Two full requests: a commit of that size takes some tens of
/// milliseconds, which everybody behind it waits.
const COMMIT_EVENTS_MAX: usize = 20_000;
/// Pause between attempts to find the ledger writable again.
const RECOVERY_PAUSE: Duration = Duration::from_millis(250);

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
    batches: Vec<(Vec<CostEvent>, Reply)>,
    /// Whether it was time to look at the clock.
    ticked: bool,
}

/// What is to be answered once the commit is through.
type Waiting = Vec<(Reply, Result<Recorded, RecordError>)>;

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
}

/// Why a group was not committed.
struct Failed {
    error: LedgerError,
    waiting: Vec<Reply>,
}

impl Loop {
    /// Runs until asked to stop, until nobody can ask any more, or until a sync fails.
    pub fn run(mut self) -> Ended {
        self.instruments.set_size(self.ledger.size_bytes());
        while let Some(command) = self.next_command() {
            let group = self.gather(command);
            let Err(failed) = self.handle(group) else { continue };
            tracing::error!(error = %ErrorChain(&failed.error), "the ledger could not record");
            for reply in failed.waiting {
                reply.send(Err(RecordError::Unavailable));
            }
            if let Some(ended) = self.recover(failed.error) {
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
                Err(mpsc::error::TryRecvError::Empty) => std::thread::park(),
            }
        }
    }

    /// The command that came, and whatever else queued meanwhile.
    fn gather(&mut self, first: Command) -> Group {
        let mut group = Group::default();
        let mut events_len = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            match command {
                Command::Record { events, reply } => {
                    events_len += events.len();
                    group.batches.push((events, reply));
                }
                Command::SetPolicy(policy) => self.set_policy(policy),
                Command::Tick => group.ticked = true,
                // What queued before the close is still handed out.
                Command::Stop => self.commands.close(),
            }
            next = if events_len < COMMIT_EVENTS_MAX { self.commands.try_recv().ok() } else { None };
        }
        self.queued_events.fetch_sub(events_len, Ordering::Relaxed);
        group
    }

    /// Readers judge by it at once; what it means for the gate's history follows with the next commit.
    fn set_policy(&self, policy: Arc<Policy>) {
        let views = self.board.read().views.clone();
        self.board.publish(Published { views, policy });
    }

    /// Decides a group, commits and publishes what it changes, and answers everybody in it.
    fn handle(&mut self, group: Group) -> Result<(), Failed> {
        let span = spans::group(group.batches.len(), || group.batches.iter().map(|(events, _)| events.len()).sum());
        let _entered = span.enter();
        let now = self.clock.now();
        let mut new = NewEvents::default();
        let mut waiting: Waiting = Vec::new();
        let mut failure = None;
        let mut undecided = Vec::new();
        for (batch, reply) in group.batches {
            if failure.is_some() {
                undecided.push(reply);
                continue;
            }
            let ledger = &self.ledger;
            let batch = batch.into_iter().map(|event| ledger.keyed(event));
            match new.take_batch(batch, |keyed| Ok(ledger.find(keyed)?.map(|stored| stored.event))) {
                // A refusal waits as well: it may rest on a batch of this group, which is not on the disk yet.
                Ok(decided) => waiting.push((reply, decided)),
                Err(error) => {
                    failure = Some(error);
                    undecided.push(reply);
                }
            }
        }
        let done = match failure {
            Some(error) => Err(error),
            None => self.record(new.into_events(), now, group.ticked),
        };
        match done {
            Ok(()) => {
                for (reply, decided) in waiting {
                    reply.send(decided);
                }
                self.housekeep(now, group.ticked).map_err(|error| Failed { error, waiting: Vec::new() })
            }
            Err(error) => {
                undecided.extend(waiting.into_iter().map(|(reply, _)| reply));
                Err(Failed { error, waiting: undecided })
            }
        }
    }

    /// Commits new events and what follows from them and from the clock, then publishes.
    fn record(&mut self, events: Vec<KeyedEvent>, now: Timestamp, ticked: bool) -> Result<(), LedgerError> {
        let views = &self.board.read().views;
        let clock_stepped_back = self.zone_day(now) < views.resident_from();
        let is_late = events.iter().any(|keyed| !views.is_resident(keyed.day));
        if clock_stepped_back || is_late {
            // Sums are about to be read back from the file.
            self.commit(Vec::new(), now, true)?;
        }
        if clock_stepped_back {
            // It was ahead: what the current periods need was let go.
            self.reload_views()?;
        }
        self.commit(events, now, ticked || is_late)
    }

    /// Commits events, and the sums as well if they are asked for or may not wait.
    fn commit(&mut self, events: Vec<KeyedEvent>, now: Timestamp, wants_rollup: bool) -> Result<(), LedgerError> {
        let published = self.board.read();
        let mut before = published.views.clone();
        let zone = published.policy.zone.clone();
        for keyed in &events {
            make_resident(&mut before, &self.ledger, keyed.day)?;
        }
        let mut unsaved = self.unsaved.take().unwrap_or_else(|| Unsaved::since(before.clone()));
        let mut next = Published { views: before, policy: Arc::clone(&published.policy) };
        unsaved.add(next.views.record(events.iter().map(|keyed| (&keyed.event, keyed.day)), now));
        let change = gate_change(&next, now);
        if let Some(change) = &change {
            next.views.change_gate(change.clone());
        }
        let must_roll_up = change.is_some() || !self.ledger.may_defer_rollup(events.len());
        let rolls_up = must_roll_up || (wants_rollup && !unsaved.is_empty());
        let may_retire = rolls_up || unsaved.is_empty();
        let rollup = if rolls_up {
            Some(unsaved.rollup(&next.views, change.clone()))
        } else {
            self.unsaved = Some(unsaved).filter(|unsaved| !unsaved.is_empty());
            None
        };
        if may_retire {
            // Only what the file's sums hold may be let go, so never before they are worked out.
            next.views.retire(resident_floor(&self.settings, &zone, now), zone.day_of(now));
        }
        let commit = Commit { events, rollup };
        if commit.events.is_empty() && commit.rollup.is_none() {
            self.board.publish(next);
            return Ok(());
        }
        let start = Instant::now();
        let span = spans::commit(&commit);
        span.in_scope(|| self.ledger.commit(&commit, now)).inspect_err(|_| spans::failed(&span))?;
        self.instruments.committed(start.elapsed(), commit.events.len());
        for keyed in &commit.events {
            self.instruments.called(&keyed.event, &next.views.series);
        }
        if let Some(change) = change {
            tracing::warn!(active = change.active, reason = %change.reason, "the scaling gate changed");
        }
        self.board.publish(next);
        Ok(())
    }

    fn zone_day(&self, now: Timestamp) -> Date {
        self.board.read().policy.zone.day_of(now)
    }

    /// What may be done after the answers are out; on a tick, also what need not be done each time.
    fn housekeep(&mut self, now: Timestamp, ticked: bool) -> Result<(), LedgerError> {
        let checkpoint_is_due = self.ledger.checkpoint_is_due();
        if checkpoint_is_due {
            self.commit(Vec::new(), now, true)?;
        }
        let checkpointed = if checkpoint_is_due { self.ledger.checkpoint() } else { Ok(()) };
        let tidied = checkpointed.and_then(|()| if ticked { self.tidy_file(now) } else { Ok(()) });
        match tidied {
            // Somebody else's lock or a full disk keeps the WAL and old ids for longer, and nothing else.
            Err(error @ (LedgerError::Busy(_) | LedgerError::Full(_))) => {
                tracing::debug!(error = %ErrorChain(&error), "the ledger's file could not be tidied up");
            }
            other => other?,
        }
        Ok(())
    }

    fn tidy_file(&mut self, now: Timestamp) -> Result<(), LedgerError> {
        self.instruments.set_size(self.ledger.size_bytes());
        let horizon = now.checked_sub(self.settings.remember()).unwrap_or(Timestamp::MIN);
        self.ledger.forget_ids(horizon)?;
        if let Some(keep) = self.settings.retention {
            self.ledger.prune(keep, now)?;
        }
        Ok(())
    }

    /// Waits until the ledger can be written and read again. Answers how the writer has ended, if it has.
    fn recover(&mut self, cause: LedgerError) -> Option<Ended> {
        let mut error = cause;
        loop {
            if matches!(error, LedgerError::SyncFailed(_)) {
                return Some(self.give_up());
            }
            self.health.set_problem(error.outward());
            std::thread::sleep(RECOVERY_PAUSE);
            if self.refuse_queued() {
                // Nothing that was answered is missing from the file, so this is a clean end as well.
                return Some(Ended::Cleanly);
            }
            match self.reopen() {
                Ok(()) => {
                    tracing::info!("the ledger records again");
                    self.health.clear();
                    return None;
                }
                Err(next) => error = next,
            }
            tracing::debug!(error = %ErrorChain(&error), "the ledger still cannot record");
        }
    }

    /// Tells everybody who waits to send again later. Answers whether it is time to stop.
    fn refuse_queued(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Record { events, reply }) => {
                    self.queued_events.fetch_sub(events.len(), Ordering::Relaxed);
                    reply.send(Err(RecordError::Unavailable));
                }
                Ok(Command::SetPolicy(policy)) => self.set_policy(policy),
                Ok(Command::Tick) => {}
                Ok(Command::Stop) => self.commands.close(),
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Proves that commits work, then takes the start-up path on the open file.
    fn reopen(&mut self) -> Result<(), LedgerError> {
        self.ledger.probe()?;
        self.ledger.reload()?;
        self.reload_views()
    }

    fn reload_views(&mut self) -> Result<(), LedgerError> {
        let policy = Arc::clone(&self.board.read().policy);
        let views = load_views(&mut self.ledger, &self.settings, &policy.zone, self.clock.now())?;
        self.unsaved = None;
        self.board.publish(Published { views, policy });
        Ok(())
    }

    fn close(mut self) -> Ended {
        let now = self.clock.now();
        match self.commit(Vec::new(), now, true).and_then(|()| self.ledger.checkpoint_all()) {
            Err(LedgerError::SyncFailed(_)) => Ended::SyncFailed,
            // The WAL is synced; it is read at the next start.
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "the write-ahead log stays for the next start");
                Ended::Cleanly
            }
            Ok(()) => Ended::Cleanly,
        }
    }

    /// Ends without touching the file again.
    fn give_up(&mut self) -> Ended {
        self.health.set_problem("the disk failed to sync; the agent has to be restarted");
        self.commands.close();
        self.refuse_queued();
        Ended::SyncFailed
    }
}

/// The line to write in the gate's history, if what the rule says now is not what its newest line says.
fn gate_change(next: &Published, now: Timestamp) -> Option<GateChange> {
    let verdict = next.gate(now);
    let (active, mode) = next.views.gate.as_ref().map_or((false, GateMode::Auto), |gate| (gate.active, gate.mode));
    (verdict.active != active || verdict.mode != mode).then(|| GateChange {
        timestamp: now,
        active: verdict.active,
        reason: verdict.reason,
        mode: verdict.mode,
        actor: String::new(),
    })
}
