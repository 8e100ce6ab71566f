//! An agent that is killed and started again while its clients go on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Client, Response, TestAgent};

/// How long a client keeps on sending one request before the test fails.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What the clients look at: where the agent is now (each start takes another port), and whether to stop.
#[derive(Default)]
pub struct Stage {
    port: AtomicU16,
    over: AtomicBool,
}

/// Ends the clients when it is dropped, also when the test fails half-way.
pub struct EndOnDrop<'a>(&'a Stage);

/// A client that follows the agent.
pub struct Follower<'a> {
    stage: &'a Stage,
    client: Option<(u16, Client)>,
}

impl Stage {
    /// Has the clients go to this agent.
    pub fn enter(&self, agent: &TestAgent) {
        self.port.store(agent.addr().port(), Ordering::Relaxed);
    }

    pub fn end_on_drop(&self) -> EndOnDrop<'_> {
        EndOnDrop(self)
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub fn follower(&self) -> Follower<'_> {
        Follower { stage: self, client: None }
    }
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Follower<'_> {
    /// Posts JSON until it is answered with something else than "send it again"; what a kill cut off is sent again as it was.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: &str) -> Response {
        let begin = Instant::now();
        loop {
            let port = self.stage.port.load(Ordering::Relaxed);
            if self.client.as_ref().is_none_or(|(known, _)| *known != port) {
                self.client = Some((port, Client::new(SocketAddr::from(([127, 0, 0, 1], port)))));
            }
            if let Some((_, client)) = &mut self.client
                && let Ok(answer) = client.request("POST", path, &[("Content-Type", "application/json")], body.as_bytes())
                && answer.status != 503
            {
                return answer;
            }
            assert!(begin.elapsed() < RETRY_MAX, "no answer in {RETRY_MAX:?}: {path}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}
