//! Two threads that ask again and again, so that a key is answered at once and a slow grouping keeps nothing else waiting.
//!
//! *Invariants.* What is wanted is one value: the newest wish counts, and no wish is lost. A question that takes long is asked less
//! often: at most a tenth of the time goes into one, so that somebody who watches is no load.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::question::Question;

/// How many times as long as an answer took nothing is asked.
const REST_TIMES: u32 = 9;

/// What somebody wants to see.
#[derive(Clone, Copy, Debug)]
struct Wish {
    question: Question,
    paused: bool,
    /// Counts what is to be asked at once.
    number: u64,
}

/// What is wanted, shared with those who ask.
#[derive(Clone, Debug)]
pub struct Wishes(Arc<(Mutex<Wish>, Condvar)>);

impl Wishes {
    pub fn new(question: Question) -> Self {
        Self(Arc::new((Mutex::new(Wish { question, paused: false, number: 0 }), Condvar::new())))
    }

    /// Other costs, at once.
    pub fn ask(&self, question: Question) {
        self.change(|wish| {
            wish.question = question;
            wish.number += 1;
        });
    }

    /// The same again, at once.
    pub fn refresh(&self) {
        self.change(|wish| wish.number += 1);
    }

    /// Nothing, until the next wish or until it goes on.
    pub fn pause(&self, paused: bool) {
        self.change(|wish| wish.paused = paused);
    }

    fn change(&self, change: impl FnOnce(&mut Wish)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the time has come, or until something else is wanted than last.
    fn next(&self, last: u64, time: Instant) -> Wish {
        let mut wish = self.lock();
        loop {
            let left = time.saturating_duration_since(Instant::now());
            if wish.number != last || (!wish.paused && left.is_zero()) {
                return *wish;
            }
            wish = if wish.paused {
                self.0.1.wait(wish).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.0.1.wait_timeout(wish, left).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Asks on a thread of its own, until nobody listens. The first answer is there already.
    pub fn keep_asking<News: Send + 'static>(
        &self,
        interval: Duration,
        news: SyncSender<News>,
        ask: impl Fn(Question) -> News + Send + 'static,
    ) {
        let wishes = self.clone();
        thread::spawn(move || {
            let (mut last, mut time) = (0, Instant::now() + interval);
            loop {
                let wish = wishes.next(last, time);
                last = wish.number;
                let began = Instant::now();
                if news.send(ask(wish.question)).is_err() {
                    break;
                }
                time = began + began.elapsed() + interval.max(began.elapsed() * REST_TIMES);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::super::question::{By, Period};
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_wish_is_asked_at_once_and_the_newest_counts() {
        let wishes = Wishes::new(Question::default());
        let (news, heard) = sync_channel(0);
        wishes.keep_asking(LONG, news, |question| question);
        let models = Question { by: By::Model, period: Period::Month };
        wishes.ask(models);
        assert_eq!(heard.recv_timeout(SOON), Ok(models));
        wishes.refresh();
        assert_eq!(heard.recv_timeout(SOON), Ok(models));
        assert!(heard.try_recv().is_err(), "and nothing else is asked before its time");
    }

    #[test]
    fn while_it_is_paused_only_a_wish_is_asked() {
        let wishes = Wishes::new(Question::default());
        wishes.pause(true);
        let (news, heard) = sync_channel(0);
        wishes.keep_asking(Duration::ZERO, news, |_| ());
        // It waits without an end: what is heard can only be the wish.
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err());
        wishes.refresh();
        assert_eq!(heard.recv_timeout(SOON), Ok(()));
        wishes.pause(false);
        for _ in 0..3 {
            assert_eq!(heard.recv_timeout(SOON), Ok(()), "it goes on");
        }
    }

    #[test]
    fn what_takes_long_is_asked_less_often() {
        let took = Duration::from_millis(40);
        let wishes = Wishes::new(Question::default());
        let (news, heard) = sync_channel(8);
        wishes.keep_asking(Duration::ZERO, news, move |_| {
            let began = Instant::now();
            thread::sleep(took);
            began
        });
        let first = heard.recv_timeout(SOON).unwrap();
        let second = heard.recv_timeout(SOON).unwrap();
        assert!(second - first >= took * 10, "{:?}", second - first);
    }
}
