//! The environments of one revision of a version on a capacity provider: so many are kept initialised,
//! and more are made while all their workers are busy.
//!
//! Lambda makes more by how busy machines are, and refuses what comes meanwhile. Here there is one
//! machine and a start takes a moment, so that what comes waits for it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html>

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::concurrency::Gauges;
use super::folder_watch::FolderWatch;
use super::pool::{Acquired, Host};
use super::provisioned::{init_limit, retry_after};
use super::start::Making;
use super::turns::Lane;
use super::waiting::Commitment;
use crate::environment::{Placed, Shared};
use crate::error::{InvokeError, ThrottleReason};
use crate::function::FunctionSpec;
use crate::info::ScaledStatus;
use crate::invocation::{InvokeEvent, InvokeOutcome};

/// Where all are busy for less than this, none is made.
const SHORT: Duration = Duration::from_millis(20);
/// How long an invocation waits where all are busy and there are to be no more: a worker that has
/// answered asks for its next event a moment later.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often it is looked after what has nothing to do, or cannot go on.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Fleet {
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) gauges: Gauges,
    host: Host,
    watch: Option<FolderWatch>,
    state: Mutex<State>,
    /// Told of each worker that becomes free.
    free: Arc<Notify>,
    /// Told of the end of each start.
    changed: Notify,
}

struct State {
    retired: bool,
    least: u32,
    most: u32,
    members: Vec<Arc<Shared>>,
    starting: u32,
    /// What the last start failed of, and how many failed in a row.
    failure: Option<String>,
    failures: u32,
    retrying: bool,
}

/// What becomes of an invocation that finds all busy.
enum Prospect {
    Start,
    Full,
    None(InvokeError),
}

impl Fleet {
    pub(crate) fn new(
        function: Arc<FunctionSpec>,
        gauges: Gauges,
        host: Host,
        watch: Option<FolderWatch>,
    ) -> Arc<Self> {
        let fleet = Arc::new(Self {
            function,
            gauges,
            host,
            watch,
            state: Mutex::new(State {
                retired: false,
                least: 0,
                most: u32::MAX,
                members: Vec::new(),
                starting: 0,
                failure: None,
                failures: 0,
                retrying: false,
            }),
            free: Arc::default(),
            changed: Notify::new(),
        });
        tokio::spawn(look_after(Arc::downgrade(&fleet)));
        fleet
    }

    /// Whether these environments run what is asked for, as the hot-reload folder has it now.
    pub(crate) fn serves(&self, function: &Arc<FunctionSpec>) -> bool {
        let same = Arc::ptr_eq(&self.function, function)
            || self.function.revision_id == function.revision_id;
        same && !self.watch.as_ref().is_some_and(FolderWatch::has_changed)
    }

    /// How many environments there are to be; what there is above that ends after its invocations.
    pub(crate) fn scale(self: &Arc<Self>, least: u32, most: u32) {
        let surplus = {
            let mut state = self.state.lock();
            (state.least, state.most) = (least, most);
            (state.failure, state.failures) = (None, 0);
            let kept = state.members.len().min(most as usize);
            state.members.split_off(kept)
        };
        leave(&surplus);
        self.changed.notify_waiters();
        self.replenish();
    }

