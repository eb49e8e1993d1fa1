//! TransactGetItems.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Reader as _;

use super::parameters;
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::expression::Placeholders;
use crate::domain::path::project;
use crate::domain::value::item_size;
use crate::domain::{codec, convert};
use crate::error::{Reason, store_failed, transaction_canceled};
use crate::generated::{Get, ItemResponse, TransactGetItemsInput, TransactGetItemsOutput};
use crate::records::item_key;
use crate::{DynamoDb, error};

const MOST_BYTES: usize = 4 << 20;

/// All items are of one moment.
pub async fn transact_get_items(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: TransactGetItemsInput,
) -> Result<TransactGetItemsOutput, ServiceError> {
    let mut wanted = Vec::new();
    let mut reasons = Vec::new();
    for item in input.transact_items {
        let Get {
            key,
            table_name,
            projection_expression,
            expression_attribute_names,
        } = item.get;
        let mut placeholders = Placeholders::new(expression_attribute_names, None)?;
        let projection =
            parameters::projection(projection_expression.as_deref(), None, &mut placeholders)?;
        placeholders.check_all_used()?;
        let key = convert::item(key)?;
        let (_, definition) = dynamodb.table(&context, &table_name)?;
        let key = definition.keys.of_key(&key).map_err(ServiceError::from);
        let admitted = key.and_then(|key| dynamodb.admit_read(&definition, None).map(|()| key));
        match admitted {
            Ok(key) => {
                reasons.push(Reason::NONE);
                wanted.push((table_name, definition, key, projection));
            }
            Err(error) => reasons.push(Reason::of(&error, None)),
        }
    }
    if reasons.iter().any(|reason| *reason != Reason::NONE) {
        return Err(transaction_canceled(reasons));
    }
    let snapshot = dynamodb.store.snapshot().await.map_err(store_failed)?;
    let mut responses = Vec::with_capacity(wanted.len());
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut bytes = 0;
    for (table, definition, key, projection) in wanted {
        let row = item_key(definition.id, &key);
        let stored = snapshot.get(row.as_bytes()).await.map_err(store_failed)?;
        let item = stored
            .map(codec::decode)
            .transpose()
            .map_err(store_failed)?;
        let size = item.as_ref().map_or(0, item_size);
        bytes += size;
        // A transaction reads twice: once to prepare, once to commit.
        let units = Consumed {
            table: 2.0 * read_units(size, true),
            ..Consumed::default()
        };
        dynamodb.charge_read(&definition, &units);
        consumed.entry(table).or_default().add(&units);
        let item = match projection {
            Some(paths) => item.map(|item| project(&item, &paths)),
            None => item,
        };
        responses.push(ItemResponse {
            item: item.map(convert::to_api),
        });
    }
    if bytes > MOST_BYTES {
        return Err(error::invalid(
            "The total size of the items in the transaction cannot exceed 4 MB",
        ));
    }
    let consumed: Vec<_> = consumed
        .iter()
        .filter_map(|(table, units)| {
            report(input.return_consumed_capacity, table, units, Units::Read)
        })
        .collect();
    Ok(TransactGetItemsOutput {
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
        responses: Some(responses),
    })
}
