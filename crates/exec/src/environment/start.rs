//! Starts an environment: finds the interpreter, assumes the role, makes the sandbox, connects.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use sandbox::Host;
use service::ports::LogStream;

use super::body::{Body, Maker, Wiring, blocking, failed};
use super::connections::Client;
use super::link::Link;
use super::owner::Owner;
use super::share::CpuShare;
use super::variables::{LAYERS_ROOT, SNAP_START};
use super::{Booting, Core, Environment, Keeper, MemoryPeak, Registry, Shelf};
use super::{blueprint, compile, egress};
use crate::bootstraps;
use crate::config::ExecConfig;
use crate::error::InvokeError;
use crate::extensions::{ExtensionHost, Launched, Reason};
use crate::function::{FunctionKey, FunctionSpec};
use crate::images::{CodeImage, ImageId};
use crate::invocation::Phases;
use crate::logs::{LogTap, Pipes, Platform};
use crate::nursery::{Nursery, Recipe};
use crate::ports::{EnvironmentIdentity, ExecPorts};
use crate::runtime_api::{ApiServer, RuntimeApi};
use crate::runtimes::{Family, Interpreter, Interpreters, Resolved};
use crate::telemetry::Telemetry;

/// Starts environments for one server.
pub(crate) struct Launcher {
    pub(crate) config: ExecConfig,
    pub(crate) ports: ExecPorts,
    pub(crate) host: Host,
    pub(crate) interpreters: Interpreters,
    pub(crate) registry: Arc<Registry>,
    pub(crate) maker: Maker,
    pub(crate) nursery: Arc<Nursery>,
    pub(crate) shelf: Shelf,
    /// Interpreters that the bootstraps have been compiled for.
    pub(crate) compiled: Mutex<Vec<PathBuf>>,
    /// Images that are being compiled, or could not be, by the interpreter's name.
    pub(crate) compiling: Mutex<HashSet<(ImageId, String)>>,
}

/// What a start is for, and whose log it continues.
pub(crate) struct Starting {
    pub(crate) function: Arc<FunctionSpec>,
    /// `None` for a new environment; else the log of one whose failed init is to run again.
    pub(crate) log_stream: Option<Arc<LogStream>>,
    /// Whether what the init logs belongs to the tail that the caller asked for.
    pub(crate) tail: bool,
    /// Whether it is made ahead, as provisioned concurrency.
    pub(crate) provisioned: bool,
    /// Whether it is made to be kept as a template.
    pub(crate) template: bool,
}

/// Why no program runs.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The package has no program that the kernel would run: the function's fault.
    Entrypoint(Unrunnable),
    Other(InvokeError),
}

/// What is wrong with a program.
#[derive(Debug)]
pub(crate) struct Unrunnable {
    /// Lambda's name for it.
    pub(crate) error_type: &'static str,
    pub(crate) reason: String,
}

impl StartError {
    /// There is no such program, or it is none.
    pub(super) fn entrypoint(reason: String) -> Self {
        let error_type = "Runtime.InvalidEntrypoint";
        Self::Entrypoint(Unrunnable { error_type, reason })
    }

    /// There is nowhere to run it.
    pub(super) fn working_directory(reason: String) -> Self {
        let error_type = "Runtime.InvalidWorkingDir";
        Self::Entrypoint(Unrunnable { error_type, reason })
    }
}

impl From<InvokeError> for StartError {
    fn from(error: InvokeError) -> Self {
        Self::Other(error)
    }
}

