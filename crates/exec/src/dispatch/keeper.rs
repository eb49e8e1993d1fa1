//! Freezes environments a moment after their last invocation, and ends them after a long time.
//!
//! One task for each pool that has anything idle. It looks only when something can be due, so that
//! a call that follows closely on another meets an environment that nobody touched.

use std::sync::Arc;

use base::Timestamp;

use super::idle::{Due, Resting};
use super::pool::{self, Acquired, Lost, Pool, State};
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
    state.keeper = state.idle.next_due(&pool.launcher.config);
    state.keeper
}

/// Takes out what is due, so that the pool is free meanwhile.
fn take_due(pool: &Pool, now: Timestamp) -> Due {
    let mut state = pool.state.lock();
    let due = state.idle.take_due(&pool.launcher.config, now);
    // Soon free again: whoever comes meanwhile need not start another.
    state.busy += due.drowsy.len();
    state.provisioned.freezing += due.drowsy.iter().filter(|one| one.is_provisioned()).count();
    due
}

/// Freezes an environment on a thread that may block, and puts it back.
async fn freeze(pool: &Arc<Pool>, environment: Environment<Idle>) {
    let kind = Lost::of(environment.is_provisioned());
    let frozen = tokio::task::spawn_blocking(move || environment.freeze()).await;
    let frozen = frozen.ok().flatten();
    let lost = frozen.is_none();
    if let Some(wanted) = put_back(pool, kind, frozen) {
        match pool::thaw(wanted).await {
            Some(environment) => pool.hand_over(Acquired::Ready(environment)),
            None => pool.replace(kind),
        }
    } else if lost {
        pool.replace(kind);
    }
}

/// Lets a frozen environment rest, unless somebody waits for it already.
fn put_back(
    pool: &Pool,
    kind: Lost,
    frozen: Option<Environment<Frozen>>,
) -> Option<Environment<Frozen>> {
    let mut state = pool.state.lock();
    state.busy -= 1;
    state.provisioned.freezing -= usize::from(kind == Lost::Provisioned);
    let environment = frozen?;
    if !state.waiting.is_empty() {
        return Some(environment);
    }
    let superfluous = kind == Lost::Provisioned && state.provisioned.give_up_one();
    if state.retired || superfluous {
        drop(state);
        drop(environment);
        return None;
    }
    environment.rests();
    state.idle.rest(Resting::Frozen(environment));
    None
}
