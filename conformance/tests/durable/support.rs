//! What these tests do again and again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conformance::{Answer, Api, Request, durable_sdk, until, zip};
use serde_json::{Value, json};

/// The layer with AWS's SDK for a language.
pub fn layer(api: &mut Api, language: &str) -> String {
    let zip = STANDARD.encode(std::fs::read(durable_sdk(language)).unwrap());
    let body = json!({"Content": {"ZipFile": zip}});
    let path = format!("/2018-10-31/layers/durable-{language}/versions");
    let published = api.lambda("POST", &path, &body).expect(201).json();
    published["LayerVersionArn"].as_str().unwrap().to_owned()
}

/// A durable function of one file.
pub fn durable(api: &mut Api, name: &str, file: &str, source: &str, layer: &str, more: &Value) {
    let (module, extension) = file.split_once('.').unwrap();
    let runtime = match extension {
        "js" => "nodejs22.x",
        _ => "python3.13",
    };
    let mut settings = json!({
        "Runtime": runtime,
        "Handler": format!("{module}.handler"),
        "Layers": [layer],
        "Timeout": 30,
        "MemorySize": 256,
        "DurableConfig": {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1},
    });
    let members = settings.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    api.function(name, &zip(&[(file, source)]), &settings);
}

/// Invokes and gives the execution's ARN beside the answer.
pub fn invoke(api: &mut Api, function: &str, event: &Value, more: &[(&str, &str)]) -> Answer {
    let path = format!("/2015-03-31/functions/{function}/invocations?Qualifier=%24LATEST");
    let body = event.to_string();
    let mut request = Request::new("lambda", "POST", &path).body(body.as_bytes());
    for (name, value) in more {
        request = request.header(name, value);
    }
    api.send(&request)
}

/// Begins an execution that nobody waits for.
pub fn begin(api: &mut Api, function: &str, event: &Value) -> String {
    let asynchronous = [("x-amz-invocation-type", "Event")];
    let answer = invoke(api, function, event, &asynchronous).expect(202);
    execution_of(&answer)
}

pub fn execution_of(answer: &Answer) -> String {
    let arn = answer.header("x-amz-durable-execution-arn");
    arn.expect("an execution's ARN").to_owned()
}

/// The path of an operation on an execution.
pub fn path(arn: &str, below: &str) -> String {
    let escaped = arn
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('$', "%24");
    format!("/2025-12-01/durable-executions/{escaped}{below}")
}

pub fn get(api: &mut Api, arn: &str) -> Value {
    api.lambda("GET", &path(arn, ""), &Value::Null)
        .expect(200)
        .json()
}

/// All events.
pub fn history(api: &mut Api, arn: &str) -> Vec<Value> {
    let path = path(arn, "/history?MaxItems=1000");
    let page = api.lambda("GET", &path, &Value::Null).expect(200).json();
    page["Events"].as_array().unwrap().clone()
}

/// Waits until the execution has ended.
pub fn ended(api: &mut Api, arn: &str) -> Value {
    until("the execution ends", || {
        let got = get(api, arn);
        (got["Status"] != "RUNNING").then_some(got)
    })
}

/// Waits until a callback is waited for, and gives its id.
pub fn callback(api: &mut Api, arn: &str) -> String {
    until("a callback is waited for", || {
        let events = history(api, arn);
        let started = events
            .iter()
            .find(|it| it["EventType"] == "CallbackStarted")?;
        let id = started["CallbackStartedDetails"]["CallbackId"].as_str()?;
        // Its invocation has ended: the function holds no environment.
        let idle = events
            .iter()
            .any(|it| it["EventType"] == "InvocationCompleted");
        idle.then(|| id.to_owned())
    })
}

/// Waits until so many callbacks have been begun; their ids in the order of their operations' names.
pub fn callbacks(api: &mut Api, arn: &str, count: usize) -> Vec<String> {
    until("callbacks are waited for", || {
        let events = history(api, arn);
        let begun = |it: &&Value| it["EventType"] == "CallbackStarted";
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let begun = events.iter().filter(begun).map(|it| {
            let id = &it["CallbackStartedDetails"]["CallbackId"];
            (text(&it["Name"]), text(id))
        });
        let mut begun: Vec<(String, String)> = begun.collect();
        begun.sort();
        (begun.len() >= count).then(|| begun.into_iter().map(|(_, id)| id).collect())
    })
}

pub fn complete(api: &mut Api, callback: &str, result: &str) -> Answer {
    tell(api, callback, "succeed", result)
}

pub fn fail(api: &mut Api, callback: &str, message: &str) -> Answer {
    let error = json!({"ErrorType": "Refused", "ErrorMessage": message});
    tell(api, callback, "fail", &error.to_string())
}

pub fn heartbeat(api: &mut Api, callback: &str) -> Answer {
    tell(api, callback, "heartbeat", "")
}

fn tell(api: &mut Api, callback: &str, what: &str, body: &str) -> Answer {
    let escaped = callback
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let path = format!("/2025-12-01/durable-execution-callbacks/{escaped}/{what}");
    let request = Request::new("lambda", "POST", &path).body(body.as_bytes());
    api.send(&request)
}

/// Runs a case of the function `cases` to its end, and gives what it returned.
pub fn returned(api: &mut Api, event: &Value) -> Value {
    let answer = invoke(api, "cases", event, &[]).expect(200);
    let failed = answer.header("x-amz-function-error");
    let arn = execution_of(&answer);
    assert!(
        failed.is_none(),
        "{event}: {}\n{:#?}",
        answer.text(),
        history(api, &arn)
    );
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    let got = get(api, &arn);
    assert_eq!(got["Status"], "SUCCEEDED");
    assert_eq!(got["Result"].as_str().unwrap(), answer.text());
    answer.json()
}

/// The types of an execution's events, without the invocations.
pub fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events
        .iter()
        .map(|event| event["EventType"].as_str().unwrap());
    kinds
        .filter(|kind| *kind != "InvocationCompleted")
        .collect()
}
