//! The one thread that writes: whatever waits becomes one transaction with one sync.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection::{self, classify};
use crate::watch::Watchers;
use crate::{Batch, Durability, Op, StoreError};

/// A group takes no more than this many batches, or bytes, so that the first does not wait long.
const MAX_GROUP: usize = 1024;
const MAX_GROUP_BYTES: usize = 8 << 20;
/// Lazy batches that no other commit makes durable are synced after this time.
const LAZY_SYNC_AFTER: Duration = Duration::from_millis(50);
/// When that failed, it is tried again after this time.
const LAZY_RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Writer {
    /// Taken only on drop: its end is the thread's signal to stop.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    batch: Batch,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    fn asks_for_sync(&self) -> bool {
        self.batch.durability == Durability::Sync
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, watchers: Watchers) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel();
        let commits = Commits {
            connection,
            watchers,
            syncing: true,
            unsynced: None,
            failed: None,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || commits.run(&queue))
            .map_err(|error| StoreError::io("start the store's writer", error))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(super) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(Job { batch, done })
            .map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

struct Commits {
    connection: Connection,
    watchers: Watchers,
    /// How the connection is set: whether its commits sync.
    syncing: bool,
    /// By when applied batches that wait for a sync get one of their own, if any wait.
    unsynced: Option<Instant>,
    /// Why no further commit is taken: a sync failed, and what is on the disk is not known.
    failed: Option<StoreError>,
}

impl Commits {
    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            match self.next(queue) {
                Ok(first) => {
                    let group = gather(first, queue);
                    let outcome = self.commit(&group);
                    self.answer(group, outcome);
                }
                Err(RecvTimeoutError::Timeout) => self.sync_lazy(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.unsynced.is_some() {
            self.sync_lazy();
        }
    }

    fn next(&self, queue: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        match self.unsynced {
            Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn sync_lazy(&mut self) {
        if let Err(error) = self.commit(&[]) {
            // Nobody waits for these: this is where it is known.
            tracing::error!(%error, "lazy commits could not be made durable");
            self.unsynced = Some(Instant::now() + LAZY_RETRY_AFTER);
        }
    }

    /// Applies a group in one transaction, durable if anyone in it asks for that (an empty group
    /// does) or an earlier one has waited long enough. Gives the conflict of each batch that had one; an error means that none was applied.
    fn commit(&mut self, group: &[Job]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let overdue = self.unsynced.is_some_and(|due| due <= Instant::now());
        let sync = group.is_empty() || overdue || group.iter().any(Job::asks_for_sync);
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.transact(group, sync).inspect_err(|_| {
            // Fails when SQLite has already rolled back by itself.
            let _ = self.connection.execute_batch("ROLLBACK");
        })
    }

    fn transact(&mut self, group: &[Job], sync: bool) -> Result<Vec<Option<Bytes>>, StoreError> {
        let failed = |error| classify("commit", error);
        if sync != self.syncing {
            connection::sync_on_commit(&self.connection, sync).map_err(failed)?;
            self.syncing = sync;
        }
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(run)
            .map_err(failed)?;
        let mut conflicts = Vec::with_capacity(group.len());
        for job in group {
            let conflict = self.conflict(&job.batch)?;
            if conflict.is_none() {
                self.apply(&job.batch).map_err(failed)?;
            }
            conflicts.push(conflict);
        }
        if sync && self.unsynced.is_some() {
            connection::mark_sync(&self.connection).map_err(failed)?;
        }
        let committed = self.connection.prepare_cached("COMMIT").and_then(run);
        committed.map_err(|error| self.commit_failed(error))?;
        self.unsynced = if sync {
            None
        } else {
            Some(
                self.unsynced
                    .unwrap_or_else(|| Instant::now() + LAZY_SYNC_AFTER),
            )
        };
        Ok(conflicts)
    }

    fn commit_failed(&mut self, error: rusqlite::Error) -> StoreError {
        let is_failed_sync = connection::is_failed_sync(&error);
        let error = classify("commit", error);
        if is_failed_sync {
            tracing::error!(%error, "a sync failed; the store takes no more commits until restart");
            self.failed = Some(error.clone());
        }
        error
    }

    /// The first key of which the batch expects something else.
    fn conflict(&self, batch: &Batch) -> Result<Option<Bytes>, StoreError> {
        for expectation in &batch.expectations {
            if connection::get(&self.connection, &expectation.key)? != expectation.value {
                return Ok(Some(expectation.key.clone()));
            }
        }
        Ok(None)
    }

    fn apply(&self, batch: &Batch) -> rusqlite::Result<()> {
        for op in &batch.ops {
            match op {
                Op::Put { key, value } => connection::put(&self.connection, key, value)?,
                Op::Delete { key } => connection::delete(&self.connection, key)?,
                Op::DeleteRange { start, end } => {
                    connection::delete_range(&self.connection, start, end)?;
                }
            }
        }
        Ok(())
    }

    /// Wakes watchers, then callers. A caller that no longer listens is no matter.
    fn answer(&self, group: Vec<Job>, outcome: Result<Vec<Option<Bytes>>, StoreError>) {
        match outcome {
            Ok(conflicts) => {
                for (job, conflict) in group.into_iter().zip(conflicts) {
                    let result = if let Some(key) = conflict {
                        Err(StoreError::Conflict { key })
                    } else {
                        self.watchers.wake(&job.batch);
                        Ok(())
                    };
                    let _ = job.done.send(result);
                }
            }
            Err(error) => {
                for job in group {
                    let _ = job.done.send(Err(error.clone()));
                }
            }
        }
    }
}

fn run(mut statement: rusqlite::CachedStatement<'_>) -> rusqlite::Result<()> {
    statement.execute([]).map(drop)
}

fn gather(first: Job, queue: &Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.batch.size();
    let mut group = vec![first];
    while group.len() < MAX_GROUP && bytes < MAX_GROUP_BYTES {
        let Ok(job) = queue.try_recv() else { break };
        bytes += job.batch.size();
        group.push(job);
    }
    group
}
