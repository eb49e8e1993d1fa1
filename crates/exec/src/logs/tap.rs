//! Reads an environment's pipes and passes its events on, in order, off the invoke path.
//!
//! A task reads while the function runs, a moment after something was written, so that what is
//! written meanwhile comes in one go. When an invocation ends, what is still in the pipes is read
//! at once: the function wrote it before it answered, so it belongs before END.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Timestamp};
use parking_lot::Mutex;
use service::ports::{LogLine, LogSink, LogStream};
use tokio::io::unix::AsyncFd;

use super::application;
use super::lines::Lines;
use super::platform::Platform;
use super::records::Records;
use crate::invocation::LOG_TAIL_BYTES;
use crate::logging::Logging;
use crate::readiness::watch;
use crate::telemetry::{Category, Telemetry};

/// How long written text may wait to be read while a function runs.
const GATHER: Duration = Duration::from_millis(2);
/// One read. A pipe holds four.
const READ: usize = 16 << 10;
/// Reads of one pipe in one go. With [`GATHER`], this bounds what a flood can cost the server.
const READS: usize = 16;

/// What one environment may log on the long run, and in one go, in bytes. Lambda takes 10 MB a
/// second. <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>
const RATE: u64 = 10 << 20;
const BURST: u64 = 20 << 20;
/// What an event costs beside its text.
const EVENT: u64 = 26;

/// The server's ends of the pipes.
#[derive(Debug)]
pub(crate) struct Pipes {
    /// Standard output and error.
    pub(crate) raw: OwnedFd,
    /// Records of our bootstraps; see [`super::records`].
    pub(crate) records: Option<OwnedFd>,
    /// What external extensions print.
    pub(crate) extensions: Option<OwnedFd>,
}

/// One environment's log. Reading ends when it is dropped or the environment ends.
pub(crate) struct LogTap {
    inner: Arc<Inner>,
    reader: tokio::task::JoinHandle<()>,
}

struct Inner {
    stream: Arc<LogStream>,
    sink: Arc<dyn LogSink>,
    clock: Clock,
    raw: AsyncFd<OwnedFd>,
    records: Option<AsyncFd<OwnedFd>>,
    extensions: Option<AsyncFd<OwnedFd>>,
    state: Mutex<State>,
}

struct State {
    pending: Vec<LogLine>,
    raw: Lines,
    records: Records,
    extensions: Lines,
    allowance: Allowance,
    logging: Logging,
    telemetry: Arc<Telemetry>,
    tail: Option<String>,
    /// Of invocations that run at once: what names one.
    tails: Vec<(String, String)>,
}

impl LogTap {
    /// Starts reading. Needs a tokio runtime.
    pub(crate) fn open(
        stream: Arc<LogStream>,
        sink: Arc<dyn LogSink>,
        clock: Clock,
        logging: Logging,
        telemetry: Arc<Telemetry>,
        pipes: Pipes,
    ) -> io::Result<Self> {
        let state = State {
            pending: Vec::new(),
            raw: Lines::default(),
            records: Records::default(),
            extensions: Lines::default(),
            allowance: Allowance {
                bytes: BURST,
                at: clock.now(),
                dropped: 0,
            },
            logging,
            telemetry,
            tail: None,
            tails: Vec::new(),
        };
        let inner = Arc::new(Inner {
            stream,
            sink,
            clock,
            raw: open(pipes.raw)?,
            records: pipes.records.map(open).transpose()?,
            extensions: pipes.extensions.map(open).transpose()?,
            state: Mutex::new(state),
        });
        let reader = tokio::spawn(read_on(Arc::clone(&inner)));
        Ok(Self { inner, reader })
    }

    pub(crate) fn stream(&self) -> &Arc<LogStream> {
        &self.inner.stream
    }

    /// Appends an event of Lambda's own, after all that was written so far.
    pub(crate) fn note(&self, event: &Platform) {
        let mut state = self.inner.state.lock();
        self.inner.drain(&mut state);
        let at = self.inner.clock.now();
        state.platform(at, event);
    }

    /// Begins to keep the tail, unless it is kept already.
    pub(crate) fn keep_tail(&self) {
        self.inner.state.lock().tail.get_or_insert_default();
    }

