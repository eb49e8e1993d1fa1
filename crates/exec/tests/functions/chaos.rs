//! Processes that are killed from outside, at any time in an environment's life: who calls learns
//! of it in Lambda's words, or not at all, and who calls next is served.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exec::{Code, EnvironmentState, FunctionSpec, SpareInfo, StartTier};
use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::gates::until;
use crate::support::{World, function_of, json as document, write_files};

const CODE: &str = "
import os, time
if os.path.exists('/var/task/wait'): time.sleep(60)
def handler(event, context):
    time.sleep(event / 1000)
    return 'served'
";

fn python(world: &World) -> Arc<FunctionSpec> {
    Arc::new(world.function("python3.12", "app.handler", &[("app.py", CODE)]))
}

fn kill(pid: u32) {
    // What has ended meanwhile is as good as killed.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
}

/// Pid 1 of the function's environment in this state, once there is one.
async fn init_of(world: &World, function: &FunctionSpec, states: &[EnvironmentState]) -> u32 {
    let mut pid = None;
    until(|| {
        let all = world.exec.environments();
        let found = all
            .iter()
            .find(|one| one.function == function.key && states.contains(&one.state));
        pid = found.and_then(|one| one.pid);
        pid.is_some()
    })
    .await;
    pid.unwrap()
}

