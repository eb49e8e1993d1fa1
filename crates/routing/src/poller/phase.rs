//! From running to stopped: how a mapping's tasks learn that they are to end, and say that they have.

use tokio::sync::watch;

#[derive(Debug)]
pub struct Life(watch::Sender<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Stopping,
    Stopped,
}

impl Life {
    pub fn new() -> Self {
        Self(watch::channel(Phase::Running).0)
    }

    pub fn request_stop(&self) {
        self.0.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = Phase::Stopping;
            }
            is_running
        });
    }

    pub fn has_stopped(&self) {
        self.0.send_replace(Phase::Stopped);
    }

    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() >= Phase::Stopping
    }

    /// Returns once a stop has been asked for.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Returns once everything in hand is finished.
    pub async fn stopped(&self) {
        self.reached(Phase::Stopped).await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender is `self`'s own, so that this cannot fail.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
    }
}
