//! The connections that are open.

use std::collections::HashMap;
use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;

/// Messages that may wait for their client.
const WAITING: usize = 8;

/// What a connection is told to do.
#[derive(Debug)]
pub enum Order {
    /// Text, where it is UTF-8.
    Send(Bytes),
    Close {
        code: u16,
        reason: &'static str,
    },
}

/// A connection, as others see it.
#[derive(Debug)]
pub struct Handle {
    pub api: String,
    pub stage: String,
    pub connected_at: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
    pub orders: mpsc::Sender<Order>,
    last_active: Mutex<Timestamp>,
}

impl Handle {
    pub fn new(
        api: String,
        stage: String,
        connected_at: Timestamp,
        source_ip: String,
        user_agent: String,
    ) -> (Arc<Self>, mpsc::Receiver<Order>) {
        let (orders, receiver) = mpsc::channel(WAITING);
        let handle = Self {
            api,
            stage,
            connected_at,
            source_ip,
            user_agent,
            orders,
            last_active: Mutex::new(connected_at),
        };
        (Arc::new(handle), receiver)
    }

    pub fn active(&self, now: Timestamp) {
        *self.last_active.lock() = now;
    }

    pub fn last_active(&self) -> Timestamp {
        *self.last_active.lock()
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
                // One whose orders wait is ended by what follows: its API is gone.
                let _ = handle.orders.try_send(Order::Close {
                    code: 1001,
                    reason: "Going away",
                });
            }
        }
    }
}
