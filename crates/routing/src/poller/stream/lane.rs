//! One lane of a shard: reads, cuts batches, runs them one after the other, notes how far it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use service::ServiceError;
use service::ports::Invocation;
use store::StoreError;

use super::attempt::{self, Attempt};
use super::checkpoint;
use super::discard::{self, Condition, Discarded};
use super::mapping::{FIRST_DELAY, LONGEST_DELAY, Mapping, is_gone};
use super::record::Record;
use super::retries::Part;
use super::source::Position;
use super::window::{Outcome, Run, Window};
use crate::poller::event::Batch;
use crate::poller::mapping::asks_to_wait;
use crate::poller::retry::BackOff;

const FIRST_RETRY_DELAY: Duration = Duration::from_millis(200);
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(10);
/// Signals tell of new records; that a stream has ended is found by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Records that are passed over before that is noted.
const PASSED_OVER: usize = 1_000;

pub struct Lane {
    mapping: Arc<Mapping>,
    shard: String,
    number: u32,
    position: Position,
    iterator: Option<String>,
    is_at_end: bool,
    /// Read and wanted, but in no batch yet.
    pending: VecDeque<Record>,
    bytes: usize,
    passed_over: usize,
    /// The last record that is done, where something is noted of it.
    done: Option<String>,
    /// The window that records are coming into.
    window: Option<Window>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything in the shard is done.
    AtEnd,
    Stopped,
    /// There is no such stream any more.
    Gone,
}

/// What came of records that failed.
struct Failure<'a> {
    condition: Condition,
    runs: u32,
    invocation: Option<&'a Invocation>,
}

impl Lane {
    pub fn new(
        mapping: Arc<Mapping>,
        shard: &str,
        number: u32,
        position: Position,
        window: Option<Window>,
    ) -> Self {
        let done = match &position {
            Position::After(sequence) => Some(sequence.clone()),
            Position::TrimHorizon | Position::At(_) => None,
        };
        Self {
            mapping,
            shard: shard.to_owned(),
            number,
            position,
            iterator: None,
            is_at_end: false,
            pending: VecDeque::new(),
            bytes: 0,
            passed_over: 0,
            done,
            window,
        }
    }

    pub async fn run(mut self) -> Ended {
        let mapping = Arc::clone(&self.mapping);
        let mut back_off = BackOff::new(FIRST_DELAY, LONGEST_DELAY);
        loop {
            let filled = tokio::select! {
                filled = self.fill() => filled,
                () = mapping.life.stopping() => return Ended::Stopped,
            };
            match filled {
                Ok(()) => back_off.reset(),
                Err(error) if is_gone(&error) => return Ended::Gone,
                Err(error) => {
                    mapping.set_problem(&error.message);
                    tracing::warn!(mapping = mapping.settings.uuid, %error, "stream mapping: read");
                    tokio::select! {
                        () = mapping.ports.clock.sleep(back_off.next_delay()) => continue,
                        () = mapping.life.stopping() => return Ended::Stopped,
                    }
                }
            }
            let batch = self.cut();
            if !self.turn_window(batch.first()).await {
                return Ended::Stopped;
            }
            if batch.is_empty() {
                if self.is_at_end {
                    return Ended::AtEnd;
                }
                continue;
            }
            if !self.work_off(&batch).await {
                return Ended::Stopped;
            }
        }
    }

