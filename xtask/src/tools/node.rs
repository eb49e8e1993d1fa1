//! The AWS SDK for JavaScript, version 3.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::{debian, fetching, folder};
use crate::run;

const PACKAGES: [&str; 6] = [
    "@aws-sdk/client-lambda@3",
    "@aws-sdk/client-s3@3",
    "@aws-sdk/client-sqs@3",
    "@aws-sdk/client-iam@3",
    "@aws-sdk/client-sts@3",
    "@aws-sdk/client-cloudwatch-logs@3",
];

/// Those of tables, in a folder of their own.
const DYNAMODB: [&str; 3] = [
    "@aws-sdk/client-dynamodb@3",
    "@aws-sdk/client-dynamodb-streams@3",
    "@aws-sdk/lib-dynamodb@3",
];

/// AWS's runtime client. Its native part is not built: what the client does without it is what our
/// own is compared with.
const RUNTIME_CLIENT: [&str; 2] = ["--ignore-scripts", "aws-lambda-ric@3"];

/// The folder whose `node_modules` has the clients.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let home = folder().join("node");
    packages(&home, "the AWS SDK for JavaScript", &PACKAGES)?;
    Ok(home)
}

/// The folder whose `node_modules` has the clients of DynamoDB.
pub fn dynamodb() -> anyhow::Result<PathBuf> {
    let home = folder().join("node-dynamodb");
    packages(&home, "DynamoDB's clients for JavaScript", &DYNAMODB)?;
    Ok(home)
}

/// The folder whose `node_modules` has the runtime client.
pub fn runtime_client() -> anyhow::Result<PathBuf> {
    let home = folder().join("node-runtime-client");
    packages(&home, "aws-lambda-ric", &RUNTIME_CLIENT)?;
    Ok(home)
}

/// Installs packages into a folder of their own, unless that has been done.
pub fn packages(home: &Path, what: &str, packages: &[&str]) -> anyhow::Result<()> {
    if home.join("complete").exists() {
        return Ok(());
    }
    if run::on_path("node").is_none() || run::on_path("npm").is_none() {
        debian::install(&["nodejs", "npm"]).context("Node.js and npm are missing")?;
    }
    fetching(what, || {
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(home)?;
        fs::write(
            home.join("package.json"),
            "{\"private\": true, \"type\": \"module\"}\n",
        )?;
        run::quiet(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
                .args(packages)
                .current_dir(home),
        )?;
        fs::write(home.join("complete"), "")?;
        Ok(())
    })
}
