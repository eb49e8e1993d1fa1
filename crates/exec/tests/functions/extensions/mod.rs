//! Extensions: programs of layers beside the runtime, parts of the runtime, and their telemetry.

mod telemetry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exec::{FunctionSpec, InvokeOutcome};
use serde_json::{Value, json};

use crate::support::{World, event_for, json as document, package};

const EXTENSION: &str = include_str!("extension.py");

/// A Python function that sees extensions of these names, which do what the configuration says.
fn function(world: &World, names: &[&str], config: &Value) -> FunctionSpec {
    let code = "
import time
def handler(event, context):
    time.sleep(event.get('sleep', 0))
    print('handled')
    return event
";
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    let paths: Vec<_> = names
        .iter()
        .map(|name| format!("extensions/{name}"))
        .collect();
    let files: Vec<_> = paths
        .iter()
        .map(|path| (path.as_str(), EXTENSION))
        .collect();
    function.layers = Some(world.images.import_zip(&package(&files)).unwrap());
    function.environment = BTreeMap::from([("EXTENSION".to_owned(), config.to_string())]);
    function
}

async fn invoke(
    world: &World,
    function: &Arc<FunctionSpec>,
    event: Value,
    tail: bool,
) -> Option<InvokeOutcome> {
    let mut event = event_for(function, event.to_string());
    event.tail = tail;
    match world.exec.invoke(function, event).await {
        Ok(outcome) => Some(outcome),
        Err(exec::InvokeError::RuntimeUnavailable { message, .. }) => {
            eprintln!("skipped: {message}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Waits until the log has a line that begins so.
async fn logged(world: &World, start: &str) -> String {
    let began = Instant::now();
    loop {
        let log = world.recorded.log();
        if let Some(line) = log.iter().find(|line| line.starts_with(start)) {
            return line.clone();
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "no {start:?} in {log:#?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_register_see_each_event_and_are_told_of_the_end() {
    let world = World::new();
    let function = Arc::new(function(&world, &["one", "two"], &json!({})));
    let Some(outcome) = invoke(&world, &function, json!({"n": 1}), true).await else {
        return;
    };
    assert_eq!(document(&outcome), json!({"n": 1}));
    let tail = outcome.log_tail.unwrap();
    for name in ["one", "two"] {
        let line = format!("EXTENSION\tName: {name}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n");
        assert!(
            world.recorded.log().contains(&line),
            "{:?}",
            world.recorded.log()
        );
        assert!(tail.contains(&format!("{name}: worked\n")), "{tail}");
    }
    let registered = logged(&world, "one: registered 200 ").await;
    let registered: Value = serde_json::from_str(&registered[20..]).unwrap();
    assert_eq!(
        registered,
        json!({
            "accountId": "000000000000", "functionName": function.key.name,
            "functionVersion": "$LATEST", "handler": "app.handler",
        })
    );
    assert_eq!(
        logged(&world, "one: sees").await,
        "one: sees handler None\n"
    );
    let told = logged(&world, "one: told ").await;
    let told: Value = serde_json::from_str(&told[10..]).unwrap();
    assert_eq!(told["eventType"], "INVOKE");
    assert_eq!(told["invokedFunctionArn"], function.arn.to_string());
    // The same environment, and the same extensions.
    world.recorded.clear();
    let again = invoke(&world, &function, json!({"n": 2}), true)
        .await
        .unwrap();
    assert!(!again.cold());
    logged(&world, "two: worked").await;
    world.recorded.clear();
    world.exec.retire(&function.key);
    let told = logged(&world, "two: told ").await;
    let told: Value = serde_json::from_str(&told[10..]).unwrap();
    assert_eq!(told["shutdownReason"], "spindown");
    logged(&world, "one: ends").await;
    logged(&world, "two: ends").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_wait_for_them_and_the_report_does() {
    let world = World::new();
    let config = json!({"work": 0.4});
    let function = Arc::new(function(&world, &["slow"], &config));
    let Some(outcome) = invoke(&world, &function, json!({}), false).await else {
        return;
    };
    assert!(outcome.duration < Duration::from_millis(400), "{outcome:?}");
    let report = logged(&world, "REPORT ").await;
    let duration = report.split("Duration: ").nth(1).unwrap();
    let duration: f64 = duration.split(' ').next().unwrap().parse().unwrap();
    assert!(duration >= 400.0, "{report}");
    // Who wants the log waits for all of it, and nobody gets an environment that is busy.
    let outcome = invoke(&world, &function, json!({}), true).await.unwrap();
    assert!(!outcome.cold());
    assert!(outcome.duration >= Duration::from_millis(400));
    assert!(outcome.log_tail.unwrap().contains("slow: worked\nEND "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_is_told_to_them() {
    let world = World::new();
    let mut function = function(&world, &["one"], &json!({}));
    function.timeout = Duration::from_secs(2);
    let function = Arc::new(function);
    let Some(outcome) = invoke(&world, &function, json!({"sleep": 60}), true).await else {
        return;
    };
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
    let end = logged(&world, "one: told {\"deadlineMs\"").await;
    assert!(end.contains("INVOKE"), "{end}");
    logged(&world, "one: ends").await;
    let log = world.recorded.log().concat();
    assert!(log.contains("\"shutdownReason\": \"timeout\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_them_is_the_functions_failure() {
    for (config, error_type, message) in [
        (json!({"crash": true}), "Extension.Crash", "exit status 3"),
        (
            json!({"init_error": true}),
            "Extension.InitError",
            "Extension.Mine",
        ),
        (
            json!({"crash_at_event": true}),
            "Extension.Crash",
            "exit status 4",
        ),
    ] {
        let world = World::new();
        let function = Arc::new(function(&world, &["bad"], &config));
        let event = json!({"sleep": 1});
        let Some(outcome) = invoke(&world, &function, event, true).await else {
            return;
        };
        let answer = document(&outcome);
        assert_eq!(answer["errorType"], error_type, "{config} {answer}");
        let told = answer["errorMessage"].as_str().unwrap();
        assert!(
            told.starts_with("RequestId: ") && told.ends_with(&format!(" Error: {message}")),
            "{told}"
        );
        let tail = outcome.log_tail.unwrap();
        let status = format!("Status: error\tError Type: {error_type}");
        assert!(tail.contains(&status), "{tail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_executed_or_is_too_much_is_said() {
    let world = World::new();
    let mut plain = function(&world, &["one"], &json!({}));
    let zip = package(&[("python/x.py", ""), ("extensions/text", "#!/nowhere\n")]);
    plain.layers = Some(world.images.import_zip(&zip).unwrap());
    let Some(outcome) = invoke(&world, &Arc::new(plain), json!({}), true).await else {
        return;
    };
    let answer = document(&outcome);
    assert_eq!(answer["errorType"], "Extension.LaunchError", "{answer}");
    let names: Vec<_> = (0..11).map(|number| format!("e{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let many = function(&world, &names, &json!({}));
    let outcome = invoke(&world, &Arc::new(many), json!({}), true).await;
    let answer = document(&outcome.unwrap());
    assert_eq!(answer["errorType"], "Extension.LaunchError");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_registers_keeps_the_runtime_from_its_start() {
    let world = World::with(base::Clock::system(), |config| {
        config.init_timeout = Duration::from_millis(500);
    });
    let mut function = function(&world, &["silent"], &json!({"silent": true}));
    function.timeout = Duration::from_secs(1);
    let Some(outcome) = invoke(&world, &Arc::new(function), json!({}), true).await else {
        return;
    };
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
    let log = world.recorded.log().concat();
    assert!(log.contains("INIT_REPORT Init Duration: "), "{log}");
    assert!(log.contains("EXTENSION\tName: silent\tState: Started\tEvents: []"));
    assert!(!log.contains("handled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_runtime_registers_for_events_too() {
    let code = "
import http.client, json, os, threading

API = os.environ['AWS_LAMBDA_RUNTIME_API']

def call(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(API)
    connection.request(method, '/2020-01-01/extension/' + path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.headers

def register(name, events):
    body = json.dumps({'events': events})
    return call('POST', 'register', body, {'Lambda-Extension-Name': name})

REFUSED = register('inside', ['SHUTDOWN'])
STATUS, _, HEADERS = register('inside', ['INVOKE'])
IDENTITY = {'Lambda-Extension-Identifier': HEADERS['Lambda-Extension-Identifier']}

def follow():
    while True:
        _, event, _ = call('GET', 'event/next', None, IDENTITY)
        print('inside: ' + json.loads(event)['eventType'])

threading.Thread(target=follow, daemon=True).start()

def handler(event, context):
    late = register('late', [])
    strange = call('GET', 'event/next', None, {'Lambda-Extension-Identifier': 'x'})
    return [REFUSED[:2], STATUS, late[:2], strange[:2]]
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = invoke(&world, &function, json!({}), true).await else {
        return;
    };
    let answer = document(&outcome);
    let error = |at: usize| -> Value {
        assert_eq!(answer[at][0], 403, "{answer}");
        serde_json::from_str(answer[at][1].as_str().unwrap()).unwrap()
    };
    assert_eq!(error(0)["errorType"], "Extension.InvalidEventType");
    assert_eq!(answer[1], 200);
    assert_eq!(error(2)["errorType"], "Extension.RegistrationClosed");
    assert_eq!(
        error(3)["errorType"],
        "Extension.InvalidExtensionIdentifier"
    );
    logged(&world, "inside: INVOKE").await;
    logged(
        &world,
        "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]",
    )
    .await;
}
