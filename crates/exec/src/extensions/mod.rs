//! The extensions of one environment: who they are, what each is doing, what it is told.
//!
//! External ones are programs in `/opt/extensions`, started before the runtime by the [`Launched`]
//! launcher. Internal ones are part of the runtime's process. Either kind registers over HTTP.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

mod agent;
mod http;
mod launched;
mod state;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{RequestId, Timestamp};
use uuid::Uuid;

use crate::changes::Changes;
use crate::invocation::InvokeEvent;
use agent::{Agent, EventKind, Phase, Told};
use launched::Ended;
use state::State;

pub(crate) use http::ExtensionHost;
pub(crate) use launched::{COMMAND_FD, Launched, LauncherPipes, NEWS_FD, OUTPUT_FD};

/// Where external extensions are, below the layers' root.
pub(crate) const FOLDER: &str = "extensions";
/// Extensions of one function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-extensions.html>
const MOST: usize = 10;

/// How long an environment with internal, and one with external extensions has to shut down.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INTERNAL_SHUTDOWN: Duration = Duration::from_millis(500);
const EXTERNAL_SHUTDOWN: Duration = Duration::from_secs(2);

/// Why an environment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Spindown,
    Timeout,
    Failure,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// What an extension has done to its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtensionFailure {
    pub(crate) error_type: &'static str,
    /// Such as `exit status 1`.
    pub(crate) message: String,
}

impl ExtensionFailure {
    /// As the caller is told it.
    pub(crate) fn words(&self, request_id: RequestId) -> String {
        format!("RequestId: {request_id} Error: {}", self.message)
    }
}

/// Why a call of an extension is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

/// How an extension came through its init.
#[derive(Clone, Debug)]
pub(crate) struct ExtensionState {
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) events: Vec<&'static str>,
    pub(crate) error_type: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Extensions {
    state: Changes<State>,
    /// Whether there are any, for those who have no time to look.
    any: AtomicBool,
}

impl Extensions {
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// These are about to be started.
    pub(crate) fn expect(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.any.store(true, Ordering::Release);
        self.state.change(|state| {
            state.agents = names.iter().map(|name| Agent::new(name, true)).collect();
            if names.len() > MOST {
                let message = format!("extension limit ({MOST}) reached");
                state.fail("Extension.LaunchError", message);
            }
        });
    }

    /// An extension cannot be started.
    pub(crate) fn cannot_launch(&self, name: &str, why: &str) {
        self.state.change(|state| {
            if let Some(agent) = state.agents.iter_mut().find(|agent| agent.name == name) {
                agent.phase = Phase::LaunchError;
                agent.error_type = Some("Extension.LaunchError".to_owned());
            }
            let message = format!("fork/exec /opt/extensions/{name}: {why}");
            state.fail("Extension.LaunchError", message);
        });
    }

    /// Resolves when every external extension has registered.
    pub(crate) async fn registered(&self) {
        let all = |state: &State| {
            let mut agents = state.agents.iter();
            agents
                .all(|agent| agent.phase != Phase::Started)
                .then_some(())
        };
        self.state.until(all).await;
    }

    /// The runtime is ready: closes the registration, and resolves when every extension is.
    pub(crate) async fn ready(&self) {
        self.state.change(|state| state.is_closed = true);
        if !self.has_any() {
            return;
        }
        let all = |state: &State| {
            let mut agents = state.agents.iter();
            agents
                .all(|agent| agent.phase == Phase::Ready)
                .then_some(())
        };
        self.state.until(all).await;
    }

    /// Resolves when an extension has failed.
    pub(crate) async fn failed(&self) -> ExtensionFailure {
        self.state.until(|state| state.failure.clone()).await
    }

