//! The AWS SDK for JavaScript, version 3.

use std::fs;
use std::path::PathBuf;
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

/// The folder whose `node_modules` has the clients.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let home = folder().join("node");
    if home.join("complete").exists() {
        return Ok(home);
    }
    if run::on_path("node").is_none() || run::on_path("npm").is_none() {
        debian::install(&["nodejs", "npm"]).context("Node.js and npm are missing")?;
    }
    fetching("the AWS SDK for JavaScript", || {
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home)?;
        fs::write(
            home.join("package.json"),
            "{\"private\": true, \"type\": \"module\"}\n",
        )?;
        run::quiet(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
                .args(PACKAGES)
                .current_dir(&home),
        )?;
        fs::write(home.join("complete"), "")?;
        Ok(())
    })?;
    Ok(home)
}
