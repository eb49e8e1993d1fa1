//! `kagero runtime list`: runtime identifiers and the interpreters found for them. `kagero runtime
//! install`: what they have on Lambda, fetched once.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;
use server::packs::{self, Pack};

use crate::args::Runtime;
use crate::output;

pub fn run(command: &Runtime) -> anyhow::Result<ExitCode> {
    match command {
        Runtime::List { json } => Ok(list(*json)),
        Runtime::Install { packs, into } => install(packs, into.as_deref()),
    }
}

fn install(names: &[String], into: Option<&Path>) -> anyhow::Result<ExitCode> {
    let into = match into {
        Some(folder) => std::path::absolute(folder)?,
        None => packs::folder().context("HOME is not set: say where with --into")?,
    };
    if names.is_empty() {
        let rows: Vec<Vec<String>> = Pack::ALL
            .iter()
            .map(|pack| pack_row(*pack, &into))
            .collect();
        output::table(&["PACK", "BRINGS", "INSTALLED"], &rows);
        return Ok(ExitCode::SUCCESS);
    }
    // A name that is none is told before anything is fetched.
    let wanted = names.iter().map(|name| name.parse::<Pack>());
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    for (at, pack) in wanted.iter().enumerate() {
        let what = pack.describe();
        if let Some(there) = pack.find(&into) {
            output::note(&format!("{what} is there already"));
            output::line(&there.display().to_string());
            continue;
        }
        output::note(&format!("[{}/{}] fetching {what}", at + 1, wanted.len()));
        let began = Instant::now();
        let place = packs::install(*pack, &into).with_context(|| format!("install {what}"))?;
        let took = began.elapsed().as_secs_f64();
        output::note(&format!("{what}: fetched and verified in {took:.1} s"));
        output::line(&place.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

fn pack_row(pack: Pack, into: &Path) -> Vec<String> {
    let place = pack.find(into).map(|place| place.display().to_string());
    vec![pack.name(), pack.describe(), place.unwrap_or_default()]
}

fn list(json: bool) -> ExitCode {
    let runtimes = server::doctor::runtimes();
    if json {
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
