//! A release server for the length of the demo.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::run;

const START_LIMIT: Duration = Duration::from_secs(15);

/// Ended when dropped, so that no failure leaves it running.
pub struct Demo {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    pub started_in: Duration,
}

/// Starts the release build and waits for its first answer.
pub fn start() -> anyhow::Result<Demo> {
    let program = run::target().join("release/kagero");
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let log = File::create(folder.path().join("log"))?;
    let began = Instant::now();
    let child = Command::new(&program)
        .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut demo = Demo {
        child,
        port,
        folder,
        started_in: Duration::ZERO,
    };
    while !demo.is_healthy() {
        if let Some(status) = demo.child.try_wait()? {
            bail!("the server ended with {status}:\n{}", demo.log());
        }
        if began.elapsed() > START_LIMIT {
            bail!(
                "the server did not answer within {START_LIMIT:?}:\n{}",
                demo.log()
            );
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    demo.started_in = began.elapsed();
    Ok(demo)
}

impl Demo {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn client_environment(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_DEFAULT_REGION", "ap-northeast-1".to_owned()),
            ("AWS_REGION", "ap-northeast-1".to_owned()),
            ("AWS_PAGER", String::new()),
        ]
    }

    /// A GET of one of the server's own pages, as JSON.
    pub fn page(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.get(path)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("an answer has a head")?;
        if !head.starts_with("HTTP/1.1 200") {
            bail!(
                "{path} answered {}",
                head.lines().next().unwrap_or_default()
            );
        }
        serde_json::from_str(body).with_context(|| format!("{path} is JSON"))
    }

    /// Asks it to end, as an operator would, and waits.
    pub fn stop(mut self) -> anyhow::Result<()> {
        run::quiet(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}:\n{}", self.log());
        }
        Ok(())
    }

    fn is_healthy(&self) -> bool {
        self.get("/_kagero/health")
            .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nx-kagero-command: 1\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