    /// Reads until there is a batch or the shard ends: with no batching window, whatever there is;
    /// with one, as much as a batch holds or the window brings in. Or until a tumbling window is over,
    /// without any.
    async fn fill(&mut self) -> Result<(), ServiceError> {
        let mapping = Arc::clone(&self.mapping);
        let clock = &mapping.ports.clock;
        let mut until: Option<Timestamp> = None;
        while !self.is_full() && !self.is_at_end {
            if !self.pending.is_empty() {
                let window = mapping.settings.batching_window;
                let until = *until.get_or_insert(clock.now() + window);
                if clock.now() >= until {
                    break;
                }
            }
            // Before reading: it then tells of everything that the read does not find.
            let changed = mapping.source.changed();
            if self.read().await? {
                continue;
            }
            let now = clock.now();
            let mut again = until.map_or(now + LOOK_AGAIN, |until| until.min(now + LOOK_AGAIN));
            if let Some(window) = self.window.as_ref().filter(|_| self.pending.is_empty()) {
                if window.is_before(now) {
                    break;
                }
                again = again.min(window.end());
            }
            tokio::select! {
                () = changed => {}
                () = clock.sleep_until(again) => {}
            }
        }
        Ok(())
    }

    /// One read; whether it brought anything.
    async fn read(&mut self) -> Result<bool, ServiceError> {
        let mapping = Arc::clone(&self.mapping);
        let iterator = match self.iterator.take() {
            Some(iterator) => iterator,
            None => self.iterator().await?,
        };
        // After an error, such as of an iterator that has expired, the next is made anew.
        let page = mapping.source.read(&iterator).await?;
        self.is_at_end = page.next.is_none();
        self.iterator = page.next;
        let brought = !page.records.is_empty();
        for record in page.records {
            self.position = Position::After(record.sequence.clone());
            let is_ours = record.lane(mapping.settings.parallelization) == self.number;
            if is_ours && mapping.settings.filters.accepts(&record.json) {
                self.bytes += bytes(&record);
                self.pending.push_back(record);
            } else {
                self.passed_over += 1;
            }
        }
        if self.passed_over >= PASSED_OVER
            && self.pending.is_empty()
            && let Position::After(sequence) = &self.position
        {
            self.passed_over = 0;
            self.done = Some(sequence.clone());
            if let Err(error) = self.save(sequence, None).await {
                tracing::error!(%error, "stream mapping: write a checkpoint");
            }
        }
        Ok(brought)
    }

    /// From where the lane is; from the oldest record there is, where that is gone already.
    async fn iterator(&mut self) -> Result<String, ServiceError> {
        let source = &self.mapping.source;
        match source.iterator(&self.shard, &self.position).await {
            Err(error) if error.code == "TrimmedDataAccessException" => {
                self.position = Position::TrimHorizon;
                source.iterator(&self.shard, &self.position).await
            }
            iterator => iterator,
        }
    }

    fn is_full(&self) -> bool {
        let most = self.mapping.settings.batch_size as usize;
        self.pending.len() >= most || self.bytes >= Batch::MAX_BYTES
    }

    /// Takes a batch: at most BatchSize records, no more than one event may hold, and of one tumbling
    /// window.
    fn cut(&mut self) -> Vec<Record> {
        let most = self.mapping.settings.batch_size as usize;
        let (mut records, mut taken) = (Vec::new(), 0);
        let window = self.window_of(self.pending.front());
        while let Some(record) = self.pending.front()
            && records.len() < most
            && (records.is_empty() || taken + bytes(record) <= Batch::MAX_BYTES)
            && window
                .as_ref()
                .is_none_or(|window| !window.is_before(record.at))
        {
            taken += bytes(record);
            records.extend(self.pending.pop_front());
        }
        self.bytes -= taken;
        records
    }

    /// The window that a record is counted to, if there are windows.
    fn window_of(&self, record: Option<&Record>) -> Option<Window> {
        let length = self.mapping.settings.tumbling_window?;
        let at = record?.at;
        let open = self.window.as_ref().filter(|open| !open.is_before(at));
        Some(open.cloned().unwrap_or_else(|| Window::of(at, length)))
    }

    /// Ends the window that is open, if it is over, and opens the one of the next record. `false` if
    /// told to stop meanwhile.
    async fn turn_window(&mut self, next: Option<&Record>) -> bool {
        let now = self.mapping.ports.clock.now();
        let is_over = self.window.as_ref().is_some_and(|open| match next {
            Some(record) => open.is_before(record.at),
            None => self.is_at_end || open.is_before(now),
        });
        if is_over && !self.end_window(false).await {
            return false;
        }
        if let Some(window) = self.window_of(next) {
            self.window = Some(window);
        }
        true
    }

