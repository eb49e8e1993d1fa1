//! Functions that hang, crash, and take more than they may; and the calls after them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exec::{Code, InvokeError};
use serde_json::json;

use crate::support::{World, event_for, function_of, json as document};

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_kills_the_environment_and_the_next_call_gets_another() {
    let code = "
import time
def handler(event, context):
    print('started')
    if event['hang']:
        time.sleep(60)
    return 'done'
";
    let world = World::new();
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function.timeout = Duration::from_secs(1);
    let function = Arc::new(function);
    if world
        .run(&function, &json!({"hang": false}))
        .await
        .is_none()
    {
        return;
    }
    let started = Instant::now();
    let event = event_for(&function, r#"{"hang": true}"#);
    let id = event.request_id;
    let outcome = world.exec.invoke(&function, event).await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        document(&outcome),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 1.00 seconds"),
        })
    );
    assert_eq!(outcome.duration, Duration::from_secs(1));
    let tail = outcome.log_tail.unwrap();
    let parts = [
        "START RequestId".to_owned(),
        "started\n".to_owned(),
        format!("Z {id} Task timed out after 1.00 seconds\n\nEND RequestId: {id}\n"),
        "Duration: 1000.00 ms\tBilled Duration: 1000 ms\t".to_owned(),
        "\tStatus: timeout\n".to_owned(),
    ];
    let mut rest = tail.as_str();
    for part in &parts {
        let at = rest
            .find(part.as_str())
            .unwrap_or_else(|| panic!("{part:?} in {tail}"));
        rest = &rest[at + part.len()..];
    }
    let next = world.run(&function, &json!({"hang": false})).await.unwrap();
    assert!(next.cold());
    assert_eq!(document(&next), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_writes_nonsense_to_its_socket_is_killed_at_once() {
    let code = "
import os, stat, time
def handler(event, context):
    if not event: return 'fine'
    for descriptor in range(3, 20):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b'\\xff' * 5000)
        except OSError:
            pass
    time.sleep(60)
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(_) = world.run(&function, &json!("")).await else {
        return;
    };
    let asked = Instant::now();
    let outcome = world.run(&function, &json!("garble")).await.unwrap();
    // Neither the function's timeout nor the patience with a runtime that is ending.
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(document(&outcome)["errorType"], "Runtime.ExitError");
    assert!(world.run(&function, &json!("")).await.unwrap().cold());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_closes_its_socket_and_works_on_times_out_as_any_other() {
    let code = "
import os, time
def handler(event, context):
    os.close(3)
    time.sleep(60)
";
    let world = World::new();
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function.timeout = Duration::from_secs(1);
    let started = Instant::now();
    let Some(outcome) = world.run(&Arc::new(function), &json!({})).await else {
        return;
    };
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forked_child_that_returns_from_the_handler_is_no_second_runtime() {
    let code = "
import os, time
count = 0
def handler(event, context):
    global count
    count += 1
    if event == 'fork':
        if os.fork() == 0:
            time.sleep(0.05)
            print('the child')
            if count == 1:
                raise ValueError('of the child')
    else:
        time.sleep(0.1)
    return count
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    for (count, event) in (1..).zip(["fork", "wait", "fork", "wait"]) {
        let Some(outcome) = world.run(&function, &json!(event)).await else {
            return;
        };
        assert_eq!(document(&outcome), count);
    }
    let log = world.recorded.log();
    let of_children = log.iter().filter(|line| *line == "the child\n").count();
    assert_eq!(of_children, 2, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_exits_is_reported_and_replaced() {
    let code = "
import os, signal, sys
def handler(event, context):
    print('last words', end='')
    if event == 'exit': sys.exit(3)
    if event == 'quietly': os._exit(0)
    if event == 'kill': os.kill(os.getpid(), signal.SIGKILL)
    if event == 'abort': os.abort()
    return 'fine'
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    for (event, reason) in [
        ("exit", "Runtime exited with error: exit status 3"),
        ("quietly", "Runtime exited without providing a reason"),
        ("kill", "Runtime exited with error: signal: killed"),
        ("abort", "Runtime exited with error: signal: aborted"),
    ] {
        let Some(outcome) = world.run(&function, &json!(event)).await else {
            return;
        };
        let error = document(&outcome);
        assert_eq!(error["errorType"], "Runtime.ExitError", "{event}");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(
            message.starts_with("RequestId: ") && message.ends_with(reason),
            "{message}"
        );
        let tail = outcome.log_tail.unwrap();
        assert!(
            tail.contains(&format!(" Error: {reason}\nRuntime.ExitError\nEND ")),
            "{tail}"
        );
        assert!(
            tail.ends_with("\tStatus: error\tError Type: Runtime.ExitError\n"),
            "{tail}"
        );
        if event == "exit" {
            assert!(tail.contains("last words\n"), "{tail}");
        }
        let next = world.run(&function, &json!("")).await.unwrap();
        assert!(next.cold(), "after {event}");
        assert_eq!(document(&next), "fine", "after {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_ends_between_invocations_is_replaced_unseen() {
    let code = "
import os, threading
def handler(event, context):
    if event == 'die':
        threading.Timer(0.05, os._exit, (1,)).start()
    return os.getpid()
";
    let world = World::with(base::Clock::system(), |config| {
        // A frozen one would not get to it.
        config.freeze_after = Duration::from_mins(1);
    });
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    if world.run(&function, &json!("die")).await.is_none() {
        return;
    }
    // Its init ends last. A process that is ending loses its memory before its sockets, so an
    // environment without memory may still take an event.
    let lives = || {
        let environments = world.exec.environments();
        environments.iter().any(|one| one.pid.is_some_and(alive))
    };
    while lives() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let next = world.run(&function, &json!("")).await.unwrap();
    assert!(next.cold() && next.function_error.is_none(), "{next:?}");
}

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_eats_its_memory_is_killed_for_it() {
    let code = "
def handler(event, context):
    if event == 'eat':
        hoard = []
        while True:
            hoard.append(bytearray(1 << 20))
    return 'fine'
";
    let world = World::new();
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function.memory_mb = 128;
    let function = Arc::new(function);
    let Some(outcome) = world.run(&function, &json!("eat")).await else {
        return;
    };
    let error = document(&outcome);
    assert_eq!(error["errorType"], "Runtime.OutOfMemory");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Error: Runtime exited with error: signal: killed"),
        "{message}"
    );
    let tail = outcome.log_tail.unwrap();
    assert!(
        tail.contains("\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t"),
        "{tail}"
    );
    assert_eq!(outcome.max_memory_mb, Some(128));
    assert_eq!(
        document(&world.run(&function, &json!("")).await.unwrap()),
        "fine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_hits_its_bound_and_the_next_call_is_well() {
    let code = "
import os, time
def handler(event, context):
    if event != 'bomb':
        return 'fine'
    children = 0
    try:
        while children < 5000:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            children += 1
    except OSError as error:
        return {'children': children, 'error': error.errno}
    return {'children': children}
";
    let world = World::new();
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function.memory_mb = 1024;
    let function = Arc::new(function);
    let Some(outcome) = world.run(&function, &json!("bomb")).await else {
        return;
    };
    let bounded = document(&outcome);
    let children = bounded["children"].as_u64();
    assert!(
        children.is_none_or(|children| children <= 1024),
        "the bound is 1,024 processes: {bounded}"
    );
    assert_eq!(
        document(&world.run(&function, &json!("")).await.unwrap()),
        "fine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_takes_too_long_runs_again_under_the_functions_timeout() {
    let code = "
import time
time.sleep(1.5)
def handler(event, context):
    return 'ready at last'
";
    let world = World::with(base::Clock::system(), |config| {
        config.init_timeout = Duration::from_millis(700);
    });
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    assert_eq!(document(&outcome), "ready at last");
    assert!(outcome.cold() && outcome.init_duration.is_none());
    assert!(
        outcome.duration > Duration::from_millis(1_500),
        "the init counts: {outcome:?}"
    );
    let log = world.recorded.log();
    assert!(
        log.iter()
            .any(|line| line.ends_with("\tPhase: init\tStatus: timeout\n")),
        "{log:?}"
    );
    assert_eq!(
        world.recorded.streams().len(),
        1,
        "it is still the same environment"
    );
    assert!(!world.run(&function, &json!({})).await.unwrap().cold());

    let mut impatient = Arc::unwrap_or_clone(function);
    impatient.timeout = Duration::from_secs(1);
    impatient.revision_id = "impatient".to_owned();
    let outcome = world.run(&Arc::new(impatient), &json!({})).await.unwrap();
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
    assert_eq!(outcome.duration, Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_and_runtimes_that_are_not_there_are_refused() {
    let world = World::new();
    let gone = Code::HotReload("/nowhere/at/all".into());
    let function = Arc::new(function_of("python3.12", "app.handler", gone));
    let refused = world
        .exec
        .invoke(&function, event_for(&function, "{}"))
        .await;
    assert!(
        matches!(refused, Err(InvokeError::CodeUnavailable(_))),
        "{refused:?}"
    );

    let dotnet = Arc::new(world.function("dotnet8", "app.handler", &[("app.py", "")]));
    let refused = world.exec.invoke(&dotnet, event_for(&dotnet, "{}")).await;
    assert!(
        matches!(&refused, Err(InvokeError::RuntimeUnavailable { runtime, .. }) if runtime == "dotnet8"),
        "{refused:?}"
    );
    assert!(world.exec.environments().is_empty());
}
