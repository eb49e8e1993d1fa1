//! `kagero events tail`: what is published, who wants it, and why others do not. `kagero replay`:
//! once more.

use std::process::ExitCode;

use http::Method;
use serde_json::Value;

use crate::args::{Events, Replay, Tail};
use crate::output;

pub async fn run(command: Events) -> anyhow::Result<ExitCode> {
    match command {
        Events::Tail(args) => tail(args).await,
    }
}

async fn tail(args: Tail) -> anyhow::Result<ExitCode> {
    let mut path = "/_kagero/events".to_owned();
    if args.all {
        path.push_str("?after=0");
    }
    loop {
        let answer = tokio::select! {
            answer = args.target.own(Method::GET, &path) => answer?,
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        };
        if answer["kept"] == 0 {
            anyhow::bail!("the server keeps no events: start it without --recent-events 0");
        }
        for event in answer["events"].as_array().into_iter().flatten() {
            if args.json {
                output::line(&event.to_string());
            } else {
                print(event);
            }
        }
        path = format!("/_kagero/events?after={}", answer["last"]);
    }
}

fn print(event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    output::line(&format!(
        "{} {} {}",
        text(&event["time"]),
        text(&event["id"]),
        text(&event["place"])
    ));
    output::line(&format!("    {}", text(&event["event"])));
    for one in event["wanted"].as_array().into_iter().flatten() {
        let targets = one["targets"].as_array().into_iter().flatten().map(text);
        let targets = targets.collect::<Vec<_>>().join(", ");
        output::line(&format!("    + {} -> {targets}", text(&one["by"])));
    }
    for one in event["unwanted"].as_array().into_iter().flatten() {
        output::line(&format!(
            "    - {}: {}",
            text(&one["by"]),
            text(&one["why"])
        ));
    }
}

pub async fn replay(args: Replay) -> anyhow::Result<ExitCode> {
    let id: String = percent(&args.id);
    let path = format!("/_kagero/replay?id={id}");
    args.target.own(Method::POST, &path).await?;
    output::line(&format!("{} was sent again.", args.id));
    Ok(ExitCode::SUCCESS)
}

/// Ids are letters, digits and hyphens; whatever else was typed must not become another path.
fn percent(id: &str) -> String {
    id.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b'-' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
