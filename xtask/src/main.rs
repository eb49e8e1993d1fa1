//! The project's own tasks: `cargo xtask <task>`. One variant and one module a task.

mod codegen;

use clap::Parser;

/// Kagero's own tasks.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
enum Task {
    /// Generate types and wire tables from the services' models.
    Codegen(codegen::Codegen),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Codegen(codegen) => codegen.run(),
    }
}
