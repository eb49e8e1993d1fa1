//! `kagero ps`: the live environments of a running server, or what waits to become one.

use std::process::ExitCode;

use http::Method;
use serde_json::Value;

use crate::args::Ps;
use crate::output;

const ENVIRONMENTS: View = View {
    path: "/_kagero/environments",
    header: &[
        "FUNCTION",
        "VERSION",
        "STATE",
        "PID",
        "MEMORY",
        "AGE",
        "START",
        "INVOCATIONS",
    ],
    row: environment,
    none: "No environments: every function is at zero.",
};

const SPARES: View = View {
    path: "/_kagero/spares",
    header: &["RUNTIME", "STATE", "PID", "MEMORY", "AGE"],
    row: spare,
    none: "No spares: no function was started lately.",
};

/// One table and where it comes from.
struct View {
    path: &'static str,
    header: &'static [&'static str],
    row: fn(&Value) -> Vec<String>,
    none: &'static str,
}

pub async fn run(args: Ps) -> anyhow::Result<ExitCode> {
    let view = if args.spares { SPARES } else { ENVIRONMENTS };
    let answer = args.target.own(Method::GET, view.path).await?;
    if args.json {
        output::line(&answer.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let entries = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<String>> = entries.iter().map(view.row).collect();
    if rows.is_empty() {
        output::line(view.none);
    } else {
        output::table(view.header, &rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn environment(entry: &Value) -> Vec<String> {
    vec![
        text(entry, "function"),
        text(entry, "version"),
        text(entry, "state"),
        count(entry, "pid"),
        memory(entry),
        age(entry),
        match entry["provisioned"].as_bool() {
            Some(true) => format!("{}, provisioned", text(entry, "start")),
            _ => text(entry, "start"),
        },
        count(entry, "invocations"),
    ]
}

fn spare(entry: &Value) -> Vec<String> {
    vec![
        text(entry, "program"),
        text(entry, "state"),
        count(entry, "pid"),
        memory(entry),
        age(entry),
    ]
}

fn text(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or("-").to_owned()
}

fn count(entry: &Value, name: &str) -> String {
    let number = entry[name].as_u64();
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn memory(entry: &Value) -> String {
    let bytes = entry["memory_bytes"].as_u64();
    bytes.map_or_else(|| "-".to_owned(), output::bytes)
}

fn age(entry: &Value) -> String {
    output::age(entry["age_seconds"].as_f64().unwrap_or_default())
}
