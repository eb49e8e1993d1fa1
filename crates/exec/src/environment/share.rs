//! The share of the processors that an environment has in its invocations: set when it matters.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::Sandbox;

/// How long an environment's invocations have the share of its init, all together. Setting a share
/// has the kernel look through all groups that there are, and in less than one of its periods (20 ms)
/// a share of a whole processor limits nobody who has one thread. Most environments of a burst never
/// run for longer.
const GRACE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
pub(super) struct CpuShare {
    /// In thousandths of a processor.
    millis: u32,
    /// What is left of it; `None` once the share is set.
    grace: Option<Duration>,
}

impl CpuShare {
    pub(super) fn new(millis: u32) -> Self {
        let grace = Some(GRACE);
        Self { millis, grace }
    }

    /// Sets the share, off this path: it takes some writes to control files.
    pub(super) fn set(&mut self, sandbox: &Arc<Sandbox>) {
        self.grace = None;
        let (sandbox, millis) = (Arc::clone(sandbox), self.millis);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = sandbox.set_cpu_millis(millis) {
                tracing::debug!(%error, "limit the CPU of an environment");
            }
        });
    }

    /// Waits for an invocation, and sets the share meanwhile if it takes longer than there is grace.
    pub(super) async fn during<T>(
        &mut self,
        sandbox: &Arc<Sandbox>,
        invocation: impl Future<Output = T>,
    ) -> T {
        let Some(grace) = self.grace else {
            return invocation.await;
        };
        let begun = Instant::now();
        let mut invocation = pin!(invocation);
        if let Ok(end) = tokio::time::timeout(grace, &mut invocation).await {
            self.grace = Some(grace.saturating_sub(begun.elapsed()));
            return end;
        }
        self.set(sandbox);
        invocation.await
    }
}
