//! The functions that benches create, and what they left in their logs.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use serde_json::{Value, json};

use crate::Tools;
use crate::http::Connection;

/// Answers at once.
pub const NO_OP: &str = "def handler(event, context):\n    return None\n";

/// Logs, for each record, its identity and when the handler saw it in nanoseconds of Unix time.
pub const CLOCKED: &str = r"import time
def handler(event, context):
    now = time.time_ns()
    for record in event['Records']:
        print('seen', record['s3']['object']['key'] if 's3' in record else record['body'], now)
";

const JSON: &str = "content-type: application/json\r\n";

pub fn create(
    tools: &Tools,
    connection: &mut Connection,
    name: &str,
    source: &str,
) -> anyhow::Result<()> {
    let input = json!({
        "FunctionName": name,
        "Runtime": "python3.12",
        "Handler": "function.handler",
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Timeout": 30,
        "Code": {"ZipFile": zip(tools, source)?},
    });
    let body = input.to_string();
    connection.expect(
        "lambda",
        "POST",
        "/2015-03-31/functions",
        JSON,
        body.as_bytes(),
    )?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let answer = connection.expect("lambda", "GET", &path, "", b"")?;
        let configuration: Value = serde_json::from_slice(&answer)?;
        if configuration["State"] == "Active" {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("{name} did not become Active")
}

/// One synchronous call.
pub fn invoke(connection: &mut Connection, name: &str) -> anyhow::Result<()> {
    let path = format!("/2015-03-31/functions/{name}/invocations");
    connection
        .expect("lambda", "POST", &path, JSON, b"{}")
        .map(drop)
}

/// The operation of a JSON service.
pub fn json_call(
    connection: &mut Connection,
    service: &str,
    target: &str,
    input: &Value,
) -> anyhow::Result<Value> {
    let version = if service == "sqs" { "1.0" } else { "1.1" };
    let headers =
        format!("content-type: application/x-amz-json-{version}\r\nx-amz-target: {target}\r\n");
    let body = input.to_string();
    let answer = connection.expect(service, "POST", "/", &headers, body.as_bytes())?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Waits for `count` lines of [`CLOCKED`] and returns what was seen when.
pub fn sightings(
    connection: &mut Connection,
    function: &str,
    count: usize,
) -> anyhow::Result<Vec<(String, u64)>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = logged(connection, function).unwrap_or_default();
        if seen.len() >= count {
            return Ok(seen);
        }
        if Instant::now() > deadline {
            bail!("{} of {count} events reached {function}", seen.len());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn logged(connection: &mut Connection, function: &str) -> anyhow::Result<Vec<(String, u64)>> {
    let group = format!("/aws/lambda/{function}");
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let mut input = json!({"logGroupName": group, "filterPattern": "seen"});
        if let Some(token) = token {
            input["nextToken"] = token;
        }
        let page = json_call(connection, "logs", "Logs_20140328.FilterLogEvents", &input)?;
        for event in page["events"].as_array().context("events")? {
            let mut words = event["message"]
                .as_str()
                .unwrap_or_default()
                .split_whitespace();
            if let (Some("seen"), Some(id), Some(at)) = (words.next(), words.next(), words.next()) {
                seen.push((id.to_owned(), at.parse()?));
            }
        }
        match page["nextToken"].as_str() {
            Some(next) => token = Some(json!(next)),
            None => return Ok(seen),
        }
    }
}

fn zip(tools: &Tools, source: &str) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let (file, archive) = (
        folder.path().join("function.py"),
        folder.path().join("code.zip"),
    );
    std::fs::write(&file, source)?;
    let status = std::process::Command::new(&tools.python)
        .args(["-m", "zipfile", "-c"])
        .args([&archive, &file])
        .status()?;
    anyhow::ensure!(status.success(), "make a zip");
    Ok(base64::engine::general_purpose::STANDARD.encode(std::fs::read(archive)?))
}
