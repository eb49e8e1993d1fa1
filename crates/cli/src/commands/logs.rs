//! `kagero logs`: print a function's log, and follow it.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::Logs;
use crate::output;

/// How often `--follow` asks for more.
const POLL: Duration = Duration::from_millis(300);

pub async fn run(args: Logs) -> anyhow::Result<ExitCode> {
    let group = if args.function.starts_with('/') {
        args.function.clone()
    } else {
        format!("/aws/lambda/{}", args.function)
    };
    let mut seen = Seen::default();
    loop {
        match print_new(&args, &group, &mut seen).await {
            // The function has not been called yet, or its first lines are on their way.
            Err(error) if args.follow && is_not_found(&error) => {}
            printed => printed?,
        }
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The latest instant printed, and which events of that instant were.
#[derive(Default)]
struct Seen {
    at: i64,
    ids: Vec<String>,
}

impl Seen {
    fn is_new(&mut self, at: i64, id: &str) -> bool {
        if at > self.at {
            self.at = at;
            self.ids.clear();
        }
        if at < self.at || self.ids.iter().any(|seen| seen == id) {
            return false;
        }
        self.ids.push(id.to_owned());
        true
    }
}

async fn print_new(args: &Logs, group: &str, seen: &mut Seen) -> anyhow::Result<()> {
    let mut token: Option<String> = None;
    let from = seen.at;
    loop {
        let mut input = json!({"logGroupName": group, "startTime": from});
        if let Some(filter) = &args.filter {
            input["filterPattern"] = json!(format!("\"{}\"", filter.replace('"', "\\\"")));
        }
        if let Some(token) = &token {
            input["nextToken"] = json!(token);
        }
        let page = args
            .target
            .json_call("logs", "Logs_20140328.FilterLogEvents", &input)
            .await?;
        for event in page["events"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let at = event["timestamp"].as_i64().unwrap_or_default();
            if seen.is_new(at, event["eventId"].as_str().unwrap_or_default()) {
                print_event(at, event);
            }
        }
        token = page["nextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}

/// The answer that names no such log group.
fn is_not_found(error: &anyhow::Error) -> bool {
    error.to_string().contains("ResourceNotFoundException")
}

fn print_event(at: i64, event: &Value) {
    let message = event["message"].as_str().unwrap_or_default().trim_end();
    output::line(&format!(
        "{} {message}",
        base::Timestamp::from_millis(at).iso8601_millis()
    ));
}
