//! Versions on capacity providers: environments with several invocations at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exec::{FunctionSpec, InvokeError, InvokeOutcome, LogFormat, LogLevel, Logging, Managed};
use serde_json::{Value, json};

use crate::gates::until;
use crate::support::{World, event_for, json as document, package};

/// A custom runtime that asks for its next event in several threads.
const CUSTOM: &str = r"#!/usr/bin/python3
import http.client, json, os, threading, time

BASE = '/2018-06-01/runtime/'
started = threading.Barrier(int(os.environ['WORKERS']))

def work():
    api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    def call(method, path, body=None):
        api.request(method, BASE + path, body)
        answer = api.getresponse()
        return answer.status, answer.getheader('Lambda-Runtime-Aws-Request-Id'), answer.read()
    last = None
    while True:
        _, id, event = call('GET', 'invocation/next')
        event = json.loads(event)
        if event.get('meet'):
            started.wait(10)
        time.sleep(event.get('sleep', 0))
        if event.get('exit'):
            os._exit(5)
        body = {'pid': os.getpid(), 'stream': os.environ['AWS_LAMBDA_LOG_STREAM_NAME'], 'last': last, 'max': os.environ['AWS_LAMBDA_MAX_CONCURRENCY'],
                'kind': os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}
        status, _, text = call('POST', f'invocation/{id}/response', json.dumps(body))
        last = [status, text.decode()]

if os.environ.get('FAIL'):
    raise SystemExit(3)
for _ in range(int(os.environ['WORKERS'])):
    threading.Thread(target=work).start()
";

pub fn managed(mut function: FunctionSpec, concurrency: u32) -> FunctionSpec {
    function.managed = Some(Managed {
        concurrency,
        cpu_millis: 1_000,
    });
    function.logging = Logging {
        format: LogFormat::Json,
        application: LogLevel::Info,
        system: LogLevel::Info,
    };
    function
}

/// `None` where the host has no Python, which is said.
fn custom(world: &World, workers: u32, concurrency: u32) -> Option<FunctionSpec> {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
        return None;
    }
    let function = world.function("provided.al2023", "any", &[("bootstrap", CUSTOM)]);
    let mut function = managed(function, concurrency);
    let workers = ("WORKERS".to_owned(), workers.to_string());
    function.environment.insert(workers.0, workers.1);
    Some(function)
}

/// The function, with so many environments that have been initialised.
async fn scaled(world: &World, function: FunctionSpec, least: u32, most: u32) -> Arc<FunctionSpec> {
    let function = Arc::new(function);
    world.exec.scale(&function, least, most).await.unwrap();
    world.exec.scaled_up(&function.key).await.unwrap();
    function
}

/// The same with one environment, where this machine has what it runs on.
pub async fn scaled_where_it_runs(
    world: &World,
    function: FunctionSpec,
) -> Option<Arc<FunctionSpec>> {
    let function = Arc::new(function);
    world.exec.scale(&function, 1, 1).await.unwrap();
    if let Err(why) = world.exec.scaled_up(&function.key).await {
        assert!(why.contains("unavailable"), "{why}");
        eprintln!("skipped: {why}");
        return None;
    }
    Some(function)
}

/// Invokes so often at once.
pub async fn at_once(
    world: &World,
    function: &Arc<FunctionSpec>,
    event: &Value,
    count: usize,
) -> Vec<Result<InvokeOutcome, InvokeError>> {
    let calls = (0..count).map(|_| {
        let (exec, function) = (Arc::clone(&world.exec), Arc::clone(function));
        let event = event_for(&function, event.to_string());
        tokio::spawn(async move { exec.invoke(&function, event).await })
    });
    let mut outcomes = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        outcomes.push(call.await.unwrap());
    }
    outcomes
}

fn pids(outcomes: Vec<Result<InvokeOutcome, InvokeError>>) -> Vec<Value> {
    distinct("pid", outcomes)
}

