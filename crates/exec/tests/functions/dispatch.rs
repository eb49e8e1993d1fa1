//! Which environment takes an event, how many there are, and when they go.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Timestamp};
use exec::{Code, EnvironmentState, FunctionSpec, InvokeError, ThrottleReason};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{World, event_for, function_of, json as document, write_files};

/// Answers with what tells one environment from another, after some milliseconds.
const WHICH: &str = "
import time, uuid
ME = str(uuid.uuid4())
def handler(event, context):
    time.sleep(event / 1000)
    return ME
";

fn which(world: &World) -> Arc<FunctionSpec> {
    Arc::new(world.function("python3.12", "app.handler", &[("app.py", WHICH)]))
}

async fn at_once(
    world: &World,
    function: &Arc<FunctionSpec>,
    calls: usize,
    millis: u32,
) -> Vec<Value> {
    let event = json!(millis);
    let calls = (0..calls).map(|_| world.run(function, &event));
    join_all(calls)
        .await
        .iter()
        .flatten()
        .map(document)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_run_in_environments_of_their_own() {
    let world = World::new();
    let function = which(&world);
    let answers = at_once(&world, &function, 4, 1_500).await;
    if answers.is_empty() {
        return;
    }
    let distinct: HashSet<_> = answers.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 4);
    assert_eq!(world.exec.environments().len(), 4);
    // The one used last comes first.
    let next = document(&world.run(&function, &json!(0)).await.unwrap());
    let again = document(&world.run(&function, &json!(0)).await.unwrap());
    assert_eq!(next, again);
    assert_eq!(world.exec.environments().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_short_calls_starts_few_environments() {
    let world = World::with(Clock::system(), |config| config.parallel_starts = 2);
    let function = which(&world);
    let answers = at_once(&world, &function, 100, 0).await;
    if answers.is_empty() {
        return;
    }
    assert_eq!(answers.len(), 100);
    let environments = world.exec.environments().len();
    // Three or four, where nothing else goes on; on a busy host a call takes as long as a start.
    assert!(
        environments <= 25,
        "{environments} environments for 100 calls of a millisecond"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runtime_says_too_much_is_no_answer_to_the_next_event() {
    let code = "
import os, struct
def frame(text):
    return struct.pack('<III', 6, 0, len(text)) + text
def handler(event, context):
    if event['twice']:
        os.write(3, frame(b'%d' % event['n']) + frame(b'-1'))
    return event['n']
";
    let world = World::with(Clock::system(), |config| config.parallel_starts = 1);
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    for twice in [true, false] {
        let event = |n| json!({"twice": twice, "n": n});
        let events: Vec<Value> = (0..12).map(event).collect();
        let (last, at_once) = events.split_last().unwrap();
        let calls = at_once.iter().map(|event| world.run(&function, event));
        let mut outcomes = join_all(calls).await;
        outcomes.push(world.run(&function, last).await);
        for (n, outcome) in outcomes.iter().enumerate() {
            let Some(outcome) = outcome else { return };
            assert_eq!(document(outcome), n, "twice: {twice}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_environments_freeze_and_go() {
    let manual = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_000));
    let world = World::with(manual.clock(), |config| {
        config.idle_timeout = Duration::from_mins(10);
    });
    let function = which(&world);
    let Some(first) = world.run(&function, &json!(0)).await else {
        return;
    };
    // The answer may come a moment before its environment is idle, and time stands still here.
    until(|| states(&world) == [EnvironmentState::Idle]).await;
    manual.advance(Duration::from_millis(10));
    until(|| states(&world) == [EnvironmentState::Frozen]).await;
    let thawed = world.run(&function, &json!(0)).await.unwrap();
    assert_eq!(document(&thawed), document(&first));
    let info = &world.exec.environments()[0];
    assert_eq!((info.requests, &info.function), (2, &function.key));
    assert!(info.memory_bytes.is_some_and(|bytes| bytes > 0), "{info:?}");
    until(|| states(&world) == [EnvironmentState::Idle]).await;
    manual.advance(Duration::from_millis(10));
    until(|| states(&world) == [EnvironmentState::Frozen]).await;
    manual.advance(Duration::from_mins(9));
    tokio::task::yield_now().await;
    assert_eq!(states(&world), [EnvironmentState::Frozen]);
    manual.advance(Duration::from_mins(1));
    until(|| states(&world).is_empty()).await;
    let next = world.run(&function, &json!(0)).await.unwrap();
    assert!(next.cold() && document(&next) != document(&first));
}

fn states(world: &World) -> Vec<EnvironmentState> {
    world
        .exec
        .environments()
        .iter()
        .map(|one| one.state)
        .collect()
}

async fn until(condition: impl Fn() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reached)
        .await
        .expect("within ten seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_function_does_not_run() {
    let code = "
import threading, time
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.005)
threading.Thread(target=tick, daemon=True).start()
def handler(event, context):
    return ticks
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(before) = world.run(&function, &json!({})).await else {
        return;
    };
    until(|| states(&world) == [EnvironmentState::Frozen]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = world.run(&function, &json!({})).await.unwrap();
    let ticked = document(&after).as_u64().unwrap() - document(&before).as_u64().unwrap();
    assert!(ticked < 50, "{ticked} ticks in half a second of frost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_replaces_the_environments_and_retiring_ends_them() {
    let world = World::new();
    let function = which(&world);
    let Some(first) = world.run(&function, &json!(0)).await else {
        return;
    };
    let mut changed = FunctionSpec::clone(&function);
    changed.revision_id = "another".to_owned();
    let changed = Arc::new(changed);
    let second = world.run(&changed, &json!(0)).await.unwrap();
    assert_ne!(document(&first), document(&second));
    until(|| world.exec.environments().len() == 1).await;

    // One that is busy is let finish.
    let busy = tokio::spawn({
        let (exec, event) = (Arc::clone(&world.exec), event_for(&changed, "400"));
        let changed = Arc::clone(&changed);
        async move { exec.invoke(&changed, event).await.unwrap() }
    });
    until(|| states(&world) == [EnvironmentState::Busy]).await;
    world.exec.retire(&changed.key);
    assert_eq!(document(&busy.await.unwrap()), document(&second));
    until(|| world.exec.environments().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_reload_folder_is_seen_at_the_next_call() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let code = |answer: &str| format!("def handler(event, context): return '{answer}'\n");
    write_files(
        folder.path(),
        &[("app.py", &code("one")), ("lib/part.py", "x = 1\n")],
    );
    let live = Code::HotReload(folder.path().to_owned());
    let function = Arc::new(function_of("python3.12", "app.handler", live));
    let Some(first) = world.run(&function, &json!({})).await else {
        return;
    };
    assert_eq!(document(&first), "one");
    assert!(!world.run(&function, &json!({})).await.unwrap().cold());
    for answer in ["two", "three"] {
        write_files(folder.path(), &[("app.py", &code(answer))]);
        assert_eq!(
            document(&world.run(&function, &json!({})).await.unwrap()),
            answer
        );
    }
    write_files(folder.path(), &[("lib/part.py", "x = 2\n")]);
    assert!(world.run(&function, &json!({})).await.unwrap().cold());
    until(|| world.exec.environments().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_concurrency_are_throttled_with_aws_reasons() {
    let world = World::with(Clock::system(), |config| config.account_concurrency = 1);
    let mut reserved = FunctionSpec::clone(&which(&world));
    reserved.reserved_concurrency = Some(1);
    for (function, reason) in [
        (
            which(&world),
            ThrottleReason::ConcurrentInvocationLimitExceeded,
        ),
        (
            Arc::new(reserved),
            ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
        ),
    ] {
        if world.run(&function, &json!(0)).await.is_none() {
            return;
        }
        let (first, second) = tokio::join!(
            world.exec.invoke(&function, event_for(&function, "300")),
            world.exec.invoke(&function, event_for(&function, "300")),
        );
        assert!(first.is_ok());
        let throttled =
            |error| matches!(error, InvokeError::Throttled { reason: why } if why == reason);
        assert!(second.is_err_and(throttled), "{reason:?}");
        assert!(world.run(&function, &json!(0)).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_does_not_end_the_invocation() {
    let world = World::new();
    let function = which(&world);
    let Some(first) = world.run(&function, &json!(0)).await else {
        return;
    };
    let call = world.exec.invoke(&function, event_for(&function, "200"));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), call)
            .await
            .is_err()
    );
    until(|| world.recorded.usage().len() == 2).await;
    let next = world.run(&function, &json!(0)).await.unwrap();
    assert_eq!(
        document(&next),
        document(&first),
        "the environment lives on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_everything_in_bounded_time() {
    let world = World::with(Clock::system(), |config| {
        config.shutdown_grace = Duration::from_millis(300);
        config.parallel_starts = 1;
    });
    let function = which(&world);
    if world.run(&function, &json!(0)).await.is_none() {
        return;
    }
    let busy: Vec<_> = (0..5)
        .map(|_| {
            let (exec, event) = (Arc::clone(&world.exec), event_for(&function, "60000"));
            let function = Arc::clone(&function);
            tokio::spawn(async move { exec.invoke(&function, event).await })
        })
        .collect();
    // One runs, others wait for environments that are being started.
    until(|| states(&world).contains(&EnvironmentState::Busy)).await;
    let shutdown = world.exec.shutdown();
    tokio::time::timeout(Duration::from_secs(5), shutdown)
        .await
        .expect("within its bounds");
    for call in busy {
        let ended = call.await.unwrap();
        assert!(matches!(ended, Err(InvokeError::ShuttingDown)), "{ended:?}");
    }
    assert!(world.exec.environments().is_empty());
    let refused = world
        .exec
        .invoke(&function, event_for(&function, "0"))
        .await;
    assert!(matches!(refused, Err(InvokeError::ShuttingDown)));
}