    /// Runs the function on a window for the last time. `false` if told to stop meanwhile.
    async fn end_window(&mut self, early: bool) -> bool {
        let mapping = Arc::clone(&self.mapping);
        let Some(window) = self.window.take() else {
            return true;
        };
        let policy = mapping.settings.retries;
        let mut back_off = BackOff::new(FIRST_RETRY_DELAY, LONGEST_RETRY_DELAY);
        let mut retries = 0;
        let run = Run::Final { early };
        loop {
            if mapping.life.is_stopping() {
                self.window = Some(window);
                return false;
            }
            match attempt::run(&mapping, &self.shard, &[], Some((&window, run))).await {
                Attempt::Done(_) => {
                    mapping.set_ok();
                    break;
                }
                Attempt::Refused(error) => mapping.set_problem(&error.message),
                Attempt::Failed { .. } => {
                    mapping.set_problem("Function call failed");
                    if policy.maximum.is_some_and(|maximum| retries >= maximum) {
                        break;
                    }
                    retries += 1;
                }
            }
            if !self.pause(&mut back_off).await {
                self.window = Some(window);
                return false;
            }
        }
        // Within the same window the next batch begins with nothing.
        self.window = early.then(|| window.emptied());
        let Some(done) = self.done.clone() else {
            return true;
        };
        self.save_surely(&done, None).await
    }

    /// Takes what the function has made of the window. `false` if told to stop meanwhile.
    async fn take_state(&mut self, invocation: &Invocation) -> bool {
        let Some(window) = &self.window else {
            return true;
        };
        match window.after(&invocation.payload) {
            Outcome::Goes(window) => self.window = Some(window),
            Outcome::TooLarge => return self.end_window(true).await,
        }
        true
    }

    /// Runs the function until every record is done or given up. `false` if told to stop before.
    async fn work_off(&mut self, batch: &[Record]) -> bool {
        let mapping = &Arc::clone(&self.mapping);
        let policy = mapping.settings.retries;
        let mut parts = VecDeque::from([Part {
            records: 0..batch.len(),
            retries: 0,
            runs: 0,
        }]);
        let mut back_off = BackOff::new(FIRST_RETRY_DELAY, LONGEST_RETRY_DELAY);
        let mut last: Option<Invocation> = None;
        while let Some(mut part) = parts.pop_front() {
            if mapping.life.is_stopping() {
                return false;
            }
            if !self.give_up_old(batch, &mut part, last.as_ref()).await {
                return false;
            }
            if part.records.is_empty() {
                continue;
            }
            let offset = part.records.start;
            let records = &batch[part.records.clone()];
            let window = self.window.as_ref().map(|window| (window, Run::Batch));
            let (from, invocation) = match attempt::run(mapping, &self.shard, records, window).await
            {
                Attempt::Done(invocation) => {
                    mapping.set_ok();
                    if !self.take_state(&invocation).await {
                        return false;
                    }
                    if !self.finish(&batch[part.records], None).await {
                        return false;
                    }
                    back_off.reset();
                    continue;
                }
                // Cut short by the end of the server, perhaps: the next run tries again.
                _ if mapping.life.is_stopping() => return false,
                Attempt::Refused(error) => {
                    mapping.set_problem(&error.message);
                    if !asks_to_wait(&error) {
                        tracing::debug!(mapping = mapping.settings.uuid, %error, "stream mapping");
                    }
                    // Nothing is given up because the function could not run.
                    parts.push_front(part);
                    if !self.pause(&mut back_off).await {
                        return false;
                    }
                    continue;
                }
                Attempt::Failed { from, invocation } => (offset + from, invocation),
            };
            mapping.set_problem("Function call failed");
            part.runs += 1;
            if from > offset {
                // It has said what it made of those that are done.
                if invocation.function_error.is_none() && !self.take_state(&invocation).await {
                    return false;
                }
                if !self.finish(&batch[offset..from], None).await {
                    return false;
                }
            }
            let Some(next) = policy.after_failure(&part, from) else {
                let failure = Failure {
                    condition: Condition::RetryAttemptsExhausted,
                    runs: part.runs,
                    invocation: Some(&invocation),
                };
                let given_up = &batch[from..part.records.end];
                if !self.finish(given_up, Some(&failure)).await {
                    return false;
                }
                back_off.reset();
                continue;
            };
            let is_retry = next.iter().any(|next| next.retries > part.retries);
            for part in next.into_iter().rev() {
                parts.push_front(part);
            }
            last = Some(invocation);
            if is_retry && !self.pause(&mut back_off).await {
                return false;
            }
        }
        true
    }

