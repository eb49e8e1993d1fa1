//! A release server for one measure.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::http::Connection;

const START_LIMIT: Duration = Duration::from_secs(15);
/// For measures of throughput: Lambda's limit of invocations a second is ten times the concurrency,
/// and 10,000 a second are fewer than a fast machine makes.
pub const MANY_INVOCATIONS: &[&str] = &["--concurrency", "10000"];

/// Killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub started_in: Duration,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// With durable state in a fresh data directory.
    pub fn start(kagero: &Path) -> anyhow::Result<Self> {
        Self::start_with(kagero, &[])
    }

    /// As [`start`](Self::start), with more flags.
    pub fn start_with(kagero: &Path, flags: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let (child, started_in) = launch(kagero, folder.path(), port, flags)?;
        Ok(Self {
            child,
            port,
            started_in,
            program: kagero.to_owned(),
            folder,
        })
    }

    /// SIGKILL, and another server on the same data and port.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.started_in) = launch(&self.program, self.folder.path(), self.port, &[])?;
        Ok(())
    }

    pub fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.port)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        self.memory_kib("VmRSS:")
    }

    /// The most that was ever resident since the start, in KiB.
    pub fn peak_kib(&self) -> anyhow::Result<u64> {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with(field))
            .with_context(|| field.to_owned())?;
        Ok(line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?)
    }
}

/// Starts a server and waits until it answers; says how long that took.
fn launch(
    kagero: &Path,
    folder: &Path,
    port: u16,
    flags: &[&str],
) -> anyhow::Result<(Child, Duration)> {
    let began = Instant::now();
    let mut child = Command::new(kagero)
        .args([
            "serve",
            "--log",
            "warn",
            "--listen",
            &format!("127.0.0.1:{port}"),
        ])
        .args(flags)
        .arg("--data-dir")
        .arg(folder.join("data"))
        // A settings file of a developer's must not reach the bench.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", kagero.display()))?;
    while !answers(port) {
        if let Some(status) = child.try_wait()? {
            bail!("the server ended with {status}");
        }
        if began.elapsed() > START_LIMIT {
            let _ = child.kill();
            bail!("the server did not answer within {START_LIMIT:?}");
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok((child, began.elapsed()))
}

fn answers(port: u16) -> bool {
    Connection::open(port)
        .and_then(|mut connection| connection.send("none", "GET", "/_kagero/health", "", b""))
        .is_ok_and(|answer| answer.status == 200)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
