//! Programs that drive a server with a real client.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Server;

/// A program about to run with every AWS client pointed at a server.
pub struct Script(Command);

/// What it printed, and how it ended.
#[derive(Debug)]
pub struct Transcript {
    pub stdout: String,
    pub stderr: String,
    pub success: bool,
}

impl Script {
    pub fn new(program: impl AsRef<Path>, server: &Server) -> Self {
        let mut command = Command::new(program.as_ref());
        command
            .envs(server.client_environment())
            .stdin(Stdio::null());
        // What the developer's own machine is set up for must not reach the test.
        for variable in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_CA_BUNDLE",
            "AWS_CONFIG_FILE",
        ] {
            command.env_remove(variable);
        }
        Self(command)
    }

    /// `aws` with these arguments.
    pub fn aws(server: &Server, arguments: &[&str]) -> Self {
        Self::new(crate::aws_cli(), server).args(arguments)
    }

    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.0.args(arguments);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    #[must_use]
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.0.current_dir(folder);
        self
    }

    pub fn run(mut self) -> Transcript {
        let output = self.0.output().expect("the program starts");
        Transcript {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }
}

impl Transcript {
    /// Panics with everything printed if the program failed.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often success is all that is asked"
    )]
    pub fn expect_success(self) -> Self {
        assert!(
            self.success,
            "--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}):\n{}\n{}", self.stdout, self.stderr))
    }

    /// Standard output as JSON; null where there is none, as for operations that answer nothing.
    pub fn json_or_null(&self) -> serde_json::Value {
        if self.stdout.is_empty() {
            return serde_json::Value::Null;
        }
        self.json()
    }
}
