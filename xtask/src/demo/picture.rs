//! Where the time of each call went, from the server's usage ledger.

use anyhow::Context;
use serde_json::Value;

use super::server::Demo;

const PHASES: [(&str, &str, char); 5] = [
    ("environment", "environment_us", '▒'),
    ("runtime", "runtime_us", '▓'),
    ("code", "code_us", '░'),
    ("init", "init_us", '█'),
    ("handler", "handler_us", '■'),
];
/// Columns of the longest bar.
const WIDTH: f64 = 48.0;

/// One line a call, oldest first: phases in milliseconds, and a bar of their shares.
pub fn print(server: &Demo, functions: &[&str]) -> anyhow::Result<()> {
    let mut calls = Vec::new();
    for function in functions {
        let page = server.page(&format!(
            "/_kagero/usage?function={function}&region=ap-northeast-1"
        ))?;
        let mut records = page.as_array().context("usage is a list")?.clone();
        records.reverse();
        calls.extend(
            records
                .into_iter()
                .map(|record| ((*function).to_owned(), record)),
        );
    }
    let longest = calls
        .iter()
        .map(|(_, call)| total(call))
        .fold(1.0, f64::max);
    println!(
        "   {:<20} {:>5} {:>12} {:>8} {:>7} {:>7} {:>8}   (milliseconds)",
        "function", "", "environment", "runtime", "code", "init", "handler"
    );
    for (function, call) in &calls {
        let cold = if call["cold"].as_bool() == Some(true) {
            "cold"
        } else {
            "warm"
        };
        let ms = |name: &str| micros(call, name) / 1_000.0;
        println!(
            "   {function:<20} {cold:>5} {:>12.2} {:>8.2} {:>7.2} {:>7.2} {:>8.2}",
            ms("environment_us"),
            ms("runtime_us"),
            ms("code_us"),
            ms("init_us"),
            ms("handler_us"),
        );
        println!("   {:<20} {}", "", bar(call, longest));
    }
    let legend: Vec<String> = PHASES
        .iter()
        .map(|(name, _, mark)| format!("{mark} {name}"))
        .collect();
    println!("\n   {}", legend.join("   "));
    Ok(())
}

fn bar(call: &Value, longest: f64) -> String {
    let bar: String = PHASES
        .iter()
        .flat_map(|(_, field, mark)| {
            let columns = (micros(call, field) / longest * WIDTH).round() as usize;
            std::iter::repeat_n(*mark, columns)
        })
        .collect();
    // What is too short for a column was there all the same.
    if bar.is_empty() { "·".to_owned() } else { bar }
}

fn total(call: &Value) -> f64 {
    PHASES.iter().map(|(_, field, _)| micros(call, field)).sum()
}

fn micros(call: &Value, field: &str) -> f64 {
    call["phases"][field].as_f64().unwrap_or_default()
}
