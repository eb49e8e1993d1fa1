//! Functions that are kept after their init, and environments that are forked from them.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Timestamp};
use exec::{
    EnvironmentState, FunctionSpec, InvokeError, InvokeOutcome, PrepareError, StartTier, Templates,
};
use serde_json::{Value, json};

use crate::gates::until;
use crate::support::{World, event_for, json as document};

const HANDLER: &str = "
import os, random, time, sys
from snapshot_restore_py import register_before_snapshot, register_after_restore
order = []
born = time.time()
token = os.urandom(8).hex()
init_type = os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
open('/tmp/of-init', 'w').write('x')
register_before_snapshot(lambda: order.append('before 1'))
register_after_restore(lambda word: order.append(word), 'after 1')
@register_before_snapshot
def second(): order.append('before 2')
@register_after_restore
def second(): order.append('after 2'); print('restored')
def handler(event, context):
    if event.get('exit'): os._exit(1)
    return {'order': order, 'token': token, 'born': born, 'random': random.random(),
        'init_type': [init_type, os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']],
        'stream': [context.log_stream_name, os.environ['AWS_LAMBDA_LOG_STREAM_NAME']],
        'tmp': os.listdir('/tmp'), 'cwd': os.getcwd(), 'pid': os.getpid(),
        'count': order.count('called'), 'sum': order.append('called')}
";

/// A version with SnapStart of this code; `None` where there are no templates.
fn version(world: &World, code: &str) -> Option<Arc<FunctionSpec>> {
    if let Some(why) = world.exec.host().templates_missing() {
        eprintln!("skipped: {why}");
        return None;
    }
    let mut function = world.function("python3.12", "index.handler", &[("index.py", code)]);
    "1".clone_into(&mut function.key.version);
    function.snap_start = true;
    Some(Arc::new(function))
}

async fn call(world: &World, function: &Arc<FunctionSpec>) -> InvokeOutcome {
    world.run(function, &json!({})).await.unwrap()
}

fn templates(world: &World) -> usize {
    let all = world.exec.environments();
    let kept = all
        .iter()
        .filter(|one| one.state == EnvironmentState::Template);
    kept.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_go_on_from_one_init_and_differ_in_what_has_to() {
    let world = World::new();
    let Some(function) = version(&world, HANDLER) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    assert_eq!(templates(&world), 1);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let first = call(&world, &function).await;
        assert_eq!(
            first.start,
            StartTier::Template,
            "{:?}",
            world.recorded.log()
        );
        seen.push(document(&first));
        let warm = call(&world, &function).await;
        assert_eq!(warm.start, StartTier::Warm);
        assert_eq!(document(&warm)["count"], 1);
        // The next call meets no environment.
        let ended = world.run(&function, &json!({"exit": true})).await.unwrap();
        assert!(ended.function_error.is_some());
    }
    for one in &seen {
        let order = json!(["before 2", "before 1", "after 1", "after 2", "called"]);
        assert_eq!(one["order"], order);
        assert_eq!(one["token"], seen[0]["token"]);
        assert_eq!(one["born"], seen[0]["born"]);
        assert_eq!(one["init_type"], json!(["snap-start", "snap-start"]));
        assert_eq!(one["stream"][0], one["stream"][1]);
        assert_eq!(one["tmp"], json!([]));
        assert_eq!(one["cwd"], "/var/task");
    }
    for what in ["random", "stream"] {
        assert_ne!(seen[0][what], seen[1][what]);
        assert_ne!(seen[1][what], seen[2][what]);
    }
    let log = world.recorded.log();
    let count = |start: &str| log.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("INIT_START "), 1, "{log:?}");
    assert_eq!(
        count("RESTORE_START Runtime Version: python:"),
        3,
        "{log:?}"
    );
    assert_eq!(count("RESTORE_REPORT Restore Duration: "), 3, "{log:?}");
    assert_eq!(count("restored"), 3, "{log:?}");
    let reports = log
        .iter()
        .filter(|line| line.contains("\tRestore Duration: "));
    assert_eq!(reports.count(), 3, "{log:?}");
    assert!(
        !log.iter().any(|line| line.contains("\tInit Duration: ")),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_the_snapshot_is_told_when_it_is_prepared() {
    let world = World::new();
    for (code, wanted) in [
        (
            "import nothing_of_that_name\n",
            "Runtime.ImportModuleError: ",
        ),
        (
            "import snapshot_restore_py as s\ndef handler(e, c): pass\n\
             s.register_before_snapshot(lambda: 1 / 0)\n",
            "ZeroDivisionError: division by zero",
        ),
        ("import os; os._exit(3)\n", "Runtime.ExitError"),
    ] {
        let Some(function) = version(&world, code) else {
            return;
        };
        let refused = world.exec.prepare(&function).await;
        let Err(PrepareError::Init(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.starts_with(wanted), "{why}");
        let log = world.recorded.log();
        let mut reports = log.iter().filter_map(|line| {
            let after = line.strip_prefix("INIT_REPORT Init Duration: ")?;
            after.split_once(" ms")?.0.parse::<f64>().ok()
        });
        // Not how much longer it could have taken.
        let last = reports.next_back().unwrap();
        assert!(last < 60_000.0, "{last} ms");
    }
    assert_eq!(templates(&world), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_after_the_restore_fails_the_invocation() {
    let world = World::new();
    let code = "import snapshot_restore_py as s\ndef handler(e, c): pass\n\
        s.register_after_restore(lambda: 1 / 0)\n";
    let Some(function) = version(&world, code) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    let event = event_for(&function, "{}");
    let refused = world.exec.invoke(&function, event).await;
    let Err(InvokeError::Restore(why)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(why, "ZeroDivisionError: division by zero");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_takes_longer_than_a_restore_may_ends_with_its_invocation() {
    let manual = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_000));
    let world = World::with(manual.clock(), |_| {});
    let code = "import os, time, snapshot_restore_py as s\ndef handler(e, c): return 'served'\n\
        @s.register_after_restore\ndef after():\n    print('begins', flush=True)\n    \
        time.sleep(600)\n";
    let Some(function) = version(&world, code) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    let begun = || {
        let log = world.recorded.log();
        log.iter().filter(|line| line.starts_with("begins")).count()
    };
    // The template is none the worse for the first of them.
    for round in 1..=2 {
        let call = world.exec.invoke(&function, event_for(&function, "{}"));
        let clock = async {
            until(|| begun() == round).await;
            manual.advance(Duration::from_millis(9_999));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let restoring = world.exec.environments();
            let restoring = restoring
                .iter()
                .filter(|one| one.state != EnvironmentState::Template);
            assert_eq!(restoring.count(), 1, "ended before its time");
            manual.advance(Duration::from_millis(1));
        };
        let (refused, ()) = tokio::join!(call, clock);
        assert!(
            matches!(refused, Err(InvokeError::RestoreTimeout)),
            "{refused:?}"
        );
        until(|| world.exec.environments().len() == 1).await;
        assert_eq!(templates(&world), 1);
    }
    let log = world.recorded.log();
    let reported = |line: &&String| {
        line.starts_with("RESTORE_REPORT Restore Duration: ") && line.contains("Status: timeout")
    };
    assert_eq!(log.iter().filter(reported).count(), 2, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_starts_in_the_ordinary_way() {
    let world = World::new();
    let code = "
import mmap, os
from snapshot_restore_py import register_before_snapshot, register_after_restore
shared = mmap.mmap(-1, 4096)
order = []
register_after_restore(lambda: order.append('after'))
register_before_snapshot(lambda: order.append('before 1'))
register_before_snapshot(lambda: order.append('before 2'))
def handler(e, c): return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], order]
";
    let Some(function) = version(&world, code) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    let outcome = call(&world, &function).await;
    // Its hooks run all the same: what they leave is what its handler expects.
    assert_eq!(
        document(&outcome),
        json!(["on-demand", ["before 2", "before 1", "after"]])
    );
    assert_ne!(outcome.start, StartTier::Template);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_ends_with_its_version_and_is_made_again_when_it_is_missed() {
    let world = World::new();
    let Some(function) = version(&world, HANDLER) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    world.exec.retire(&function.key);
    until(|| world.exec.environments().is_empty()).await;
    // As after the server was started again: nobody prepares it.
    let first = call(&world, &function).await;
    assert_ne!(first.start, StartTier::Template);
    until(|| templates(&world) == 1).await;
    let _ = world.run(&function, &json!({"exit": true})).await;
    assert_eq!(call(&world, &function).await.start, StartTier::Template);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_has_one_if_the_operator_says_so_and_none_if_not() {
    for (templates_of, wanted) in [(Templates::Always, true), (Templates::Never, false)] {
        let world = World::with(Clock::system(), |config| config.templates = templates_of);
        let Some(function) = version(&world, HANDLER) else {
            return;
        };
        let mut function = FunctionSpec::clone(&function);
        (function.snap_start, function.key.version) = (!wanted, "$LATEST".to_owned());
        let function = Arc::new(function);
        let _ = call(&world, &function).await;
        if wanted {
            until(|| templates(&world) == 1).await;
        }
        let _ = world.run(&function, &json!({"exit": true})).await;
        let tier = call(&world, &function).await.start;
        assert_eq!(tier == StartTier::Template, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_forked_from_one() {
    let world = World::new();
    let code = "import time, os\ntoken = os.urandom(8).hex()\n\
        def handler(e, c): time.sleep(0.3); return token\n";
    let Some(function) = version(&world, code) else {
        return;
    };
    world.exec.prepare(&function).await.unwrap();
    let calls = (0..8).map(|_| call(&world, &function));
    let outcomes = futures::future::join_all(calls).await;
    let tokens: Vec<Value> = outcomes.iter().map(document).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    let forked = outcomes
        .iter()
        .filter(|one| one.start == StartTier::Template);
    assert!(forked.count() > 1);
    assert!(
        outcomes
            .iter()
            .all(|one| one.duration < Duration::from_secs(5))
    );
}
