//! Log lines on standard error.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Installs the process-wide subscriber. A second call changes nothing.
pub fn install(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    // The wire library of S3 calls every refusal an error; the access log has them all, and what
    // fails on our side is logged where it fails.
    let asked_for = filter.contains("s3s");
    let directives = if asked_for {
        filter.to_owned()
    } else {
        format!("{filter},s3s=off")
    };
    let filter = EnvFilter::try_new(directives)
        .with_context(|| format!("{filter:?} is not a log filter: try info or s3=debug,info"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let installed = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if installed.is_err() {
        tracing::debug!("a log subscriber is already installed");
    }
    Ok(())
}
