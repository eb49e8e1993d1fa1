//! Provisioned concurrency: environments that are initialised ahead, kept ready, and replaced.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html>

use std::sync::Arc;
use std::time::Duration;

use super::pool::{Acquired, Lost, Pool};
use crate::environment::{StartError, Unrunnable};
use crate::function::FunctionSpec;
use crate::info::ProvisionedStatus;

/// The least that an init ahead of invocations may take; a function's timeout if that is longer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_LIMIT: Duration = Duration::from_secs(130);
/// After the first failure; twice as long after each further one.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const RETRY_AT_LEAST_EVERY: Duration = Duration::from_mins(1);

/// What is kept ready in a pool.
#[derive(Debug, Default)]
pub(super) struct Provisioned {
    wanted: u32,
    /// Initialised ones, whether or not they have an invocation.
    alive: u32,
    starting: u32,
    /// Those that are being frozen, and so neither idle nor in use.
    pub(super) freezing: usize,
    /// What the last start failed of, and how many failed in a row.
    failure: Option<String>,
    failures: u32,
    retrying: bool,
}

impl Provisioned {
    /// Whether there is one too many, which is not counted any more.
    pub(super) fn give_up_one(&mut self) -> bool {
        let surplus = self.alive > self.wanted;
        if surplus {
            self.alive -= 1;
        }
        surplus
    }

    pub(super) fn lose_one(&mut self) {
        self.alive = self.alive.saturating_sub(1);
    }

    /// Counts in those that are to be started now. After a failure it is one at a time: a function
    /// that cannot begin must not keep the host busy.
    fn begin(&mut self) -> u32 {
        let missing = self.wanted.saturating_sub(self.alive + self.starting);
        let now = match (self.failures, self.retrying) {
            (0, _) => missing,
            (_, true) => 0,
            (_, false) => missing.min(1u32.saturating_sub(self.starting)),
        };
        self.starting += now;
        now
    }

    /// Whether a start that was begun is still wanted; otherwise it is not counted any more.
    fn confirm(&mut self) -> bool {
        let wanted = self.alive + self.starting <= self.wanted;
        if !wanted {
            self.starting -= 1;
        }
        wanted
    }
}

impl Pool {
    /// Keeps this many environments ready, of a function that has reserved this much concurrency;
    /// `false` if this pool has been retired.
    pub(crate) fn provision(self: &Arc<Self>, count: u32, reserved: Option<u32>) -> bool {
        let surplus = {
            let mut state = self.state.lock();
            if state.retired {
                return false;
            }
            let provisioned = &mut state.provisioned;
            provisioned.wanted = count;
            (provisioned.failure, provisioned.failures) = (None, 0);
            let surplus = provisioned.alive.saturating_sub(count);
            let surplus = state.idle.take_provisioned(surplus as usize);
            state.provisioned.alive -= surplus.len() as u32;
            // Under the lock, so that what retires this pool has the last word.
            let now = self.launcher.ports.clock.now();
            self.gauges.note_reserved(reserved, now);
            self.gauges.set_provisioned(count);
            surplus
        };
        drop(surplus);
        self.replenish();
        true
    }

    /// How many are to be kept ready.
    pub(crate) fn provisioned(&self) -> u32 {
        self.state.lock().provisioned.wanted
    }

    /// `None` if none are to be kept ready.
    pub(crate) fn provisioned_status(&self) -> Option<ProvisionedStatus> {
        let state = self.state.lock();
        let provisioned = &state.provisioned;
        (provisioned.wanted > 0).then(|| ProvisionedStatus {
            requested: provisioned.wanted,
            allocated: provisioned.alive,
            available: (state.idle.provisioned() + provisioned.freezing) as u32,
            failure: provisioned.failure.clone(),
        })
    }

    /// Starts what is missing.
    pub(super) fn replenish(self: &Arc<Self>) {
        let starts = {
            let mut state = self.state.lock();
            if state.retired {
                0
            } else {
                state.provisioned.begin()
            }
        };
        for _ in 0..starts {
            tokio::spawn(Arc::clone(self).start_provisioned());
        }
    }

    /// Replaces those that rest and can take no event: that died, or whose credentials end.
    pub(super) fn replace_unsound(self: &Arc<Self>) {
        let now = self.launcher.ports.clock.now();
        let unsound = self.state.lock().idle.take_unsound(now);
        for environment in unsound {
            drop(environment);
            self.replace(Lost::Provisioned);
        }
    }

    async fn start_provisioned(self: Arc<Self>) {
        let Some(turn) = self.turn(true).await else {
            return;
        };
        {
            let mut state = self.state.lock();
            if state.retired || !state.provisioned.confirm() {
                return;
            }
        }
        let limit = init_limit(&self.function);
        let acquired = self.making().start_one(turn, true, limit).await;
        if let Some(cause) = acquired.failure() {
            self.fail(cause);
            return;
        }
        {
            let mut state = self.state.lock();
            let provisioned = &mut state.provisioned;
            provisioned.starting -= 1;
            provisioned.alive += 1;
            (provisioned.failure, provisioned.failures) = (None, 0);
        }
        self.hand_over(acquired);
        // There may be more to start, now that starts succeed.
        self.replenish();
    }

    /// Notes why a start failed, and tries again after a while.
    fn fail(self: &Arc<Self>, cause: String) {
        let wait = {
            let mut state = self.state.lock();
            let provisioned = &mut state.provisioned;
            provisioned.starting -= 1;
            provisioned.failure = Some(cause);
            provisioned.failures += 1;
            if provisioned.retrying {
                return;
            }
            provisioned.retrying = true;
            retry_after(provisioned.failures)
        };
        let clock = self.launcher.ports.clock.clone();
        // What waits must not hold the code of a function that is deleted meanwhile.
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            clock.sleep(wait).await;
            if let Some(pool) = pool.upgrade() {
                pool.state.lock().provisioned.retrying = false;
                pool.replenish();
            }
        });
    }
}

/// How long to wait after so many failures in a row.
pub(super) fn retry_after(failures: u32) -> Duration {
    let doubled = 1 << failures.saturating_sub(1).min(10);
    (RETRY_AFTER * doubled).min(RETRY_AT_LEAST_EVERY)
}

/// How long the init of a version may take ahead of its invocations.
pub(super) fn init_limit(function: &FunctionSpec) -> Duration {
    INIT_LIMIT.max(function.timeout)
}

impl Acquired {
    /// Why there is no environment.
    pub(super) fn failure(&self) -> Option<String> {
        match self {
            Self::Ready(_) => None,
            Self::Failed(failed) => Some(failed.describe()),
            Self::Refused(error) => Some(start_failure(error)),
        }
    }
}

fn start_failure(error: &StartError) -> String {
    match error {
        StartError::Entrypoint(Unrunnable { error_type, reason }) => {
            format!("{error_type}: {reason}")
        }
        StartError::Other(error) => error.to_string(),
    }
}
