//! The asynchronous queue on a real store, with time moved by hand.

mod held_store;
mod rig;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use routing::async_queue::{AsyncQueue, Ending, RetryPolicy, RunOutcome};
use store::{EmbeddedStore, MemoryStore, Reader, Scan};

use held_store::{Disk, HeldStore};
use rig::{Functions, answer, clock_at_zero, event, settle};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn an_event_runs_at_once_and_leaves_nothing_behind() {
    let store = Arc::new(MemoryStore::new());
    let (manual, functions) = (clock_at_zero(), Functions::new());
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let event = event("hello", &manual);
    queue.accept(event.clone()).await.unwrap();
    let run = functions.next_run().await;
    assert_eq!(run.request_id, event.request_id);
    assert_eq!(run.payload, event.payload);
    assert_eq!(
        functions.next_ending().await,
        (event.request_id, Ending::Succeeded)
    );
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failing_event_is_retried_after_one_and_two_minutes_under_the_same_id() {
    let store = Arc::new(MemoryStore::new());
    let (manual, functions) = (clock_at_zero(), Functions::new());
    functions.answer_with(|_| RunOutcome::FunctionFailed(answer()));
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let event = event("hello", &manual);
    queue.accept(event.clone()).await.unwrap();
    assert_eq!(functions.next_run().await.request_id, event.request_id);
    for minutes in [1, 2] {
        settle().await;
        manual.advance(Duration::from_millis(minutes * 60_000 - 1));
        settle().await;
        assert!(functions.no_run_yet(), "retried within {minutes} min");
        manual.advance(Duration::from_millis(1));
        assert_eq!(functions.next_run().await.request_id, event.request_id);
    }
    assert_eq!(
        functions.next_ending().await,
        (event.request_id, Ending::RetriesExhausted)
    );
    manual.advance(60 * MINUTE);
    settle().await;
    assert!(functions.no_run_yet());
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_accepted_is_taken_up_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let manual = clock_at_zero();
    let (failed, waiting) = (event("hello", &manual), event("other", &manual));
    {
        let store = Arc::new(EmbeddedStore::open(dir.path()).unwrap());
        let functions = Functions::new();
        functions.answer_with(|event| {
            if event.function.resource.ends_with("hello") {
                RunOutcome::FunctionFailed(answer())
            } else {
                RunOutcome::Throttled
            }
        });
        let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
        queue.accept(failed.clone()).await.unwrap();
        queue.accept(waiting.clone()).await.unwrap();
        functions.next_run().await;
        functions.next_run().await;
        queue.close().await;
    }
    let store = Arc::new(EmbeddedStore::open(dir.path()).unwrap());
    let functions = Functions::new();
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    queue.start().await.unwrap();
    let run = functions.next_run().await;
    assert_eq!(
        (run.request_id, &run.payload),
        (waiting.request_id, &waiting.payload)
    );
    assert!(
        functions.no_run_yet(),
        "the failed one waits for its minute"
    );
    manual.advance(MINUTE);
    assert_eq!(functions.next_run().await.request_id, failed.request_id);
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_throttled_event_waits_up_to_its_greatest_age() {
    let store = Arc::new(MemoryStore::new());
    let (manual, functions) = (clock_at_zero(), Functions::new());
    functions.answer_with(|_| RunOutcome::Throttled);
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let event = event("hello", &manual);
    queue.accept(event.clone()).await.unwrap();
    let mut attempts = 0;
    let ended = loop {
        settle().await;
        while !functions.no_run_yet() {
            functions.next_run().await;
            attempts += 1;
        }
        if let Some(ending) = functions.ending_so_far() {
            break ending;
        }
        manual.advance(Duration::from_secs(16));
    };
    assert_eq!(ended, (event.request_id, Ending::EventAgeExceeded));
    let age = manual.clock().now().since(event.accepted_at);
    let greatest = RetryPolicy::default().maximum_event_age;
    assert!(age >= greatest && age <= greatest + 5 * MINUTE, "{age:?}");
    // 1, 2, 4 … 256 s, then every 300 s for six hours, each at the next 16 s.
    assert!((70..=85).contains(&attempts), "{attempts}");
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stuck_function_holds_up_no_other() {
    let (manual, functions) = (clock_at_zero(), Functions::new());
    let hold = functions.hold("stuck");
    let queue = AsyncQueue::new(
        Arc::new(MemoryStore::new()),
        manual.clock(),
        functions.clone(),
    );
    for _ in 0..50 {
        queue.accept(event("stuck", &manual)).await.unwrap();
    }
    for _ in 0..50 {
        let event = event("quick", &manual);
        queue.accept(event.clone()).await.unwrap();
        assert_eq!(
            functions.next_ending().await,
            (event.request_id, Ending::Succeeded)
        );
    }
    hold.release();
    queue.close().await;
}

#[tokio::test]
async fn a_backlog_longer_than_memory_runs_once_each_within_the_concurrency() {
    let store = Arc::new(MemoryStore::new());
    let (manual, functions) = (clock_at_zero(), Functions::new());
    functions.limit_concurrency(10);
    let hold = functions.hold("hello");
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let mut accepted = HashSet::new();
    for _ in 0..3_000 {
        let event = event("hello", &manual);
        accepted.insert(event.request_id);
        queue.accept(event).await.unwrap();
    }
    hold.release();
    while !accepted.is_empty() {
        settle().await;
        while let Some((id, ending)) = functions.ending_so_far() {
            assert_eq!(ending, Ending::Succeeded);
            assert!(accepted.remove(&id), "an event ended twice");
        }
        manual.advance(Duration::from_secs(1));
    }
    assert_eq!(functions.most_at_once(), 10);
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn events_of_a_deleted_function_are_forgotten() {
    let store = Arc::new(MemoryStore::new());
    let (manual, functions) = (clock_at_zero(), Functions::new());
    functions.answer_with(|_| RunOutcome::Throttled);
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let event = event("hello", &manual);
    queue.accept(event.clone()).await.unwrap();
    functions.next_run().await;
    settle().await;
    queue.purge(&event.function).await.unwrap();
    manual.advance(60 * MINUTE);
    settle().await;
    assert!(functions.no_run_yet());
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_run_begins_before_the_disk_is_done_and_the_acknowledgement_does_not() {
    let (manual, functions, store) = (clock_at_zero(), Functions::new(), HeldStore::new());
    let store = Arc::new(store);
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let queue = Arc::new(queue);
    // Until a lane has looked into the store it overtakes nothing.
    queue.accept(event("hello", &manual)).await.unwrap();
    functions.next_ending().await;
    functions.next_run().await;
    for fails_once in [true, false] {
        if fails_once {
            functions.answer_with(|_| RunOutcome::FunctionFailed(answer()));
        }
        settle().await;
        store.set(Disk::Holds);
        let event = event("hello", &manual);
        let accepted = tokio::spawn({
            let (queue, event) = (Arc::clone(&queue), event.clone());
            async move { queue.accept(event).await }
        });
        assert_eq!(functions.next_run().await.request_id, event.request_id);
        settle().await;
        assert!(!accepted.is_finished(), "acknowledged before it was stored");
        assert!(functions.ending_so_far().is_none());
        store.set(Disk::Works);
        accepted.await.unwrap().unwrap();
        settle().await;
        assert!(functions.no_run_yet(), "ran twice");
        if fails_once {
            functions.answer_with(|_| RunOutcome::Succeeded(answer()));
            manual.advance(MINUTE);
            assert_eq!(functions.next_run().await.request_id, event.request_id);
        }
        let ended = functions.next_ending().await;
        assert_eq!(ended, (event.request_id, Ending::Succeeded));
    }
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_that_could_not_be_stored_leaves_nothing_but_its_run() {
    let (manual, functions) = (clock_at_zero(), Functions::new());
    let store = Arc::new(HeldStore::new());
    functions.answer_with(|_| RunOutcome::FunctionFailed(answer()));
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    queue.accept(event("hello", &manual)).await.unwrap();
    for minutes in [0, 1, 2] {
        settle().await;
        manual.advance(minutes * MINUTE);
        functions.next_run().await;
    }
    functions.next_ending().await;
    settle().await;
    store.set(Disk::Fails);
    assert!(queue.accept(event("hello", &manual)).await.is_err());
    settle().await;
    store.set(Disk::Works);
    while !functions.no_run_yet() {
        functions.next_run().await;
    }
    manual.advance(60 * MINUTE);
    settle().await;
    assert!(
        functions.no_run_yet(),
        "retried though its sender was refused"
    );
    assert!(functions.ending_so_far().is_none());
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_store_shows_before_its_arrival_is_told_runs_once() {
    let (manual, functions) = (clock_at_zero(), Functions::new());
    let store = Arc::new(HeldStore::new());
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let queue = Arc::new(queue);
    store.set(Disk::TellsLate);
    // The lane is new, and finds it when it first looks into the store.
    let event = event("hello", &manual);
    let accepted = tokio::spawn({
        let (queue, event) = (Arc::clone(&queue), event.clone());
        async move { queue.accept(event).await }
    });
    assert_eq!(functions.next_run().await.request_id, event.request_id);
    let ended = functions.next_ending().await;
    assert_eq!(ended, (event.request_id, Ending::Succeeded));
    assert!(!accepted.is_finished());
    store.set(Disk::Works);
    accepted.await.unwrap().unwrap();
    settle().await;
    assert!(functions.no_run_yet(), "ran twice");
    queue.close().await;
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_stored_by_somebody_who_left_runs() {
    let (manual, functions) = (clock_at_zero(), Functions::new());
    let store = Arc::new(HeldStore::new());
    let queue = AsyncQueue::new(store.clone(), manual.clock(), functions.clone());
    let queue = Arc::new(queue);
    // One that waits for its second try, which others may not overtake before they are stored.
    functions.answer_with(|_| RunOutcome::FunctionFailed(answer()));
    queue.accept(event("hello", &manual)).await.unwrap();
    functions.next_run().await;
    settle().await;
    functions.answer_with(|_| RunOutcome::Succeeded(answer()));
    store.set(Disk::TellsLate);
    let event = event("hello", &manual);
    let accepted = tokio::spawn({
        let (queue, event) = (Arc::clone(&queue), event.clone());
        async move { queue.accept(event).await }
    });
    settle().await;
    assert!(functions.no_run_yet());
    accepted.abort();
    assert_eq!(functions.next_run().await.request_id, event.request_id);
    store.set(Disk::Works);
    queue.close().await;
}
