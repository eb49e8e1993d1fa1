//! The environments of one revision of one function version.
//!
//! An event takes the environment that was used last; where none is idle it waits, and a start
//! begins. Whatever is free first serves whoever waits longest: a new environment, or one whose
//! invocation ended. A start that nobody waits for any more does not happen.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::concurrency::Gauges;
use super::folder_watch::FolderWatch;
use super::idle::{IdleList, Resting};
use super::keeper;
use super::provisioned::Provisioned;
use super::reclaim::Reclaimer;
use super::turns::Turns;
use super::waiting::{Commitment, Place, Waiting};
use crate::environment::{Environment, FailedInit, Frozen, Idle, Launcher, Next, StartError};
use crate::error::InvokeError;
use crate::function::FunctionSpec;

/// The environments of one revision.
pub(crate) struct Pool {
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) gauges: Gauges,
    pub(super) launcher: Arc<Launcher>,
    pub(super) turns: Turns,
    pub(super) reclaimer: Arc<Reclaimer>,
    watch: Option<FolderWatch>,
    pub(super) state: Mutex<State>,
    pub(super) wake_keeper: Notify,
}

/// What the pools of a host share.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) launcher: Arc<Launcher>,
    pub(crate) turns: Turns,
    pub(crate) reclaimer: Arc<Reclaimer>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) retired: bool,
    pub(super) idle: IdleList,
    pub(super) waiting: Waiting,
    /// Starts that have been decided; never fewer than those who wait.
    pub(super) starting: usize,
    pub(super) busy: usize,
    pub(super) provisioned: Provisioned,
    /// How long invocations take, as a moving average.
    pub(super) typical: Option<Duration>,
    /// When the keeper looks next; `None` when there is none.
    pub(super) keeper: Option<Timestamp>,
}

/// What an event gets.
pub(crate) enum Acquired {
    Ready(Environment<Idle>),
    /// A start whose init failed; it is to be run again, within the invocation.
    Failed(FailedInit),
    Refused(StartError),
}

/// Which kind of environment is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    OnDemand,
    /// One that is kept ready, and so is replaced.
    Provisioned,
}

enum Taken {
    Resting(Resting),
    Place(Place),
}

impl Pool {
    pub(crate) fn new(
        function: Arc<FunctionSpec>,
        gauges: Gauges,
        host: Host,
        watch: Option<FolderWatch>,
    ) -> Arc<Self> {
        let (state, wake_keeper) = (Mutex::default(), Notify::new());
        let Host {
            launcher,
            turns,
            reclaimer,
        } = host;
        let pool = Arc::new(Self {
            function,
            gauges,
            launcher,
            turns,
            reclaimer,
            watch,
            state,
            wake_keeper,
        });
        pool.reclaimer.add(&pool);
        pool
    }

    /// Whether these environments run what is asked for, as the hot-reload folder has it now.
    pub(crate) fn serves(&self, function: &Arc<FunctionSpec>) -> bool {
        let same = Arc::ptr_eq(&self.function, function)
            || self.function.revision_id == function.revision_id;
        same && !self.watch.as_ref().is_some_and(FolderWatch::has_changed)
    }

