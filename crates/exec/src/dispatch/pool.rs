//! The environments of one revision of one function version.
//!
//! An event takes the environment that was used last; where none is idle it waits, and a start
//! begins. Whatever is free first serves whoever waits longest: a new environment, or one whose
//! invocation ended. A start that nobody waits for any more does not happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::concurrency::Gauges;
use super::folder_watch::FolderWatch;
use super::keeper;
use crate::environment::{
    Environment, FailedInit, Frozen, Idle, Launcher, Next, StartError, Starting,
};
use crate::error::InvokeError;
use crate::function::FunctionSpec;

/// An init that takes longer does not keep others from starting: it is waiting, most likely.
const START_TURN: Duration = Duration::from_millis(500);
/// Where invocations are this short, one that is under way may end before a start would.
const SHORT: Duration = Duration::from_millis(10);

/// The environments of one revision.
pub(crate) struct Pool {
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) gauges: Gauges,
    pub(super) launcher: Arc<Launcher>,
    starts: Arc<Semaphore>,
    watch: Option<FolderWatch>,
    pub(super) state: Mutex<State>,
    pub(super) wake_keeper: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) retired: bool,
    /// The last one was used last.
    pub(super) idle: Vec<Resting>,
    pub(super) waiting: VecDeque<oneshot::Sender<Acquired>>,
    /// Starts that have been decided; never fewer than those who wait.
    starting: usize,
    pub(super) busy: usize,
    /// How long invocations take, as a moving average.
    typical: Option<Duration>,
    /// When the keeper looks next; `None` when there is none.
    pub(super) keeper: Option<Timestamp>,
}

/// An environment between invocations.
pub(super) enum Resting {
    Idle(Environment<Idle>),
    Frozen(Environment<Frozen>),
}

/// What an event gets.
pub(crate) enum Acquired {
    Ready(Environment<Idle>),
    /// A start whose init failed; it is to be run again, within the invocation.
    Failed(FailedInit),
    Refused(StartError),
}

impl Pool {
    pub(crate) fn new(
        function: Arc<FunctionSpec>,
        gauges: Gauges,
        launcher: Arc<Launcher>,
        starts: Arc<Semaphore>,
        watch: Option<FolderWatch>,
    ) -> Self {
        let (state, wake_keeper) = (Mutex::default(), Notify::new());
        Self {
            function,
            gauges,
            launcher,
            starts,
            watch,
            state,
            wake_keeper,
        }
    }

    /// Whether these environments run what is asked for, as the hot-reload folder has it now.
    pub(crate) fn serves(&self, function: &Arc<FunctionSpec>) -> bool {
        let same = Arc::ptr_eq(&self.function, function)
            || self.function.revision_id == function.revision_id;
        same && !self.watch.as_ref().is_some_and(FolderWatch::has_changed)
    }

