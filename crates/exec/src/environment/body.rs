//! An environment before it is any function's: a sandboxed process, and what connects the server
//! to it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sandbox::{Completion, ForkSpec, Host, Limits, Sandbox, SandboxError, Spec, Zygote};

use super::connections::{Client, Connections, ProgramEnds, Sockets};
use super::link::{Frames, Link};
use super::start::{StartError, internal};
use super::variables::rehearsal_variables;
use super::{ExitWatch, blueprint};
use crate::awaited::Awaited;
use crate::config::Outbound;
use crate::extensions::LauncherPipes;
use crate::invocation::StartTier;
use crate::logs::Pipes;
use crate::nursery::Recipe;
use crate::runtime_api::RuntimeApi;

/// How the sandbox names the step that turns its process into the program.
const EXECUTE: &str = "execute ";

/// An environment that is nobody's.
pub(crate) struct Body {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) link: Link,
    pub(super) exit: ExitWatch,
    pub(super) pipes: Pipes,
    pub(super) api: Option<TcpListener>,
    pub(super) gateway: Option<TcpListener>,
    pub(super) launcher: Option<LauncherPipes>,
    pub(super) names: Names,
    pub(super) tier: StartTier,
    /// Its runtime has said that everything generic is loaded.
    pub(super) is_booted: bool,
}

/// Under which names the environment knows the server's sockets.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) runtime_api: String,
    pub(super) gateway: Option<String>,
}

/// Makes bodies. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) host: Host,
    /// The runtimes' bootstraps.
    pub(crate) runtime_dir: PathBuf,
    /// The gateway's port inside, if there is a gateway.
    pub(crate) gateway: Option<u16>,
    pub(crate) awaited: Awaited,
}

/// Both ends of what connects the server to a body that is being made.
pub(super) struct Wiring {
    connections: Connections,
    ends: ProgramEnds,
    sockets: Sockets,
    network: sandbox::Network,
    pub(super) names: Names,
}

impl Wiring {
    pub(super) fn has_launcher(&self) -> bool {
        self.connections.launcher.is_some()
    }
}

impl Maker {
    /// `launcher`: whether the program is started by a launcher.
    pub(super) fn wire(
        &self,
        client: Client,
        launcher: bool,
        outbound: Outbound,
    ) -> Result<Wiring, StartError> {
        let (connections, ends) =
            Connections::open(client, launcher).map_err(internal("open pipes"))?;
        let (sockets, network) =
            Sockets::open(outbound, self.gateway).map_err(internal("open sockets"))?;
        let names = Names {
            runtime_api: sockets.runtime_api.clone(),
            gateway: sockets.gateway.clone(),
        };
        Ok(Wiring {
            connections,
            ends,
            sockets,
            network,
            names,
        })
    }

    /// Executes a program; open, if the spec has a stash.
    pub(super) async fn execute(&self, mut spec: Spec, wiring: Wiring) -> Result<Body, StartError> {
        let Wiring {
            connections,
            ends,
            sockets,
            network,
            names,
        } = wiring;
        spec.network = network;
        (spec.stdio, spec.inherit) = ends.into_parts();
        let host = self.host.clone();
        let program = spec.program.clone();
        let spawned = blocking(move || host.spawn(spec)).await?;
        let sandbox = spawned.map_err(|error| match error {
            SandboxError::Step { step, source } if step.starts_with(EXECUTE) => {
                let reason = in_go(&source);
                StartError::entrypoint(format!("fork/exec {}: {reason}", program.display()))
            }
            other => failed("start the sandbox", &other),
        })?;
        self.assemble(sandbox, connections, sockets, names, StartTier::Exec)
    }

    /// Executes what is nobody's.
    pub(crate) async fn generic(&self, recipe: &Recipe) -> Result<Body, StartError> {
        let spec = blueprint::generic(recipe, &self.runtime_dir);
        let wiring = self.wire(Client::Own, false, recipe.outbound)?;
        self.execute(spec, wiring).await
    }