impl Launcher {
    /// Starts the program, or takes one that waits; returns once it runs and sees the code.
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
        let cpu_millis = function.cpu_millis().max(self.config.least_cpu_millis);
        let (outbound, limited) = egress::outbound(self.config.outbound, &function);
        let restored = if continued || starting.provisioned || starting.template {
            None
        } else {
            self.restore(&function, outbound, cpu_millis).await
        };
        let (restored, kept) = restored.unzip();
        let is_restored = kept.is_some();
        let owner = Owner {
            function: &function,
            resolved: &resolved,
            credentials: &credentials,
            log_stream: &stream.name,
            initialization: match (starting.provisioned, starting.template || is_restored) {
                _ if function.managed.is_some() => "lambda-managed-instances",
                (true, _) => "provisioned-concurrency",
                (false, true) => SNAP_START,
                (false, false) => "on-demand",
            },
            phase: if continued { "invoke" } else { "init" },
        };
        let to_launch = blueprint::extensions(&function);
        let recipe = Recipe::of(&function, &resolved, outbound);
        let recipe = recipe.filter(|_| !starting.template);
        let (body, variables) = if let Some(body) = restored {
            let variables = owner.variables(&body.names);
            (body, variables)
        } else if let Some(recipe) = &recipe {
            let body = self.take(recipe, &function, &resolved).await?;
            self.compile_code(&function, &resolved, recipe);
            let variables = owner.variables(&body.names);
            (body, variables)
        } else {
            let client = Client::of(&function);
            let launcher = !to_launch.is_empty();
            let wiring = self.maker.wire(client, launcher, outbound)?;
            self.execute(&owner, wiring, starting.template).await?
        };
        let telemetry = Telemetry::new(Arc::downgrade(&body.sandbox), function.logging.format);
        let telemetry = Arc::new(telemetry);
        let log = self.open_log(&stream, &function, &telemetry, body.pipes)?;
        let log = Arc::new(log);
        let host = Arc::new(ExtensionHost::new(&function, telemetry, Arc::clone(&log)));
        host.extensions.expect(&to_launch);
        let launched = body
            .launcher
            .map(|pipes| Launched::new(pipes, Arc::clone(&host)));
        let launched = launched
            .transpose()
            .map_err(internal("open the launcher"))?;
        let launched = launched.map(Arc::new);
        let mut link = match function.managed {
            Some(managed) => Link::Api(RuntimeApi::many(managed.concurrency)),
            None => body.link,
        };
        link.limit_responses(function.max_response);
        let runtime_api = link.runtime_api();
        let api = body
            .api
            .map(|listener| ApiServer::open(listener, runtime_api, Arc::clone(&host)));
        let api = api.transpose().map_err(internal("open the Runtime API"))?;
        if starting.tail {
            log.keep_tail();
        }
        log.note(&owner.beginning(is_restored));
        if !continued {
            for warning in resolved.warning.iter().chain(&limited) {
                log.note(&Platform::Note(format!("warning: {warning}")));
            }
        }
        let registration = self.registry.register(
            function.key.clone(),
            body.tier,
            starting.provisioned,
            stream.name.clone(),
            &body.sandbox,
        );
        // A client that the init made has the credentials of then.
        let of_init = kept.as_ref().and_then(|kept| kept.credentials_until());
        let credentials_until = of_init.into_iter().chain(credentials.expires_at).min();
        let core = Core {
            registration,
            clock: self.ports.clock.clone(),
            link,
            log,
            exit: body.exit.and(launched.clone()),
            host,
            launched,
            _api: api,
            to_launch,
            unfinished: None,
            reason: Reason::Spindown,
            _gateway: body
                .gateway
                .and_then(|listener| self.open_gateway(listener, &function)),
            sandbox: body.sandbox,
            variables,
            credentials_until,
            share: CpuShare::new(cpu_millis),
            memory: MemoryPeak {
                shared: kept.map_or(0, |kept| kept.memory_bytes()),
                ..MemoryPeak::default()
            },
            tier: body.tier,
            first: Some(Phases {
                environment: since.elapsed(),
                ..Phases::default()
            }),
            init: None,
            restore: None,
            suppressed: continued,
            initialization: owner.initialization,
            provisioned: starting.provisioned,
            function,
        };
        let state = Booting {
            since: if is_restored { since } else { Instant::now() },
            is_booted: body.is_booted,
            is_restored,
        };
        Ok(Environment {
            core: Keeper::new(core),
            state,
        })
    }

    /// Makes ready what a start of this function would need.
    pub(crate) async fn expect(self: &Arc<Self>, function: &FunctionSpec) {
        // An interpreter that is not there is the first invocation's to tell.
        if let Ok(resolved) = self.resolve(function).await
            && let (outbound, _) = egress::outbound(self.config.outbound, function)
            && let Some(recipe) = Recipe::of(function, &resolved, outbound)
        {
            self.nursery.expect(&recipe);
            self.compile_code(function, &resolved, &recipe);
        }
    }

    /// A generic body, with this function's code and limits.
    async fn take(
        &self,
        recipe: &Recipe,
        function: &FunctionSpec,
        resolved: &Resolved,
    ) -> Result<Body, StartError> {
        let cpu_millis = function.cpu_millis().max(self.config.least_cpu_millis);
        let interpreter = compile::interpreter_name(resolved);
        let completion = blueprint::completion(function, interpreter.as_deref(), cpu_millis)?;
        self.nursery.take(recipe, &Arc::new(completion)).await
    }

    /// A body of the function's own, from its first instruction on.
    async fn execute(
        &self,
        owner: &Owner<'_>,
        wiring: Wiring,
        template: bool,
    ) -> Result<(Body, BTreeMap<String, String>), StartError> {
        let variables = owner.variables(&wiring.names);
        let function = owner.function;
        let cpu_millis = function.cpu_millis().max(self.config.least_cpu_millis);
        let folder = &self.config.runtime_dir;
        let layers = layers_around(function, owner.resolved).await?;
        let mut spec = blueprint::dedicated(
            function,
            wiring.has_launcher(),
            layers.as_ref(),
            owner.resolved,
            folder,
            &variables,
            cpu_millis,
        )?;
        spec.template = template;
        spec.env = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok((self.maker.execute(spec, wiring).await?, variables))
    }

    /// What runs this function's runtime.
    async fn resolve(
        self: &Arc<Self>,
        function: &FunctionSpec,
    ) -> Result<Arc<Resolved>, StartError> {
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

    fn open_log(
        &self,
        stream: &Arc<LogStream>,
        function: &FunctionSpec,
        telemetry: &Arc<Telemetry>,
        pipes: Pipes,
    ) -> Result<LogTap, InvokeError> {
        let (sink, clock) = (Arc::clone(&self.ports.logs), self.ports.clock.clone());
        let (stream, telemetry) = (Arc::clone(stream), Arc::clone(telemetry));
        LogTap::open(stream, sink, clock, function.logging, telemetry, pipes)
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

    /// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`; in a group that may be several
    /// functions', with the function's name before the version.
    pub(crate) fn new_stream(&self, function: &FunctionSpec) -> Arc<LogStream> {
        let now = self.ports.clock.now().datetime();
        let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
        let FunctionKey { name, version, .. } = &function.key;
        let is_own = function.log_group.strip_prefix("/aws/lambda/") == Some(name);
        let name = if is_own { "" } else { name };
        let id = uuid::Uuid::new_v4().simple();
        Arc::new(LogStream {
            account: function.key.account,
            region: function.key.region.clone(),
            group: function.log_group.clone(),
            name: format!("{year:04}/{month:02}/{day:02}/{name}[{version}]{id}"),
        })
    }
}

/// The function's layers, with a place for the interpreter if that lies below them.
async fn layers_around(
    function: &FunctionSpec,
    resolved: &Resolved,
) -> Result<Option<CodeImage>, StartError> {
    let Some(layers) = function.layers.clone() else {
        return Ok(None);
    };
    let inside = resolved.inside(LAYERS_ROOT).map(Path::to_owned);
    let Some(inside) = inside else {
        return Ok(Some(layers));
    };
    let is_folder = Path::new(LAYERS_ROOT).join(&inside).is_dir();
    let around = blocking(move || layers.with_mount_point(&inside, is_folder)).await?;
    let failed = |error| failed("make room for the interpreter in the layers", &error);
    around.map(Some).map_err(failed)
}

pub(super) fn internal(action: &'static str) -> impl Fn(io::Error) -> InvokeError {
    move |error| InvokeError::Internal {
        action,
        cause: error.to_string(),
    }
}
