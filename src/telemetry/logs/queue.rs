//! Log lines wait in a bounded queue for one thread that writes them, so that whoever logs never waits for a disk or a pipe.
//!
//! *Why our own.* `tracing-appender` 0.2.5 panics where no thread can be had, tells nobody of the lines it dropped, and at the end
//! prints on standard output when the queue is full (`findings/log-guard-prints-on-standard-output.sh`): a print waits for a
//! reader, or panics without one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Log lines that may wait for whoever reads them; at the bound further ones are dropped, counted, and reported afterwards.
pub const LOG_LINES_QUEUED_MAX: usize = 4_096;
/// How long the last lines may take at the end; a stuck reader must not hold up the exit.
const FLUSH_WAIT: Duration = Duration::from_millis(500);

/// Writes the lines that still wait when it is dropped, for half a second at most.
#[derive(Debug)]
pub struct LogFlush(SyncSender<Message>);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// Everything before it has been written.
    Flushed(SyncSender<()>),
}

/// Takes lines for the queue.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

/// One line while it is being written.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

/// Starts the thread that writes to `sink`. When there can be no thread, lines are dropped.
pub(super) fn start(sink: impl Write + Send + 'static) -> (Lines, LogFlush) {
    let (queue, waiting) = sync_channel(LOG_LINES_QUEUED_MAX);
    let lines = Lines { queue, dropped: Arc::default() };
    let flush = LogFlush(lines.queue.clone());
    let dropped = Arc::clone(&lines.dropped);
    // A refused thread drops the receiver, and with it every line to come.
    let _ = std::thread::Builder::new().name("log".into()).spawn(move || write(&waiting, &dropped, sink));
    (lines, flush)
}

fn write(waiting: &Receiver<Message>, dropped: &AtomicU64, mut sink: impl Write) {
    for message in waiting {
        match message {
            // A line that cannot be written is lost; there is nowhere to say so.
            Message::Line(bytes) => drop(sink.write_all(&bytes)),
            Message::Flushed(done) => {
                let _ = sink.flush();
                let _ = done.try_send(());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "log lines were dropped because nobody took them in time");
        }
    }
}

// === impl LogFlush ===

impl Drop for LogFlush {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        // With a full queue there is nothing to wait for: its reader is stuck.
        if self.0.try_send(Message::Flushed(done)).is_ok() {
            let _ = written.recv_timeout(FLUSH_WAIT);
        }
    }
}

// === impl Lines ===

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, bytes: Vec::new() }
    }
}

// === impl Line ===

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        match self.lines.queue.try_send(Message::Line(std::mem::take(&mut self.bytes))) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.lines.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
