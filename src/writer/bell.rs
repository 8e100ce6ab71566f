//! How the writer's thread is woken.

use std::sync::Arc;
use std::thread::Thread;

use tokio::sync::Notify;

/// Wakes the writer to look at its queue, after whoever else is ready to record has queued up. A queue that woke the writer by
/// itself would do so for the first command already, which would then have a commit for itself while the others wait for it.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    asked: Arc<Notify>,
    thread: Thread,
}

impl Bell {
    /// A bell for this thread. It rings as long as the tokio runtime around this call runs.
    pub fn new(thread: Thread) -> Self {
        let bell = Self { asked: Arc::default(), thread };
        tokio::spawn(bell.clone().ring_when_asked());
        bell
    }

    /// Asks for one ring, soon.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    async fn ring_when_asked(self) {
        loop {
            self.asked.notified().await;
            // Tokio comes back to a task that yields after all that are ready and those that wait for their sockets.
            tokio::task::yield_now().await;
            self.thread.unpark();
        }
    }
}
