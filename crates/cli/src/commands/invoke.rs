//! `kagero invoke`: call a function and print its answer.

use std::io::{Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use bytes::Bytes;
use http::{Method, Request};

use crate::args::Invoke;
use crate::output;

/// Exit code 1 when the function failed, as told by `X-Amz-Function-Error`.
pub async fn run(args: Invoke) -> anyhow::Result<ExitCode> {
    let payload = read_payload(args.payload.as_deref())?;
    let name = percent_encoding(&args.function);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("/2015-03-31/functions/{name}/invocations"))
        .header(
            "x-amz-invocation-type",
            if args.r#async {
                "Event"
            } else {
                "RequestResponse"
            },
        );
    if args.log {
        request = request.header("x-amz-log-type", "Tail");
    }
    let answer = args
        .target
        .send("lambda", request, payload)
        .await?
        .successful()?;
    if let Some(tail) = answer.headers.get("x-amz-log-result") {
        let tail = base64::engine::general_purpose::STANDARD
            .decode(tail)
            .context("the log tail is not base64")?;
        output::note(String::from_utf8_lossy(&tail).trim_end());
    }
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&answer.body)?;
    if !answer.body.is_empty() {
        stdout.write_all(b"\n")?;
    }
    if let Some(error) = answer.headers.get("x-amz-function-error") {
        output::note(&format!(
            "kagero: the function failed ({}); see `kagero logs {}`",
            error.to_str().unwrap_or_default(),
            args.function
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn read_payload(given: Option<&str>) -> anyhow::Result<Bytes> {
    Ok(match given {
        None => Bytes::from_static(b"{}"),
        Some("-") => {
            let mut text = Vec::new();
            std::io::stdin()
                .read_to_end(&mut text)
                .context("read the event from stdin")?;
            text.into()
        }
        Some(text) => match text.strip_prefix('@') {
            Some(file) => std::fs::read(file)
                .with_context(|| format!("read the event from {file}"))?
                .into(),
            None => Bytes::copy_from_slice(text.as_bytes()),
        },
    })
}

/// Names and ARNs in a path: everything but what ARNs and names are made of is escaped.
fn percent_encoding(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
