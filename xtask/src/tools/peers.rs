//! Other servers that run functions without containers, or have DynamoDB's tables, for
//! `cargo xtask bench --peers`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

use super::{debian, fetching, folder, python};
use crate::run;

const MINISTACK: &str = "ministack==1.5.33";
const MOTO: &str = "moto[dynamodb,server]==5.2.5";
const DYNOXIDE: &str = "dynoxide-rs@3.2.0";
/// What its server needs: not the importers, and not a second protocol.
const DYNOXIDE_FEATURES: &str = "native-sqlite,http-server,cli";
/// Version 3 of the framework is the last that asks for no account.
const SERVERLESS: [&str; 2] = ["serverless@3", "serverless-offline@13"];

/// No install is waited for longer, in seconds.
const PATIENCE: &str = "600";
/// Nor any build.
const BUILD_PATIENCE: &str = "1800";

/// The program `ministack`.
pub fn ministack() -> anyhow::Result<PathBuf> {
    let home = folder().join("ministack");
    let program = home.join("bin/ministack");
    if !program.exists() {
        fetching("ministack", || python::venv(&home, &[MINISTACK])).context("install ministack")?;
    }
    ensure!(
        program.exists(),
        "the package ministack installed no program"
    );
    Ok(program)
}

/// The program `moto_server`.
pub fn moto() -> anyhow::Result<PathBuf> {
    let home = folder().join("moto");
    let program = home.join("bin/moto_server");
    if !program.exists() {
        fetching("moto", || python::venv(&home, &[MOTO])).context("install moto")?;
    }
    ensure!(program.exists(), "the package moto installed no program");
    Ok(program)
}

/// The program `dynoxide`, built here.
pub fn dynoxide() -> anyhow::Result<PathBuf> {
    let home = folder().join("dynoxide");
    let program = home.join("bin/dynoxide");
    if program.exists() {
        return Ok(program);
    }
    fetching("dynoxide", || {
        run::quiet(
            Command::new("timeout")
                .arg(BUILD_PATIENCE)
                .arg(run::cargo())
                .args(["install", "--locked", DYNOXIDE, "--no-default-features"])
                .args(["--features", DYNOXIDE_FEATURES])
                .arg("--root")
                .arg(&home)
                .env("CARGO_TARGET_DIR", home.join("build")),
        )?;
        fs::remove_dir_all(home.join("build")).context("remove what it was built from")
    })
    .context("install dynoxide")?;
    Ok(program)
}

/// The program `serverless`, beside its plugin serverless-offline.
pub fn serverless() -> anyhow::Result<PathBuf> {
    let home = folder().join("serverless");
    let program = home.join("node_modules/.bin/serverless");
    if home.join("complete").exists() {
        return Ok(program);
    }
    if run::on_path("node").is_none() || run::on_path("npm").is_none() {
        debian::install(&["nodejs", "npm"]).context("Node.js and npm are missing")?;
    }
    fetching("serverless-offline", || {
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home)?;
        fs::write(home.join("package.json"), "{\"private\": true}\n")?;
        run::quiet(
            Command::new("timeout")
                .args([PATIENCE, "npm", "install"])
                .args(["--no-audit", "--no-fund", "--loglevel=error"])
                .args(SERVERLESS)
                .current_dir(&home),
        )?;
        fs::write(home.join("complete"), "")?;
        Ok(())
    })
    .context("install serverless-offline")?;
    Ok(program)
}
