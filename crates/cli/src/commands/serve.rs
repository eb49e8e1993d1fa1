//! `kagero serve`: run the server until it is told to stop.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use server::config::Settings;

use crate::args::Serve;
use crate::output;

/// Read when no other file is named.
const DEFAULT_FILE: &str = "kagero.toml";

pub fn run(args: Serve) -> anyhow::Result<ExitCode> {
    let file = match &args.config {
        Some(path) => Settings::from_file(path)?,
        None if Path::new(DEFAULT_FILE).exists() => Settings::from_file(Path::new(DEFAULT_FILE))?,
        None => Settings::default(),
    };
    let config = args.settings.or(file).resolve()?;
    server::telemetry::install(&config.log, config.log_format)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("kagero")
        .build()
        .context("start the async runtime")?
        .block_on(async {
            let running = server::Server::start(config).await?;
            if let Some(address) = running.tls_address() {
                output::line(&format!("Kagero speaks TLS on https://{address}"));
            }
            output::line(&format!("Kagero is ready on http://{}", running.address()));
            running.until_stopped().await
        })?;
    Ok(ExitCode::SUCCESS)
}
