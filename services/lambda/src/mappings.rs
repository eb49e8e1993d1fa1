//! Event source mappings: their records, and the pollers that carry them out.
//!
//! A mapping is kept in memory with the state it shows. What it is to be is durable first; the
//! poller follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Arn, Clock};
use parking_lot::Mutex;
use service::ServiceError;
use service::ports::ApiCaller;
use store::{Batch, Store, StoreError};
use wire::Value;

use crate::domain::function_name::Place;
use crate::pollers::Pollers;
use crate::records::{MAPPINGS, MappingRecord};
use crate::{acting, error};

/// Records read at once when loading.
const PAGE: usize = 500;

/// What a mapping is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Shown once, in the answer that begins it.
    Creating,
    Enabling,
    Updating,
    Enabled,
    /// Batches in hand are still running.
    Disabling,
    Disabled,
    Deleting,
}

/// A mapping as it is now.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub record: MappingRecord,
    pub state: State,
}

pub struct Mappings {
    store: Arc<dyn Store>,
    api: Arc<dyn ApiCaller>,
    pollers: Pollers,
    clock: Clock,
    /// By UUID.
    live: Mutex<BTreeMap<String, Mapping>>,
    changing: tokio::sync::Mutex<()>,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabling => "Enabling",
            Self::Updating => "Updating",
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Deleting => "Deleting",
        }
    }

    /// At rest, a mapping may be changed.
    fn is_at_rest(self) -> bool {
        matches!(self, Self::Enabled | Self::Disabled)
    }

    fn of(record: &MappingRecord) -> Self {
        if record.is_enabled {
            Self::Enabled
        } else {
            Self::Disabled
        }
    }
}

