//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use server::config::Settings;

/// A serverless cloud in one binary: AWS Lambda functions and the services that feed them (API Gateway,
/// S3, SQS, SNS, DynamoDB, EventBridge, Scheduler, ECR, IAM, STS, CloudWatch Logs), behind AWS's own APIs
/// on one port. No Docker, no account.
///
/// Start it with `kagero serve`, then point any AWS client at it:
///
///   export AWS_ENDPOINT_URL=http://localhost:4566 AWS_DEFAULT_REGION=us-east-1
///   export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
///   aws lambda list-functions
#[derive(Debug, Parser)]
#[command(
    name = "kagero",
    version,
    verbatim_doc_comment,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Box<Serve>),
    /// Call a function and print its answer
    Invoke(Invoke),
    /// Print a function's log, and follow it
    Logs(Logs),
    /// Show the live environments of a running server
    Ps(Ps),
    /// Events as they are published, who wants them, and why others do not
    #[command(subcommand)]
    Events(Events),
    /// Publish a recent event once more
    Replay(Replay),
    /// Say what this machine offers for isolation, and what is missing
    Doctor(Doctor),
    /// Runtimes and the interpreters they run on
    #[command(subcommand)]
    Runtime(Runtime),
    /// Remove all state: functions, objects, messages, roles, logs
    Reset(Reset),
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Settings file; its keys are the long names of the flags below [default: kagero.toml, if
    /// there is one in the working directory]
    #[arg(long, env = "KAGERO_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub settings: Settings,
}

/// Where the server is and who is calling.
#[derive(Debug, Args)]
pub struct Target {
    /// URL of the server
    #[arg(
        long,
        env = "AWS_ENDPOINT_URL",
        default_value = "http://127.0.0.1:4566",
        value_name = "URL"
    )]
    pub endpoint: String,

    /// Region to ask in
    #[arg(long, env = "AWS_DEFAULT_REGION", default_value = "us-east-1")]
    pub region: String,

    #[arg(long, env = "AWS_ACCESS_KEY_ID", default_value = "test", hide = true)]
    pub access_key_id: String,

    #[arg(
        long,
        env = "AWS_SECRET_ACCESS_KEY",
        default_value = "test",
        hide = true,
        hide_env_values = true
    )]
    pub secret_access_key: String,

    #[arg(long, env = "AWS_SESSION_TOKEN", hide = true, hide_env_values = true)]
    pub session_token: Option<String>,
}

#[derive(Debug, Args)]
pub struct Invoke {
    /// Name or ARN of the function
    pub function: String,

    /// The event, as JSON text; @FILE reads it from a file, - from standard input [default: {}]
    pub payload: Option<String>,

    /// Queue the event and return at once
    #[arg(long)]
    pub r#async: bool,

    /// Print the end of the invocation's log to standard error
    #[arg(long)]
    pub log: bool,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// Name of the function, or of a log group (begins with /)
    pub function: String,

    /// Wait for more lines
    #[arg(long, short)]
    pub follow: bool,

    /// Only lines with this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Subcommand)]
pub enum Events {
    /// Print events as they come, until interrupted
    Tail(Tail),
}

#[derive(Debug, Args)]
pub struct Tail {
    /// Begin with those that the server remembers
    #[arg(long)]
    pub all: bool,

    /// Print a JSON object a line
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct Replay {
    /// The event's id, as `kagero events tail` prints it
    pub id: String,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct Ps {
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Show what waits to become an environment instead: parked runtimes, and the zygotes that
    /// fork them
    #[arg(long)]
    pub spares: bool,

    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON instead of a list
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Runtime {
    /// Every runtime identifier, and what it would run on here
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Fetch what runtimes have on Lambda and this machine has not, checked by its digest: `java`
    /// (AWS's runtime client), `python` (boto3), `nodejs` (the AWS SDK), `nodejs18` to `nodejs24`
    /// (the interpreter)
    Install {
        /// What to fetch; nothing lists what there is
        packs: Vec<String>,

        /// Folder to keep it in [default: the cache folder of this user]
        #[arg(long, env = "KAGERO_PACKS", value_name = "FOLDER")]
        into: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Reset {
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,

    #[command(flatten)]
    pub target: Target,
}