    /// Begins to keep the tail of one of several invocations: the events that name it.
    pub(crate) fn keep_tail_of(&self, id: &str) {
        let mut state = self.inner.state.lock();
        state.tails.push((id.to_owned(), String::new()));
    }

    /// Appends the last event of one of several invocations, with what was written before it; its
    /// tail, if that was kept.
    pub(crate) fn finish_one(&self, id: &str, event: &Platform) -> Option<String> {
        let mut state = self.inner.state.lock();
        self.inner.drain(&mut state);
        let at = self.inner.clock.now();
        state.platform(at, event);
        self.inner.pass_on(&mut state);
        let own = state.tails.iter().position(|(whose, _)| whose == id)?;
        let (_, tail) = state.tails.swap_remove(own);
        Some(cut_tail(tail))
    }

    /// Appends the start of an invocation. What the pipes hold was written between invocations, and
    /// is read with whatever follows.
    pub(crate) fn begin(&self, event: &Platform) {
        let mut state = self.inner.state.lock();
        let at = self.inner.clock.now();
        state.platform(at, event);
    }

    /// Reads what the pipes hold, unfinished lines included, appends the last events of an
    /// invocation, passes all on, and returns the tail if it was asked for.
    pub(crate) fn finish<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Platform>,
    ) -> Option<String> {
        let mut state = self.inner.state.lock();
        self.inner.drain(&mut state);
        let at = self.inner.clock.now();
        state.finish_lines(at);
        for event in events {
            state.platform(at, event);
        }
        self.inner.pass_on(&mut state);
        state.tail.take().map(cut_tail)
    }
}

/// The last 4 KB of a log.
pub(crate) fn cut_tail(mut log: String) -> String {
    let cut = log.len().saturating_sub(LOG_TAIL_BYTES);
    let cut = (cut..=log.len())
        .find(|at| log.is_char_boundary(*at))
        .unwrap_or(cut);
    log.split_off(cut)
}

impl Drop for LogTap {
    fn drop(&mut self) {
        self.reader.abort();
        self.finish([]);
    }
}

impl Inner {
    /// Reads what the pipes hold, within bounds. Whether there may be more.
    fn drain(&self, state: &mut State) -> bool {
        let now = self.clock.now();
        let records = self
            .records
            .as_ref()
            .is_some_and(|pipe| state.drain_records(pipe, now));
        let raw = state.drain_raw(&self.raw, now);
        let extensions = self
            .extensions
            .as_ref()
            .is_some_and(|pipe| state.drain_extensions(pipe, now));
        records || raw || extensions
    }

    fn pass_on(&self, state: &mut State) {
        if !state.pending.is_empty() {
            self.sink
                .append(&self.stream, std::mem::take(&mut state.pending));
        }
    }
}

impl State {
    fn drain_records(&mut self, pipe: &AsyncFd<OwnedFd>, now: Timestamp) -> bool {
        let mut events = Vec::new();
        let more = read_available(pipe, |bytes| {
            self.records
                .feed(bytes, now, |at, text| events.push((at, text)));
        });
        for (at, text) in events {
            self.event(Category::Function, now, at, text);
        }
        more
    }

    fn drain_raw(&mut self, pipe: &AsyncFd<OwnedFd>, now: Timestamp) -> bool {
        let mut events = Vec::new();
        let more = read_available(pipe, |bytes| {
            self.raw.feed(bytes, |text| events.push(text));
        });
        for text in events {
            self.event(Category::Function, now, now, text);
        }
        more
    }

    fn drain_extensions(&mut self, pipe: &AsyncFd<OwnedFd>, now: Timestamp) -> bool {
        let mut events = Vec::new();
        let more = read_available(pipe, |bytes| {
            self.extensions.feed(bytes, |text| events.push(text));
        });
        for text in events {
            self.event(Category::Extension, now, now, text);
        }
        more
    }

    fn platform(&mut self, at: Timestamp, event: &Platform) {
        self.telemetry.platform(at, event);
        if let Some(line) = event.logged(self.logging, at) {
            self.keep(at, line);
        }
    }

