//! Freezes environments a moment after their last invocation, and ends them after a long time.
//!
//! One task for each pool that has anything idle. It looks only when something can be due, so that
//! a call that follows closely on another meets an environment that nobody touched.

use std::sync::Arc;

use base::Timestamp;

use super::pool::{Pool, Resting, State};

/// Makes sure that the keeper looks at an environment that has just become idle.
pub(super) fn expect(pool: &Arc<Pool>, state: &mut State) {
    let due = pool.launcher.ports.clock.now() + pool.launcher.config.freeze_after;
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
        let gone;
        {
            let mut state = pool.state.lock();
            gone = tend(&pool, &mut state, clock.now());
            let Some(next) = next_due(&pool, &state) else {
                state.keeper = None;
                drop(state);
                drop(gone);
                return;
            };
            state.keeper = Some(next);
            due = next;
        }
        drop(gone);
    }
}

/// Freezes what has been idle for a moment, and takes out what has been idle for long.
fn tend(pool: &Pool, state: &mut State, now: Timestamp) -> Vec<Resting> {
    let config = &pool.launcher.config;
    let mut gone = Vec::new();
    for resting in std::mem::take(&mut state.idle) {
        let idle = now.since(resting.idle_since());
        match resting {
            resting if idle >= config.idle_timeout => gone.push(resting),
            Resting::Idle(environment) if idle >= config.freeze_after => {
                state.idle.extend(environment.freeze().map(Resting::Frozen));
            }
            resting => state.idle.push(resting),
        }
    }
    gone
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
