use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::civil::date;

use super::super::costs::ask;
use super::super::plan::Plan;
use super::super::reads::{READS_WAITING_MAX, Reads};
use super::*;
use crate::budget::Policy;
use crate::domain::{BudgetZone, CostEvent, Dimension, Entry, GroupsByDay, Sums, Usd};
use crate::ledger::{Commit, Ledger};
use crate::views::{Published, SeriesLimits, Views};

const FIRST: Date = date(2026, 11, 1);
const LAST: Date = date(2026, 11, 30);

/// A ledger, and what the writer would show of it.
struct Rig {
    ledger: Ledger,
    views: Views,
    board: Arc<Board>,
    reads: Arc<Reads>,
    /// Whether readers hear of entries, as they do unless something went wrong.
    is_noted: bool,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, &BudgetZone::UTC, CostEvent::example().time).unwrap();
        let views = Views::new(SeriesLimits::default(), FIRST);
        let board = Arc::new(Board::new(shown(&views)));
        let reads = Arc::new(Reads::new(Reader::new(path, BudgetZone::UTC), Arc::clone(&board), READS_WAITING_MAX));
        Self { ledger, views, board, reads, is_noted: true, folder }
    }

    fn record(&mut self, worker: &str, count: usize) {
        let event = CostEvent { worker: Some(worker.into()), amount: Usd::from_dollars(1), ..CostEvent::example() };
        let events: Vec<CostEvent> = vec![event; count];
        let now = CostEvent::example().time;
        let keyed: Vec<_> = events.iter().map(|event| self.ledger.keyed(event.clone())).collect();
        if self.is_noted {
            self.board.newest().note(self.views.entries, keyed.iter().map(|keyed| (keyed.day, &keyed.event)));
        }
        self.ledger.commit(&Commit { events: keyed, ..Commit::default() }, now).unwrap();
        self.views.record(events.iter().map(|event| (event, &Entry::First, BudgetZone::UTC.day_of(event.time))), now);
        self.board.publish(shown(&self.views));
    }

    fn scan(&self, question: &CostQuestion) -> GroupsByDay {
        let reader = Reader::new(self.folder.path().join("ledger.db"), BudgetZone::UTC);
        reader.breakdown(question, &|| false).unwrap()
    }
}

fn shown(views: &Views) -> Published {
    let now: Timestamp = CostEvent::example().time;
    Published::new(views.clone(), Arc::new(Policy::example(BudgetZone::UTC, 50)), Vec::new(), now)
}

fn by_worker() -> CostQuestion {
    CostQuestion { by: vec![Dimension::Worker], filters: vec![], first: FIRST, last: LAST, by_day: false }
}

async fn answer(board: &Board, reads: &Reads) -> GroupsByDay {
    let published = board.read();
    let plan = Plan::of(&by_worker(), &published.views);
    ask(reads, published, by_worker(), plan).await.unwrap()
}

fn total(groups: &GroupsByDay) -> Usd {
    groups.values().flat_map(|groups| groups.values()).copied().sum()
}

/// Guards against: an answer without an event that was acknowledged before the question, or with half of a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_asks_beside_recording_sees_whole_commits_and_nothing_older_than_the_question() {
    let mut rig = Rig::new();
    let is_over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..6)
        .map(|_| {
            let (board, reads, is_over) = (Arc::clone(&rig.board), Arc::clone(&rig.reads), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut answers = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    let before = board.read().views.entries;
                    let found = total(&answer(&board, &reads).await);
                    let after = board.read().views.entries;
                    let entries = found.pico() / Usd::from_dollars(1).pico();
                    assert_eq!(entries % 3, 0, "commits have three events each");
                    assert!((i128::from(before)..=i128::from(after)).contains(&entries), "{before} {entries} {after}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for number in 0..150 {
        // Now and then one has to be read from the ledger.
        rig.is_noted = number % 20 > 0;
        rig.record(&format!("worker-{}", number % 20), 3);
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    for task in asking {
        assert!(task.await.unwrap() > 0);
    }
    assert_eq!(answer(&rig.board, &rig.reads).await, rig.scan(&by_worker()));
}

#[tokio::test]
async fn days_are_read_once_and_then_only_what_came_since() {
    let mut rig = Rig::new();
    let look = |rig: &Rig| rig.reads.kept().look(&by_worker(), rig.board.read().views.entries).1;
    rig.record("a", 3);
    assert!(matches!(look(&rig), Knowledge::Lacks(_)));
    assert_eq!(answer(&rig.board, &rig.reads).await, rig.scan(&by_worker()));
    assert_eq!(look(&rig), Knowledge::Whole(1));
    rig.record("b", 2);
    assert_eq!(look(&rig), Knowledge::Behind(2));
    assert_eq!(answer(&rig.board, &rig.reads).await, rig.scan(&by_worker()));
    assert_eq!(look(&rig), Knowledge::Whole(2));
    rig.board.note_prune();
    assert_eq!(look(&rig), Knowledge::Behind(0), "days may have to be read again");
    assert_eq!(answer(&rig.board, &rig.reads).await, rig.scan(&by_worker()));
    assert_eq!(look(&rig), Knowledge::Whole(2));
}

#[tokio::test]
async fn what_the_writer_noted_is_not_read_again() {
    let mut rig = Rig::new();
    rig.record("a", 3);
    answer(&rig.board, &rig.reads).await;
    rig.record("b", 2);
    rig.record("a", 1);
    let expected = rig.scan(&by_worker());
    let other = rusqlite::Connection::open(rig.folder.path().join("ledger.db")).unwrap();
    other.execute("UPDATE event SET worker = 'x' WHERE seq > 3", ()).unwrap();
    assert_eq!(answer(&rig.board, &rig.reads).await, expected);
    assert_eq!(rig.reads.kept().look(&by_worker(), 6).1, Knowledge::Whole(2));
}

/// Guards against: sums that differ from the totals and are shown all the same.
#[tokio::test]
async fn what_differs_from_the_published_totals_is_read_from_the_events() {
    let mut rig = Rig::new();
    rig.record("a", 3);
    answer(&rig.board, &rig.reads).await;
    let (event, time) = (CostEvent::example(), CostEvent::example().time);
    let pair = crate::domain::Pair { service: event.service.clone(), operation: event.operation.clone() };
    let wrong = Sums { charges: Usd::from_dollars(1), ..Sums::default() };
    rig.views.load_pair(BudgetZone::UTC.day_of(time), pair, wrong);
    rig.record("a", 1);
    assert_eq!(total(&answer(&rig.board, &rig.reads).await), Usd::from_dollars(4));
    assert!(matches!(rig.reads.kept().look(&by_worker(), 4).1, Knowledge::Lacks(_)), "nothing wrong is kept");
}

#[tokio::test]
async fn a_damaged_entry_is_an_error_and_nothing_is_kept() {
    let mut rig = Rig::new();
    rig.record("a", 3);
    answer(&rig.board, &rig.reads).await;
    rig.is_noted = false;
    rig.record("b", 2);
    let other = rusqlite::Connection::open(rig.folder.path().join("ledger.db")).unwrap();
    other.execute("UPDATE event SET amount_pico = 7 WHERE seq = 4", ()).unwrap();
    let published = rig.board.read();
    let plan = Plan::of(&by_worker(), &published.views);
    assert!(ask(&rig.reads, published, by_worker(), plan).await.is_err());
    assert!(matches!(rig.reads.kept().look(&by_worker(), 5).1, Knowledge::Lacks(_)));
}
