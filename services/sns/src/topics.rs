//! All topics and subscriptions, in memory as in the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base::Timestamp;
use parking_lot::{Mutex, RwLock};
use patterns::Pattern;
use store::{Store, StoreError};

use crate::domain::filter::{self, Scope};
use crate::records::{SUBSCRIPTIONS, Subscription, TAKEN, TOPICS, Taken, Topic, TopicId};

/// Records read at once.
const PAGE: usize = 1_000;

#[derive(Default)]
pub struct Topics {
    by_id: RwLock<BTreeMap<TopicId, Arc<Topic>>>,
    subscriptions: RwLock<BTreeMap<(TopicId, String), Arc<Subscribed>>>,
    fifos: Mutex<HashMap<TopicId, Arc<tokio::sync::Mutex<Fifo>>>>,
}

/// A subscription with its filter parsed.
pub struct Subscribed {
    pub topic: TopicId,
    pub id: String,
    pub record: Subscription,
    pub filter: Option<(Scope, Pattern)>,
}

/// What a FIFO topic remembers.
#[derive(Default)]
pub struct Fifo {
    taken: HashMap<String, Taken>,
    by_age: BTreeSet<(Timestamp, String)>,
    last_sequence: u64,
}

impl Subscribed {
    pub fn new(topic: TopicId, id: String, record: Subscription) -> Self {
        let filter = filter::of(&record.attributes);
        Self {
            topic,
            id,
            record,
            filter,
        }
    }

    pub fn arn(&self) -> String {
        self.topic.subscription_arn(&self.id)
    }
}

impl Topics {
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let opened = Self::default();
        let mut after = None;
        loop {
            let page = TOPICS.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let (id, _) = topic_id(&row.key)?;
                opened.put_topic(id, row.value);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = SUBSCRIPTIONS.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let (topic, mut rest) = topic_id(&row.key)?;
                opened.put_subscription(Subscribed::new(topic, rest.text()?, row.value));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = TAKEN.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let (topic, mut rest) = topic_id(&row.key)?;
                let fifo = opened.fifo(&topic);
                let mut fifo = fifo.lock().await;
                fifo.take(rest.text()?, row.value);
            }
            after = page.next;
            if after.is_none() {
                return Ok(opened);
            }
        }
    }

    pub fn topic(&self, id: &TopicId) -> Option<Arc<Topic>> {
        self.by_id.read().get(id).cloned()
    }

    pub fn put_topic(&self, id: TopicId, topic: Topic) {
        self.by_id.write().insert(id, Arc::new(topic));
    }

    /// With its subscriptions.
    pub fn remove_topic(&self, id: &TopicId) {
        self.by_id.write().remove(id);
        self.subscriptions
            .write()
            .retain(|(topic, _), _| topic != id);
        self.fifos.lock().remove(id);
    }

    /// The topics of an account and region, in order of names.
    pub fn all(&self, like: &TopicId) -> Vec<TopicId> {
        self.by_id
            .read()
            .range(like..)
            .map(|(id, _)| id)
            .take_while(|id| id.account == like.account && id.region == like.region)
            .cloned()
            .collect()
    }

    pub fn subscription(&self, topic: &TopicId, id: &str) -> Option<Arc<Subscribed>> {
        let key = (topic.clone(), id.to_owned());
        self.subscriptions.read().get(&key).cloned()
    }

    pub fn put_subscription(&self, subscribed: Subscribed) {
        let key = (subscribed.topic.clone(), subscribed.id.clone());
        self.subscriptions.write().insert(key, Arc::new(subscribed));
    }

    pub fn remove_subscription(&self, topic: &TopicId, id: &str) {
        let key = (topic.clone(), id.to_owned());
        self.subscriptions.write().remove(&key);
    }

    pub fn subscriptions_of(&self, topic: &TopicId) -> Vec<Arc<Subscribed>> {
        self.subscriptions_from((topic.clone(), String::new()), |id| id == topic)
    }

    /// All of an account and region.
    pub fn subscriptions_like(&self, like: &TopicId) -> Vec<Arc<Subscribed>> {
        self.subscriptions_from((like.clone(), String::new()), |id| {
            id.account == like.account && id.region == like.region
        })
    }

    fn subscriptions_from(
        &self,
        from: (TopicId, String),
        belongs: impl Fn(&TopicId) -> bool,
    ) -> Vec<Arc<Subscribed>> {
        self.subscriptions
            .read()
            .range(from..)
            .take_while(|((topic, _), _)| belongs(topic))
            .map(|(_, one)| Arc::clone(one))
            .collect()
    }

    pub fn fifo(&self, topic: &TopicId) -> Arc<tokio::sync::Mutex<Fifo>> {
        Arc::clone(self.fifos.lock().entry(topic.clone()).or_default())
    }
}

impl Fifo {
    /// The message that was taken under a deduplication id since.
    pub fn taken_since(&self, id: &str, since: Timestamp) -> Option<&Taken> {
        self.taken.get(id).filter(|taken| taken.at > since)
    }

    /// Some of the ids taken before, the oldest first.
    pub fn older(&self, than: Timestamp, most: usize) -> Vec<String> {
        let older = self.by_age.iter().take_while(|(at, _)| *at <= than);
        older.take(most).map(|(_, id)| id.clone()).collect()
    }

    pub fn take(&mut self, id: String, taken: Taken) {
        self.forget(&id);
        self.last_sequence = self.last_sequence.max(taken.sequence);
        self.by_age.insert((taken.at, id.clone()));
        self.taken.insert(id, taken);
    }

    pub fn forget(&mut self, id: &str) {
        if let Some(taken) = self.taken.remove(id) {
            self.by_age.remove(&(taken.at, id.to_owned()));
        }
    }

    /// Larger than all before, also over restarts: what has been forgotten is older than the clock.
    pub fn next_sequence(&self, now: Timestamp) -> u64 {
        let by_clock = u64::try_from(now.millis()).unwrap_or(0) * 1_000;
        by_clock.max(self.last_sequence + 1)
    }
}

fn topic_id(key: &store::Key) -> Result<(TopicId, store::KeyReader<'_>), StoreError> {
    let damaged = || StoreError::corrupt("a key of SNS names no account or region");
    let mut parts = key.reader();
    let account = parts.text()?.parse().map_err(|_| damaged())?;
    let region = parts.text()?.parse().map_err(|_| damaged())?;
    let name = parts.text()?;
    let id = TopicId {
        account,
        region,
        name,
    };
    Ok((id, parts))
}
