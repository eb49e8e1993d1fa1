//! Durable executions: functions that go on after a wait of up to a year, a failure or a restart.
//!
//! An execution is a sequence of invocations of one version of a function. Each is handed what the
//! ones before have recorded, so that it skips what is done; between them nothing of the execution
//! is in memory but its id and the time at which it wakes. What happens to one execution happens in
//! turn ([`Durable::enter`]); each change is one durable batch, and only then has it happened.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html>

mod apply;
pub mod arn;
mod callbacks;
mod chained;
mod checkpoint;
mod clockwork;
mod control;
mod describe;
mod entered;
mod forget;
mod history;
mod invocation;
mod list;
mod notices;
mod output;
pub mod records;
pub mod refusals;
mod start;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod tokens;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Clock, Timestamp};
use bytes::Bytes;
use exec::{InvokeError, InvokeEvent, InvokeOutcome};
use parking_lot::Mutex;
use routing::deliveries::{Deliveries, Parcel};
use routing::schedule::Agenda;
use service::ServiceError;
use store::{Batch, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::Value;

use crate::domain::function_name::{FunctionName, Place};
use crate::error;
use crate::function::Version;
use crate::functions::Functions;

use arn::ExecutionArn;
use clockwork::Lanes;
use entered::{Entered, Slot};
use records::{Failure, Head};
use state::Change;

pub use callbacks::Completion;
pub use checkpoint::Checkpoint;
pub use list::Filter;
pub use start::Start;

/// Payloads of operations, and results of executions for which nobody waits, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Results of executions for which somebody waits.
pub const MAX_SYNC_PAYLOAD: usize = 6 << 20;
/// All text of an error.
const MAX_ERROR: usize = 1 << 20;
/// Operations of an execution.
const MAX_OPERATIONS: usize = 3_000;
/// Bytes that an execution writes.
const MAX_WRITTEN: u64 = 100 << 20;
/// Of the operations in one event or answer, so that it stays below the limit of a payload.
const PAGE_BYTES: usize = 5 << 20;
/// How long an execution may take for which somebody waits.
const MAX_SYNC_TIMEOUT: u32 = 900;
/// However long it is paused, an execution ends by then.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Runs a version of a function.
#[async_trait]
pub trait Runs: Send + Sync + 'static {
    async fn run(
        &self,
        version: &Version,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError>;
}

/// The executions of all functions.
pub struct Durable {
    store: Arc<dyn Store>,
    clock: Clock,
    functions: Arc<Functions>,
    deliveries: Arc<Deliveries>,
    runs: Arc<dyn Runs>,
    /// When each wakes that is to wake by itself.
    agenda: Agenda<Uuid>,
    /// Those that something happens to.
    slots: Mutex<HashMap<Uuid, Arc<Slot>>>,
    lanes: Mutex<Lanes>,
    is_open: watch::Sender<bool>,
    clockwork: Mutex<Option<JoinHandle<()>>>,
}

/// How an execution ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub head: Head,
    pub result: Option<String>,
    pub error: Option<Failure>,
}

/// The execution whose callback it is, by the id's own word.
pub fn callback_execution(id: &str) -> Option<ExecutionArn> {
    tokens::CallbackId::parse(id).map(|id| id.execution)
}

/// The functions that a checkpoint is to invoke, by their ARNs.
pub fn chained_functions(checkpoint: &Value, from: &Place) -> Vec<String> {
    let Some(Value::List(updates)) = checkpoint.get("Updates") else {
        return Vec::new();
    };
    let named = updates.iter().filter_map(|update| {
        let options = update.get("ChainedInvokeOptions")?;
        let name = options.get("FunctionName")?.as_str()?;
        let parsed = FunctionName::parse(name, None, from);
        // What is no name is refused later.
        Some(parsed.map_or_else(|_| "*".to_owned(), |name| name.arn().to_string()))
    });
    named.collect()
}

fn days(days: u32) -> Duration {
    Duration::from_hours(24 * u64::from(days))
}