    /// Whether one has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_any() && self.state.with(|state| state.failure.is_some())
    }

    /// Tells those who want to know that there is an event.
    pub(crate) fn invoked(&self, event: &InvokeEvent, deadline: Timestamp) {
        if !self.has_any() {
            return;
        }
        let told = Told::Invoke {
            request_id: event.request_id,
            deadline,
            arn: event.invoked_arn.clone(),
            trace: event.trace.clone(),
        };
        self.tell(EventKind::Invoke, &told);
    }

    /// Resolves when every extension is done with what it was told.
    pub(crate) async fn settled(&self) {
        if self.has_any() {
            let done = |state: &State| state.agents.iter().all(Agent::is_done).then_some(());
            self.state.until(done).await;
        }
    }

    /// How long the environment has to shut down.
    pub(crate) fn shutdown_time(&self) -> Duration {
        let external = |state: &State| state.agents.iter().any(|agent| agent.is_external);
        if !self.has_any() {
            Duration::ZERO
        } else if self.state.with(external) {
            EXTERNAL_SHUTDOWN
        } else {
            INTERNAL_SHUTDOWN
        }
    }

    /// Tells those who want to know that the environment ends; whoever ends from now on does no
    /// wrong.
    pub(crate) fn shut_down(&self, reason: Reason, deadline: Timestamp) {
        self.state.change(|state| {
            state.is_shutting_down = true;
            for agent in &mut state.agents {
                // What it has not been told yet concerns nobody any more.
                agent.next = None;
            }
        });
        let told = Told::Shutdown { reason, deadline };
        self.tell(EventKind::Shutdown, &told);
    }

    /// The environment is about to end: what ends now does no wrong.
    pub(crate) fn expect_end(&self) {
        self.state.change(|state| state.is_shutting_down = true);
    }

    /// Resolves when those have ended who wanted to know of the end.
    pub(crate) async fn gone(&self) {
        let gone = |state: &State| {
            let mut agents = state.agents.iter();
            agents
                .all(|agent| agent.has_ended() || !agent.wants(EventKind::Shutdown))
                .then_some(())
        };
        self.state.until(gone).await;
    }

    /// Where each extension is.
    pub(crate) fn states(&self) -> Vec<ExtensionState> {
        self.state.with(|state| {
            let shown = state.agents.iter().map(|agent| ExtensionState {
                name: agent.name.clone(),
                state: agent.phase.as_str(),
                events: agent.events.iter().map(|event| event.as_str()).collect(),
                error_type: agent.error_type.clone(),
            });
            shown.collect()
        })
    }

    /// The process of an external extension has ended.
    fn ended(&self, name: &str, how: &Ended) {
        self.state.change(|state| {
            let Some(agent) = state.agents.iter_mut().find(|agent| agent.name == name) else {
                return;
            };
            let never_ran = agent.phase == Phase::Started;
            agent.phase = Phase::Exited;
            if state.is_shutting_down {
                return;
            }
            match how {
                Ended::NotLaunched(why) if never_ran => {
                    agent.phase = Phase::LaunchError;
                    let message = format!("fork/exec /opt/extensions/{name}: {why}");
                    state.fail("Extension.LaunchError", message);
                }
                Ended::NotLaunched(_) => {
                    state.fail("Extension.Crash", "exit status 126".to_owned());
                }
                Ended::Exited(message) => state.fail("Extension.Crash", message.clone()),
            }
        });
    }

    fn tell(&self, kind: EventKind, told: &Told) {
        self.state.change(|state| {
            for agent in state.agents.iter_mut().filter(|agent| agent.wants(kind)) {
                agent.next = Some(told.clone());
            }
        });
    }

    fn register(&self, name: &str, events: Vec<EventKind>) -> Result<Uuid, Refusal> {
        let registered = self.state.change(|state| state.register(name, events));
        if registered.is_ok() {
            self.any.store(true, Ordering::Release);
        }
        registered
    }

    /// Waits for what an extension is to be told next.
    async fn next(&self, id: Uuid) -> Result<Told, Refusal> {
        self.state
            .change(|state| state.transition(id, Phase::Ready))?;
        let told = self.state.take(|state| {
            let agent = state.agents.iter_mut().find(|agent| agent.id == id)?;
            let told = agent.next.take()?;
            agent.phase = Phase::Running;
            Some(told)
        });
        Ok(told.await)
    }

    fn report(&self, id: Uuid, to: Phase, error_type: &str) -> Result<(), Refusal> {
        self.state.change(|state| {
            state.transition(id, to)?;
            if let Some(agent) = state.agents.iter_mut().find(|agent| agent.id == id) {
                agent.error_type = Some(error_type.to_owned());
            }
            if !state.is_shutting_down {
                let kind = match to {
                    Phase::InitError => "Extension.InitError",
                    _ => "Extension.ExitError",
                };
                state.fail(kind, error_type.to_owned());
            }
            Ok(())
        })
    }

    /// The name of a registered extension.
    pub(crate) fn name_of(&self, id: Uuid) -> Option<String> {
        self.state.with(|state| {
            let agent = state.agents.iter().find(|agent| agent.id == id)?;
            (agent.phase != Phase::Started).then(|| agent.name.clone())
        })
    }
}

#[cfg(test)]
mod tests;
