//! `kagero ps`: the live environments of a running server.

use std::process::ExitCode;

use http::Method;
use serde_json::Value;

use crate::args::Ps;
use crate::output;

pub async fn run(args: Ps) -> anyhow::Result<ExitCode> {
    let environments = args
        .target
        .own(Method::GET, "/_kagero/environments")
        .await?;
    if args.json {
        output::line(&environments.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = environments
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(row)
        .collect();
    if rows.is_empty() {
        output::line("No environments: every function is at zero.");
    } else {
        let header = [
            "FUNCTION",
            "VERSION",
            "STATE",
            "PID",
            "MEMORY",
            "AGE",
            "START",
            "INVOCATIONS",
        ];
        output::table(&header, &rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn row(environment: &Value) -> Vec<String> {
    let text = |name: &str| environment[name].as_str().unwrap_or("-").to_owned();
    let number = |name: &str| environment[name].as_u64();
    let count = |name: &str| number(name).map_or_else(|| "-".to_owned(), |n| n.to_string());
    vec![
        text("function"),
        text("version"),
        text("state"),
        count("pid"),
        number("memory_bytes").map_or_else(|| "-".to_owned(), output::bytes),
        output::age(environment["age_seconds"].as_f64().unwrap_or_default()),
        text("start"),
        count("invocations"),
    ]
}
