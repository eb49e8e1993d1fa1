//! Starts an environment: a sandbox with the interpreter, the bootstrap, the code, the pipes.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use sandbox::{Bind, Host, Identity, Limits, Network, Sandbox, SandboxError, Spec, Stdio, Stream};
use service::ports::LogStream;

use super::variables::{Particulars, TASK_ROOT, variables};
use super::{Booting, Core, Environment, ExitWatch, Link, MemoryPeak, Registry};
use crate::bootstraps;
use crate::config::{ExecConfig, Outbound};
use crate::error::InvokeError;
use crate::frames::{CONTROL_FD, FrameSocket, LOG_FD};
use crate::function::{Code, FunctionSpec};
use crate::invocation::{Phases, StartTier};
use crate::logs::{LogTap, Pipes, report};
use crate::ports::{EnvironmentIdentity, ExecPorts};
use crate::runtime_api::RuntimeApi;
use crate::runtimes::{Family, Interpreter, Interpreters, Resolved};

/// Port of the Runtime API inside environments, as in Lambda.
const RUNTIME_API_PORT: u16 = 9001;
/// CPU of the init phase: Lambda does not hold it back by the function's memory.
const INIT_CPU_MILLIS: u32 = 2_000;
/// Processes and threads, and open files, of one environment.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PIDS: u32 = 1_024;
const OPEN_FILES: u32 = 1_024;
/// How the sandbox names the step that turns its process into the program.
const EXECUTE: &str = "execute ";

/// Starts environments for one server.
pub(crate) struct Launcher {
    pub(crate) config: ExecConfig,
    pub(crate) ports: ExecPorts,
    pub(crate) host: Host,
    pub(crate) interpreters: Interpreters,
    pub(crate) registry: Arc<Registry>,
    /// Interpreters that the bootstraps have been compiled for.
    pub(crate) compiled: Mutex<Vec<PathBuf>>,
}

/// What a start is for, and whose log it continues.
pub(crate) struct Starting {
    pub(crate) function: Arc<FunctionSpec>,
    /// `None` for a new environment; else the log of one whose failed init is to run again.
    pub(crate) log_stream: Option<Arc<LogStream>>,
    /// Whether what the init logs belongs to the tail that the caller asked for.
    pub(crate) tail: bool,
}

/// Why no program runs.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The package has no program that the kernel would run: the function's fault.
    Entrypoint(String),
    Other(InvokeError),
}

impl From<InvokeError> for StartError {
    fn from(error: InvokeError) -> Self {
        Self::Other(error)
    }
}

/// The server's ends and the program's ends of what connects them.
struct Connections {
    link: Option<FrameSocket>,
    pipes: Pipes,
    stdout: OwnedFd,
    stderr: OwnedFd,
    inherit: Vec<(OwnedFd, i32)>,
}

/// Sockets inside the environment, and what they are called there.
struct Sockets {
    network: Network,
    /// Those on the host's own network, where there is no other.
    listeners: Vec<TcpListener>,
    runtime_api: String,
    gateway: Option<String>,
}

