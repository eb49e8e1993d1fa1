//! Custom runtimes: whatever speaks the Runtime API over HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{World, event_for, json as document};

/// A runtime client in nothing but Python's standard library, as a custom runtime would be.
const CLIENT: &str = r"
import http.client, json, os, sys

api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
BASE = '/2018-06-01/runtime/'

def call(method, path, body=None, headers={}):
    api.request(method, BASE + path, body, headers)
    answer = api.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()

def answer(event, headers):
    kind = event.get('kind') if isinstance(event, dict) else None
    id = headers['lambda-runtime-aws-request-id']
    if kind == 'error':
        return call('POST', f'invocation/{id}/error',
                    json.dumps({'errorType': 'Own', 'errorMessage': 'mine'}),
                    {'Lambda-Runtime-Function-Error-Type': 'Own'})
    if kind == 'wrong id':
        wrong = call('POST', 'invocation/00000000-0000-4000-8000-000000000000/response', '1')
        return call('POST', f'invocation/{id}/response',
                    json.dumps([wrong[0], json.loads(wrong[2])['errorType']]))
    if kind == 'states':
        unknown = call('GET', 'nowhere')
        init = call('POST', 'init/error', '{}')
        return call('POST', f'invocation/{id}/response', json.dumps([unknown[0], init[0]]))
    if kind == 'large':
        return call('POST', f'invocation/{id}/response', 'x' * event['size'])
    if kind == 'exit':
        sys.exit(5)
    return call('POST', f'invocation/{id}/response',
                json.dumps({'event': event, 'headers': headers, 'last': LAST}))

LAST = None
if os.environ['_HANDLER'] == 'fail':
    call('POST', 'init/error', json.dumps({'errorType': 'Init.Own', 'errorMessage': 'no'}),
         {'Lambda-Runtime-Function-Error-Type': 'Init.Own'})
    sys.exit(1)
while True:
    _, headers, body = call('GET', 'invocation/next')
    headers = {name.lower(): value for name, value in headers.items()}
    status, _, body = answer(json.loads(body), headers)
    LAST = [status, body.decode()[:80]]
";

fn bootstrap() -> Option<String> {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
        return None;
    }
    Some(format!("#!/usr/bin/python3\n{CLIENT}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_runtime_takes_events_and_answers() {
    let Some(bootstrap) = bootstrap() else { return };
    let world = World::new();
    let function = Arc::new(world.function("provided.al2023", "any", &[("bootstrap", &bootstrap)]));
    let mut event = event_for(&function, r#"{"n": 1}"#);
    event.trace = Some("Root=1-2-3".to_owned());
    event.client_context = Some(r#"{"custom":{}}"#.to_owned());
    let id = event.request_id.to_string();
    let first = world.exec.invoke(&function, event).await.unwrap();
    let answer = document(&first);
    assert_eq!(answer["event"], json!({"n": 1}));
    let headers = &answer["headers"];
    assert_eq!(headers["lambda-runtime-aws-request-id"], id.as_str());
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        function.arn.to_string()
    );
    assert_eq!(headers["lambda-runtime-trace-id"], "Root=1-2-3");
    assert_eq!(headers["lambda-runtime-client-context"], r#"{"custom":{}}"#);
    assert_eq!(headers["content-type"], "application/json");
    let deadline: i64 = headers["lambda-runtime-deadline-ms"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(deadline > 1_700_000_000_000);
    assert!(first.cold());
    let second = world.run(&function, &json!({"n": 2})).await.unwrap();
    assert!(!second.cold());
    assert_eq!(
        document(&second)["last"],
        json!([202, r#"{"status":"OK"}"#])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_refusals_and_limits_of_the_runtime_api() {
    let Some(bootstrap) = bootstrap() else { return };
    let world = World::new();
    let function = Arc::new(world.function("provided.al2", "any", &[("bootstrap", &bootstrap)]));
    let run = async |event: Value| document(&world.run(&function, &event).await.unwrap());
    assert_eq!(
        run(json!({"kind": "error"})).await,
        json!({"errorType": "Own", "errorMessage": "mine"})
    );
    assert_eq!(
        run(json!({"kind": "wrong id"})).await,
        json!([400, "InvalidRequestID"])
    );
    assert_eq!(run(json!({"kind": "states"})).await, json!([404, 403]));
    let limit = exec::MAX_PAYLOAD_BYTES + 100;
    let large = run(json!({"kind": "large", "size": limit + 1})).await;
    assert_eq!(large["errorType"], "Function.ResponseSizeTooLarge");
    let last = run(json!({})).await["last"].clone();
    assert_eq!(last[0], 413);
    assert!(
        last[1]
            .as_str()
            .unwrap()
            .contains("Exceeded maximum allowed payload size"),
        "{last}"
    );
    let whole = world
        .run(&function, &json!({"kind": "large", "size": limit}))
        .await
        .unwrap();
    assert_eq!(whole.payload.len(), limit);
    assert_eq!(
        run(json!({"kind": "exit"})).await["errorType"],
        "Runtime.ExitError"
    );
    assert_eq!(run(json!({"n": 1})).await["event"], json!({"n": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_init_is_reported_with_the_runtimes_own_words() {
    let Some(bootstrap) = bootstrap() else { return };
    let world = World::new();
    let function = Arc::new(world.function("provided", "fail", &[("bootstrap", &bootstrap)]));
    let outcome = world.run(&function, &json!({})).await.unwrap();
    assert_eq!(
        document(&outcome),
        json!({"errorType": "Init.Own", "errorMessage": "no"})
    );
    let log = world.recorded.log().concat();
    assert!(
        log.contains("\tPhase: init\tStatus: error\tError Type: Init.Own\n"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_without_a_program_is_the_functions_error() {
    let world = World::new();
    let none = world.function("provided.al2023", "any", &[("other", "")]);
    let outcome = world.run(&Arc::new(none), &json!({})).await.unwrap();
    let error = document(&outcome);
    assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
    );
    let unreadable = world.function(
        "provided.al2023",
        "any",
        &[("bootstrap", "\u{1}not a program")],
    );
    let error = document(&world.run(&Arc::new(unreadable), &json!({})).await.unwrap());
    assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint", "{error}");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(
        message.ends_with("fork/exec /var/task/bootstrap: exec format error"),
        "{message}"
    );
    assert!(world.exec.environments().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_script_with_curl_is_a_runtime() {
    if !std::path::Path::new("/usr/bin/curl").exists() {
        eprintln!("skipped: no curl on this host");
        return;
    }
    let script = r#"#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
    event=$(curl -sS -D /tmp/headers "$api/next")
    id=$(sed -n 's/^lambda-runtime-aws-request-id: *\([^[:space:]]*\).*/\1/Ip' /tmp/headers)
    echo "event $event"
    curl -sS -o /dev/null -d "{\"shell\": $event}" "$api/$id/response"
done
"#;
    let world = World::new();
    let function = Arc::new(world.function("provided.al2023", "any", &[("bootstrap", script)]));
    for n in 1..=2 {
        let outcome = world.run(&function, &json!({ "n": n })).await.unwrap();
        assert_eq!(document(&outcome), json!({"shell": {"n": n}}));
        assert!(
            outcome
                .log_tail
                .unwrap()
                .contains(&format!("event {{\"n\":{n}}}\n"))
        );
    }
}
