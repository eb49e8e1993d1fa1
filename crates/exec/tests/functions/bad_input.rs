//! Functions that do the worst they can with an event, or before the first, in each kind of
//! runtime: the caller hears of it in Lambda's words, and the next caller is well.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exec::FunctionSpec;
use serde_json::{Value, json};

use crate::support::{World, json as document};

/// A handler that does as it is told; the variable `AT_INIT` has it done before the first event.
const PYTHON: &str = r"
import ctypes, os, signal, sys, time

def act(deed):
    if deed == 'hang':
        while True: pass
    if deed == 'exit': os._exit(3)
    if deed == 'leave': os._exit(0)
    if deed == 'abort': os.abort()
    if deed == 'segfault': ctypes.string_at(0)
    if deed == 'kill': os.kill(os.getpid(), signal.SIGKILL)
    if deed == 'bomb':
        while True:
            try: os.fork()
            except OSError: pass
    if deed == 'memory':
        hoard = []
        while True: hoard.append(b'x' * (1 << 20))
    if deed == 'flood':
        while True: os.write(1, b'flood\n' * 2000)
    if deed == 'close':
        os.closerange(3, 100)
        time.sleep(600)
    if deed == 'large': return 'x' * (6291557 - 2)
    return 'fine'

def handler(event, context): return act(event)
act(os.environ.get('AT_INIT'))
";

const NODE: &str = r"
const fs = require('fs');
function act(deed) {
  if (deed === 'hang') for (;;);
  if (deed === 'exit') process.exit(3);
  if (deed === 'leave') process.exit(0);
  if (deed === 'abort') process.abort();
  if (deed === 'segfault') { process.kill(process.pid, 'SIGSEGV'); for (;;); }
  if (deed === 'kill') { process.kill(process.pid, 'SIGKILL'); for (;;); }
  if (deed === 'bomb') for (;;) require('child_process').spawn('/bin/sh', ['-c', '$0 & $0']);
  if (deed === 'memory') for (const hoard = [];;) hoard.push(Buffer.alloc(1 << 20, 1));
  if (deed === 'flood') for (;;) try { fs.writeSync(1, 'flood\n'.repeat(2000)); } catch {}
  if (deed === 'close') { fs.closeSync(3); for (;;); }
  if (deed === 'large') return 'x'.repeat(6291557 - 2);
  return 'fine';
}
exports.handler = async (event) => act(event);
act(process.env.AT_INIT);
";

/// The same handler of Python's below the Runtime API, in nothing but the standard library.
const LOOP: &str = r"
import http.client, json
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def call(method, path, body=None):
    api.request(method, '/2018-06-01/runtime/invocation/' + path, body)
    answer = api.getresponse()
    return answer, answer.read()
while True:
    answer, event = call('GET', 'next')
    id = answer.getheader('Lambda-Runtime-Aws-Request-Id')
    event = json.loads(event)
    if event == 'twice':
        call('POST', id + '/response', json.dumps('first'))
        LAST = [call('POST', id + '/' + way, json.dumps('second')) for way in ('response', 'error')]
        LAST = [[answer.status, json.loads(body)['errorType']] for answer, body in LAST]
        continue
    call('POST', id + '/response', json.dumps(LAST if event == 'last' else act(event)))
";

const RUNTIMES: [&str; 3] = ["python3.12", "nodejs20.x", "provided.al2023"];

fn function(world: &World, runtime: &str) -> FunctionSpec {
    let mut function = if runtime.starts_with("python") {
        world.function(runtime, "app.handler", &[("app.py", PYTHON)])
    } else if runtime.starts_with("node") {
        world.function(runtime, "app.handler", &[("app.js", NODE)])
    } else {
        let bootstrap = format!("#!/usr/bin/python3\n{PYTHON}{LOOP}");
        world.function(runtime, "any", &[("bootstrap", &bootstrap)])
    };
    // So long that only what never ends takes it, on a busy host too.
    function.timeout = Duration::from_secs(30);
    function
}

/// The same function, with little time.
fn brief(function: FunctionSpec) -> FunctionSpec {
    let timeout = Duration::from_secs(2);
    FunctionSpec {
        timeout,
        ..function
    }
}

/// Whether this host can run it, which is said if not.
fn exists(runtime: &str) -> bool {
    let exists = !runtime.starts_with("provided") || Path::new("/usr/bin/python3").exists();
    if !exists {
        eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
    }
    exists
}

/// What a function is told to do, the error's type, and how its message ends.
const DEEDS: [(&str, &str, &str); 11] = [
    ("hang", "Sandbox.Timedout", "after 2.00 seconds"),
    (
        "exit",
        "Runtime.ExitError",
        "exited with error: exit status 3",
    ),
    (
        "leave",
        "Runtime.ExitError",
        "exited without providing a reason",
    ),
    ("abort", "Runtime.ExitError", "error: signal: aborted"),
    (
        "segfault",
        "Runtime.ExitError",
        "error: signal: segmentation fault",
    ),
    ("kill", "Runtime.ExitError", "error: signal: killed"),
    ("bomb", "Sandbox.Timedout", "after 2.00 seconds"),
    ("memory", "Runtime.OutOfMemory", "error: signal: killed"),
    ("flood", "Sandbox.Timedout", "after 2.00 seconds"),
    ("close", "Sandbox.Timedout", "after 2.00 seconds"),
    (
        "large",
        "Function.ResponseSizeTooLarge",
        "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).",
    ),
];

