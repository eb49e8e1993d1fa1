//! All extensions of an environment, and what each may do next.

use uuid::Uuid;

use super::agent::{Agent, EventKind, Phase};
use super::{ExtensionFailure, MOST, Refusal};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) agents: Vec<Agent>,
    /// The runtime is ready: nobody registers any more.
    pub(super) is_closed: bool,
    pub(super) is_shutting_down: bool,
    pub(super) failure: Option<ExtensionFailure>,
}

impl State {
    pub(super) fn fail(&mut self, error_type: &'static str, message: String) {
        // The first is what all the others come from.
        self.failure.get_or_insert(ExtensionFailure {
            error_type,
            message,
        });
    }

    pub(super) fn register(&mut self, name: &str, events: Vec<EventKind>) -> Result<Uuid, Refusal> {
        let refused = |error_type, message: String| {
            Err(Refusal {
                error_type,
                message,
            })
        };
        let known = self.agents.iter_mut().find(|agent| agent.name == name);
        if let Some(agent) = known {
            if !agent.is_external {
                let message = "Extension with this name already registered".to_owned();
                return refused("Extension.InvalidExtensionState", message);
            }
            if agent.phase != Phase::Started {
                return Err(impossible(agent.phase, Phase::Registered, name));
            }
            agent.events = events;
            agent.phase = Phase::Registered;
            return Ok(agent.id);
        }
        if events.contains(&EventKind::Shutdown) {
            let message = "SHUTDOWN: event not supported for internal extensions".to_owned();
            return refused("Extension.InvalidEventType", message);
        }
        if self.is_closed {
            let message = "Extension registration closed already".to_owned();
            return refused("Extension.RegistrationClosed", message);
        }
        if self.agents.len() >= MOST {
            let message = format!("Extension limit ({MOST}) reached");
            return refused("Extension.TooManyExtensions", message);
        }
        let mut agent = Agent::new(name, false);
        agent.events = events;
        agent.phase = Phase::Registered;
        let id = agent.id;
        self.agents.push(agent);
        Ok(id)
    }

    pub(super) fn transition(&mut self, id: Uuid, to: Phase) -> Result<(), Refusal> {
        let Some(agent) = self.agents.iter_mut().find(|agent| agent.id == id) else {
            return Err(Refusal {
                error_type: "Extension.UnknownExtensionIdentifier",
                message: format!("Unknown extension {id}"),
            });
        };
        let possible = match to {
            // Asked again: the connection that it waited on may have broken.
            Phase::Ready => matches!(
                agent.phase,
                Phase::Registered | Phase::Ready | Phase::Running
            ),
            Phase::InitError => agent.phase == Phase::Registered,
            _ => matches!(
                agent.phase,
                Phase::Registered | Phase::Ready | Phase::Running
            ),
        };
        if !possible {
            return Err(impossible(agent.phase, to, &id.to_string()));
        }
        agent.phase = to;
        Ok(())
    }
}

fn impossible(from: Phase, to: Phase, whose: &str) -> Refusal {
    let (from, to) = (from.as_str(), to.as_str());
    Refusal {
        error_type: "Extension.InvalidExtensionState",
        message: format!(
            "State transition from {from} to {to} failed for extension {whose}. Error: State \
             transition is not allowed"
        ),
    }
}
