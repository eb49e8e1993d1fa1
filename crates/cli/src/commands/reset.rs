//! `kagero reset`: remove all state of a running server.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use http::Method;

use crate::args::Reset;
use crate::output;

pub async fn run(args: Reset) -> anyhow::Result<ExitCode> {
    if !args.yes && !confirmed(&args.target.endpoint)? {
        output::note("Nothing was removed. To go ahead without being asked, add --yes.");
        return Ok(ExitCode::FAILURE);
    }
    args.target.own(Method::POST, "/_kagero/reset").await?;
    output::line("All functions, objects, messages, roles and logs were removed.");
    Ok(ExitCode::SUCCESS)
}

/// Asks on a terminal; anything that is not one has to say --yes.
fn confirmed(endpoint: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    output::note(&format!(
        "This removes every function, object, message, role and log of {endpoint}. Type yes:"
    ));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
