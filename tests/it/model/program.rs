//! The real thing: a ledger on the disk and its writer, which can be asked, stopped and killed.

use std::fs;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use lead_factory_metrics::clock::Clock;
use lead_factory_metrics::domain::GateMode;
use lead_factory_metrics::ledger::{Ledger, OpenError, Reader};
use lead_factory_metrics::views::SeriesLimits;
use lead_factory_metrics::wire::Origin;
use lead_factory_metrics::writer::{self, Ended, GateOrder, ReservationCommand, Settings, Started, Taking};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tempfile::TempDir;

use super::border;
use super::calendar::{Nanos, Zone};
use super::command::{Amounts, Answer, Command, Names, Policy, Standing, View, Word};
use crate::support::within;

/// Longest wait for the file's lock. Tests of this process that run beside this one start programs, and such a child holds every
/// descriptor of its parent, locks included, from its fork to its exec.
const UNLOCKED_MAX: Duration = Duration::from_secs(30);

/// An answer that will come.
pub type Coming = Pin<Box<dyn Future<Output = Answer>>>;

/// A running writer on a ledger of its own.
pub struct Program {
    folder: TempDir,
    clock: Clock,
    started: Started,
    reader: Reader,
    /// Keys of budgets that it may have in memory.
    keys_max: usize,
}

impl Program {
    /// Begins on a new ledger.
    pub fn new(now: Nanos, zone: Zone, policy: &Policy, keys_max: usize) -> Self {
        Self::start(tempfile::tempdir().unwrap(), now, zone, policy, keys_max)
    }

    fn start(folder: TempDir, now: Nanos, zone: Zone, policy: &Policy, keys_max: usize) -> Self {
        let clock = Clock::manual(border::timestamp(now));
        let policy = border::policy(policy, zone);
        let ledger = within(UNLOCKED_MAX, "the lock of the writer before is gone", || {
            match Ledger::open(&ledger_in(&folder), &policy.zone, clock.now()) {
                Err(OpenError::Locked { .. }) => None,
                opened => Some(opened.unwrap()),
            }
        });
        // So few that the labels of the metrics run out, which no budget must notice.
        let series = SeriesLimits { services_max: 2, pairs_max: 4, reserved: policy.services().collect() };
        let settings = Settings {
            series,
            age_max: SignedDuration::from_hours(35 * 24),
            ahead_max: SignedDuration::from_mins(5),
            holds_max: 100_000,
            budget_keys_max: keys_max,
            origin: Origin::default(),
            retention: None,
            receivers: Arc::from([]),
        };
        let meter = SdkMeterProvider::default().meter("model");
        let started = writer::load(ledger, policy, settings, clock.clone()).unwrap().spawn(&meter).unwrap();
        let reader = Reader::new(ledger_in(&folder), border::zone(zone));
        Self { folder, clock, started, reader, keys_max }
    }

    /// The ledger's file.
    pub fn path(&self) -> PathBuf {
        ledger_in(&self.folder)
    }

    /// Queues a command. Commands are decided in the order of these calls.
    pub fn ask(&self, command: &Command) -> Coming {
        let writer = &self.started.writer;
        let about = match command {
            Command::Record(events) => {
                let outcome =
                    writer.record(events.iter().map(border::event).collect(), Taking::AllOrNothing, Box::new(|_| ()));
                return Box::pin(async { border::recorded(outcome.await) });
            }
            Command::Tell(calls) => {
                let outcome = writer.record(calls.iter().map(border::event).collect(), Taking::Calls, Box::new(|_| ()));
                return Box::pin(async { border::recorded(outcome.await) });
            }
            Command::Limit { budget, limit, lasts_seconds } => {
                let line = border::limit(budget, limit.as_deref(), *lasts_seconds, self.clock.now());
                let outcome = writer.set_limit(line);
                return Box::pin(async { border::ordered(outcome.await) });
            }
            Command::Override { active, reason, lasts_seconds } => {
                return self.order(border::manual(*active, reason, *lasts_seconds, self.clock.now()));
            }
            Command::Auto => {
                return self.order(GateOrder::Auto {
                    reason: "enough".to_owned(),
                    actor: "operator".to_owned(),
                    token: None,
                });
            }
            Command::Reserve(request) => {
                ReservationCommand::Reserve { request: border::request(request), is_priced: false, is_last: true }
            }
            Command::Commit { id, settlement } => {
                ReservationCommand::Settle { id: border::id(*id).into(), settlement: border::settlement(settlement) }
            }
            Command::Release { id, reason } => {
                ReservationCommand::Release { id: border::id(*id).into(), reason: reason.map(Box::from) }
            }
            Command::Extend { id, ttl_seconds } => {
                ReservationCommand::Extend { id: border::id(*id).into(), ttl_seconds: *ttl_seconds }
            }
        };
        let outcome = writer.reservation(about, Box::new(|_| ()));
        Box::pin(async { border::answered(outcome.await) })
    }

