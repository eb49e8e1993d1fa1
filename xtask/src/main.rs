//! The project's own tasks: `cargo xtask <task>`. One variant and one module a task.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks talk to whoever runs them"
)]

mod bench;
mod ci;
mod codegen;
mod demo;
mod new_service;
mod readme;
mod run;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::Parser;

/// Kagero's own tasks.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
enum Task {
    /// Run the four exercises through the real AWS CLI, explained, with a cold-and-warm picture.
    Demo,
    /// Run every test; fetches the clients and builds the binary that they need.
    Test(test::Test),
    /// Measure what docs/promises.md promises, beside its floors.
    Bench(bench::Bench),
    /// Generate types and wire tables from the services' models.
    Codegen(codegen::Codegen),
    /// Check the rules of the house that no compiler checks.
    Tidy,
    /// Run all that a change must pass, ending with every test.
    Ci,
    /// Fetch the real clients that tests, benches and the demo use into target/tools.
    Tools,
    /// Lay out services/NAME, compiling and empty.
    NewService(new_service::NewService),
    /// Write the table of operations into README.md.
    Readme(readme::Readme),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Demo => demo::run(),
        Task::Test(test) => test.run(),
        Task::Bench(bench) => bench.run(),
        Task::Codegen(codegen) => codegen.run(),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
        Task::Tools => tools::run(),
        Task::NewService(new) => new.run(),
        Task::Readme(readme) => readme.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