    /// Forks a zygote; with a completion, what comes of it is completed.
    pub(crate) async fn fork(
        &self,
        zygote: &Arc<Zygote>,
        outbound: Outbound,
        completion: Option<&Completion>,
    ) -> Result<Body, StartError> {
        let zygote = Arc::clone(zygote);
        let limits = completion.map_or_else(blueprint::unlimited, |completion| completion.limits);
        let binds = completion.map(|completion| completion.binds.clone());
        let fork = move |spec| zygote.fork(ForkSpec { binds, ..spec });
        let mut body = self.fork_with(outbound, limits, fork).await?;
        (body.tier, body.is_booted) = (StartTier::Zygote, false);
        Ok(body)
    }

    /// Forks what has booted already, and connects the server to it.
    pub(super) async fn fork_with(
        &self,
        outbound: Outbound,
        limits: Limits,
        fork: impl FnOnce(ForkSpec) -> Result<Sandbox, SandboxError> + Send + 'static,
    ) -> Result<Body, StartError> {
        let Wiring {
            connections,
            ends,
            sockets,
            network,
            names,
        } = self.wire(Client::Own, false, outbound)?;
        let (stdio, inherit) = ends.into_parts();
        let spec = ForkSpec {
            hostname: blueprint::HOSTNAME.to_owned(),
            limits,
            network,
            stdio,
            inherit,
            binds: None,
        };
        let forked = blocking(move || fork(spec)).await?;
        let sandbox = forked.map_err(|error| failed("fork an environment", &error))?;
        let tier = StartTier::Template;
        let mut body = self.assemble(sandbox, connections, sockets, names, tier)?;
        body.is_booted = true;
        Ok(body)
    }

    fn assemble(
        &self,
        mut sandbox: Sandbox,
        connections: Connections,
        sockets: Sockets,
        names: Names,
        tier: StartTier,
    ) -> Result<Body, StartError> {
        let (api, gateway) = sockets.listeners(sandbox.take_listeners());
        let sandbox = Arc::new(sandbox);
        let link = match connections.frames {
            Some(frames) => Link::Frames(Frames::new(frames, self.awaited.clone())),
            None => Link::Api(RuntimeApi::default()),
        };
        Ok(Body {
            link,
            exit: ExitWatch::new(&sandbox).map_err(internal("watch the environment"))?,
            pipes: connections.pipes,
            launcher: connections.launcher,
            api,
            gateway,
            names,
            tier,
            is_booted: false,
            sandbox,
        })
    }
}

impl Body {
    /// Waits until everything generic is loaded; false if that does not come to be.
    pub(crate) async fn boot(&mut self, limit: Duration) -> bool {
        let booted = tokio::time::timeout(limit, self.link.booted()).await;
        self.is_booted = matches!(booted, Ok(Ok(())));
        self.is_booted
    }

    /// Has the runtime do once, on nobody's behalf, what becoming a function will take; false if it
    /// does not come back from that.
    pub(crate) async fn rehearse(&mut self, limit: Duration) -> bool {
        let variables = rehearsal_variables();
        let rehearsed = tokio::time::timeout(limit, self.link.rehearse(&variables));
        self.is_booted = matches!(rehearsed.await, Ok(Ok(())));
        self.is_booted
    }

    /// Makes it somebody's.
    pub(crate) async fn complete(&self, completion: &Arc<Completion>) -> Result<(), StartError> {
        let (sandbox, completion) = (Arc::clone(&self.sandbox), Arc::clone(completion));
        let completed = blocking(move || sandbox.complete(&completion)).await?;
        completed.map_err(|error| failed("complete the sandbox", &error))
    }

    /// Whether it still waits to become a function, and nothing else.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_booted && !self.link.is_disturbed()
    }

    /// Says that it was ready before anybody asked for it.
    pub(crate) fn was_parked(&mut self) {
        self.tier = StartTier::Parked;
    }

    pub(crate) fn sandbox(&self) -> &Arc<Sandbox> {
        &self.sandbox
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| internal("start an environment")(std::io::Error::other(error)).into())
}

/// The host's failure, with all that it comes from.
pub(crate) fn failed(action: &'static str, error: &dyn std::error::Error) -> StartError {
    let cause = base::with_causes(error);
    StartError::Other(crate::error::InvokeError::Internal { action, cause })
}

/// Why a program was not executed, in the words of Go, in which Lambda tells it.
fn in_go(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    words.to_lowercase()
}
