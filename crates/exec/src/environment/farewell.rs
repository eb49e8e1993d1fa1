//! The end of an environment: at once, or, if it has extensions, in the time that they have for it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use super::Core;
use crate::extensions::Reason;

/// Of the time to shut down, what the runtime may take before the extensions are told.
const RUNTIME_TIME: Duration = Duration::from_millis(300);

/// Holds what an environment consists of, and sees it to its end.
pub(crate) struct Keeper(Option<Box<Core>>);

impl Keeper {
    pub(super) fn new(core: Core) -> Self {
        Self(Some(Box::new(core)))
    }
}

impl Deref for Keeper {
    type Target = Core;

    fn deref(&self) -> &Core {
        self.0.as_ref().expect("taken only by drop")
    }
}

impl DerefMut for Keeper {
    fn deref_mut(&mut self) -> &mut Core {
        self.0.as_mut().expect("taken only by drop")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let Some(core) = self.0.take() else {
            return;
        };
        if !core.host.extensions.has_any() {
            return;
        }
        // Outside of a runtime, as at the end of the server, there is no time any more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(shut_down(core));
        }
    }
}

impl Core {
    /// Ends what runs: the runtime, and with it all else unless there are extensions, which have some
    /// time left.
    pub(super) fn end(&mut self, reason: Reason) {
        self.reason = reason;
        if let Some(launched) = &self.launched {
            self.host.extensions.expect_end();
            launched.kill_runtime();
        } else if !self.host.extensions.has_any()
            && let Err(error) = self.sandbox.kill()
        {
            tracing::warn!(%error, ?reason, "kill an environment");
        }
    }
}

async fn shut_down(core: Box<Core>) {
    let sandbox = Arc::clone(&core.sandbox);
    let thawed = tokio::task::spawn_blocking(move || sandbox.thaw()).await;
    if !matches!(thawed, Ok(Ok(()))) {
        return;
    }
    let time = core.host.extensions.shutdown_time();
    // Real time whatever the clock: they are real processes.
    let ended = tokio::time::timeout(time, farewell(&core, time)).await;
    if ended.is_err() {
        tracing::debug!(function = %core.function.key, "extensions took too long to shut down");
    }
    core.log.finish([]);
}

async fn farewell(core: &Core, time: Duration) {
    let extensions = &core.host.extensions;
    let deadline = core.clock.now() + time;
    extensions.expect_end();
    let Some(launched) = &core.launched else {
        // They are part of the runtime, which gets the signal instead of an event.
        if let Err(error) = core.sandbox.signal(TERMINATE) {
            tracing::debug!(%error, "tell a runtime to end");
        }
        core.exit.ended().await;
        return;
    };
    let at_once = core.reason != Reason::Spindown || launched.runtime_status().is_some();
    if !at_once {
        launched.terminate_runtime();
        let ended = tokio::time::timeout(RUNTIME_TIME, launched.runtime_ended());
        if ended.await.is_err() {
            launched.kill_runtime();
        }
    }
    extensions.shut_down(core.reason, deadline);
    let flushed = core.host.telemetry.flush();
    tokio::select! {
        biased;
        ((), ()) = async { tokio::join!(extensions.gone(), flushed) } => {}
        () = core.exit.sandbox_ended() => {}
    }
}

/// SIGTERM.
const TERMINATE: i32 = 15;
