//! Starts an environment: finds the interpreter, assumes the role, makes the sandbox, connects.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use sandbox::{Host, Sandbox, SandboxError, Spec};
use service::ports::LogStream;

use super::blueprint::blueprint;
use super::connections::{Connections, Sockets};
use super::link::Frames;
use super::variables::{Particulars, variables};
use super::{Booting, Core, Environment, ExitWatch, Link, MemoryPeak, Registry};
use crate::awaited::Awaited;
use crate::bootstraps;
use crate::config::ExecConfig;
use crate::error::InvokeError;
use crate::frames::FrameSocket;
use crate::function::FunctionSpec;
use crate::invocation::{Phases, StartTier};
use crate::logs::{LogTap, Pipes, report};
use crate::ports::{EnvironmentIdentity, ExecPorts};
use crate::runtime_api::RuntimeApi;
use crate::runtimes::{Family, Interpreter, Interpreters, Resolved};

/// How the sandbox names the step that turns its process into the program.
const EXECUTE: &str = "execute ";

/// Starts environments for one server.
pub(crate) struct Launcher {
    pub(crate) config: ExecConfig,
    pub(crate) ports: ExecPorts,
    pub(crate) host: Host,
    pub(crate) interpreters: Interpreters,
    pub(crate) registry: Arc<Registry>,
    pub(crate) awaited: Awaited,
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

impl Launcher {
    /// Starts the program; returns once it runs.
    pub(crate) async fn start(
        self: &Arc<Self>,
        starting: Starting,
    ) -> Result<Environment<Booting>, StartError> {
        let since = Instant::now();
        let function = starting.function;
        let resolved = self.resolve(&function).await?;
        let credentials = function.credentials.get().await;
        let credentials = credentials.map_err(|error| InvokeError::Role(error.message))?;
        let continued = starting.log_stream.is_some();
        let stream = starting
            .log_stream
            .unwrap_or_else(|| self.new_stream(&function));
        let frames = function.runtime.family() != Family::Provided;
        let (connections, ends) = Connections::open(frames).map_err(internal("open pipes"))?;
        let gateway = self
            .ports
            .gateway
            .as_ref()
            .map(|_| self.config.gateway_port);
        let (sockets, network) = Sockets::open(self.config.outbound, !frames, gateway)
            .map_err(internal("open sockets"))?;
        let variables = variables(
            &function,
            &Particulars {
                interpreter: resolved.interpreter.as_ref(),
                credentials: &credentials,
                log_stream: &stream.name,
                runtime_api: &sockets.runtime_api,
                gateway: sockets.gateway.as_deref(),
            },
        );
        let cpu_millis = function.cpu_millis().max(self.config.least_cpu_millis);
        let mut spec = blueprint(&function, &resolved, &self.config.runtime_dir, cpu_millis)?;
        spec.env = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        spec.network = network;
        ends.give_to(&mut spec);
        let mut sandbox = self.spawn(spec).await?;
        let (api, gateway) = sockets.listeners(sandbox.take_listeners());
        let sandbox = Arc::new(sandbox);
        let log = self.open_log(&stream, connections.pipes)?;
        if starting.tail {
            log.keep_tail();
        }
        if !continued {
            note_start(&log, &function, &resolved);
        }
        let registration = self.registry.register(
            function.key.clone(),
            StartTier::Exec,
            stream.name.clone(),
            &sandbox,
        );
        let core = Core {
            registration,
            clock: self.ports.clock.clone(),
            link: link(connections.frames, api, &self.awaited)
                .map_err(internal("open the Runtime API"))?,
            log,
            exit: ExitWatch::new(&sandbox).map_err(internal("watch the environment"))?,
            _gateway: gateway.and_then(|listener| self.open_gateway(listener, &function)),
            sandbox,
            variables,
            credentials_until: credentials.expires_at,
            cpu_millis,
            memory: MemoryPeak::default(),
            tier: StartTier::Exec,
            first: Some(Phases {
                environment: since.elapsed(),
                ..Phases::default()
            }),
            init: None,
            suppressed: continued,
            function,
        };
        let state = Booting {
            since: Instant::now(),
        };
        Ok(Environment {
            core: Box::new(core),
            state,
        })
    }

    /// What runs this function's runtime.
    async fn resolve(
        self: &Arc<Self>,
        function: &FunctionSpec,
    ) -> Result<Arc<Resolved>, InvokeError> {
        let runtime = function.runtime;
        let resolved = if let Some(resolved) = self.interpreters.known(runtime) {
            resolved
        } else {
            let launcher = Arc::clone(self);
            let resolved = blocking(move || launcher.interpreters.resolve(runtime)).await?;
            let runtime = runtime.to_string();
            resolved.map_err(|message| InvokeError::RuntimeUnavailable { runtime, message })?
        };
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

    async fn spawn(&self, spec: Spec) -> Result<Sandbox, StartError> {
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

    fn open_log(&self, stream: &Arc<LogStream>, pipes: Pipes) -> Result<LogTap, InvokeError> {
        let (sink, clock) = (Arc::clone(&self.ports.logs), self.ports.clock.clone());
        LogTap::open(Arc::clone(stream), sink, clock, pipes)
            .map_err(internal("read the function's output"))
    }

    fn open_gateway(
        &self,
        listener: TcpListener,
        function: &FunctionSpec,
    ) -> Option<Box<dyn Any + Send + Sync>> {
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

fn link(
    frames: Option<FrameSocket>,
    api: Option<TcpListener>,
    awaited: &Awaited,
) -> io::Result<Link> {
    match (frames, api) {
        (Some(frames), _) => Ok(Link::Frames(Frames::new(frames, awaited.clone()))),
        (None, Some(api)) => RuntimeApi::serve(api).map(Link::Api),
        (None, None) => Err(io::ErrorKind::NotFound.into()),
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
