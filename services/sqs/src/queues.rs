//! All queues of the service, by account, region and name.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::{AccountId, Region};
use parking_lot::RwLock;
use store::{Key, StoreError};

use crate::queue::{Queue, Shared};
use crate::records::{QUEUES, QueueName};

const PAGE: usize = 1000;

pub struct Queues {
    by_name: RwLock<BTreeMap<QueueName, Arc<Queue>>>,
    /// Held while queues are made, changed or deleted, so that none of it crosses.
    pub changing: tokio::sync::Mutex<()>,
}

impl Queues {
    /// Reads which queues there are. Their messages follow when they are first used.
    pub async fn open(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let mut by_name = BTreeMap::new();
        let mut after: Option<Key> = None;
        loop {
            let page = QUEUES
                .scan(&*shared.store, (), after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                let name = QueueName::from_key(&row.key)?;
                by_name.insert(
                    name.clone(),
                    Queue::new(name, row.value, Arc::clone(shared)),
                );
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Self {
            by_name: RwLock::new(by_name),
            changing: tokio::sync::Mutex::new(()),
        })
    }

    pub fn all(&self) -> Vec<Arc<Queue>> {
        self.by_name.read().values().cloned().collect()
    }

    pub fn get(&self, name: &QueueName) -> Option<Arc<Queue>> {
        self.by_name.read().get(name).cloned()
    }

    pub fn insert(&self, queue: Arc<Queue>) {
        self.by_name.write().insert(queue.name.clone(), queue);
    }

    pub fn remove(&self, name: &QueueName) {
        self.by_name.write().remove(name);
    }

    /// Queues of an account in a region, in order of name, after one if given.
    pub fn list(
        &self,
        account: AccountId,
        region: &Region,
        after: Option<&str>,
        wanted: impl Fn(&Queue) -> bool,
        limit: usize,
    ) -> Vec<Arc<Queue>> {
        let from = QueueName {
            account,
            region: region.clone(),
            name: after.unwrap_or_default().to_owned(),
        };
        // No queue has an empty name, so that excluding it excludes none.
        self.by_name
            .read()
            .range((Bound::Excluded(from), Bound::Unbounded))
            .map(|(_, queue)| queue)
            .take_while(|queue| queue.name.account == account && queue.name.region == *region)
            .filter(|queue| wanted(queue))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Where a queue's redrive policy sends messages, and after how many receives; `None` if it
    /// has none, or its target is not there.
    pub fn dead_letter_queue_of(&self, queue: &Queue) -> Option<(Arc<Queue>, u32)> {
        let record = queue.record();
        let policy = record.attributes.redrive_policy.as_ref()?;
        let target = QueueName {
            account: policy.dead_letter_target_arn.account_id()?,
            region: policy.dead_letter_target_arn.region()?,
            name: policy.dead_letter_target_arn.resource.clone(),
        };
        Some((self.get(&target)?, policy.max_receive_count))
    }
}
