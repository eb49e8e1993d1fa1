//! The real clients our tests and the demo use, fetched into `target/tools` when the machine has
//! none that will do.

mod aws_cli;
mod browser;
mod debian;
mod durable;
mod go;
pub mod guest;
mod images;
mod java;
mod node;
mod objects;
mod peers;
mod python;
mod ruby;

use std::path::PathBuf;
use std::time::Instant;

use crate::run;

pub use aws_cli::ensure as aws_cli;
pub use node::ensure as javascript_sdk;
pub use peers::{dynoxide, ministack, moto, serverless};
pub use python::ensure as python_clients;

/// `cargo xtask tools`: fetches everything that is missing and says where everything is.
pub fn run() -> anyhow::Result<()> {
    let (aws, python, node) = (aws_cli()?, python_clients()?, javascript_sdk()?);
    println!("AWS CLI                         {}", aws.display());
    println!("Python, boto3, awslambdaric     {}", python.display());
    println!("AWS SDK for JavaScript          {}", node.display());
    println!(
        "DynamoDB's, for JavaScript      {}",
        node::dynamodb()?.display()
    );
    let client = node::runtime_client()?;
    println!("aws-lambda-ric                  {}", client.display());
    println!(
        "durable execution SDKs          {}",
        durable::ensure()?.display()
    );
    let ruby = ruby::ensure()?;
    let ruby = ruby.map_or("none".to_owned(), |ruby| ruby.display().to_string());
    println!("Ruby                            {ruby}");
    let browser = browser::ensure();
    let browser = browser.map_or("none".to_owned(), |program| program.display().to_string());
    println!("Browser                         {browser}");
    for program in java::ensure()? {
        println!("Java                            {}", program.display());
    }
    let go = go::ensure()?;
    let go = go.map_or("none".to_owned(), |go| go.display().to_string());
    println!("Go                              {go}");
    for program in images::ensure()? {
        println!("Container images                {}", program.display());
    }
    for program in objects::ensure()? {
        println!("Clients of S3                   {}", program.display());
    }
    Ok(())
}

fn folder() -> PathBuf {
    run::target().join("tools")
}

/// Says what is being fetched, does it, and says how long it took.
fn fetching<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprint!("  fetching {what} ... ");
    let began = Instant::now();
    let result = work();
    match &result {
        Ok(_) => eprintln!("done in {:.1} s", began.elapsed().as_secs_f64()),
        Err(_) => eprintln!("failed"),
    }
    result
}