    /// An environment for an event. `None` only if the server is ending.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Option<Acquired> {
        loop {
            let environment = match self.take_idle_or_wait() {
                Ok(resting) => self.awaken(resting).await,
                Err(waiting) => match waiting.await.ok()? {
                    Acquired::Ready(environment) => {
                        Some(environment).filter(|environment| !environment.is_spoilt())
                    }
                    failed => return Some(failed),
                },
            };
            if let Some(environment) = environment {
                return Some(Acquired::Ready(environment));
            }
            self.state.lock().busy -= 1;
        }
    }

    /// What is idle, or else a place in the queue, with a start on its way.
    fn take_idle_or_wait(self: &Arc<Self>) -> Result<Resting, oneshot::Receiver<Acquired>> {
        let mut state = self.state.lock();
        if let Some(resting) = state.idle.pop() {
            state.busy += 1;
            return Ok(resting);
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push_back(sender);
        if state.starting < state.waiting.len() {
            state.starting += 1;
            tokio::spawn(Arc::clone(self).start());
        }
        Err(receiver)
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
    pub(crate) fn give_back(self: &Arc<Self>, next: Next, took: Duration) {
        match next {
            Next::Idle(environment) => self.release(Some(environment), took),
            Next::Gone => self.release(None, took),
            Next::Settling(environment) => {
                let pool = Arc::clone(self);
                tokio::spawn(async move {
                    let settled = environment.settle().await;
                    pool.release(settled, took);
                });
            }
        }
    }

    /// One of those that were busy is free, or gone.
    fn release(self: &Arc<Self>, environment: Option<Environment<Idle>>, took: Duration) {
        {
            let mut state = self.state.lock();
            state.busy -= 1;
            state.typical = Some(match state.typical {
                Some(typical) => (typical * 7 + took) / 8,
                None => took,
            });
        }
        if let Some(environment) = environment {
            self.hand_over(Acquired::Ready(environment));
        }
    }

    /// A failed init was run again, and counts as busy as long as that goes on.
    pub(crate) fn count_busy(&self) {
        self.state.lock().busy += 1;
    }

    /// Gives it to whoever waits longest, else lets it rest.
    pub(super) fn hand_over(self: &Arc<Self>, acquired: Acquired) {
        let mut state = self.state.lock();
        let mut acquired = acquired;
        let ready = matches!(acquired, Acquired::Ready(_));
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(acquired) {
                Ok(()) => {
                    state.busy += usize::from(ready);
                    return;
                }
                // Whoever waited is gone.
                Err(back) => acquired = back,
            }
        }
        if let Acquired::Ready(environment) = acquired {
            if state.retired {
                drop(state);
                drop(environment);
            } else {
                let since = environment.idle_since();
                state.idle.push(Resting::Idle(environment));
                keeper::expect(self, &mut state, since);
            }
        }
    }

    async fn start(self: Arc<Self>) {
        self.wait_for_a_short_one().await;
        let acquired = match self.turn().await {
            Some(_) if self.is_start_superfluous() => return,
            Some(turn) => self.start_one(turn).await,
            None => Acquired::Refused(StartError::Other(InvokeError::ShuttingDown)),
        };
        self.state.lock().starting -= 1;
        self.hand_over(acquired);
    }

    async fn start_one(&self, turn: OwnedSemaphorePermit) -> Acquired {
        let function = Arc::clone(&self.function);
        let starting = Starting {
            function,
            log_stream: None,
            tail: false,
        };
        let environment = match self.launcher.start(starting).await {
            Ok(environment) => environment,
            Err(error) => return Acquired::Refused(error),
        };
        let init = environment.init(self.launcher.config.init_timeout);
        tokio::pin!(init);
        let initialised = tokio::select! {
            initialised = &mut init => initialised,
            () = tokio::time::sleep(START_TURN) => {
                drop(turn);
                init.await
            }
        };
        match initialised {
            Ok(environment) => Acquired::Ready(environment),
            Err(failed) => Acquired::Failed(failed),
        }
    }

    /// Waits a moment if one that is busy will be free in much less than a start takes.
    async fn wait_for_a_short_one(&self) {
        let typical = {
            let state = self.state.lock();
            state
                .typical
                .filter(|typical| state.busy > 0 && *typical < SHORT)
        };
        if let Some(typical) = typical {
            tokio::time::sleep(typical * 2 + Duration::from_millis(1)).await;
        }
    }

    /// Ends a decided start if those that remain suffice.
    fn is_start_superfluous(&self) -> bool {
        let mut state = self.state.lock();
        let superfluous = state.starting > state.waiting.len();
        if superfluous {
            state.starting -= 1;
        }
        superfluous
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

    /// Waits for a turn among the starts of this host; `None` if there will be no more.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.starts).acquire_owned().await.ok()
    }
}

/// Thaws on a thread that may block.
pub(super) async fn thaw(environment: Environment<Frozen>) -> Option<Environment<Idle>> {
    let thawed = tokio::task::spawn_blocking(move || environment.thaw()).await;
    thawed.ok().flatten()
}