impl Mappings {
    pub async fn load(
        store: Arc<dyn Store>,
        api: Arc<dyn ApiCaller>,
        pollers: Pollers,
        clock: Clock,
    ) -> Result<Arc<Self>, StoreError> {
        let mut live = BTreeMap::new();
        let mut after = None;
        loop {
            let page = MAPPINGS.scan(&store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let (record, state) = (row.value.clone(), State::of(&row.value));
                live.insert(row.value.uuid, Mapping { record, state });
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Arc::new(Self {
            store,
            api,
            pollers,
            clock,
            live: Mutex::new(live),
            changing: tokio::sync::Mutex::default(),
        }))
    }

    /// Starts the poller of every enabled mapping.
    pub fn start_all(&self) {
        let enabled: Vec<MappingRecord> = {
            let live = self.live.lock();
            let enabled = live
                .values()
                .filter(|mapping| mapping.state == State::Enabled);
            enabled.map(|mapping| mapping.record.clone()).collect()
        };
        for record in enabled {
            self.pollers.start(&record);
        }
    }

    /// Stops every poller, and returns when the batches in hand have finished.
    pub async fn stop_all(&self) {
        let uuids: Vec<String> = self.live.lock().keys().cloned().collect();
        let mut stopping = tokio::task::JoinSet::new();
        for uuid in uuids {
            let pollers = self.pollers.clone();
            stopping.spawn(async move { pollers.stop(&uuid).await });
        }
        while stopping.join_next().await.is_some() {}
    }

    pub fn get(&self, place: &Place, uuid: &str) -> Result<Mapping, ServiceError> {
        let live = self.live.lock();
        let mapping = live
            .get(uuid)
            .filter(|mapping| mapping.record.place() == *place);
        mapping.cloned().ok_or_else(error::no_such_resource)
    }

    /// Mappings of an account and region that fit, by UUID, after the given one.
    pub fn list(
        &self,
        place: &Place,
        after: Option<&str>,
        fits: impl Fn(&MappingRecord) -> bool,
    ) -> Vec<Mapping> {
        let live = self.live.lock();
        let here = live.values().filter(|mapping| {
            mapping.record.place() == *place
                && after.is_none_or(|after| mapping.record.uuid.as_str() > after)
                && fits(&mapping.record)
        });
        here.cloned().collect()
    }

    /// How the latest batches went; `None` for a mapping that is not running.
    pub fn last_result(&self, uuid: &str) -> Option<String> {
        self.pollers.last_result(uuid)
    }

    pub async fn create(&self, record: MappingRecord) -> Result<Mapping, ServiceError> {
        let _alone = self.changing.lock().await;
        self.check_unique(&record)?;
        self.commit(&record).await?;
        self.insert(&record, State::of(&record));
        if record.is_enabled {
            self.pollers.start(&record);
        }
        Ok(Mapping {
            record,
            state: State::Creating,
        })
    }

    /// Replaces a mapping by what `change` makes of it.
    pub async fn update(
        self: &Arc<Self>,
        place: &Place,
        uuid: &str,
        change: impl FnOnce(&MappingRecord) -> Result<MappingRecord, ServiceError>,
    ) -> Result<Mapping, ServiceError> {
        let _alone = self.changing.lock().await;
        let before = self.get(place, uuid)?;
        if !before.state.is_at_rest() {
            return Err(error::mapping_in_use("update"));
        }
        let record = change(&before.record)?;
        if record.function != before.record.function {
            self.check_unique(&record)?;
        }
        self.commit(&record).await?;
        let shown = match (before.record.is_enabled, record.is_enabled) {
            (false, true) => State::Enabling,
            (true, false) => State::Disabling,
            _ => State::Updating,
        };
        if shown == State::Disabling {
            self.insert(&record, State::Disabling);
            self.stop_then(record.uuid.clone(), |live, uuid| {
                if let Some(mapping) = live.get_mut(uuid) {
                    mapping.state = State::Disabled;
                }
            });
        } else {
            self.insert(&record, State::of(&record));
            if record.is_enabled {
                // In the place of the poller before it.
                self.pollers.start(&record);
            }
        }
        Ok(Mapping {
            record,
            state: shown,
        })
    }

    /// Changes only what no poller needs to know.
    pub async fn retag(
        &self,
        place: &Place,
        uuid: &str,
        change: impl FnOnce(&MappingRecord) -> Result<MappingRecord, ServiceError>,
    ) -> Result<(), ServiceError> {
        let _alone = self.changing.lock().await;
        let before = self.get(place, uuid)?;
        let record = change(&before.record)?;
        self.commit(&record).await?;
        if let Some(mapping) = self.live.lock().get_mut(uuid) {
            mapping.record = record;
        }
        Ok(())
    }

    /// Deletes a mapping. It is shown as such until the batches in hand have finished.
    pub async fn delete(
        self: &Arc<Self>,
        place: &Place,
        uuid: &str,
    ) -> Result<Mapping, ServiceError> {
        let _alone = self.changing.lock().await;
        let before = self.get(place, uuid)?;
        if before.state == State::Deleting {
            return Err(error::mapping_in_use("delete"));
        }
        let mut batch = Batch::new();
        MAPPINGS.delete(&mut batch, before.record.key());
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        self.insert(&before.record, State::Deleting);
        self.stop_then(uuid.to_owned(), |live, uuid| {
            live.remove(uuid);
        });
        Ok(Mapping {
            state: State::Deleting,
            ..before
        })
    }

    /// Stops a poller in the background, then notes that in the mapping.
    fn stop_then(
        self: &Arc<Self>,
        uuid: String,
        then: impl FnOnce(&mut BTreeMap<String, Mapping>, &str) + Send + 'static,
    ) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            this.pollers.stop(&uuid).await;
            let is_deleted = (this.live.lock().get(&uuid))
                .is_some_and(|mapping| mapping.state == State::Deleting);
            if is_deleted {
                this.pollers.forget(&uuid).await;
            }
            then(&mut this.live.lock(), &uuid);
        });
    }

    fn insert(&self, record: &MappingRecord, state: State) {
        let mapping = Mapping {
            record: record.clone(),
            state,
        };
        self.live.lock().insert(record.uuid.clone(), mapping);
    }

    async fn commit(&self, record: &MappingRecord) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        MAPPINGS
            .put(&mut batch, record.key(), record)
            .map_err(error::store_failed)?;
        self.store.commit(batch).await.map_err(error::store_failed)
    }

    /// A queue or a stream feeds a function once.
    fn check_unique(&self, record: &MappingRecord) -> Result<(), ServiceError> {
        let live = self.live.lock();
        let twin = live.values().find(|other| {
            other.state != State::Deleting
                && other.record.uuid != record.uuid
                && other.record.source == record.source
                && other.record.function == record.function
        });
        match twin {
            Some(twin) => {
                let function = record.function.resource.trim_start_matches("function:");
                if record.settings.stream.is_some() {
                    return Err(error::conflict(format!(
                        "The event source arn (\" {} \") and function (\" {function} \") \
                         provided mapping already exists. Please update or delete the existing \
                         mapping with UUID {}",
                        record.source, twin.record.uuid
                    )));
                }
                Err(error::conflict(format!(
                    "An event source mapping with SQS arn (\" {} \") and function (\" {function} \
                     \") already exists. Please update or delete the existing mapping with UUID {}",
                    record.source, twin.record.uuid
                )))
            }
            None => Ok(()),
        }
    }

    /// That there is such a stream.
    ///
    /// # Errors
    /// In Lambda's words, that there is none.
    pub async fn check_stream(
        &self,
        stream: &Arn,
        function: &Arn,
        place: &Place,
    ) -> Result<(), ServiceError> {
        let streams = Place {
            account: stream.account_id().unwrap_or(place.account),
            region: stream.region().unwrap_or_else(|| place.region.clone()),
        };
        let context = acting::for_function(function, &streams, self.clock.now());
        let input = acting::input([("StreamArn", Some(Value::Str(stream.to_string())))]);
        let api = &self.api;
        let answer = api.call("dynamodbstreams", "DescribeStream", context, input);
        match answer.await {
            Ok(_) => Ok(()),
            Err(error) if error.is_server_fault() => Err(error::service_failed()),
            Err(_) => Err(error::invalid_parameter(format!(
                "Stream not found: {stream}"
            ))),
        }
    }

    /// The queue's visibility timeout, in seconds.
    ///
    /// # Errors
    /// In Lambda's words, that there is no such queue.
    pub async fn visibility_timeout(
        &self,
        queue: &Arn,
        function: &Arn,
        place: &Place,
    ) -> Result<u32, ServiceError> {
        let queues = Place {
            account: queue.account_id().unwrap_or(place.account),
            region: queue.region().unwrap_or_else(|| place.region.clone()),
        };
        let context = acting::for_function(function, &queues, self.clock.now());
        // Only the path of a queue's URL counts.
        let url = format!("http://localhost/{}/{}", queue.account, queue.resource);
        let names = vec![Value::Str("VisibilityTimeout".to_owned())];
        let input = acting::input([
            ("QueueUrl", Some(Value::Str(url))),
            ("AttributeNames", Some(Value::List(names))),
        ]);
        let answer = self
            .api
            .call("sqs", "GetQueueAttributes", context, input)
            .await;
        let answer = answer.map_err(|error| {
            if error.is_server_fault() {
                return error::service_failed();
            }
            let code = error.query_code.unwrap_or(&error.code);
            error::invalid_parameter(format!(
                "Error occurred while ReceiveMessage. SQS Error Code: {code}. SQS Error Message: \
                 {}",
                error.message
            ))
        })?;
        let seconds = answer
            .get("Attributes")
            .and_then(|attributes| attributes.get("VisibilityTimeout"))
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        seconds.ok_or_else(|| {
            tracing::error!(%queue, "lambda: a queue has no visibility timeout");
            error::service_failed()
        })
    }
}
