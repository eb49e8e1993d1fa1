//! `cargo xtask demo`: the article's exercises and its architecture, through the real AWS CLI, against the release
//! build of this checkout, with what happened and why it matters.

mod picture;
mod server;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::run::cargo;
use crate::{run, tools};

/// One exercise: its folder, what it shows, and why that matters.
struct Exercise {
    folder: &'static str,
    title: &'static str,
    matters: &'static str,
    function: &'static str,
}

const EXERCISES: [Exercise; 6] = [
    Exercise {
        folder: "1-hello",
        title: "A function is created and called",
        matters: "The code ran: in its own namespaces, with its own user, a read-only root and \
                  the limits that `kagero doctor` lists for this machine. No Docker was involved, no account \
                  and no cloud; the client was the unmodified AWS CLI.",
        function: "example-hello",
    },
    Exercise {
        folder: "2-object-to-function",
        title: "An upload to a bucket starts a function",
        matters: "The event was written down in the same transaction as the object, so it cannot \
                  be lost, and pushed at once: nothing polls between the bucket and the function.",
        function: "example-new-object",
    },
    Exercise {
        folder: "3-queue-to-function",
        title: "Ten messages reach a function in batches of five",
        matters: "The arrival of the messages woke the poller; had there been none, neither a \
                  timer nor an environment would have been running. Finished messages left the \
                  queue, failed ones would have come back.",
        function: "example-tasks",
    },
    Exercise {
        folder: "4-cold-and-warm",
        title: "A cold start, then two warm ones",
        matters: "Code outside the handler ran once, in a fresh environment; the next calls found \
                  it waiting, frozen in between so that it cost nothing.",
        function: "example-counter",
    },
    Exercise {
        folder: "5-table-to-function",
        title: "One function writes to a table, another reacts to its stream",
        matters: "Each change and its stream record became durable in one step, so that none is \
                  without the other, and the record woke the reader: the second function ran \
                  because of what the first one wrote.",
        function: "example-order-reactor",
    },
    Exercise {
        folder: "6-whole-diagram",
        title: "The whole diagram: four ways to start a function, two places it writes to",
        matters: "An upload, an HTTP request, a message and a schedule each started the same \
                  function, and what it wrote is in a bucket and in a table: all that a serverless \
                  application is made of, in one process on this machine.",
        function: "example-recorder",
    },
];

pub fn run() -> anyhow::Result<()> {
    let began = Instant::now();
    eprintln!("Kagero demo: six exercises of serverless, on this machine\n");
    let aws = step("an AWS CLI of version 2.13 or newer", tools::aws_cli)?;
    step(
        "the release build of kagero (minutes the first time)",
        || run::shown(Command::new(cargo()).args(["build", "--release", "--package", "cli"])),
    )?;
    let server = step(
        "a server on a free port, with a temporary data directory",
        server::start,
    )?;
    eprintln!(
        "    {} answered its first request after {:.0?}",
        server.url(),
        server.started_in
    );
    for (number, exercise) in EXERCISES.iter().enumerate() {
        println!("\n━━ {}. {}\n", number + 1, exercise.title);
        let took = exercise
            .run(&server, &aws)
            .with_context(|| format!("exercise {} (examples/{})", number + 1, exercise.folder))?;
        println!("\n   {}", wrap(exercise.matters, "   "));
        println!("   (most of the {took:.1?} were the AWS CLI starting up, again and again)");
    }
    println!("\n━━ Cold and warm, measured in these very calls\n");
    let functions: Vec<&str> = EXERCISES.iter().map(|exercise| exercise.function).collect();
    picture::print(&server, &functions).context("the cold and warm picture")?;
    server.stop()?;
    println!(
        "\nAll six exercises ran, and everything is stopped again ({:.0} s in all).\n\
         Your own: kagero serve, then point any AWS client at http://localhost:4566.",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

impl Exercise {
    /// Runs the example's script, its output indented as it comes.
    fn run(&self, server: &server::Demo, aws: &std::path::Path) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let folder = run::root().join("examples").join(self.folder);
        let bin = aws.parent().context("the AWS CLI lies in a folder")?;
        let path = format!(
            "{}:{}",
            bin.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = Command::new("sh");
        command
            .arg(folder.join("run.sh"))
            .env("PATH", path)
            .envs(server.client_environment());
        for variable in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE"] {
            command.env_remove(variable);
        }
        run::indented(&mut command, "   │ ")?;
        Ok(began.elapsed())
    }
}

/// Says what is being done, does it, and names it in the error.
fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("• {what}");
    work().with_context(|| format!("this step failed: {what}"))
}

/// Breaks text at 76 columns; lines after the first begin with `indent`.
fn wrap(text: &str, indent: &str) -> String {
    let mut wrapped = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width + word.len() > 76 {
            wrapped.push('\n');
            wrapped.push_str(indent);
            width = 0;
        } else if width > 0 {
            wrapped.push(' ');
            width += 1;
        }
        wrapped.push_str(word);
        width += word.len();
    }
    wrapped
}