impl Launcher {
    /// Starts the program; returns once it runs.
    pub(crate) async fn start(
        self: &Arc<Self>,
        starting: Starting,
    ) -> Result<Environment<Booting>, StartError> {
        let Starting {
            function,
            log_stream,
            tail,
        } = starting;
        let since = Instant::now();
        let resolved = self.resolve(&function).await?;
        let credentials = function.credentials.get().await;
        let credentials = credentials.map_err(|error| InvokeError::Role(error.message))?;
        let continued = log_stream.is_some();
        let stream = log_stream.unwrap_or_else(|| self.new_stream(&function));
        let frames = function.runtime.family() != Family::Provided;
        let connections = Connections::open(frames).map_err(internal("open pipes"))?;
        let sockets = self.sockets(!frames).map_err(internal("open sockets"))?;
        let particulars = Particulars {
            interpreter: resolved.interpreter.as_ref(),
            credentials: &credentials,
            log_stream: &stream.name,
            runtime_api: &sockets.runtime_api,
            gateway: sockets.gateway.as_deref(),
        };
        let variables = variables(&function, &particulars);
        let Connections {
            link,
            pipes,
            stdout,
            stderr,
            inherit,
        } = connections;
        let mut spec = self.spec(&function, &resolved)?;
        spec.env = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        spec.network = sockets.network;
        spec.inherit = inherit;
        spec.stdio = Stdio {
            stdin: Stream::Null,
            stdout: Stream::Fd(stdout),
            stderr: Stream::Fd(stderr),
        };
        let mut sandbox = self.spawn(spec).await?;
        let mut listeners = sandbox.take_listeners();
        listeners.extend(sockets.listeners);
        let sandbox = Arc::new(sandbox);
        let log = LogTap::open(
            Arc::clone(&stream),
            Arc::clone(&self.ports.logs),
            self.ports.clock.clone(),
            pipes,
        )
        .map_err(internal("read the function's output"))?;
        if tail {
            log.keep_tail();
        }
        if !continued {
            note_start(&log, &function, &resolved);
        }
        let gateway = sockets.gateway.and_then(|_| listeners.pop());
        let link = match link {
            Some(socket) => Link::Frames(socket),
            None => {
                let listener = listeners.pop().ok_or_else(|| {
                    internal("open the Runtime API")(io::ErrorKind::NotFound.into())
                })?;
                Link::Api(RuntimeApi::serve(listener).map_err(internal("open the Runtime API"))?)
            }
        };
        let core = Core {
            registration: self.registry.register(
                function.key.clone(),
                StartTier::Exec,
                stream.name.clone(),
                &sandbox,
            ),
            clock: self.ports.clock.clone(),
            link,
            log,
            exit: ExitWatch::new(&sandbox).map_err(internal("watch the environment"))?,
            _gateway: gateway.and_then(|listener| self.open_gateway(listener, &function)),
            sandbox,
            variables,
            credentials_until: credentials.expires_at,
            cpu_millis: self.cpu_millis(&function),
            memory: MemoryPeak {
                mb: None,
                read: None,
            },
            tier: StartTier::Exec,
            first: Some(Phases {
                environment: since.elapsed(),
                ..Phases::default()
            }),
            init: None,
            suppressed: continued,
            function,
        };
        Ok(Environment {
            core: Box::new(core),
            state: Booting {
                since: Instant::now(),
            },
        })
    }

    /// What runs this function's runtime.
    async fn resolve(
        self: &Arc<Self>,
        function: &FunctionSpec,
    ) -> Result<Arc<Resolved>, InvokeError> {
        let runtime = function.runtime;
        let resolved = match self.interpreters.known(runtime) {
            Some(resolved) => Ok(resolved),
            None => {
                let launcher = Arc::clone(self);
                blocking(move || launcher.interpreters.resolve(runtime)).await?
            }
        };
        let unavailable = |message| InvokeError::RuntimeUnavailable {
            runtime: runtime.to_string(),
            message,
        };
        let resolved = resolved.map_err(unavailable)?;
        if let (Family::Python, Some(python)) = (runtime.family(), &resolved.interpreter) {
            self.compile_for(python);
        }
        Ok(resolved)
    }