    /// One event of the function's or an extension's, if it is important enough and they have not
    /// logged too much by now.
    fn event(&mut self, from: Category, now: Timestamp, at: Timestamp, message: String) {
        self.telemetry.line(from, at, &message);
        if from == Category::Function && !application::is_kept(self.logging, &message) {
            return;
        }
        if self.allowance.take(now, message.len() as u64 + EVENT) {
            self.report_dropped(now);
            self.keep(at, message);
        } else {
            self.allowance.dropped += 1;
        }
    }

    /// Ends the lines that lack their end, and says what was dropped.
    fn finish_lines(&mut self, at: Timestamp) {
        let mut last = Vec::new();
        self.records.finish(|line| last.push(line));
        self.raw.finish(|line| last.push(line));
        for line in last {
            self.event(Category::Function, at, at, line);
        }
        let mut last = Vec::new();
        self.extensions.finish(|line| last.push(line));
        for line in last {
            self.event(Category::Extension, at, at, line);
        }
        self.report_dropped(at);
    }

    fn report_dropped(&mut self, at: Timestamp) {
        let dropped = std::mem::take(&mut self.allowance.dropped);
        if dropped > 0 {
            let rate = RATE >> 20;
            let note = format!("{dropped} log events were dropped: more than {rate} MB a second");
            self.platform(at, &Platform::Note(note));
        }
    }

    fn keep(&mut self, at: Timestamp, message: String) {
        if let Some(tail) = &mut self.tail {
            append(tail, &message);
        }
        for (id, tail) in &mut self.tails {
            if message.contains(&**id) {
                append(tail, &message);
            }
        }
        self.pending.push(LogLine { at, message });
    }
}

fn append(tail: &mut String, message: &str) {
    tail.push_str(message);
    if tail.len() > 16 * LOG_TAIL_BYTES {
        let cut = tail.len() - 2 * LOG_TAIL_BYTES;
        let cut = (cut..tail.len())
            .find(|at| tail.is_char_boundary(*at))
            .unwrap_or(0);
        tail.drain(..cut);
    }
}

/// A token bucket.
struct Allowance {
    bytes: u64,
    at: Timestamp,
    dropped: u64,
}

impl Allowance {
    fn take(&mut self, now: Timestamp, bytes: u64) -> bool {
        let since = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        if since > 0 {
            self.bytes = self
                .bytes
                .saturating_add(since.saturating_mul(RATE / 1_000))
                .min(BURST);
            self.at = now;
        }
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }
}

/// Reads all pipes until each is closed: a function may close its standard output.
async fn read_on(inner: Arc<Inner>) {
    let read = async |pipe: &Option<AsyncFd<OwnedFd>>| {
        if let Some(pipe) = pipe {
            read_pipe(&inner, pipe).await;
        }
    };
    tokio::join!(
        read_pipe(&inner, &inner.raw),
        read(&inner.records),
        read(&inner.extensions)
    );
}

async fn read_pipe(inner: &Inner, pipe: &AsyncFd<OwnedFd>) {
    loop {
        let Ok(mut ready) = pipe.readable().await else {
            return;
        };
        // Real time whatever the clock: this is about the machine, not about the function.
        tokio::time::sleep(GATHER).await;
        let closed = ready.ready().is_read_closed();
        let mut state = inner.state.lock();
        let more = inner.drain(&mut state);
        inner.pass_on(&mut state);
        if closed && !more {
            return;
        }
        if !more {
            ready.clear_ready();
        }
    }
}

/// Reads until the pipe is empty or [`READS`] are done; whether there may be more.
fn read_available(pipe: &AsyncFd<OwnedFd>, mut take: impl FnMut(&[u8])) -> bool {
    let mut buffer = [MaybeUninit::<u8>::uninit(); READ];
    for _ in 0..READS {
        match rustix::io::read(pipe.get_ref(), &mut buffer[..]) {
            Ok(([], _)) => return false,
            Ok((read, unused)) => {
                take(read);
                if !unused.is_empty() {
                    return false;
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn open(pipe: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = rustix::fs::fcntl_getfl(&pipe)?;
    rustix::fs::fcntl_setfl(&pipe, flags | rustix::fs::OFlags::NONBLOCK)?;
    watch(pipe)
}
