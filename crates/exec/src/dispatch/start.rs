//! Starts environments for events that wait, and gives up those that nobody waits for any more.

use std::sync::Arc;
use std::time::Duration;

use super::pool::{Acquired, Pool};
use super::reclaim::Reclaimer;
use super::turns::{Lane, Turn};
use crate::environment::{Launcher, StartError, Starting};
use crate::error::InvokeError;
use crate::function::FunctionSpec;

/// An init that takes longer does not keep others from starting: it is waiting, most likely.
const START_TURN: Duration = Duration::from_millis(500);
/// Of a restore with its hooks.
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html>
const RESTORE_LIMIT: Duration = Duration::from_secs(10);
/// Where invocations are this short, one that is under way may end before a start would.
const SHORT: Duration = Duration::from_millis(10);

impl Pool {
    /// A start that has been decided, for an event that waits.
    pub(super) async fn start(self: Arc<Self>) {
        self.wait_for_a_short_one().await;
        let acquired = match self.turn(false).await {
            Some(_) if self.is_start_superfluous() => return,
            Some(turn) => {
                let limit = self.launcher.config.init_timeout;
                self.making().start_one(turn, false, limit).await
            }
            None => Acquired::Refused(StartError::Other(InvokeError::ShuttingDown)),
        };
        self.state.lock().starting -= 1;
        self.hand_over(acquired);
    }

    /// What makes its environments.
    pub(super) fn making(&self) -> Making<'_> {
        Making {
            function: &self.function,
            launcher: &self.launcher,
            reclaimer: &self.reclaimer,
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

    /// Ends a decided start if those that remain suffice; else the event it is for is to run.
    fn is_start_superfluous(&self) -> bool {
        let mut state = self.state.lock();
        state.waiting.remove_gone();
        let superfluous = state.starting > state.waiting.len();
        if superfluous {
            state.starting -= 1;
            self.gauges.put_back_start();
        } else {
            state.waiting.commit_next();
        }
        superfluous
    }

    /// Waits for a turn among the starts of this host; `None` if there will be no more.
    pub(super) async fn turn(&self, ahead: bool) -> Option<Turn> {
        self.turns.turn(Lane::new(&self.function.key, ahead)).await
    }
}

/// Makes environments of one version.
pub(super) struct Making<'a> {
    pub(super) function: &'a Arc<FunctionSpec>,
    pub(super) launcher: &'a Arc<Launcher>,
    pub(super) reclaimer: &'a Reclaimer,
}

impl Making<'_> {
    /// Starts and initialises an environment.
    pub(super) async fn start_one(
        &self,
        turn: Turn,
        provisioned: bool,
        init_limit: Duration,
    ) -> Acquired {
        self.reclaimer.make_room();
        let starting = Starting {
            function: Arc::clone(self.function),
            log_stream: None,
            tail: false,
            provisioned,
            template: false,
        };
        let environment = match self.launcher.start(starting).await {
            Ok(environment) => environment,
            Err(error) => return Acquired::Refused(error),
        };
        let init_limit = if environment.is_restored() {
            RESTORE_LIMIT
        } else {
            init_limit
        };
        let init = environment.init(init_limit);
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
            Err(failed) => match failed.restore_error() {
                Some(error) => Acquired::Refused(StartError::Other(error)),
                None => Acquired::Failed(failed),
            },
        }
    }
}