fn check(what: &str, error: &Value, error_type: &str, end: &str) {
    // A thousand processes reach the limit of processes or the function's memory, whichever is
    // nearer on this host.
    let (error_type, end) = match error["errorType"].as_str() {
        Some("Runtime.OutOfMemory") if what.contains("bomb") => {
            ("Runtime.OutOfMemory", "error: signal: killed")
        }
        _ => (error_type, end),
    };
    assert_eq!(error["errorType"], error_type, "{what}: {error}");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.ends_with(end), "{what}: {message}");
    assert!(
        message.starts_with("RequestId: ") || error_type.starts_with("Function."),
        "{what}: {message}"
    );
}

/// The function's environments, by the names of their log streams. On a busy host there may be more than one: an
/// environment that still reads what its last event logged is not free, and so one more is started
/// for an event that then has the first.
fn environments(world: &World, function: &FunctionSpec) -> HashSet<String> {
    let all = world.exec.environments().into_iter();
    let own = all.filter(|one| one.function == function.key);
    own.map(|one| one.log_stream).collect()
}

async fn one_ends(world: &World, function: &FunctionSpec, of: &HashSet<String>, what: &str) {
    for _ in 0..1_000 {
        if !of.is_subset(&environments(world, function)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no environment has ended after {what}");
}

/// Events that ask for the worst, one after another.
async fn does_the_worst(runtime: &str) {
    if !exists(runtime) {
        return;
    }
    let world = World::new();
    let patient = Arc::new(function(&world, runtime));
    let brief = Arc::new(brief(function(&world, runtime)));
    if world.run(&patient, &json!("")).await.is_none() {
        return;
    }
    for (deed, error_type, end) in DEEDS {
        // A custom runtime that closes its connection has only to open another.
        if deed == "close" && runtime.starts_with("provided") {
            continue;
        }
        let function = if error_type == "Sandbox.Timedout" {
            &brief
        } else {
            &patient
        };
        world.run(function, &json!("")).await.unwrap();
        let before = environments(&world, function);
        let outcome = world.run(function, &json!(deed)).await.unwrap();
        let what = format!("{runtime}, {deed}");
        check(&what, &document(&outcome), error_type, end);
        assert!(outcome.max_memory_mb > Some(0), "{what}: {outcome:?}");
        let next = world.run(function, &json!("")).await.unwrap();
        assert_eq!(document(&next), "fine", "after {what}");
        if deed == "large" {
            assert!(!next.cold(), "after {what}");
        } else {
            one_ends(&world, function, &before, &what).await;
        }
    }
    let log: usize = world.recorded.log().iter().map(String::len).sum();
    // 20 MB in one go and 10 MB for each second of the flood, less what its lines cost beside.
    assert!(log < 45 << 20, "{runtime} logged {log} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_function_does_the_worst() {
    does_the_worst(RUNTIMES[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_function_does_the_worst() {
    does_the_worst(RUNTIMES[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_runtime_does_the_worst() {
    does_the_worst(RUNTIMES[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_does_the_worst() {
    for runtime in RUNTIMES.into_iter().filter(|one| exists(one)) {
        let world = World::with(base::Clock::system(), |config| {
            config.init_timeout = Duration::from_secs(4);
        });
        let good = Arc::new(function(&world, runtime));
        if world.run(&good, &json!("")).await.is_none() {
            continue;
        }
        for (deed, error_type, end) in DEEDS {
            // An init has no response, and what it closes is nothing to an environment's end.
            if matches!(deed, "large" | "close" | "kill" | "abort") {
                continue;
            }
            let before = environments(&world, &good);
            let mut bad = brief(function(&world, runtime));
            bad.environment.insert("AT_INIT".into(), deed.into());
            let outcome = world.run(&Arc::new(bad), &json!("")).await.unwrap();
            let what = format!("{runtime}, {deed} at init");
            check(&what, &document(&outcome), error_type, end);
            let next = world.run(&good, &json!("")).await.unwrap();
            assert_eq!(document(&next), "fine", "after {what}");
            // Those of the good function are as they were.
            assert!(
                before.is_subset(&environments(&world, &good)),
                "after {what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_to_one_event_is_refused_and_the_first_holds() {
    let runtime = RUNTIMES[2];
    if !exists(runtime) {
        return;
    }
    let world = World::new();
    let function = Arc::new(function(&world, runtime));
    let outcome = world.run(&function, &json!("twice")).await.unwrap();
    assert_eq!(document(&outcome), "first");
    let last = world.run(&function, &json!("last")).await.unwrap();
    let refused = json!([403, "InvalidStateTransition"]);
    assert_eq!(document(&last), json!([refused, refused]));
    assert!(!last.cold());
}
