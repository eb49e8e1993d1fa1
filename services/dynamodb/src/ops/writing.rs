//! What writes of items have in common: their conditions, and the writes themselves as values, so
//! that a single operation, a batch and a transaction make the same of them.

use std::sync::{Arc, OnceLock};

use service::{RequestContext, ServiceError};
use store::Reader as _;

use super::parameters::shows_item;
use crate::DynamoDb;
use crate::domain::capacity::Consumed;
use crate::domain::expression::{Condition, Ranges, Update};
use crate::domain::key::{KeyBytes, KeySchema};
use crate::domain::path::Path;
use crate::domain::table::Definition;
use crate::domain::value::{Item, item_size};
use crate::domain::{Invalid, codec, convert};
use crate::engine::{Table, check_item, check_updated};
use crate::error::{self, store_failed};
use crate::generated::{
    ItemCollectionMetrics, ReturnItemCollectionMetrics, ReturnValuesOnConditionCheckFailure,
};
use crate::records::Place;

/// What is to become of an item.
#[derive(Clone, Debug)]
pub enum Write {
    Put(Item),
    Delete,
    Update {
        key: Item,
        update: Update,
        /// Whether it makes an item that is not there.
        makes: bool,
    },
    /// Only the condition is of interest.
    Check,
}

/// A write with its place and condition.
pub struct PreparedWrite {
    pub table: Arc<Table>,
    pub definition: Arc<Definition>,
    pub key: KeyBytes,
    pub write: Write,
    pub condition: Option<Condition>,
    pub shows_item: bool,
    /// A condition that fails means that the item is there already.
    pub is_insert: bool,
}

/// What a single write has come to, and what its answer says of the costs.
pub struct Finished {
    pub before: Option<Item>,
    pub after: Option<Item>,
    /// What an update touched.
    pub touched: Vec<Path>,
    pub consumed: Consumed,
}

/// An item after a write, and what an update touched.
pub struct Outcome {
    pub after: Option<Item>,
    pub touched: Vec<Path>,
}

impl Write {
    /// The key of the item, of which everything has been checked that needs no look at it.
    pub fn key(&self, definition: &Definition, key: Option<&Item>) -> Result<KeyBytes, Invalid> {
        match self {
            Self::Put(item) => {
                let key = definition.keys.of_item(item)?;
                check_item(definition, item)?;
                Ok(key)
            }
            Self::Update { key, update, .. } => {
                check_keys_untouched(&definition.keys, update)?;
                definition.keys.of_key(key)
            }
            Self::Delete | Self::Check => definition.keys.of_key(key.unwrap_or(&Item::new())),
        }
    }

    /// Checks the condition, and makes of the item what is to be.
    pub fn decide(
        &self,
        definition: &Definition,
        condition: Option<&Condition>,
        shows_item: bool,
        before: Option<&Item>,
    ) -> Result<Outcome, ServiceError> {
        let nothing = Item::new();
        if let Some(condition) = condition
            && !condition.holds(before.unwrap_or(&nothing))
        {
            return Err(error::condition_failed(before.filter(|_| shows_item)));
        }
        let (after, touched) = match self {
            Self::Put(item) => (Some(item.clone()), Vec::new()),
            Self::Delete => (None, Vec::new()),
            Self::Check => (before.cloned(), Vec::new()),
            Self::Update { key, update, makes } => {
                let updated = update.apply(before.unwrap_or(key))?;
                check_updated(definition, &updated.item)?;
                let after = (before.is_some() || *makes).then_some(updated.item);
                (after, updated.touched)
            }
        };
        Ok(Outcome { after, touched })
    }
}

fn check_keys_untouched(keys: &KeySchema, update: &Update) -> Result<(), Invalid> {
    match update.0.iter().find(|action| keys.has(&action.path().head)) {
        Some(action) => Err(Invalid::parameter(format!(
            "Cannot update attribute {}. This attribute is part of the key",
            action.path().head
        ))),
        None => Ok(()),
    }
}

/// Why a write cannot be prepared.
pub enum Refused {
    Table(ServiceError),
    Write(Invalid),
}

impl From<Refused> for ServiceError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Table(error) => error,
            Refused::Write(invalid) => invalid.into(),
        }
    }
}

impl PreparedWrite {
    pub fn new(
        dynamodb: &DynamoDb,
        context: &RequestContext,
        table: &str,
        write: Write,
        key: Option<&Item>,
        condition: Option<Condition>,
        on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> Result<Self, Refused> {
        let (table, definition) = dynamodb.table(context, table).map_err(Refused::Table)?;
        let key = write.key(&definition, key).map_err(Refused::Write)?;
        let shows_item = shows_item(on_failure);
        Ok(Self {
            table,
            definition,
            key,
            write,
            condition,
            shows_item,
            is_insert: false,
        })
    }

    pub fn decide(&self, before: Option<&Item>) -> Result<Outcome, ServiceError> {
        let condition = self.condition.as_ref();
        let decided = self
            .write
            .decide(&self.definition, condition, self.shows_item, before);
        decided.map_err(|error| {
            if self.is_insert && error.code == "ConditionalCheckFailedException" {
                error::duplicate_item()
            } else {
                error
            }
        })
    }

    /// Carries it out by itself.
    pub async fn run(self, dynamodb: &Arc<DynamoDb>) -> Result<Finished, ServiceError> {
        let (table, key) = (Arc::clone(&self.table), self.key.clone());
        let touched: Arc<OnceLock<Vec<Path>>> = Arc::default();
        let note = Arc::clone(&touched);
        let written = dynamodb
            .write(table, key, move |before| {
                let outcome = self.decide(before)?;
                let _ = note.set(outcome.touched);
                Ok(outcome.after)
            })
            .await?;
        Ok(Finished {
            before: written.before,
            after: written.after,
            touched: touched.get().cloned().unwrap_or_default(),
            consumed: written.consumed,
        })
    }
}

impl DynamoDb {
    /// How large the collection of items with this hash key is, where one is limited.
    pub async fn collection_metrics(
        &self,
        asked: Option<ReturnItemCollectionMetrics>,
        definition: &Definition,
        item: &Item,
    ) -> Result<Option<ItemCollectionMetrics>, ServiceError> {
        let asked = asked == Some(ReturnItemCollectionMetrics::Size);
        if !asked || !definition.has_local_indexes() {
            return Ok(None);
        }
        let key = definition.keys.of_item(item)?;
        let locals = definition.indexes.iter().filter(|index| index.local);
        let places = locals
            .map(|index| Place::Index(index.id))
            .chain([Place::Table(definition.id)]);
        let mut bytes = 0;
        for place in places {
            let mut scan = place.collection(&key.hash, &Ranges::default());
            loop {
                let rows = self
                    .store
                    .scan(scan.clone().limit(100))
                    .await
                    .map_err(store_failed)?;
                let Some(last) = rows.last() else { break };
                scan = scan.after(last.key.clone());
                for row in rows {
                    bytes += item_size(&codec::decode(row.value).map_err(store_failed)?);
                }
            }
        }
        let gigabytes = (bytes >> 30) as f64;
        let hash = &definition.keys.hash.name;
        let hash_only: Item = item
            .get_key_value(hash)
            .map(|(name, value)| (name.clone(), value.clone()))
            .into_iter()
            .collect();
        Ok(Some(ItemCollectionMetrics {
            item_collection_key: Some(convert::to_api(hash_only)),
            size_estimate_range_gb: Some(vec![gigabytes, gigabytes + 1.0]),
        }))
    }
}