    /// Compiles the bootstrap for an interpreter that is used for the first time, beside the start
    /// that needs it: that one compiles for itself.
    fn compile_for(&self, python: &Interpreter) {
        let mut compiled = self.compiled.lock();
        if compiled.contains(&python.path) {
            return;
        }
        compiled.push(python.path.clone());
        let (folder, python) = (self.config.runtime_dir.clone(), python.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = bootstraps::compile(&folder, &python) {
                // It still runs, only slower.
                tracing::warn!(%error, python = %python.path.display(), "compile the bootstrap");
            }
        });
    }

    async fn spawn(self: &Arc<Self>, spec: Spec) -> Result<Sandbox, StartError> {
        let host = self.host.clone();
        let program = spec.program.clone();
        let spawned = blocking(move || host.spawn(spec)).await?;
        spawned.map_err(|error| match error {
            SandboxError::Step { step, source } if step.starts_with(EXECUTE) => {
                StartError::Entrypoint(format!("fork/exec {}: {source}", program.display()))
            }
            other => {
                let (action, cause) = ("start the sandbox", chain(&other));
                StartError::Other(InvokeError::Internal { action, cause })
            }
        })
    }

    /// Everything of the sandbox that depends on the function, but for its connections.
    fn spec(&self, function: &FunctionSpec, resolved: &Resolved) -> Result<Spec, StartError> {
        let (code, identity) = match &function.code {
            Code::Image(image) => (image.path(), Identity::Pooled),
            Code::HotReload(folder) => (folder.as_path(), hot_reload_identity(folder)),
        };
        let unavailable =
            || InvokeError::CodeUnavailable(format!("{} does not exist", code.display()));
        let code = code.canonicalize().map_err(|_| unavailable())?;
        let (program, args) = self.command(function, resolved, &code)?;
        let mut spec = Spec::new(program);
        spec.args = args;
        spec.cwd = PathBuf::from(TASK_ROOT);
        spec.identity = identity;
        spec.root
            .binds
            .push(Bind::new(&self.config.runtime_dir, bootstraps::GUEST));
        spec.root.binds.push(Bind::new(code, TASK_ROOT));
        if let Some(needs) = resolved
            .interpreter
            .as_ref()
            .and_then(|one| one.needs.as_ref())
        {
            spec.root.binds.push(Bind::new(needs, needs));
        }
        spec.limits = Limits {
            memory_bytes: u64::from(function.memory_mb) << 20,
            cpu_millis: self.cpu_millis(function).max(INIT_CPU_MILLIS),
            pids: PIDS,
            open_files: OPEN_FILES,
            tmp_bytes: u64::from(function.tmp_mb) << 20,
        };
        Ok(spec)
    }

    fn command(
        &self,
        function: &FunctionSpec,
        resolved: &Resolved,
        code: &Path,
    ) -> Result<(PathBuf, Vec<OsString>), StartError> {
        let interpreter = resolved.interpreter.as_ref().map(|one| one.path.clone());
        let bootstrap = |path: &str| OsString::from(format!("{}/{path}", bootstraps::GUEST));
        match (function.runtime.family(), interpreter) {
            // Without `site`, whose `.pth` files can cost more than all the rest, and without the
            // host's packages, which Lambda would not have either.
            (Family::Python, Some(python)) => {
                let args = vec![
                    "-S".into(),
                    "-s".into(),
                    "-B".into(),
                    bootstrap("python/bootstrap.py"),
                ];
                Ok((python, args))
            }
            (Family::Node, Some(node)) => {
                let heap = u64::from(function.memory_mb) * 9 / 10;
                let heap = format!("--max-old-space-size={heap}");
                Ok((node, vec![heap.into(), bootstrap("node/bootstrap.mjs")]))
            }
            _ => provided_program(code).map(|program| (program, Vec::new())),
        }
    }

    fn cpu_millis(&self, function: &FunctionSpec) -> u32 {
        function.cpu_millis().max(self.config.least_cpu_millis)
    }

    /// Sockets for the gateway, where there is one, and for the Runtime API, where it is spoken.
    fn sockets(&self, runtime_api: bool) -> io::Result<Sockets> {
        let gateway = self.ports.gateway.is_some();
        let mut ports = Vec::new();
        if runtime_api {
            ports.push(RUNTIME_API_PORT);
        }
        if gateway {
            ports.push(self.config.gateway_port);
        }
        let name = |port: u16| format!("127.0.0.1:{port}");
        if self.config.outbound == Outbound::None {
            return Ok(Sockets {
                network: Network::Isolated { listeners: ports },
                listeners: Vec::new(),
                runtime_api: name(RUNTIME_API_PORT),
                gateway: gateway.then(|| name(self.config.gateway_port)),
            });
        }
        let open = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = ports.iter().map(open).collect::<io::Result<Vec<_>>>()?;
        let mut names = Vec::new();
        for listener in &listeners {
            listener.set_nonblocking(true)?;
            names.push(name(listener.local_addr()?.port()));
        }
        let gateway = gateway.then(|| names.pop()).flatten();
        let runtime_api = names.pop().unwrap_or_else(|| name(RUNTIME_API_PORT));
        Ok(Sockets {
            network: Network::Host,
            listeners,
            runtime_api,
            gateway,
        })
    }

    fn open_gateway(
        &self,
        listener: TcpListener,
        function: &FunctionSpec,
    ) -> Option<Box<dyn std::any::Any + Send + Sync>> {
        let caller = EnvironmentIdentity {
            account: function.key.account,
            region: function.key.region.clone(),
            role: function.role.clone(),
            function: function.arn.clone(),
        };
        self.ports
            .gateway
            .as_ref()
            .map(|gateway| gateway.open(listener, caller))
    }

    /// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
    pub(crate) fn new_stream(&self, function: &FunctionSpec) -> Arc<LogStream> {
        let now = self.ports.clock.now().datetime();
        let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
        let version = &function.key.version;
        let id = uuid::Uuid::new_v4().simple();
        Arc::new(LogStream {
            account: function.key.account,
            region: function.key.region.clone(),
            group: function.log_group.clone(),
            name: format!("{year:04}/{month:02}/{day:02}/[{version}]{id}"),
        })
    }
}