    /// Takes from a part the records that have become too old. `false` if told to stop meanwhile.
    async fn give_up_old(
        &mut self,
        batch: &[Record],
        part: &mut Part,
        last: Option<&Invocation>,
    ) -> bool {
        let now = self.mapping.ports.clock.now();
        let policy = self.mapping.settings.retries;
        let old = batch[part.records.clone()]
            .iter()
            .take_while(|record| policy.is_too_old(record.at, now))
            .count();
        if old == 0 {
            return true;
        }
        let start = part.records.start;
        part.records.start += old;
        let failure = Failure {
            condition: Condition::RecordAgeExceeded,
            runs: part.runs,
            invocation: last.filter(|_| part.runs > 0),
        };
        let given_up = &batch[start..part.records.start];
        self.finish(given_up, Some(&failure)).await
    }

    /// `false` if told to stop meanwhile.
    async fn pause(&self, back_off: &mut BackOff) -> bool {
        tokio::select! {
            () = self.mapping.ports.clock.sleep(back_off.next_delay()) => true,
            () = self.mapping.life.stopping() => false,
        }
    }

    /// Notes that records are done, and in the same batch that they were given up. `false` if told to
    /// stop before.
    async fn finish(&mut self, records: &[Record], failure: Option<&Failure<'_>>) -> bool {
        let Some(last) = records.last() else {
            return true;
        };
        let shard = self.shard.clone();
        let discarded = failure.map(|failure| Discarded {
            shard: &shard,
            records,
            condition: failure.condition,
            runs: failure.runs,
            invocation: failure.invocation,
        });
        self.done = Some(last.sequence.clone());
        self.save_surely(&last.sequence, discarded.as_ref()).await
    }

    /// Tries until the store takes it; `false` if told to stop before.
    async fn save_surely(&self, sequence: &str, discarded: Option<&Discarded<'_>>) -> bool {
        let mut back_off = BackOff::new(FIRST_DELAY, LONGEST_DELAY);
        while let Err(error) = self.save(sequence, discarded).await {
            tracing::error!(%error, "stream mapping: write a checkpoint");
            if !self.pause(&mut back_off).await {
                return false;
            }
        }
        true
    }

    async fn save(
        &self,
        sequence: &str,
        discarded: Option<&Discarded<'_>>,
    ) -> Result<(), StoreError> {
        let mapping = &self.mapping;
        let mut batch = store::Batch::new();
        let lane = (self.number, mapping.settings.parallelization);
        checkpoint::put(
            &mut batch,
            &mapping.settings.uuid,
            &self.shard,
            lane,
            sequence,
            self.window.as_ref(),
        )?;
        let parcel = discarded.and_then(|it| discard::parcel(mapping, it));
        let staged = mapping.ports.deliveries.stage(&mut batch, parcel)?;
        mapping.ports.store.commit(batch).await?;
        staged.send_off();
        Ok(())
    }
}

/// What a record adds to an event, nearly.
fn bytes(record: &Record) -> usize {
    record.json.to_string().len() + 1
}