fn distinct(member: &str, outcomes: Vec<Result<InvokeOutcome, InvokeError>>) -> Vec<Value> {
    let mut values: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| document(&outcome.unwrap())[member].clone())
        .collect();
    values.sort_by_key(ToString::to_string);
    values.dedup();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn one_environment_has_as_many_invocations_as_its_runtime_asks_for() {
    let world = World::new();
    let Some(function) = custom(&world, 4, 8) else {
        return;
    };
    let function = scaled(&world, function, 1, 1).await;
    // Each waits for the others.
    let outcomes = at_once(&world, &function, &json!({"meet": true}), 4).await;
    let first = document(outcomes[0].as_ref().unwrap());
    assert_eq!(first["max"], "8");
    assert_eq!(first["kind"], "lambda-managed-instances");
    assert!(!outcomes[0].as_ref().unwrap().cold());
    assert_eq!(pids(outcomes).len(), 1);
    let environments = world.exec.environments();
    assert_eq!(environments.len(), 1);
    assert_eq!(environments[0].requests, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_concurrency_and_who_finds_no_place_is_throttled() {
    let world = World::new();
    let Some(function) = custom(&world, 4, 2) else {
        return;
    };
    let function = scaled(&world, function, 1, 1).await;
    let outcomes = at_once(&world, &function, &json!({"sleep": 1}), 5).await;
    let throttled = |outcome: &&Result<_, _>| matches!(outcome, Err(InvokeError::Throttled { .. }));
    assert_eq!(outcomes.iter().filter(throttled).count(), 3);
    // One after the other each finds a worker, though it asks only after it has answered.
    for _ in 0..20 {
        world.run(&function, &json!({})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_environments_are_made_while_all_are_busy_up_to_the_most() {
    let world = World::new();
    let Some(function) = custom(&world, 1, 1) else {
        return;
    };
    let function = scaled(&world, function, 2, 3).await;
    assert_eq!(world.exec.scaled(&function.key).unwrap().environments, 2);
    let outcomes = at_once(&world, &function, &json!({"sleep": 2}), 3).await;
    assert_eq!(distinct("stream", outcomes).len(), 3);
    let status = world.exec.scaled(&function.key).unwrap();
    assert_eq!((status.least, status.most, status.environments), (2, 3, 3));
    world.exec.scale(&function, 0, 1).await.unwrap();
    assert_eq!(world.exec.scaled(&function.key).unwrap().environments, 1);
    until(|| world.exec.environments().len() == 1).await;
    world.exec.retire(&function.key);
    until(|| world.exec.environments().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_invocation_and_nothing_else() {
    let world = World::new();
    let Some(mut function) = custom(&world, 2, 2) else {
        return;
    };
    function.timeout = Duration::from_secs(1);
    let function = scaled(&world, function, 1, 1).await;
    let slow = world.run(&function, &json!({"sleep": 1.5})).await.unwrap();
    let slow = document(&slow);
    assert_eq!(slow["errorType"], "Sandbox.Timedout");
    let message = slow["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Task timed out after 1.00 seconds"),
        "{message}"
    );
    let others = at_once(&world, &function, &json!({}), 1).await;
    let pid = pids(others);
    // The worker answers after all, is told that it is too late, and goes on.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let outcomes = at_once(&world, &function, &json!({"meet": true}), 2).await;
        for outcome in &outcomes {
            seen.push(document(outcome.as_ref().unwrap())["last"].clone());
        }
        assert_eq!(pids(outcomes), pid);
    }
    let late = json!([
        410,
        r#"{"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}"#
    ]);
    assert!(seen.contains(&late), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_ends_ends_all_that_it_has_and_is_replaced() {
    let world = World::new();
    let Some(function) = custom(&world, 2, 2) else {
        return;
    };
    let function = scaled(&world, function, 1, 1).await;
    let sleep = json!({"sleep": 20});
    let other = at_once(&world, &function, &sleep, 1);
    let exit = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.run(&function, &json!({"exit": true})).await.unwrap()
    };
    let since = Instant::now();
    let (other, exit) = tokio::join!(other, exit);
    assert!(since.elapsed() < Duration::from_secs(15));
    for outcome in [other.into_iter().next().unwrap().unwrap(), exit] {
        let document = document(&outcome);
        assert_eq!(document["errorType"], "Runtime.ExitError");
        let message = document["errorMessage"].as_str().unwrap();
        assert!(message.ends_with("exit status 5"), "{message}");
    }
    until(|| world.exec.scaled(&function.key).unwrap().environments == 1).await;
    world.run(&function, &json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_cannot_begin_is_told_and_tried_again() {
    let world = World::new();
    let Some(mut function) = custom(&world, 1, 1) else {
        return;
    };
    function.environment.insert("FAIL".into(), "1".into());
    let function = Arc::new(function);
    world.exec.scale(&function, 3, 5).await.unwrap();
    let why = world.exec.scaled_up(&function.key).await.unwrap_err();
    assert_eq!(why, "Runtime.ExitError");
    let event = event_for(&function, "{}");
    let refused = world.exec.invoke(&function, event).await.unwrap_err();
    assert!(
        matches!(refused, InvokeError::NotInitialised(_)),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_tail_of_each_are_its_own() {
    let world = World::new();
    let Some(function) = custom(&world, 2, 2) else {
        return;
    };
    let function = Arc::new(function);
    world.exec.scale(&function, 1, 1).await.unwrap();
    let outcomes = at_once(&world, &function, &json!({"meet": true}), 2).await;
    for outcome in outcomes {
        let tail = outcome.unwrap().log_tail.unwrap();
        let events: Vec<Value> = tail
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let kinds: Vec<_> = events.iter().map(|event| &event["type"]).collect();
        assert_eq!(kinds, ["platform.start", "platform.report"]);
        let record = &events[1]["record"];
        assert_eq!(record["requestId"], events[0]["record"]["requestId"]);
        assert_eq!(record["status"], "success");
        let metrics = record["metrics"].as_object().unwrap();
        assert_eq!(metrics.keys().collect::<Vec<_>>(), ["durationMs"]);
        let spans = record["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| &span["name"]).collect();
        assert_eq!(names, ["responseLatency", "responseDuration"]);
    }
    let usage = world.recorded.usage();
    assert!(usage.iter().all(|one| one.billed_ms == 0 && !one.cold));
}

const PYTHON: &str = r"
import logging, os, time

logging.getLogger().setLevel('INFO')

def handler(event, context):
    if event.get('fail'):
        raise ValueError('mine')
    if event.get('exit'):
        os._exit(4)
    print('begin', end=' ')
    time.sleep(event.get('sleep', 0))
    logging.info('x' * event.get('log', 1))
    print(context.aws_request_id)
    return {'pid': os.getpid(), 'parent': os.getppid(), 'left': context.get_remaining_time_in_millis()}
";

#[tokio::test(flavor = "multi_thread")]
async fn python_has_a_process_for_each() {
    let world = World::new();
    let function = world.function("python3.13", "index.handler", &[("index.py", PYTHON)]);
    let Some(function) = scaled_where_it_runs(&world, managed(function, 4)).await else {
        return;
    };
    until(|| world.exec.environments().len() == 1).await;
    // Its processes come one after the other.
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        let event = json!({"sleep": 0.3, "log": 9_000});
        outcomes = at_once(&world, &function, &event, 4).await;
        if outcomes.iter().all(Result::is_ok) {
            break;
        }
    }
    let answers: Vec<_> = outcomes
        .iter()
        .map(|it| document(it.as_ref().unwrap()))
        .collect();
    assert!(
        answers
            .iter()
            .all(|it| it["parent"] == answers[0]["parent"])
    );
    assert_eq!(pids(outcomes).len(), 4);

    let failed = world.run(&function, &json!({"fail": true})).await.unwrap();
    let failed = document(&failed);
    assert_eq!(failed["errorType"], "ValueError");
    assert!(
        failed["stackTrace"][0]
            .as_str()
            .unwrap()
            .contains("index.py")
    );

    let exited = world.run(&function, &json!({"exit": true})).await.unwrap();
    let exited = document(&exited);
    assert_eq!(exited["errorType"], "Runtime.ExitError");
    let message = exited["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("exit status 4"), "{message}");
    // The others go on.
    let outcomes = at_once(&world, &function, &json!({"sleep": 0.2}), 3).await;
    assert_eq!(pids(outcomes).len(), 3);

    // No line has a part of another's in it.
    let log = world.recorded.log();
    let begun: Vec<_> = log.iter().filter(|line| line.contains("begin")).collect();
    assert!(begun.len() >= 7);
    for line in begun {
        let id = line.strip_prefix("begin ").unwrap().trim_end();
        assert_eq!(id.len(), 36, "{line}");
    }
    let long = log.iter().filter(|line| line.contains("xxx"));
    for line in long {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["message"].as_str().unwrap().len(), 9_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_that_cannot_be_loaded_says_why() {
    let world = World::new();
    let files = [("index.py", "import nothing_like_it\n")];
    let function = world.function("python3.13", "index.handler", &files);
    let function = Arc::new(managed(function, 2));
    world.exec.scale(&function, 1, 1).await.unwrap();
    let why = world.exec.scaled_up(&function.key).await.unwrap_err();
    if why.contains("unavailable") {
        eprintln!("skipped: {why}");
        return;
    }
    assert!(why.starts_with("Runtime.ImportModuleError"), "{why}");
}

const NODE: &str = r"
import { threadId } from 'node:worker_threads';

let running = 0;
let most = 0;

export const handler = async (event, context) => {
  most = Math.max(most, ++running);
  console.log('begin', event.n);
  await new Promise((done) => setTimeout(done, event.sleep ?? 0));
  running -= 1;
  console.log('end');
  if (event.fail) throw new TypeError('mine');
  if (event.uncaught) setTimeout(() => { throw new Error('nobody'); });
  if (event.uncaught) await new Promise(() => {});
  return { threadId, most, id: context.awsRequestId };
};
";

#[tokio::test(flavor = "multi_thread")]
async fn node_has_threads_with_several_each() {
    let world = World::new();
    let mut function = world.function("nodejs22.x", "index.handler", &[("index.mjs", NODE)]);
    let workers = ("AWS_LAMBDA_NODEJS_WORKER_COUNT".to_owned(), "2".to_owned());
    function.environment.insert(workers.0, workers.1);
    let Some(function) = scaled_where_it_runs(&world, managed(function, 6)).await else {
        return;
    };
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        outcomes = at_once(&world, &function, &json!({"sleep": 300, "n": 1}), 6).await;
        if outcomes.iter().all(Result::is_ok) {
            break;
        }
    }
    let answers: Vec<_> = outcomes
        .iter()
        .map(|it| document(it.as_ref().unwrap()))
        .collect();
    let of = |thread: &Value| {
        answers
            .iter()
            .filter(|it| it["threadId"] == *thread)
            .count()
    };
    assert!(
        answers.iter().all(|it| of(&it["threadId"]) == 3),
        "{answers:?}"
    );
    assert!(answers.iter().any(|it| it["most"] == 3), "{answers:?}");
    for outcome in &outcomes {
        let outcome = outcome.as_ref().unwrap();
        let id = document(outcome)["id"].as_str().unwrap().to_owned();
        let tail = outcome.log_tail.as_ref().unwrap();
        let said = |word: &str| {
            let events = tail
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mine = events.filter(|event| event["requestId"] == *id);
            mine.filter(|event| event["message"].as_str().unwrap().starts_with(word))
                .count()
        };
        assert_eq!((said("begin"), said("end")), (1, 1), "{tail}");
    }
    let failed = world.run(&function, &json!({"fail": true})).await.unwrap();
    assert_eq!(document(&failed)["errorType"], "TypeError");
    let uncaught = world
        .run(&function, &json!({"uncaught": true}))
        .await
        .unwrap();
    assert_eq!(document(&uncaught)["errorMessage"], "nobody");
    // The other thread goes on.
    let outcomes = at_once(&world, &function, &json!({"sleep": 200}), 3).await;
    let left: Vec<_> = outcomes
        .iter()
        .map(|it| document(it.as_ref().unwrap()))
        .collect();
    assert!(
        left.iter().all(|it| it["threadId"] == left[0]["threadId"]),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn extensions_are_told_of_the_end_alone() {
    let world = World::new();
    let Some(mut function) = custom(&world, 1, 1) else {
        return;
    };
    let extension = include_str!("extensions/extension.py");
    let layer = package(&[("extensions/one", extension)]);
    function.layers = Some(world.images.import_zip(&layer).unwrap());
    let refused = function.clone();
    let events = json!({"events": ["SHUTDOWN"]}).to_string();
    function.environment.insert("EXTENSION".into(), events);
    let function = scaled(&world, function, 1, 1).await;
    let answer = world.run(&function, &json!({})).await.unwrap();
    assert!(answer.function_error.is_none());
    world.exec.retire(&function.key);
    let says = |words: &str| world.recorded.log().iter().any(|line| line.contains(words));
    until(|| says("one: ends")).await;
    assert!(
        !says("\"eventType\": \"INVOKE\""),
        "{:?}",
        world.recorded.log()
    );

    let refused = Arc::new(FunctionSpec {
        key: exec::FunctionKey {
            name: "refused".to_owned(),
            ..refused.key.clone()
        },
        ..refused
    });
    world.exec.scale(&refused, 1, 1).await.unwrap();
    // It asks for both, and has no identity after that.
    let why = world.exec.scaled_up(&refused.key).await.unwrap_err();
    assert!(why.starts_with("Extension.Crash"), "{why}");
    assert!(says(
        "INVOKE: event not supported on Lambda Managed Instances"
    ));
}
