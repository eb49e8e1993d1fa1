//! The calls that tests make over and over, in the AWS APIs' own words.

use std::io;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Answer, Client, Request};

/// The role of every function that a test makes.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/conformance";

/// How long something that happens by itself may take, on a machine under load.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client that speaks the APIs of one server.
pub struct Api(Client);

impl Api {
    pub(crate) fn new(port: u16) -> Self {
        Self(Client::new(port))
    }

    /// Any request; panics if the server does not answer.
    pub fn send(&mut self, request: &Request<'_>) -> Answer {
        self.try_send(request).expect("the server answers")
    }

    /// Any request; an error if the server is gone.
    pub fn try_send(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        self.0.send(request)
    }

    /// An operation of a service that speaks JSON and names its operations in `X-Amz-Target`.
    pub fn json(&mut self, service: &str, operation: &str, input: &Value) -> Answer {
        self.try_json(service, operation, input)
            .expect("the server answers")
    }

    pub fn try_json(
        &mut self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> io::Result<Answer> {
        let (prefix, version) = match service {
            "sqs" => ("AmazonSQS", "1.0"),
            "logs" => ("Logs_20140328", "1.1"),
            "dynamodb" => ("DynamoDB_20120810", "1.0"),
            "dynamodbstreams" => ("DynamoDBStreams_20120810", "1.0"),
            "events" => ("AWSEvents", "1.1"),
            other => panic!("{other} does not speak JSON by target"),
        };
        let body = input.to_string();
        // Streams sign as the service they are of.
        let signed_for = service.strip_suffix("streams").unwrap_or(service);
        let request = Request::new(signed_for, "POST", "/")
            .header("content-type", &format!("application/x-amz-json-{version}"))
            .header("x-amz-target", &format!("{prefix}.{operation}"))
            .body(body.as_bytes());
        self.try_send(&request)
    }

    /// An operation of the query protocol, its parameters as they are to be sent.
    pub fn query(&mut self, service: &str, form: &str) -> Answer {
        let request = Request::new(service, "POST", "/")
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .body(form.as_bytes());
        self.send(&request)
    }

    /// A request of Lambda's with a JSON body.
    pub fn lambda(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::new("lambda", method, path)
            .header("content-type", "application/json")
            .body(body.as_bytes());
        self.send(&request)
    }

    /// CreateFunction; `more` adds to or replaces the request's members.
    pub fn create_function(&mut self, name: &str, code: &[u8], more: &Value) -> Answer {
        self.lambda("POST", "/2015-03-31/functions", &function(name, code, more))
    }

    pub fn try_create_function(&mut self, name: &str, code: &[u8]) -> io::Result<Answer> {
        let body = function(name, code, &json!({})).to_string();
        let request = Request::new("lambda", "POST", "/2015-03-31/functions")
            .header("content-type", "application/json")
            .body(body.as_bytes());
        self.try_send(&request)
    }

    /// CreateFunction, and waits until the function is Active.
    pub fn function(&mut self, name: &str, code: &[u8], more: &Value) -> Value {
        let _ = self.create_function(name, code, more).expect(201);
        let path = format!("/2015-03-31/functions/{name}/configuration");
        until("the function is Active", || {
            let configuration = self.lambda("GET", &path, &Value::Null).expect(200).json();
            assert_ne!(configuration["State"], "Failed", "{configuration}");
            (configuration["State"] == "Active").then_some(configuration)
        })
    }

    /// A Python function of one file, `function.py`.
    pub fn python_function(&mut self, name: &str, source: &str) -> Value {
        self.function(name, &crate::zip(&[("function.py", source)]), &json!({}))
    }

    /// A synchronous Invoke that asks for the end of the log.
    pub fn invoke(&mut self, name: &str, payload: &[u8]) -> Answer {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let request = Request::new("lambda", "POST", &path)
            .header("x-amz-log-type", "Tail")
            .body(payload);
        self.send(&request)
    }

    /// Invokes and returns the function's answer; panics with its log if it failed.
    pub fn answer(&mut self, name: &str, payload: &Value) -> Value {
        let answer = self
            .invoke(name, payload.to_string().as_bytes())
            .expect(200);
        let failed = answer.header("x-amz-function-error");
        assert!(failed.is_none(), "{}\n{}", answer.text(), log_tail(&answer));
        answer.json()
    }

    /// All messages of a log group, oldest first; none while the group is not there.
    pub fn log_messages(&mut self, group: &str) -> Vec<String> {
        let mut messages = Vec::new();
        let mut token = Value::Null;
        loop {
            let mut input = json!({"logGroupName": group});
            if !token.is_null() {
                input["nextToken"] = token;
            }
            let page = self.json("logs", "FilterLogEvents", &input);
            if page.status == 400 && page.error_code() == "ResourceNotFoundException" {
                return messages;
            }
            let page = page.expect(200).json();
            let events = page["events"].as_array().into_iter().flatten();
            messages.extend(events.map(|event| event["message"].as_str().unwrap_or("").to_owned()));
            token = page["nextToken"].clone();
            if token.is_null() {
                return messages;
            }
        }
    }

    /// CreateQueue; returns its URL.
    pub fn queue(&mut self, name: &str) -> String {
        let answer = self
            .json("sqs", "CreateQueue", &json!({"QueueName": name}))
            .expect(200);
        answer.json()["QueueUrl"]
            .as_str()
            .expect("a URL")
            .to_owned()
    }
}

/// The input of CreateFunction.
fn function(name: &str, code: &[u8], more: &Value) -> Value {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": "python3.12",
        "Handler": "function.handler",
        "Role": ROLE,
        "Timeout": 30,
        "Code": {"ZipFile": STANDARD.encode(code)},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        input[member] = value.clone();
    }
    input
}

/// The end of the log that Invoke returned.
pub fn log_tail(answer: &Answer) -> String {
    let encoded = answer.header("x-amz-log-result").unwrap_or_default();
    String::from_utf8_lossy(&STANDARD.decode(encoded).expect("the log is base64")).into_owned()
}

/// Asks again until there is an answer; panics when that takes too long.
pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(result) = check() {
            return result;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "it did not happen in {PATIENCE:?} that {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