    /// The least and the most that there are to be.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        let state = self.state.lock();
        (state.least, state.most)
    }

    pub(crate) fn status(&self) -> ScaledStatus {
        let state = self.state.lock();
        ScaledStatus {
            least: state.least,
            most: state.most,
            environments: state.members.len() as u32,
        }
    }

    /// Resolves when as many environments have been initialised as are kept so.
    ///
    /// # Errors
    /// Why one could not be.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = self.state.lock();
                if state.members.len() as u32 >= state.least || state.retired {
                    return Ok(());
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
            }
            changed.await;
        }
    }

    /// Runs the function on an event, as soon as a worker is free. Dropping the future before that
    /// takes the event back.
    pub(crate) async fn invoke(
        self: &Arc<Self>,
        event: &InvokeEvent,
        commitment: &Commitment,
    ) -> Result<InvokeOutcome, InvokeError> {
        loop {
            let placed = self.place().await?;
            commitment.make();
            if let Some(outcome) = placed.run(event).await {
                return Ok(outcome);
            }
        }
    }

    async fn place(self: &Arc<Self>) -> Result<Placed, InvokeError> {
        let mut waited = Duration::ZERO;
        loop {
            let mut free = pin!(self.free.notified());
            let mut changed = pin!(self.changed.notified());
            free.as_mut().enable();
            changed.as_mut().enable();
            if let Some(placed) = self.roomiest() {
                return Ok(placed);
            }
            let next = match self.prospect(waited >= SHORT) {
                Prospect::Start => None,
                Prospect::Full if waited >= PATIENCE => {
                    return Err(InvokeError::Throttled {
                        reason: ThrottleReason::ConcurrentInvocationLimitExceeded,
                    });
                }
                Prospect::Full if waited < SHORT => Some(SHORT),
                Prospect::Full => Some(PATIENCE),
                Prospect::None(error) => return Err(error),
            };
            // Real time whatever the clock: this is about the machine, not about the function.
            let since = tokio::time::Instant::now();
            let patience = async {
                match next {
                    Some(until) => tokio::time::sleep(until.saturating_sub(waited)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = free => {}
                () = changed => {}
                () = patience => {}
            }
            if next.is_some() {
                waited += since.elapsed();
            }
        }
    }

    /// A place in the environment that could take the most.
    fn roomiest(&self) -> Option<Placed> {
        let state = self.state.lock();
        let mut members: Vec<_> = state.members.iter().map(|one| (one.room(), one)).collect();
        members.sort_by_key(|(room, _)| std::cmp::Reverse(*room));
        members.into_iter().find_map(|(_, member)| member.reserve())
    }

    /// `grow`: whether another environment is to be made for this.
    fn prospect(self: &Arc<Self>, grow: bool) -> Prospect {
        let mut state = self.state.lock();
        if state.retired {
            return Prospect::None(InvokeError::ShuttingDown);
        }
        let there = state.members.len() as u32;
        if state.starting > 0 {
            return Prospect::Start;
        }
        if let Some(failure) = &state.failure {
            return match there {
                0 => Prospect::None(InvokeError::NotInitialised(failure.clone())),
                _ => Prospect::Full,
            };
        }
        if there >= state.most || !(grow || there == 0) {
            return Prospect::Full;
        }
        state.starting += 1;
        tokio::spawn(Arc::clone(self).start());
        Prospect::Start
    }

    /// Starts what is missing: after a failure one at a time, as a function that cannot begin must
    /// not keep the host busy.
    fn replenish(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let there = state.members.len() as u32 + state.starting;
        let missing = state.least.saturating_sub(there);
        let now = match (state.failures, state.retrying) {
            _ if state.retired => 0,
            (0, _) => missing,
            (_, true) => 0,
            (_, false) => missing.min(1_u32.saturating_sub(state.starting)),
        };
        state.starting += now;
        for _ in 0..now {
            tokio::spawn(Arc::clone(self).start());
        }
    }

    async fn start(self: Arc<Self>) {
        let turn = self.host.turns.turn(Lane::new(&self.function.key, true));
        let acquired = match turn.await {
            Some(turn) => {
                let making = Making {
                    function: &self.function,
                    launcher: &self.host.launcher,
                    reclaimer: &self.host.reclaimer,
                };
                let limit = init_limit(&self.function);
                making.start_one(turn, true, limit).await
            }
            None => Acquired::Refused(InvokeError::ShuttingDown.into()),
        };
        let failure = acquired.failure();
        if let Acquired::Ready(environment) = acquired {
            self.add(environment.share());
        } else {
            self.fail(failure);
        }
        self.changed.notify_waiters();
        // There may be more to start, now that starts succeed.
        self.replenish();
    }

    fn add(self: &Arc<Self>, member: Arc<Shared>) {
        {
            let mut state = self.state.lock();
            state.starting -= 1;
            (state.failure, state.failures) = (None, 0);
            if state.retired || state.members.len() as u32 >= state.most {
                return;
            }
            state.members.push(Arc::clone(&member));
        }
        member.tell(Arc::clone(&self.free));
        let fleet = Arc::downgrade(self);
        tokio::spawn(async move {
            member.ended().await;
            if let Some(fleet) = fleet.upgrade() {
                fleet.lose(&member);
            }
        });
    }

    fn lose(self: &Arc<Self>, member: &Arc<Shared>) {
        let mut state = self.state.lock();
        state.members.retain(|other| !Arc::ptr_eq(other, member));
        drop(state);
        self.replenish();
    }

    /// Notes why a start failed, and tries again after a while.
    fn fail(self: &Arc<Self>, cause: Option<String>) {
        let wait = {
            let mut state = self.state.lock();
            state.starting -= 1;
            state.failure = cause;
            state.failures += 1;
            if state.retrying {
                return;
            }
            state.retrying = true;
            retry_after(state.failures)
        };
        let clock = self.host.launcher.ports.clock.clone();
        // What waits must not hold the code of a function that is deleted meanwhile.
        let fleet = Arc::downgrade(self);
        tokio::spawn(async move {
            clock.sleep(wait).await;
            if let Some(fleet) = fleet.upgrade() {
                let mut state = fleet.state.lock();
                state.retrying = false;
                state.failure = None;
                drop(state);
                fleet.replenish();
            }
        });
    }

    /// Ends what is there, after its invocations.
    pub(crate) fn retire(&self) {
        let members = {
            let mut state = self.state.lock();
            state.retired = true;
            std::mem::take(&mut state.members)
        };
        leave(&members);
        self.changed.notify_waiters();
    }

    /// Ends what cannot go on, and, above the least, what has had nothing to do for long.
    fn tidy(self: &Arc<Self>) {
        let config = &self.host.launcher.config;
        let now = self.host.launcher.ports.clock.now();
        let short = config.is_memory_short();
        let mut ended = Vec::new();
        {
            let mut state = self.state.lock();
            let mut surplus = state.members.len().saturating_sub(state.least as usize);
            let members = std::mem::take(&mut state.members);
            for member in members {
                let idle = member.idle_since().map(|since| now.since(since));
                let leaves = idle.is_some_and(|idle| short || idle >= config.idle_timeout);
                if surplus > 0 && leaves {
                    surplus -= 1;
                    ended.push(member);
                } else if member.is_sound(now) {
                    state.members.push(member);
                } else {
                    ended.push(member);
                }
            }
        }
        if !ended.is_empty() {
            leave(&ended);
            self.replenish();
        }
    }
}

fn leave(members: &[Arc<Shared>]) {
    for member in members {
        member.leave();
    }
}

async fn look_after(fleet: Weak<Fleet>) {
    loop {
        let Some(clock) = fleet
            .upgrade()
            .map(|it| it.host.launcher.ports.clock.clone())
        else {
            return;
        };
        clock.sleep(EVERY).await;
        if let Some(fleet) = fleet.upgrade() {
            fleet.tidy();
        }
    }
}
