//! `kagero runtime list`: runtime identifiers and the interpreters found for them.

use std::process::ExitCode;

use serde_json::Value;

use crate::args::Runtime;
use crate::output;

pub fn run(command: &Runtime) -> ExitCode {
    let Runtime::List { json } = command;
    let runtimes = server::doctor::runtimes();
    if *json {
        output::line(&runtimes.to_string());
        return ExitCode::SUCCESS;
    }
    let rows: Vec<Vec<String>> = runtimes
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(row)
        .collect();
    output::table(&["RUNTIME", "RUNS ON", "NOTE"], &rows);
    ExitCode::SUCCESS
}

fn row(runtime: &Value) -> Vec<String> {
    let text = |name: &str| runtime[name].as_str().unwrap_or("-").to_owned();
    vec![
        text("identifier"),
        text("interpreter"),
        runtime["note"].as_str().unwrap_or("").to_owned(),
    ]
}