    fn order(&self, order: GateOrder) -> Coming {
        let outcome = self.started.writer.set_gate(order);
        Box::pin(async { border::ordered(outcome.await) })
    }

    /// Has the writer look at the clock and at the settings, and waits until it has.
    pub async fn look(&self) {
        let nothing = self.ask(&Command::Record(Vec::new())).await;
        assert_eq!(nothing, Answer::Recorded { accepted: 0, duplicates: 0, revised: 0 });
    }

    /// What a reader sees now.
    pub fn view(&self) -> View {
        border::view(&self.started.board.read(), self.clock.instant())
    }

    /// Why the gate is as it is, and what the newest line of its history says.
    pub fn gate(&self) -> (String, bool, GateMode) {
        let published = self.started.board.read();
        let newest = published.views.gate.as_ref().map_or((false, GateMode::Auto), |line| (line.active, line.mode));
        (published.gate(self.clock.instant()).reason.into_owned(), newest.0, newest.1)
    }

    /// Why a check is refused now; `None` where it is not.
    pub fn refusal(&self, names: &Names, more: &Amounts) -> Option<Answer> {
        border::refusal(&self.started.board.read(), &self.reader, names, more, self.clock.instant())
    }

    /// Where a key of the budget at a place stands now, and since when its limit is used up, as far as that is known.
    pub fn key_standing(&self, position: usize, key: &str) -> (Standing, Option<Nanos>) {
        border::key_standing(&self.started.board.read(), &self.reader, position, key, self.clock.instant())
    }

    /// The fullest keys of each budget that has keys, and what is used of them.
    pub fn fullest(&self) -> Vec<(Word, Vec<border::Full>)> {
        border::fullest(&self.started.board.read(), self.clock.instant())
    }

    /// Whether all keys of budgets fit into its memory.
    pub fn has_all_keys(&self) -> bool {
        self.keys_max > 1_000
    }

    pub fn pass(&self, length: Nanos) {
        self.clock.advance(Duration::from_nanos(length.unsigned_abs()));
    }

    pub fn set_wall(&self, now: Nanos) {
        self.clock.set(border::timestamp(now));
    }

    pub async fn reload(&self, policy: &Policy, zone: Zone) {
        self.started.writer.set_policy(border::policy(policy, zone)).await.unwrap();
    }

    /// Stops as on SIGTERM, and says where the ledger is.
    pub async fn stop(self) -> TempDir {
        self.started.writer.stop().await;
        assert_eq!(self.started.ended.await, Ok(Ended::Cleanly));
        self.folder
    }

    /// Begins again after a stop.
    pub async fn restart(self, now: Nanos, zone: Zone, policy: &Policy) -> Self {
        let keys_max = self.keys_max;
        Self::start(self.stop().await, now, zone, policy, keys_max)
    }

    /// Begins again on what a kill leaves: the file and its write-ahead log as they are on the disk.
    pub async fn crash(self, now: Nanos, zone: Zone, policy: &Policy) -> Self {
        let copy = tempfile::tempdir().unwrap();
        {
            // A reader keeps a checkpoint that happens to run from reusing the log while it is copied.
            let reader = rusqlite::Connection::open(self.path()).unwrap();
            reader.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
            for suffix in ["", "-wal"] {
                let name = |folder: &TempDir| format!("{}{suffix}", ledger_in(folder).display());
                fs::copy(name(&self.folder), name(&copy)).unwrap();
            }
        }
        let keys_max = self.keys_max;
        drop(self.stop().await);
        Self::start(copy, now, zone, policy, keys_max)
    }
}

fn ledger_in(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger.db")
}
