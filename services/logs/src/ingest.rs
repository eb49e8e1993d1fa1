//! From the invoke path to the store: bounded, batched, never blocking the function.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::Mutex;
use service::ports::{LogLine, LogSink, LogStream};
use tokio::sync::Notify;

use crate::Logs;

/// Bytes that may wait for the writer, in all and of one stream. What comes beyond is dropped and
/// counted; the stream says how much.
const MAX_BYTES: usize = 32 << 20;
const MAX_STREAM_BYTES: usize = 4 << 20;
/// How long lines gather before they are written: without it every invocation would be a commit of
/// its own, a quarter of the server's work under load. Whoever reads does not wait for it.
const GATHER: Duration = Duration::from_millis(100);
/// A stream with this many bytes is not let gather further.
const PLENTY_BYTES: usize = MAX_STREAM_BYTES / 4;
/// Counted for a line besides its text.
const LINE_OVERHEAD: usize = 64;

/// Lines on their way to the writer.
#[derive(Default)]
pub struct Ingest {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    plenty: Notify,
    /// Held while lines that no longer wait are being written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    streams: HashMap<Arc<LogStream>, Pending>,
    bytes: usize,
}

#[derive(Default)]
struct Pending {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u64,
}

impl Pending {
    /// With a last line that says how many are missing.
    fn into_lines(self, now: Timestamp) -> Vec<LogLine> {
        let mut lines = self.lines;
        if self.dropped > 0 {
            let at = lines.last().map_or(now, |line| line.at);
            let message = format!(
                "[kagero] {} log lines were dropped here: they came faster than they could be \
                 stored.\n",
                self.dropped
            );
            lines.push(LogLine { at, message });
        }
        lines
    }
}

impl Ingest {
    fn push(&self, stream: &Arc<LogStream>, lines: Vec<LogLine>) {
        let mut waiting = self.waiting.lock();
        let mut room = MAX_BYTES.saturating_sub(waiting.bytes);
        let pending = waiting.streams.entry(Arc::clone(stream)).or_default();
        let mut added = 0;
        for line in lines {
            let size = line.message.len() + LINE_OVERHEAD;
            if size > room || pending.bytes + size > MAX_STREAM_BYTES {
                pending.dropped += 1;
                continue;
            }
            room -= size;
            added += size;
            pending.bytes += size;
            pending.lines.push(line);
        }
        let has_plenty = pending.bytes >= PLENTY_BYTES;
        waiting.bytes += added;
        drop(waiting);
        self.arrived.notify_one();
        if has_plenty {
            self.plenty.notify_one();
        }
    }

    pub fn wake(&self) {
        self.arrived.notify_one();
    }

    fn take(&self) -> HashMap<Arc<LogStream>, Pending> {
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.streams)
    }
}

impl LogSink for Logs {
    fn append(&self, stream: &Arc<LogStream>, lines: Vec<LogLine>) {
        self.ingest.push(stream, lines);
    }
}

/// Writes what arrives, for as long as the service lives. While one batch is being written the
/// next one gathers, so the batches grow with the load.
pub(crate) async fn write_arrivals(logs: std::sync::Weak<Logs>, ingest: Arc<Ingest>) {
    loop {
        ingest.arrived.notified().await;
        // Real time whatever the clock: this is about the machine, not about what the lines say.
        let _ = tokio::time::timeout(GATHER, ingest.plenty.notified()).await;
        let Some(logs) = logs.upgrade() else { return };
        write_waiting(&logs).await;
    }
}

/// Writes all that waits now. Once it returns, every line taken before the call can be read.
pub(crate) async fn write_waiting(logs: &Logs) {
    let _one_by_one = logs.ingest.writing.lock().await;
    let now = logs.clock.now();
    let waiting = logs.ingest.take().into_iter();
    logs.append_arrivals(waiting.map(|(stream, pending)| (stream, pending.into_lines(now))))
        .await;
}
