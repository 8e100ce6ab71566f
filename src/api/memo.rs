//! The newest answers about cost, as bytes: dashboards and workers ask the same few questions many times between two events.
//!
//! *Invariants.* Cost in memory follows from how many events were recorded, so an answer holds for a question and that number. An
//! answer that is older than the newest is never given.
//!
//! *Limits.* [`ANSWERS_MAX`] answers of [`ANSWER_BYTES_MAX`] each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::domain::CostQuestion;

/// Different questions: a dashboard's panels, and somebody with curl.
const ANSWERS_MAX: usize = 32;
/// Longer answers are asked for seldom.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Answers about one state.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Events recorded in that state.
    events: u64,
    answers: HashMap<CostQuestion, Bytes>,
}

impl Memo {
    /// The answer to a question, if it was given in the state with so many events.
    pub fn get(&self, events: u64, question: &CostQuestion) -> Option<Bytes> {
        let kept = self.lock();
        kept.answers.get(question).filter(|_| kept.events == events).cloned()
    }

    /// Keeps an answer, as long as it is among the newest.
    pub fn put(&self, events: u64, question: CostQuestion, answer: &Bytes) {
        let mut kept = self.lock();
        if kept.events < events {
            *kept = Kept { events, answers: HashMap::new() };
        }
        if kept.events == events && kept.answers.len() < ANSWERS_MAX && answer.len() <= ANSWER_BYTES_MAX {
            kept.answers.insert(question, answer.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;
    use crate::domain::Dimension;

    fn question(day: i64) -> CostQuestion {
        let day = date(2026, 11, 1).saturating_add(day.days());
        CostQuestion { by: vec![Dimension::Service], filters: vec![], first: day, last: day, by_day: false }
    }

    #[test]
    fn an_answer_holds_for_its_question_until_the_next_event() {
        let memo = Memo::default();
        memo.put(7, question(1), &Bytes::from_static(b"one"));
        assert_eq!(memo.get(7, &question(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!((memo.get(7, &question(2)), memo.get(8, &question(1))), (None, None));
        memo.put(8, question(2), &Bytes::from_static(b"two"));
        memo.put(7, question(1), &Bytes::from_static(b"late"));
        assert_eq!((memo.get(7, &question(1)), memo.get(8, &question(1))), (None, None));
        assert_eq!(memo.get(8, &question(2)).as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn memory_is_bounded() {
        let memo = Memo::default();
        memo.put(1, question(0), &vec![b'x'; ANSWER_BYTES_MAX + 1].into());
        for day in 1..100 {
            memo.put(1, question(day), &Bytes::from_static(b"x"));
        }
        let kept = (0..100).filter(|day| memo.get(1, &question(*day)).is_some()).count();
        assert_eq!(kept, ANSWERS_MAX);
    }
}