    /// An environment for an event, which from then on is to run. Dropping the future before that
    /// leaves the line.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        commitment: &Arc<Commitment>,
    ) -> Result<Acquired, InvokeError> {
        loop {
            let (environment, kind) = match self.take_idle_or_wait(commitment)? {
                Taken::Resting(resting) => {
                    let kind = Lost::of(resting.is_provisioned());
                    (self.awaken(resting).await, kind)
                }
                Taken::Place(mut place) => {
                    match place.wait().await.ok_or(InvokeError::ShuttingDown)? {
                        Acquired::Ready(environment) => {
                            let kind = Lost::of(environment.is_provisioned());
                            let good = Some(environment).filter(|one| !one.is_spoilt());
                            (good, kind)
                        }
                        failed => return Ok(failed),
                    }
                }
            };
            if let Some(environment) = environment {
                return Ok(Acquired::Ready(environment));
            }
            self.state.lock().busy -= 1;
            self.replace(kind);
        }
    }

    /// What is idle, or else a place in the line, with a start on its way.
    fn take_idle_or_wait(
        self: &Arc<Self>,
        commitment: &Arc<Commitment>,
    ) -> Result<Taken, InvokeError> {
        let mut state = self.state.lock();
        if let Some(resting) = state.idle.take() {
            state.busy += 1;
            commitment.make();
            return Ok(Taken::Resting(resting));
        }
        if state.starting <= state.waiting.len() {
            self.gauges.take_start(self.launcher.ports.clock.now())?;
            state.starting += 1;
            tokio::spawn(Arc::clone(self).start());
        }
        Ok(Taken::Place(state.waiting.join(self, commitment)))
    }

    async fn awaken(&self, resting: Resting) -> Option<Environment<Idle>> {
        let environment = match resting {
            Resting::Idle(environment) => environment,
            Resting::Frozen(environment) => thaw(environment).await?,
        };
        let now = self.launcher.ports.clock.now();
        environment.is_sound(now).then_some(environment)
    }

    /// Takes back what an invocation left, which took this long.
    pub(crate) fn give_back(self: &Arc<Self>, next: Next, kind: Lost, took: Duration) {
        match next {
            Next::Idle(environment) => self.release(Some(environment), kind, took),
            Next::Gone => self.release(None, kind, took),
            Next::Settling(environment) => {
                let pool = Arc::clone(self);
                tokio::spawn(async move {
                    let settled = environment.settle().await;
                    pool.release(settled, kind, took);
                });
            }
        }
    }

    /// One of those that were busy is free, or gone.
    fn release(
        self: &Arc<Self>,
        environment: Option<Environment<Idle>>,
        kind: Lost,
        took: Duration,
    ) {
        {
            let mut state = self.state.lock();
            state.busy -= 1;
            state.typical = Some(match state.typical {
                Some(typical) => (typical * 7 + took) / 8,
                None => took,
            });
        }
        match environment {
            Some(environment) => self.hand_over(Acquired::Ready(environment)),
            None => self.replace(kind),
        }
    }

    /// A failed init was run again, and counts as busy as long as that goes on.
    pub(crate) fn count_busy(&self) {
        self.state.lock().busy += 1;
    }

    /// Gives it to whoever waits longest, else lets it rest.
    pub(super) fn hand_over(self: &Arc<Self>, acquired: Acquired) {
        let mut state = self.state.lock();
        let ready = matches!(acquired, Acquired::Ready(_));
        let Some(left) = state.waiting.give(acquired) else {
            state.busy += usize::from(ready);
            return;
        };
        if let Acquired::Ready(environment) = left {
            let superfluous = environment.is_provisioned() && state.provisioned.give_up_one();
            if state.retired || superfluous {
                drop(state);
                drop(environment);
                return;
            }
            let since = environment.idle_since();
            state.idle.rest(Resting::Idle(environment));
            keeper::expect(self, &mut state, since);
            drop(state);
            self.reclaimer.expect();
        }
    }

    /// An environment is no more.
    pub(super) fn replace(self: &Arc<Self>, kind: Lost) {
        if kind == Lost::Provisioned {
            self.state.lock().provisioned.lose_one();
            self.replenish();
        }
    }

    /// Whether nothing is here, and nobody waits for anything.
    pub(super) fn is_deserted(&self) -> bool {
        let state = self.state.lock();
        let State { busy, starting, .. } = *state;
        busy == 0 && starting == 0 && state.idle.is_empty() && state.waiting.is_empty()
    }

    /// Ends what is idle now, and what is busy after its invocation.
    pub(crate) fn retire(&self) {
        let idle = {
            let mut state = self.state.lock();
            state.retired = true;
            std::mem::take(&mut state.idle)
        };
        drop(idle);
        // It would hold the pool, and so the code, until the idle time is over.
        self.wake_keeper.notify_one();
    }
}

impl Lost {
    pub(crate) fn of(provisioned: bool) -> Self {
        if provisioned {
            Self::Provisioned
        } else {
            Self::OnDemand
        }
    }
}

/// Thaws on a thread that may block.
pub(super) async fn thaw(environment: Environment<Frozen>) -> Option<Environment<Idle>> {
    let thawed = tokio::task::spawn_blocking(move || environment.thaw()).await;
    thawed.ok().flatten()
}
