//! The functions that benches create, and what they left in their logs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use serde_json::{Value, json};

use crate::Tools;
use crate::http::Connection;

/// Answers at once.
pub const NO_OP: &str = "def handler(event, context):\n    return None\n";

/// The same for Node.js.
pub const NO_OP_NODE: &str = "export const handler = async () => null;\n";

/// Logs, for each record, its identity and when the handler saw it in nanoseconds of Unix time.
pub const CLOCKED: &str = r"import time
def handler(event, context):
    now = time.time_ns()
    for record in event['Records']:
        if 's3' in record:
            name = record['s3']['object']['key']
        elif 'dynamodb' in record:
            name = record['dynamodb']['Keys']['id']['S']
        else:
            name = record['body']
        print('seen', name, now)
";

const JSON: &str = "content-type: application/json\r\n";

/// Code to deploy, with the runtime that it is for.
pub struct Package {
    runtime: &'static str,
    handler: &'static str,
    code: Value,
}

impl Package {
    /// A file of Python.
    pub fn python(tools: &Tools, source: &str) -> anyhow::Result<Self> {
        let zip = zipped(tools, "function.py", source.as_bytes())?;
        Ok(Self::new("python3.12", "function.handler", zip))
    }

    /// The same beside other content of the package.
    pub fn python_beside(tools: &Tools, source: &str, other: &[u8]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = ["function.py", "content.bin"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], source)?;
        std::fs::write(&files[1], other)?;
        let zip = zip(tools, &files)?;
        Ok(Self::new("python3.12", "function.handler", zip))
    }

    /// An ECMAScript module.
    pub fn node(tools: &Tools, runtime: &'static str, source: &str) -> anyhow::Result<Self> {
        let zip = zipped(tools, "index.mjs", source.as_bytes())?;
        Ok(Self::new(runtime, "index.handler", zip))
    }

    /// The program in bench/fixtures/rust-hello.
    pub fn program(tools: &Tools) -> anyhow::Result<Self> {
        let program = std::fs::read(&tools.program)
            .with_context(|| format!("read {}", tools.program.display()))?;
        let zip = zipped(tools, "bootstrap", &program)?;
        Ok(Self::new("provided.al2023", "bootstrap", zip))
    }

    /// Python that lies in a bucket.
    pub fn python_in_s3(bucket: &str, key: &str) -> Self {
        Self {
            runtime: "python3.12",
            handler: "function.handler",
            code: json!({"S3Bucket": bucket, "S3Key": key}),
        }
    }

    fn new(runtime: &'static str, handler: &'static str, zip: Vec<u8>) -> Self {
        let zip = base64::engine::general_purpose::STANDARD.encode(zip);
        Self {
            runtime,
            handler,
            code: json!({"ZipFile": zip}),
        }
    }
}

pub fn create(connection: &mut Connection, name: &str, package: &Package) -> anyhow::Result<()> {
    create_with(connection, name, package, &json!({}))
}

/// As [`create`], with more of `CreateFunction`'s input.
pub fn create_with(
    connection: &mut Connection,
    name: &str,
    package: &Package,
    more: &Value,
) -> anyhow::Result<()> {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": package.runtime,
        "Handler": package.handler,
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Timeout": 30,
        "Code": package.code,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        input[key] = value.clone();
    }
    let body = input.to_string();
    let path = "/2015-03-31/functions";
    connection.expect("lambda", "POST", path, JSON, body.as_bytes())?;
    wait_until_active(connection, name, "$LATEST")
}

/// Publishes what is in `$LATEST` and waits until it can be called; returns the version.
pub fn publish(connection: &mut Connection, name: &str) -> anyhow::Result<String> {
    let path = format!("/2015-03-31/functions/{name}/versions");
    let answer = connection.expect("lambda", "POST", &path, JSON, b"{}")?;
    let published: Value = serde_json::from_slice(&answer)?;
    let version = published["Version"].as_str().context("a version")?;
    wait_until_active(connection, name, version)?;
    Ok(version.to_owned())
}

/// Until it can be called.
pub fn wait_until_active(
    connection: &mut Connection,
    name: &str,
    version: &str,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let path = format!("/2015-03-31/functions/{name}/configuration?Qualifier={version}");
    while Instant::now() < deadline {
        let answer = connection.expect("lambda", "GET", &path, "", b"")?;
        let configuration: Value = serde_json::from_slice(&answer)?;
        match configuration["State"].as_str() {
            // Emulators without states answer none.
            Some("Active") | None => return Ok(()),
            Some("Failed") => bail!("{name} failed: {}", configuration["StateReason"]),
            Some(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    bail!("{name}:{version} did not become Active")
}

/// One synchronous call.
pub fn invoke(connection: &mut Connection, name: &str) -> anyhow::Result<()> {
    invoke_with(connection, name, b"{}").map(drop)
}

/// One synchronous call of a function, or of a version as `name:version`; its response.
pub fn invoke_with(
    connection: &mut Connection,
    name: &str,
    event: &[u8],
) -> anyhow::Result<Vec<u8>> {
    connection.expect("lambda", "POST", &invocations(name), JSON, event)
}

/// Begins a synchronous call, whose answer is still to be read.
pub fn begin_invoke(connection: &mut Connection, name: &str, event: &[u8]) -> anyhow::Result<()> {
    connection.begin("lambda", "POST", &invocations(name), JSON, event)
}

fn invocations(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}

/// The live environments, as `kagero ps --json` has them.
pub fn environments(connection: &mut Connection) -> anyhow::Result<Vec<Value>> {
    own(connection, "/_kagero/environments")
}

/// Waits until a runtime is parked, as `kagero ps --spares --json` has it. Without one in time, what
/// is measured next says so by how it started.
pub fn wait_until_parked(connection: &mut Connection) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(3);
    let is_parked = |spare: &Value| spare["state"] == "parked";
    while !own(connection, "/_kagero/spares")?.iter().any(is_parked) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    // The one that fills the line up has more to do at first.
    std::thread::sleep(Duration::from_millis(10));
    Ok(())
}

fn own(connection: &mut Connection, path: &str) -> anyhow::Result<Vec<Value>> {
    let headers = "x-kagero-command: 1\r\n";
    let answer = connection.expect("lambda", "GET", path, headers, b"")?;
    Ok(serde_json::from_slice(&answer)?)
}

/// The operation of a JSON service.
pub fn json_call(
    connection: &mut Connection,
    service: &str,
    target: &str,
    input: &Value,
) -> anyhow::Result<Value> {
    let version = if ["sqs", "dynamodb"].contains(&service) {
        "1.0"
    } else {
        "1.1"
    };
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

fn zipped(tools: &Tools, name: &str, content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(name);
    std::fs::write(&file, content)?;
    // A program keeps its permission in the archive; to the others it does nothing.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    zip(tools, &[file])
}

/// An archive of files and folders.
pub fn zip(tools: &Tools, content: &[PathBuf]) -> anyhow::Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let archive = folder.path().join("code.zip");
    let status = std::process::Command::new(&tools.python)
        .args(["-m", "zipfile", "-c"])
        .arg(&archive)
        .args(content)
        .status()?;
    anyhow::ensure!(status.success(), "make a zip");
    Ok(std::fs::read(archive)?)
}
