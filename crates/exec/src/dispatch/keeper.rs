//! Freezes environments a moment after their last invocation, and ends them after a long time.
//!
//! One task for each pool that has anything idle. It looks only when something can be due, so that
//! a call that follows closely on another meets an environment that nobody touched.

use std::sync::Arc;

use base::Timestamp;

use super::pool::{self, Acquired, Pool, Resting, State};
use crate::environment::{Environment, Frozen, Idle};

/// Makes sure that the keeper looks at an environment that became idle at that time.
pub(super) fn expect(pool: &Arc<Pool>, state: &mut State, idle_since: Timestamp) {
    let due = idle_since + pool.launcher.config.freeze_after;
    match state.keeper {
        Some(looks) if looks <= due => {}
        Some(_) => {
            state.keeper = Some(due);
            pool.wake_keeper.notify_one();
        }
        None => {
            state.keeper = Some(due);
            tokio::spawn(keep(Arc::clone(pool), due));
        }
    }
}

async fn keep(pool: Arc<Pool>, mut due: Timestamp) {
    let clock = pool.launcher.ports.clock.clone();
    loop {
        tokio::select! {
            () = clock.sleep_until(due) => {}
            () = pool.wake_keeper.notified() => {}
        }
        let Due { gone, drowsy } = take_due(&pool, clock.now());
        drop(gone);
        for environment in drowsy {
            freeze(&pool, environment).await;
        }
        match look_again(&pool) {
            Some(next) => due = next,
            None => return,
        }
    }
}

/// When something is due next; `None` ends the keeper.
fn look_again(pool: &Pool) -> Option<Timestamp> {
    let mut state = pool.state.lock();
    state.keeper = next_due(pool, &state);
    state.keeper
}

/// What has rested long enough for something to happen to it.
#[derive(Default)]
struct Due {
    gone: Vec<Resting>,
    drowsy: Vec<Environment<Idle>>,
}

/// Takes it out, so that the pool is free meanwhile.
fn take_due(pool: &Pool, now: Timestamp) -> Due {
    let config = &pool.launcher.config;
    let mut state = pool.state.lock();
    let mut due = Due::default();
    for resting in std::mem::take(&mut state.idle) {
        let idle = now.since(resting.idle_since());
        match resting {
            resting if idle >= config.idle_timeout => due.gone.push(resting),
            Resting::Idle(environment) if idle >= config.freeze_after => {
                due.drowsy.push(environment);
            }
            resting => state.idle.push(resting),
        }
    }
    // Soon free again: whoever comes meanwhile need not start another.
    state.busy += due.drowsy.len();
    due
}

/// Freezes an environment on a thread that may block, and puts it back.
async fn freeze(pool: &Arc<Pool>, environment: Environment<Idle>) {
    let frozen = tokio::task::spawn_blocking(move || environment.freeze()).await;
    if let Some(wanted) = put_back(pool, frozen.ok().flatten())
        && let Some(environment) = pool::thaw(wanted).await
    {
        pool.hand_over(Acquired::Ready(environment));
    }
}

/// Lets a frozen environment rest, unless somebody waits for it already.
fn put_back(pool: &Pool, frozen: Option<Environment<Frozen>>) -> Option<Environment<Frozen>> {
    let mut state = pool.state.lock();
    state.busy -= 1;
    let environment = frozen?;
    if !state.waiting.is_empty() {
        return Some(environment);
    }
    if state.retired {
        drop(state);
        drop(environment);
        return None;
    }
    let later = |resting: &Resting| resting.idle_since() > environment.idle_since();
    let at = state
        .idle
        .iter()
        .position(later)
        .unwrap_or(state.idle.len());
    environment.rests();
    state.idle.insert(at, Resting::Frozen(environment));
    None
}

fn next_due(pool: &Pool, state: &State) -> Option<Timestamp> {
    let config = &pool.launcher.config;
    let due = |resting: &Resting| match resting {
        Resting::Idle(_) => resting.idle_since() + config.freeze_after,
        Resting::Frozen(_) => resting.idle_since() + config.idle_timeout,
    };
    state.idle.iter().map(due).min()
}

impl Resting {
    fn idle_since(&self) -> Timestamp {
        match self {
            Self::Idle(environment) => environment.idle_since(),
            Self::Frozen(environment) => environment.idle_since(),
        }
    }
}
