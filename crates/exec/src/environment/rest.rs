//! What happens to an environment between invocations: it waits, is frozen, is thawed.

use std::time::Duration;

use base::Timestamp;
use sandbox::SandboxError;

use super::link::Link;
use super::{Core, Environment, Frozen, Idle};
use crate::info::EnvironmentState;

impl Environment<Idle> {
    /// Stops every process; `None` if there is none any more. Blocks, on a busy host for
    /// milliseconds: the kernel has one lock for all control groups.
    pub(crate) fn freeze(self) -> Option<Environment<Frozen>> {
        match self.core.sandbox.freeze() {
            Ok(()) => {}
            Err(SandboxError::Ended) => return None,
            // Half frozen, perhaps: to be thawed before its next event all the same.
            Err(error) => {
                tracing::debug!(%error, function = %self.core.function.key, "freeze an environment");
            }
        }
        let idle_since = self.state.since;
        Some(self.into_state(Frozen { idle_since }))
    }

    pub(crate) fn idle_since(&self) -> Timestamp {
        self.state.since
    }

    /// Whether an event ended it or left it with more to say, as a forked child that answers too
    /// does: the next event would get that. A new environment counts as good, for its first event
    /// is to tell what is wrong with it.
    pub(crate) fn is_spoilt(&self) -> bool {
        self.core.first.is_none() && self.core.is_disturbed()
    }

    /// Whether it can take an event: alive, silent, and with credentials that outlast it.
    pub(crate) fn is_sound(&self, now: Timestamp) -> bool {
        self.core.is_sound(now)
    }
}

impl Core {
    /// Whether it can take an event: alive, and with credentials that outlast it.
    pub(super) fn is_sound(&self, now: Timestamp) -> bool {
        let needed = now + self.function.timeout + CREDENTIALS_MARGIN;
        let until = self.credentials_until;
        until.is_none_or(|until| needed < until) && !self.is_disturbed()
    }

    /// Whether it has ended, or spoken though nobody asked.
    fn is_disturbed(&self) -> bool {
        if self.host.extensions.has_failed() {
            return true;
        }
        let launched = self.launched.as_ref();
        if launched.is_some_and(|launched| launched.runtime_status().is_some()) {
            return true;
        }
        match &self.link {
            Link::Frames(_) => self.link.is_disturbed(),
            // Its connections come and go: only the kernel knows whether it lives.
            Link::Api(_) => !matches!(self.sandbox.program_has_ended(), Ok(false)),
        }
    }
}

/// An environment is replaced when its credentials have less than this beyond a whole invocation.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(30);

impl Environment<Frozen> {
    /// Shows it as frozen: from when the next event can have it, not earlier.
    pub(crate) fn rests(&self) {
        self.core.registration.is_now(EnvironmentState::Frozen);
    }

    pub(crate) fn idle_since(&self) -> Timestamp {
        self.state.idle_since
    }

    /// Whether it could take an event, once thawed.
    pub(crate) fn is_sound(&self, now: Timestamp) -> bool {
        self.core.is_sound(now)
    }

    /// Lets every process continue; `None` if that cannot be. Blocks as freezing does.
    pub(crate) fn thaw(self) -> Option<Environment<Idle>> {
        if let Err(error) = self.core.sandbox.thaw() {
            tracing::debug!(%error, function = %self.core.function.key, "thaw an environment");
            return None;
        }
        self.core.registration.is_now(EnvironmentState::Idle);
        let since = self.state.idle_since;
        Some(self.into_state(Idle { since }))
    }
}