impl Durable {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        functions: Arc<Functions>,
        deliveries: Arc<Deliveries>,
        runs: Arc<dyn Runs>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            functions,
            deliveries,
            runs,
            agenda: Agenda::default(),
            slots: Mutex::default(),
            lanes: Mutex::default(),
            is_open: watch::channel(true).0,
            clockwork: Mutex::default(),
        })
    }

    /// Waits until nothing else happens to an execution. `None` if there is none.
    async fn enter(self: &Arc<Self>, id: Uuid) -> Result<Option<Entered>, ServiceError> {
        entered::enter(self, id).await.map_err(error::store_failed)
    }

    /// The same by its full name.
    ///
    /// # Errors
    /// There is none of that name.
    async fn enter_named(self: &Arc<Self>, arn: &ExecutionArn) -> Result<Entered, ServiceError> {
        let id = arn.uuid().ok_or_else(refusals::no_such_execution)?;
        let entered = self.enter(id).await?;
        entered
            .filter(|entered| entered.head.arn() == *arn)
            .ok_or_else(refusals::no_such_execution)
    }

    /// Makes a change durable, then visible, and has it take its effects.
    async fn commit(
        self: &Arc<Self>,
        entered: &mut Entered,
        change: Change,
    ) -> Result<(), ServiceError> {
        self.commit_with(entered, change, Batch::new(), Vec::new())
            .await
    }

    async fn commit_with(
        self: &Arc<Self>,
        entered: &mut Entered,
        mut change: Change,
        mut batch: Batch,
        mut parcels: Vec<Parcel>,
    ) -> Result<(), ServiceError> {
        let closes = change.head.is_closed() && !entered.head.is_closed();
        if closes {
            parcels.push(self.status(&change.head));
            parcels.extend(self.dead_letter(entered, &change));
        }
        let stored = change.put(&mut batch);
        let staged = stored.and_then(|()| self.deliveries.stage(&mut batch, parcels));
        let committed = match staged {
            Ok(staged) => self.store.commit(batch).await.map(|()| staged),
            Err(error) => Err(error),
        };
        match committed {
            Ok(staged) => staged.send_off(),
            Err(failed) => {
                // What is in the store is read again: it may be either state.
                entered.forget();
                return Err(error::store_failed(failed));
            }
        }
        entered.take(change);
        self.agenda.set(&entered.id, entered.head.due);
        if closes {
            entered.tell_ended();
            self.tell_parent_later(&entered.head);
        } else {
            self.launch_if_owed(entered);
        }
        Ok(())
    }

    /// Waits until an execution has ended.
    ///
    /// # Errors
    /// It has been deleted meanwhile; the store failed.
    pub async fn ended(self: &Arc<Self>, arn: &ExecutionArn) -> Result<Ended, ServiceError> {
        let entered = self.enter_named(arn).await?;
        let mut ended = entered.watch_end();
        // It stays in memory while somebody waits for it.
        let held = entered.hold();
        drop(entered);
        // The sender is held.
        let _ = ended.wait_for(|ended| *ended).await;
        // The last to leave takes it out of memory.
        drop(held);
        let entered = self.enter_named(arn).await?;
        let execution = &entered.operations[0];
        Ok(Ended {
            head: entered.head.clone(),
            result: execution.result.clone(),
            error: execution.error.clone(),
        })
    }

    /// Runs to its end even when whoever asked goes away: the store and what is in memory stay the
    /// same.
    async fn undisturbed<T: Send + 'static>(
        work: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    ) -> Result<T, ServiceError> {
        match tokio::spawn(work).await {
            Ok(done) => done,
            Err(lost) => {
                tracing::error!(%lost, "lambda: a change of a durable execution was lost");
                Err(error::service_failed())
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Ended {
    /// What a synchronous caller gets.
    pub fn payload(&self) -> (Bytes, Option<exec::FunctionError>) {
        match &self.error {
            None if self.head.status == crate::generated::ExecutionStatus::Succeeded => {
                let result = self.result.clone().unwrap_or_default();
                (result.into(), None)
            }
            error => {
                let error = error.clone().unwrap_or_default();
                let document = output::error_document(&error);
                (document.into(), Some(exec::FunctionError::Unhandled))
            }
        }
    }
}
