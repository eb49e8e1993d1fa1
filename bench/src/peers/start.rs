//! How each of the compared servers is started, given functions, and ended.

use std::fmt::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{COLD, RUNTIMES, function};
use crate::functions::{Package, create};
use crate::http::Connection;
use crate::server::{MANY_INVOCATIONS, Server};
use crate::{Tools, processes};

const START_LIMIT: Duration = Duration::from_mins(1);
/// serverless-offline waits in vain for a Python handler that returns nothing.
const HELLO: &str = "def handler(event, context):\n    return {'hello': 'world'}\n";
const HELLO_NODE: &str = "export const handler = async () => ({hello: 'world'});\n";
const SERVICE: &str = "bench";

/// A server that answers; ended when dropped, with every process below it.
pub struct Running {
    process: Process,
    pub invoke_port: u16,
    pub started_in: Duration,
    /// What stands before its functions' names; where there is any, the functions are there already.
    prefix: Option<&'static str>,
}

enum Process {
    Ours(Server),
    Other {
        child: Child,
        _folder: tempfile::TempDir,
    },
}

impl Running {
    pub fn pid(&self) -> u32 {
        match &self.process {
            Process::Ours(server) => server.pid(),
            Process::Other { child, .. } => child.id(),
        }
    }

    pub fn name(&self, function: &str) -> String {
        format!("{}{function}", self.prefix.unwrap_or_default())
    }

    /// Creates the functions through the Lambda API, where they are not there by configuration.
    pub fn deploy(&mut self, tools: &Tools) -> anyhow::Result<()> {
        if self.prefix.is_some() {
            return Ok(());
        }
        let packages = [
            Package::python(tools, HELLO)?,
            Package::node(tools, "nodejs20.x", HELLO_NODE)?,
        ];
        // Not before: a server may close a connection on which nothing comes.
        let mut connection = Connection::open(self.invoke_port)?;
        for (runtime, package) in RUNTIMES.iter().zip(&packages) {
            for number in 0..COLD {
                create(&mut connection, &function(runtime, number), package)?;
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Process::Other { child, .. } = &mut self.process {
            processes::end(child);
        }
    }
}

pub(super) fn kagero(tools: &Tools) -> anyhow::Result<Running> {
    let server = Server::start_with(&tools.kagero, MANY_INVOCATIONS)?;
    Ok(Running {
        invoke_port: server.port,
        started_in: server.started_in,
        prefix: None,
        process: Process::Ours(server),
    })
}

pub(super) fn ministack(_: &Tools) -> anyhow::Result<Running> {
    let mut command = Command::new(installed("KAGERO_BENCH_MINISTACK")?);
    let port = free_port()?;
    command.env("GATEWAY_PORT", port.to_string());
    command.env("LAMBDA_EXECUTOR", "local");
    start(command, tempfile::tempdir()?, port, None)
}

pub(super) fn serverless_offline(_: &Tools) -> anyhow::Result<Running> {
    let program = installed("KAGERO_BENCH_SERVERLESS")?;
    let modules = program.ancestors().nth(2).context("its node_modules")?;
    let folder = tempfile::tempdir()?;
    // The plugin is looked for beside the service.
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules"))?;
    write_service(folder.path())?;
    let (http, lambda) = (free_port()?, free_port()?);
    let mut command = Command::new(&program);
    command.args(["offline", "start", "--host", "127.0.0.1"]);
    command.args(["--httpPort", &http.to_string()]);
    command.args(["--lambdaPort", &lambda.to_string()]);
    command.env("SLS_TELEMETRY_DISABLED", "1");
    command.env("SLS_NOTIFICATIONS_MODE", "off");
    command.env("SLS_INTERACTIVE_SETUP_ENABLE", "0");
    start(command, folder, lambda, Some("bench-dev-"))
}

/// The same functions as a service of the Serverless Framework.
fn write_service(folder: &Path) -> anyhow::Result<()> {
    std::fs::write(folder.join("function.py"), HELLO)?;
    std::fs::write(folder.join("index.mjs"), HELLO_NODE)?;
    let mut service = format!(
        "service: {SERVICE}\nframeworkVersion: '3'\nprovider:\n  name: aws\n\
         plugins: [serverless-offline]\nfunctions:\n"
    );
    let kinds = [
        ("python3.12", "function.handler"),
        ("nodejs20.x", "index.handler"),
    ];
    for (runtime, (identifier, handler)) in RUNTIMES.iter().zip(kinds) {
        for number in 0..COLD {
            let name = function(runtime, number);
            write!(
                service,
                "  {name}:\n    runtime: {identifier}\n    handler: {handler}\n    timeout: 30\n"
            )?;
        }
    }
    std::fs::write(folder.join("serverless.yml"), service)?;
    Ok(())
}

fn start(
    command: Command,
    folder: tempfile::TempDir,
    port: u16,
    prefix: Option<&'static str>,
) -> anyhow::Result<Running> {
    let (child, started_in) = launch(command, folder.path(), port)?;
    Ok(Running {
        process: Process::Other {
            child,
            _folder: folder,
        },
        invoke_port: port,
        started_in,
        prefix,
    })
}

/// Starts a program in a folder, and waits until it listens; says how long that took.
pub(super) fn launch(
    mut command: Command,
    folder: &Path,
    port: u16,
) -> anyhow::Result<(Child, Duration)> {
    let log_path = folder.join("output");
    let log = std::fs::File::create(&log_path)?;
    let began = Instant::now();
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let said = || {
            let text = std::fs::read_to_string(&log_path).unwrap_or_default();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status}: {:.300}", said());
        }
        if began.elapsed() > START_LIMIT {
            processes::end(&mut child);
            bail!("it did not listen within {START_LIMIT:?}: {:.300}", said());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((child, began.elapsed()))
}

/// What `cargo xtask bench --peers` installed, or why it could not.
pub(super) fn installed(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.context("it could not be installed; the reason is above")
}

pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
