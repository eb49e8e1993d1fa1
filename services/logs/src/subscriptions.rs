//! Subscription filters: which groups have some, and what becomes of the events they let through.

use std::collections::HashMap;
use std::sync::Arc;

use base::{AccountId, Arn, Region, Timestamp};
use parking_lot::RwLock;
use routing::deliveries::{Parcel, Retry, Source, Target};
use store::{Store, StoreError};

use crate::domain::event_id::event_id;
use crate::domain::filter::FilterPattern;
use crate::domain::names;
use crate::domain::subscription::{Origin, SubscribedEvent, payloads};
use crate::groups::texts;
use crate::records::{SUBSCRIPTIONS, Subscription};
use crate::streams::StreamName;

/// Records read at once.
const PAGE: usize = 1_000;

/// What a destination cannot take for now is tried for a day.
const RETRY: Retry = Retry {
    attempts: u32::MAX,
    ..Retry::EVENTS
};

/// A group's account, region and name.
pub type GroupId = (AccountId, Region, String);

/// The subscription filters of all groups, in memory as in the store.
#[derive(Default)]
pub struct Subscriptions(RwLock<HashMap<GroupId, Filters>>);

type Filters = Arc<Vec<Arc<Filter>>>;

/// A subscription filter that is ready to be asked.
pub struct Filter {
    pub name: String,
    pub record: Subscription,
    pattern: FilterPattern,
}

impl Filter {
    /// The record's pattern has been checked; were it not one, it would let nothing through.
    fn new(name: String, record: Subscription) -> Option<Arc<Self>> {
        let pattern = FilterPattern::parse(&record.pattern).ok()?;
        Some(Arc::new(Self {
            name,
            record,
            pattern,
        }))
    }
}

impl Subscriptions {
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let opened = Self::default();
        let mut after = None;
        loop {
            let page = SUBSCRIPTIONS.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let [account, region, group, name] = texts(&row.key)?;
                let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
                    return Err(StoreError::corrupt(
                        "a subscription is of no account or region",
                    ));
                };
                opened.put((account, region, group), name, row.value);
            }
            after = page.next;
            if after.is_none() {
                return Ok(opened);
            }
        }
    }

    /// A group's, in order of names.
    pub fn of(&self, group: &GroupId) -> Filters {
        self.0.read().get(group).cloned().unwrap_or_default()
    }

    pub fn put(&self, group: GroupId, name: String, record: Subscription) {
        let mut all = self.0.write();
        let filters = all.entry(group).or_default();
        let mut changed: Vec<_> = filters.to_vec();
        changed.retain(|one| one.name != name);
        changed.extend(Filter::new(name, record));
        changed.sort_by(|one, other| one.name.cmp(&other.name));
        *filters = Arc::new(changed);
    }

    pub fn remove(&self, group: &GroupId, name: &str) {
        let mut all = self.0.write();
        if let Some(filters) = all.get_mut(group) {
            let mut changed: Vec<_> = filters.to_vec();
            changed.retain(|one| one.name != name);
            *filters = Arc::new(changed);
        }
    }

    pub fn remove_group(&self, group: &GroupId) {
        self.0.write().remove(group);
    }
}

/// The events of a batch that a stream's subscribers get.
pub struct Subscribed<'a> {
    to: StreamName<'a>,
    filters: Vec<(Arc<Filter>, Vec<SubscribedEvent>)>,
}

impl<'a> Subscribed<'a> {
    pub fn new(to: StreamName<'a>, subscriptions: &Subscriptions) -> Self {
        let group = (*to.account, to.region.clone(), to.group.to_owned());
        let filters = subscriptions.of(&group);
        Self {
            to,
            filters: filters
                .iter()
                .map(|filter| (Arc::clone(filter), Vec::new()))
                .collect(),
        }
    }

    /// Takes an event for those whose filters let it through.
    pub fn offer(&mut self, at: u64, sequence: u64, message: &str) {
        for (filter, events) in &mut self.filters {
            if filter.pattern.matches(message) {
                events.push(SubscribedEvent {
                    id: event_id(at, self.to.stream, sequence),
                    timestamp: at,
                    message: message.to_owned(),
                });
            }
        }
    }

    pub fn parcels(self, now: Timestamp) -> Vec<Parcel> {
        let to = self.to;
        let taken = self.filters.iter().filter(|(_, events)| !events.is_empty());
        taken
            .flat_map(|(filter, events)| {
                let origin = Origin {
                    owner: to.account.as_str(),
                    log_group: to.group,
                    log_stream: to.stream,
                    subscription_filters: [&filter.name],
                };
                let bodies = payloads(origin, events).into_iter();
                bodies.map(|body| Parcel {
                    target: Target::Function(filter.record.destination.clone()),
                    body,
                    source: Source {
                        arn: source(to.region, *to.account, to.group),
                        account: *to.account,
                        region: to.region.clone(),
                    },
                    order: None,
                    retry: RETRY,
                    dead_letter: None,
                    accepted_at: now,
                    per_second: None,
                    trace: None,
                })
            })
            .collect()
    }
}

/// What functions' policies name as the source of a group's events.
pub fn source(region: &Region, account: AccountId, group: &str) -> Arn {
    let mut arn = names::group_arn(region, account, group);
    arn.resource.push_str(":*");
    arn
}
