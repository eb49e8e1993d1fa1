//! Where the real clients are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An `aws` of version 2.13 or newer: the fetched one, else the one on PATH.
pub fn aws_cli() -> PathBuf {
    let fetched = tools().join("aws-cli/bin/aws");
    if fetched.exists() {
        return fetched;
    }
    on_path("aws")
        .filter(|aws| is_version_two(aws))
        .expect("no AWS CLI version 2: run `cargo xtask tools` first")
}

/// The first of these programs that is not on PATH.
pub fn missing<'a>(programs: &[&'a str]) -> Option<&'a str> {
    let mut programs = programs.iter().copied();
    programs.find(|program| on_path(program).is_none())
}

fn is_version_two(aws: &Path) -> bool {
    let version = Command::new(aws).arg("--version").output();
    version.is_ok_and(|output| output.stdout.starts_with(b"aws-cli/2."))
}

/// The whole path: a script that stands in for the program must not find itself.
fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A Python with boto3 and awslambdaric.
pub fn python() -> PathBuf {
    present(tools().join("python/bin/python"))
}

/// The folder whose `node_modules` has the AWS SDK for JavaScript.
pub fn javascript_folder() -> PathBuf {
    present(tools().join("node"))
}

/// The folder whose `node_modules` has DynamoDB's clients for JavaScript.
pub fn dynamodb_folder() -> PathBuf {
    present(tools().join("node-dynamodb"))
}

/// The folder whose `node_modules` has AWS's runtime client for Node.js, if it has been fetched.
pub fn node_runtime_client() -> Option<PathBuf> {
    Some(tools().join("node-runtime-client")).filter(|folder| folder.join("complete").exists())
}

/// A headless browser, if one has been fetched.
pub fn browser() -> Option<PathBuf> {
    let program = "browser/usr/lib/chromium/chromium-headless-shell";
    Some(tools().join(program)).filter(|program| program.exists())
}

/// The zip of a layer with AWS's durable execution SDK for a language: `python` or `node`.
pub fn durable_sdk(language: &str) -> PathBuf {
    present(tools().join(format!("durable/{language}.zip")))
}

fn present(path: PathBuf) -> PathBuf {
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask tools` first",
        path.display()
    );
    path
}

fn tools() -> PathBuf {
    target().join("tools")
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    // Joining an absolute path replaces what it is joined to.
    crate::root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