/// The first process below it: the runtime.
fn runtime_below(init: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

/// Waits until a process runs no more; it may wait for its parent.
async fn ended(pid: u32) {
    let runs = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    until(|| !runs()).await;
}

/// Speaks the Runtime API with nothing but the standard library.
const BOOTSTRAP: &str = "#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
while True:
    api.request('GET', '/2018-06-01/runtime/invocation/next')
    answer = api.getresponse()
    answer.read()
    id = answer.getheader('lambda-runtime-aws-request-id')
    api.request('POST', f'/2018-06-01/runtime/invocation/{id}/response', '\"served\"')
    api.getresponse().read()
";

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_environment_that_is_killed_is_missed_by_nobody() {
    let world = World::new();
    let function = python(&world);
    if world.run(&function, &json!(0)).await.is_none() {
        return;
    }
    kill_while_idle(&world, &function).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_runtime_that_is_killed_while_idle_is_missed_by_nobody() {
    if !PathBuf::from("/usr/bin/python3").exists() {
        return eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
    }
    let world = World::new();
    let files = [("bootstrap", BOOTSTRAP)];
    let function = Arc::new(world.function("provided.al2023", "any", &files));
    world.run(&function, &json!(0)).await.unwrap();
    kill_while_idle(&world, &function).await;
}

/// Kills the whole environment, or its runtime, between invocations.
async fn kill_while_idle(world: &World, function: &Arc<FunctionSpec>) {
    use EnvironmentState::{Frozen, Idle};
    for whole in [false, true, false, true] {
        let init = init_of(world, function, &[Idle, Frozen]).await;
        let killed = if whole { init } else { runtime_below(init) };
        kill(killed);
        ended(killed).await;
        // At once: whether the server has noticed is not the caller's business.
        let outcome = world.run(function, &json!(0)).await.unwrap();
        assert_eq!(document(&outcome), "served", "whole: {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_environment_that_is_killed_is_the_callers_error_and_not_the_nexts() {
    let world = World::new();
    let function = python(&world);
    if world.run(&function, &json!(0)).await.is_none() {
        return;
    }
    for whole in [false, true] {
        let event = json!(60_000);
        let (outcome, ()) = tokio::join!(world.run(&function, &event), async {
            let init = init_of(&world, &function, &[EnvironmentState::Busy]).await;
            kill(if whole { init } else { runtime_below(init) });
        });
        let answer = document(&outcome.unwrap());
        assert_eq!(answer["errorType"], "Runtime.ExitError", "{answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(
            message.ends_with("Error: Runtime exited with error: signal: killed"),
            "{message}"
        );
        let next = world.run(&function, &json!(0)).await.unwrap();
        assert!(next.cold());
        assert_eq!(document(&next), "served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_is_killed_runs_again() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &[("app.py", CODE), ("wait", "")]);
    let live = Code::HotReload(folder.path().to_owned());
    let function = Arc::new(function_of("python3.12", "app.handler", live));
    if world.exec.runtime_warning(function.runtime).is_err() {
        return eprintln!("skipped: no Python");
    }
    let event = json!(0);
    let (outcome, ()) = tokio::join!(world.run(&function, &event), async {
        let init = init_of(&world, &function, &[EnvironmentState::Init]).await;
        fs::remove_file(folder.path().join("wait")).unwrap();
        kill(init);
    });
    assert_eq!(document(&outcome.unwrap()), "served");
}

#[tokio::test(flavor = "multi_thread")]
async fn zygotes_and_parked_environments_are_killed_under_a_load_that_does_not_notice() {
    let world = World::new();
    let first = python(&world);
    if world.run(&first, &json!(0)).await.is_none() {
        return;
    }
    until(|| !world.exec.spares().is_empty()).await;
    let failed = AtomicUsize::new(0);
    let loads = (0..4).map(|_| async {
        for _ in 0..8 {
            let function = python(&world);
            let outcome = world.run(&function, &json!(0)).await.unwrap();
            if document(&outcome)["errorType"] == "Runtime.ExitError" {
                failed.fetch_add(1, Ordering::Relaxed);
            } else {
                assert_eq!(document(&outcome), "served");
            }
            world.exec.retire(&function.key);
        }
    });
    let (mut killed, mut taken) = (0, 0);
    let is_taken = |pid: u32| {
        let environments = world.exec.environments();
        environments.iter().any(|one| one.pid == Some(pid))
    };
    let chaos = async {
        loop {
            let spares = world.exec.spares();
            // The zygote, which comes first, and one that waits: unless a function has taken it since.
            for spare in spares.iter().take(2) {
                let before = is_taken(spare.pid);
                kill(spare.pid);
                taken += usize::from(before || is_taken(spare.pid));
                killed += 1;
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    tokio::select! {
        _ = join_all(loads) => {}
        () = chaos => {}
    }
    assert!(killed > 0);
    assert!(failed.into_inner() <= taken);
    // And the line fills up again.
    let last = python(&world);
    world.run(&last, &json!(0)).await.unwrap();
    let is_parked = |spare: &SpareInfo| !spare.is_zygote;
    until(|| world.exec.spares().iter().any(is_parked)).await;
    let outcome = world.run(&python(&world), &json!(0)).await.unwrap();
    assert!(outcome.start >= StartTier::Parked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_that_is_killed_leaves_its_function_to_its_source() {
    let world = World::new();
    // Seconds of work.
    let long = "def f(a, b):\n    return [a + i * b for i in range(a)]\n".repeat(30_000);
    let files = [("app.py", CODE), ("long.py", long.as_str())];
    let function = Arc::new(world.function("python3.12", "app.handler", &files));
    if world.run(&function, &json!(0)).await.is_none() {
        return;
    }
    let Code::Image(image) = &function.code else {
        panic!("no image")
    };
    let mut compiler = None;
    until(|| {
        let known: Vec<_> = world.exec.environments();
        let known = |pid: u32| known.iter().any(|one| one.pid == Some(pid));
        let mut found = children_that_see(&image.id().to_string());
        found.retain(|pid| !known(*pid));
        compiler = found.pop();
        compiler.is_some()
    })
    .await;
    kill(compiler.unwrap());
    ended(compiler.unwrap()).await;
    world.exec.retire(&function.key);
    let outcome = world.run(&function, &json!(0)).await.unwrap();
    assert!(outcome.cold());
    assert_eq!(document(&outcome), "served");
    let compiled = image.path().parent().unwrap().join(".compiled");
    let files = fs::read_dir(compiled.join(image.id().to_string()));
    assert_eq!(
        files.into_iter().flatten().count(),
        0,
        "half of the bytecode"
    );
}

/// Our children with something of this name mounted.
fn children_that_see(name: &str) -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let children: Vec<_> = children.filter_map(Result::ok).collect();
    let pids = children.iter().flat_map(|line| line.split_whitespace());
    let sees = |pid: &&str| {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo"));
        mounts.is_ok_and(|mounts| mounts.contains(name))
    };
    pids.filter(sees).map(|pid| pid.parse().unwrap()).collect()
}
