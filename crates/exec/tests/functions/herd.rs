//! How many environments a burst makes, who waits for what, and whose turn it is.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Timestamp};
use exec::{EnvironmentState, ExecConfig, InvokeError, InvokeOutcome, ThrottleReason};
use futures::future::join_all;
use parking_lot::Mutex;

use crate::gates::{Gated, count, until};
use crate::support::{World, event_for, json as document};

type Call<'a> = Pin<Box<dyn Future<Output = Result<InvokeOutcome, InvokeError>> + Send + 'a>>;

/// A call that has taken its place in the line, or an environment, by the time this returns.
async fn queued<'a>(world: &'a World, function: &'a Gated, event: &str) -> Call<'a> {
    let event = event_for(&function.spec, format!("\"{event}\""));
    let mut call: Call<'_> = Box::pin(world.exec.invoke(&function.spec, event));
    assert!(futures::poll!(call.as_mut()).is_pending());
    call
}

/// Whether this host runs the tests' functions, and the watched folder and its pool, which are made
/// beside the first call, are there.
async fn prepared(world: &World, function: &Gated) -> bool {
    function.allow_starts(1);
    let event = event_for(&function.spec, "\"prepared\"");
    let opens = async {
        until(|| count(world, EnvironmentState::Busy) > 0).await;
        // Starts would wait a moment for the end of invocations that are shorter.
        tokio::time::sleep(Duration::from_millis(20)).await;
        function.open("prepared");
        // Not before it ends, where there is no interpreter.
        std::future::pending().await
    };
    let ran = tokio::select! {
        ran = world.exec.invoke(&function.spec, event) => ran,
        never = opens => never,
    };
    match ran {
        Ok(outcome) => {
            assert!(outcome.function_error.is_none(), "{:?}", outcome.payload);
            until(|| count(world, EnvironmentState::Busy) == 0).await;
            true
        }
        Err(InvokeError::RuntimeUnavailable { message, .. }) => {
            eprintln!("skipped: {message}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// What is being frozen is free only after that.
fn never_freezing(clock: Clock, configure: impl FnOnce(&mut ExecConfig)) -> World {
    World::with(clock, |config| {
        config.freeze_after = Duration::from_hours(1);
        configure(config);
    })
}

/// With a function that may start so often at once; `None` where the host does not run it.
async fn with_one(world: World, starts: usize) -> Option<(World, Gated)> {
    let function = Gated::new("f", starts, &Arc::default());
    prepared(&world, &function)
        .await
        .then_some((world, function))
}

/// Two functions, whose starts come one at a time, and the order in which they came.
struct Two {
    world: World,
    functions: [Gated; 2],
    order: Arc<Mutex<Vec<String>>>,
}

impl Two {
    async fn new(names: [&str; 2]) -> Option<Self> {
        let world = never_freezing(Clock::system(), |config| config.parallel_starts = 1);
        let order = Arc::default();
        let functions = names.map(|name| Gated::new(name, 0, &order));
        for function in &functions {
            if !prepared(&world, function).await {
                return None;
            }
        }
        Some(Self {
            world,
            functions,
            order,
        })
    }
}

fn which(outcome: &Result<InvokeOutcome, InvokeError>) -> String {
    document(outcome.as_ref().unwrap())[0]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_makes_one_environment_a_call_and_the_next_burst_none() {
    let world = never_freezing(Clock::system(), |_| {});
    let Some((world, function)) = with_one(world, 100).await else {
        return;
    };
    for gate in ["first", "second"] {
        let mut calls = Vec::new();
        for _ in 0..6 {
            calls.push(queued(&world, &function, gate).await);
        }
        let all = join_all(calls);
        let opens = async {
            until(|| count(&world, EnvironmentState::Busy) == 6).await;
            function.open(gate);
        };
        let (answers, ()) = tokio::join!(all, opens);
        let distinct: HashSet<_> = answers.iter().map(which).collect();
        assert_eq!(distinct.len(), 6);
        assert_eq!(function.starts(), 6);
        until(|| count(&world, EnvironmentState::Busy) == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_takes_what_is_free_first() {
    let world = never_freezing(Clock::system(), |_| {});
    let Some((world, function)) = with_one(world, 100).await else {
        return;
    };
    let first = queued(&world, &function, "first").await;
    function.open("slow");
    let second = queued(&world, &function, "").await;
    let frees = async {
        // The start for the second has gone as far as its init.
        until(|| function.starts() == 2 && count(&world, EnvironmentState::Init) == 1).await;
        function.open("first");
    };
    let (first, second, ()) = tokio::join!(first, second, frees);
    assert_eq!(which(&first), which(&second));
    assert_eq!(count(&world, EnvironmentState::Init), 1);
    // The other is kept, as the next that a burst needs.
    function.open("init");
    until(|| count(&world, EnvironmentState::Init) == 0).await;
    assert_eq!(world.exec.environments().len(), 2);
    assert_eq!(function.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_frees_up_before_a_turn_comes_saves_the_starts() {
    let Some(two) = Two::new(["f", "other"]).await else {
        return;
    };
    let (world, [function, other]) = (two.world, two.functions);
    let mut waiting = vec![queued(&world, &function, "first").await];
    // Two of the other function's: one takes its environment, the next one's start has the turn.
    let taken = queued(&world, &other, "go").await;
    let starting = queued(&world, &other, "go").await;
    until(|| other.starts() == 2).await;
    for _ in 0..5 {
        waiting.push(queued(&world, &function, "").await);
    }
    function.open("first");
    let answers = join_all(waiting).await;
    let distinct: HashSet<_> = answers.iter().map(which).collect();
    assert_eq!(distinct.len(), 1, "all ran in the one that there was");
    other.open("go");
    other.allow_starts(1);
    let (taken, starting) = tokio::join!(taken, starting);
    assert!(taken.is_ok() && starting.is_ok());
    // Turns go on: those that were decided have had theirs before this one's.
    world.exec.retire(&other.spec.key);
    assert!(prepared(&world, &other).await);
    assert_eq!(function.starts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_for_a_caller_that_left_while_no_start_had_begun() {
    let Some(two) = Two::new(["f", "other"]).await else {
        return;
    };
    let (world, [function, other]) = (two.world, two.functions);
    let busy = queued(&world, &function, "busy").await;
    let taken = queued(&world, &other, "go").await;
    let starting = queued(&world, &other, "go").await;
    until(|| other.starts() == 2).await;
    for _ in 0..20 {
        drop(queued(&world, &function, "").await);
    }
    other.open("go");
    other.allow_starts(1);
    let (taken, starting) = tokio::join!(taken, starting);
    assert!(taken.is_ok() && starting.is_ok());
    // One that comes now is the first in line.
    function.allow_starts(1);
    let next = queued(&world, &function, "").await.await;
    assert_eq!(function.starts(), 2);
    function.open("busy");
    assert_ne!(which(&busy.await), which(&next));
    let of_function = world.recorded.usage();
    let of_function = of_function
        .iter()
        .filter(|one| one.function == function.spec.key);
    assert_eq!(of_function.count(), 3, "no event ran whose caller had left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_start_has_begun_runs_though_its_caller_leaves() {
    let world = never_freezing(Clock::system(), |_| {});
    let Some((world, function)) = with_one(world, 0).await else {
        return;
    };
    let _busy = queued(&world, &function, "busy").await;
    let call = queued(&world, &function, "").await;
    until(|| function.starts() == 2).await;
    drop(call);
    function.allow_starts(1);
    until(|| world.recorded.usage().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_with_many_starts_delays_anothers_first_by_one() {
    let Some(two) = Two::new(["crowd", "single"]).await else {
        return;
    };
    let (world, [crowd, single], order) = (two.world, two.functions, two.order);
    let single_busy = queued(&world, &single, "go").await;
    let mut calls = Vec::new();
    for _ in 0..40 {
        calls.push(queued(&world, &crowd, "go").await);
    }
    until(|| crowd.starts() == 2).await;
    calls.push(queued(&world, &single, "go").await);
    single.allow_starts(1);
    crowd.allow_starts(40);
    let all = join_all(calls);
    let opens = async {
        until(|| single.starts() == 2).await;
        let begun = order.lock().clone();
        crowd.open("go");
        single.open("go");
        begun
    };
    let (answers, begun) = tokio::join!(all, opens);
    assert!(single_busy.await.is_ok() && answers.iter().all(Result::is_ok));
    assert_eq!(begun, ["crowd", "single", "crowd", "crowd", "single"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_would_grow_too_fast_is_throttled() {
    let manual = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_000));
    let world = never_freezing(manual.clock(), |config| config.scaling_rate = 3);
    let Some((world, function)) = with_one(world, 100).await else {
        return;
    };
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(queued(&world, &function, "go").await);
    }
    let refused = world
        .exec
        .invoke(&function.spec, event_for(&function.spec, "\"\""));
    let limit = ThrottleReason::ConcurrentInvocationLimitExceeded;
    let refused = refused.await;
    assert!(
        matches!(&refused, Err(InvokeError::Throttled { reason }) if *reason == limit),
        "{refused:?}"
    );
    // A third of ten seconds later there is room for one more.
    manual.advance(Duration::from_millis(3_334));
    calls.push(queued(&world, &function, "go").await);
    let refused = world
        .exec
        .invoke(&function.spec, event_for(&function.spec, "\"\""));
    assert!(refused.await.is_err());
    function.open("go");
    assert!(join_all(calls).await.iter().all(Result::is_ok));
}
