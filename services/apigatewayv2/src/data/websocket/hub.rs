//! The connections that are open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base::Timestamp;
use parking_lot::RwLock;
use tokio::sync::Semaphore;

use super::orders::Orders;

/// Messages of one connection whose integrations run at once.
const AT_ONCE: usize = 32;

/// A connection, as others see it.
#[derive(Debug)]
pub struct Handle {
    pub api: String,
    pub stage: String,
    pub connected_at: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
    pub orders: Orders,
    running: Semaphore,
    /// In milliseconds, as timestamps count.
    last_active: AtomicI64,
}

impl Handle {
    pub fn new(
        api: String,
        stage: String,
        connected_at: Timestamp,
        source_ip: String,
        user_agent: String,
    ) -> Arc<Self> {
        Arc::new(Self {
            api,
            stage,
            connected_at,
            source_ip,
            user_agent,
            orders: Orders::default(),
            running: Semaphore::new(AT_ONCE),
            last_active: AtomicI64::new(connected_at.millis()),
        })
    }

    pub fn active(&self, now: Timestamp) {
        self.last_active.store(now.millis(), Ordering::Relaxed);
    }

    pub fn last_active(&self) -> Timestamp {
        Timestamp::from_millis(self.last_active.load(Ordering::Relaxed))
    }
}

/// A place for a message whose integration runs, given back when it is dropped.
pub struct Place(Arc<Handle>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.add_permits(1);
    }
}

impl Handle {
    /// Waits for a place.
    pub async fn place(self: &Arc<Self>) -> Place {
        let place = self.running.acquire().await;
        place.expect("nobody closes the places").forget();
        Place(Arc::clone(self))
    }
}

/// All of them, by id.
#[derive(Debug, Default)]
pub struct Hub(RwLock<HashMap<String, Arc<Handle>>>);

impl Hub {
    pub fn add(&self, id: String, handle: Arc<Handle>) {
        self.0.write().insert(id, handle);
    }

    pub fn remove(&self, id: &str) {
        self.0.write().remove(id);
    }

    /// The connection of that id, of that stage of that API.
    pub fn find(&self, id: &str, api: &str, stage: &str) -> Option<Arc<Handle>> {
        let all = self.0.read();
        let found = all.get(id)?;
        (found.api == api && found.stage == stage).then(|| Arc::clone(found))
    }

    /// Ends those of an API, or all.
    pub fn close(&self, api: Option<&str>) {
        let all = self.0.read();
        for handle in all.values() {
            if api.is_none_or(|api| handle.api == api) {
                // One that ends already needs no order.
                let _ = handle.orders.close(1001, "Going away");
            }
        }
    }
}
