//! One file a command.

mod doctor;
mod events;
mod invoke;
mod logs;
mod ps;
mod reset;
mod runtime;
mod serve;

use std::process::ExitCode;

use anyhow::Context;

use crate::args::{Cli, Command};

/// Runs the command typed.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(*args),
        Command::Invoke(args) => block_on(invoke::run(args)),
        Command::Logs(args) => block_on(logs::run(args)),
        Command::Ps(args) => block_on(ps::run(args)),
        Command::Events(command) => block_on(events::run(command)),
        Command::Replay(args) => block_on(events::replay(args)),
        Command::Doctor(args) => Ok(doctor::run(&args)),
        Command::Runtime(command) => runtime::run(&command),
        Command::Reset(args) => block_on(reset::run(args)),
    }
}

/// Commands that only talk to a server need one thread.
fn block_on<F>(command: F) -> anyhow::Result<ExitCode>
where
    F: Future<Output = anyhow::Result<ExitCode>>,
{
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the async runtime")?
        .block_on(command)
}
