//! Running other programs, with an error that says what failed and what it printed.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs to the end with its output shown; an error names the command and its exit status.
pub fn shown(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("start {}", name(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs to the end in silence and returns standard output; an error shows what it printed.
pub fn quiet(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {}", name(command)))?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        bail!(
            "{} ended with {}:\n{}",
            name(command),
            output.status,
            String::from_utf8_lossy(&printed).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end with each line of its output shown behind `indent`.
pub fn indented(command: &mut Command, indent: &str) -> anyhow::Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", name(command)))?;
    let stderr = child.stderr.take().expect("stderr is piped");
    let complaints = std::thread::spawn(move || std::io::read_to_string(stderr));
    let stdout = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(stdout).lines() {
        println!("{indent}{}", line?);
    }
    let status = child.wait()?;
    if !status.success() {
        let complaints = complaints
            .join()
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        bail!(
            "{} ended with {status}:\n{}",
            name(command),
            complaints.trim_end()
        );
    }
    Ok(())
}

/// The first program of that name on PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The workspace's root folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// Where everything we fetch or make goes: cargo's target folder.
pub fn target() -> PathBuf {
    // Joining an absolute path replaces what it is joined to.
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that runs us.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether we run as root.
pub fn is_root() -> anyhow::Result<bool> {
    Ok(quiet(Command::new("id").arg("-u"))?.trim() == "0")
}

fn name(command: &Command) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    command.get_args().take(6).fold(program, |text, argument| {
        text + " " + &argument.to_string_lossy()
    })
}
