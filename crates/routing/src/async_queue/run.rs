//! One run of one event, and what it changes in the store.

use std::sync::Arc;

use bytes::Bytes;
use store::{Batch, Durability, StoreError};

use super::Shared;
use super::decide::{self, Next};
use super::event::{Ended, Ending, RunOutcome};
use super::records::{HEADS, Head, payload_key};
use super::window::{Slot, Waiting};

/// What a lane learns of it.
#[derive(Debug)]
pub enum Finished {
    /// The event has been dealt with, or is to run again at its new place.
    Ran(Option<Box<Waiting>>),
    /// It ended without a run.
    Skipped,
    /// It did not run and is to be tried again after a pause.
    Refused(Box<Waiting>),
    /// It ran, and the store could not be told: it must not run again before the server restarts.
    Stuck,
}

pub async fn run(shared: Arc<Shared>, lane: String, mut waiting: Waiting) -> Finished {
    let id = waiting.head.id;
    let bytes = match payload(&shared, &waiting).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            tracing::error!(%lane, request_id = %id, "async queue: an event has no payload");
            return told(
                shared.store.commit(removal(&lane, waiting.slot)).await,
                &lane,
                Finished::Skipped,
            );
        }
        Err(error) => {
            tracing::error!(%lane, request_id = %id, %error, "async queue: read a payload");
            return Finished::Refused(Box::new(waiting));
        }
    };
    let policy = shared.runner.retry_policy(&waiting.head.function);
    let event = waiting.head.event(bytes);
    if decide::is_too_old(&waiting.head, &policy, shared.clock.now()) {
        if !is_stored(&mut waiting).await {
            return Finished::Skipped;
        }
        let ended = Ended {
            event: &event,
            ending: Ending::EventAgeExceeded,
            runs: waiting.head.failures,
            last: None,
        };
        let ended = end(&shared, &lane, waiting.slot, ended);
        return told(ended.await, &lane, Finished::Skipped);
    }
    let outcome = shared.runner.run(&event).await;
    if let RunOutcome::SystemFailed(cause) = &outcome {
        tracing::warn!(%lane, request_id = %id, cause, "async queue: an event could not be run");
    }
    if !is_stored(&mut waiting).await {
        // Whoever sent it has been told, and may send it again.
        return Finished::Ran(None);
    }
    match decide::after_run(&waiting.head, &outcome, &policy, shared.clock.now()) {
        Next::End(ending) => {
            let ran = matches!(
                outcome,
                RunOutcome::Succeeded(_) | RunOutcome::FunctionFailed(_)
            );
            let ended = Ended {
                event: &event,
                ending,
                runs: waiting.head.failures + u32::from(ran),
                last: Some(&outcome),
            };
            let ended = end(&shared, &lane, waiting.slot, ended);
            told(ended.await, &lane, Finished::Ran(None))
        }
        Next::Again(due, head) => {
            let slot = Slot {
                due,
                ..waiting.slot
            };
            let moved = move_to(&shared, &lane, waiting.slot, slot, &head).await;
            // Read again when its time comes.
            let payload = None;
            let again = Waiting {
                slot,
                head: *head,
                payload,
                stored: None,
            };
            told(moved, &lane, Finished::Ran(Some(Box::new(again))))
        }
        Next::WaitForConcurrency => Finished::Refused(Box::new(waiting)),
    }
}

fn told(stored: Result<(), StoreError>, lane: &str, finished: Finished) -> Finished {
    match stored {
        Ok(()) => finished,
        Err(error) => {
            tracing::error!(%lane, %error, "async queue: record a run");
            Finished::Stuck
        }
    }
}

/// Waits until an event is stored, or is known not to be. If whoever stores it gives up waiting, it
/// may be: what is recorded of the run holds either way.
async fn is_stored(waiting: &mut Waiting) -> bool {
    match waiting.stored.take() {
        Some(stored) => stored.await.unwrap_or(true),
        None => true,
    }
}

async fn payload(shared: &Shared, waiting: &Waiting) -> Result<Option<Bytes>, StoreError> {
    if let Some(payload) = &waiting.payload {
        return Ok(Some(payload.bytes.clone()));
    }
    let key = payload_key(waiting.head.id);
    shared.store.get(key.as_bytes()).await
}

async fn end(shared: &Shared, lane: &str, slot: Slot, ended: Ended<'_>) -> Result<(), StoreError> {
    let mut batch = removal(lane, slot);
    let staged = shared.runner.ended(&ended, &mut batch)?;
    shared.store.commit(batch).await?;
    staged.send_off();
    Ok(())
}

/// Not waited for to be durable: after a power loss the event may run once more, as events may.
fn removal(lane: &str, slot: Slot) -> Batch {
    let mut batch = Batch::new();
    HEADS.delete(&mut batch, slot.key(lane));
    batch.delete(payload_key(slot.id));
    batch.durability(Durability::Lazy);
    batch
}

/// Not waited for to be durable: after a power loss the event is tried at once.
async fn move_to(
    shared: &Shared,
    lane: &str,
    from: Slot,
    to: Slot,
    head: &Head,
) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    HEADS.delete(&mut batch, from.key(lane));
    HEADS.put(&mut batch, to.key(lane), head)?;
    batch.durability(Durability::Lazy);
    shared.store.commit(batch).await
}
