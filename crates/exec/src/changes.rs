//! A value that several tasks wait on.

use parking_lot::Mutex;
use tokio::sync::watch;

/// A value, and who waits for it to become something.
#[derive(Debug)]
pub(crate) struct Changes<T> {
    value: Mutex<T>,
    version: watch::Sender<u64>,
}

impl<T: Default> Default for Changes<T> {
    fn default() -> Self {
        Self {
            value: Mutex::default(),
            version: watch::Sender::new(0),
        }
    }
}

impl<T> Changes<T> {
    /// Changes the value, and has everybody look at it who waits.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.value.lock());
        self.version.send_modify(|version| *version += 1);
        result
    }

    /// Looks at the value.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.value.lock())
    }

    /// Waits until there is something to take from the value. Taking it is no change to others.
    pub(crate) async fn take<R>(&self, mut take: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut version = self.version.subscribe();
        loop {
            if let Some(found) = take(&mut self.value.lock()) {
                return found;
            }
            if version.changed().await.is_err() {
                // The sender is this value's own.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the value is as wanted.
    pub(crate) async fn until<R>(&self, mut found: impl FnMut(&T) -> Option<R>) -> R {
        self.take(|value| found(value)).await
    }
}