impl Connections {
    /// `frames`: whether our own bootstrap is at the other end.
    fn open(frames: bool) -> io::Result<Self> {
        let (raw, stdout) = std::io::pipe()?;
        let stderr = stdout.try_clone()?.into();
        let mut inherit = Vec::new();
        let (mut link, mut records) = (None, None);
        if frames {
            let (ours, theirs) = FrameSocket::pair()?;
            let (reader, writer) = std::io::pipe()?;
            inherit.push((theirs, CONTROL_FD));
            inherit.push((writer.into(), LOG_FD));
            (link, records) = (Some(ours), Some(reader.into()));
        }
        let pipes = Pipes {
            raw: raw.into(),
            records,
        };
        Ok(Self {
            link,
            pipes,
            stdout: stdout.into(),
            stderr,
            inherit,
        })
    }
}

fn note_start(log: &LogTap, function: &FunctionSpec, resolved: &Resolved) {
    let identifier = function.runtime.identifier();
    let family = identifier.trim_end_matches(|c: char| c.is_ascii_digit() || ".x".contains(c));
    let version = match &resolved.interpreter {
        Some(interpreter) => format!("{family}:{}", interpreter.version),
        None => identifier.to_owned(),
    };
    let partition = &function.arn.partition;
    let region = &function.key.region;
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&version);
    let arn = format!(
        "arn:{partition}:lambda:{region}::runtime:{}",
        hex::encode(digest)
    );
    log.note(report::init_start(&version, &arn));
    if let Some(warning) = &resolved.warning {
        log.note(format!("[kagero] warning: {warning}\n"));
    }
}

/// `bootstrap` of the package, or of a layer.
fn provided_program(code: &Path) -> Result<PathBuf, StartError> {
    if code.join("bootstrap").exists() {
        return Ok(Path::new(TASK_ROOT).join("bootstrap"));
    }
    let looked_in = "[/var/task/bootstrap /opt/bootstrap]";
    Err(StartError::Entrypoint(format!(
        "Couldn't find valid bootstrap(s): {looked_in}"
    )))
}

/// Code in the making is often readable by its author alone.
fn hot_reload_identity(folder: &Path) -> Identity {
    match folder.metadata() {
        Ok(metadata) if metadata.mode() & 0o005 != 0o005 && metadata.uid() != 0 => {
            Identity::Fixed {
                uid: metadata.uid(),
                gid: metadata.gid(),
            }
        }
        _ => Identity::Pooled,
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, InvokeError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| internal("start an environment")(io::Error::other(error)))
}

fn internal(action: &'static str) -> impl Fn(io::Error) -> InvokeError {
    move |error| InvokeError::Internal {
        action,
        cause: error.to_string(),
    }
}

/// An error with all that it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
