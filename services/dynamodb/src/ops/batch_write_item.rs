//! BatchWriteItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::writing::{PreparedWrite, Write};
use crate::domain::capacity::{Consumed, Units, report};
use crate::domain::convert;
use crate::domain::key::KeyBytes;
use crate::domain::value::Item;
use crate::generated::{
    BatchWriteItemInput, BatchWriteItemOutput, ItemCollectionMetrics, WriteRequest,
};
use crate::{DynamoDb, error};

const MOST_WRITES: usize = 25;

/// Each write stands for itself; all are under way at once.
pub async fn batch_write_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: BatchWriteItemInput,
) -> Result<BatchWriteItemOutput, ServiceError> {
    let count: usize = input.request_items.values().map(Vec::len).sum();
    if count > MOST_WRITES {
        return Err(error::invalid(
            "Too many items requested for the BatchWriteItem call",
        ));
    }
    let mut prepared = Vec::with_capacity(count);
    for (table, requests) in input.request_items {
        let mut keys: BTreeSet<KeyBytes> = BTreeSet::new();
        for request in requests {
            let (write, keyed) = write_of(&request)?;
            let key = match &write {
                Write::Put(_) => None,
                _ => Some(&keyed),
            };
            let write = PreparedWrite::new(&dynamodb, &context, &table, write, key, None, None)?;
            if !keys.insert(write.key.clone()) {
                return Err(error::invalid(
                    "Provided list of item keys contains duplicates",
                ));
            }
            prepared.push((table.clone(), request, keyed, write));
        }
    }
    let mut under_way = Vec::with_capacity(prepared.len());
    for (table, request, keyed, write) in prepared {
        let definition = Arc::clone(&write.definition);
        let service = Arc::clone(&dynamodb);
        let written = tokio::spawn(async move { write.run(&service).await });
        under_way.push((table, request, keyed, definition, written));
    }
    let mut unprocessed: BTreeMap<String, Vec<WriteRequest>> = BTreeMap::new();
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    let mut metrics: BTreeMap<String, Vec<ItemCollectionMetrics>> = BTreeMap::new();
    for (table, request, keyed, definition, written) in under_way {
        match written
            .await
            .unwrap_or_else(|_| Err(ServiceError::internal()))
        {
            Ok(written) => {
                consumed
                    .entry(table.clone())
                    .or_default()
                    .add(&written.consumed);
                let asked = input.return_item_collection_metrics;
                if let Some(size) = dynamodb
                    .collection_metrics(asked, &definition, &keyed)
                    .await?
                {
                    metrics.entry(table).or_default().push(size);
                }
            }
            Err(error) if error::is_left_for_later(&error) => {
                unprocessed.entry(table).or_default().push(request);
            }
            Err(error) => return Err(error),
        }
    }
    let consumed: Vec<_> = consumed
        .iter()
        .filter_map(|(table, units)| {
            report(input.return_consumed_capacity, table, units, Units::Plain)
        })
        .collect();
    Ok(BatchWriteItemOutput {
        unprocessed_items: Some(unprocessed),
        item_collection_metrics: (!metrics.is_empty()).then_some(metrics),
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
    })
}

/// The write, and an item with its key.
fn write_of(request: &WriteRequest) -> Result<(Write, Item), ServiceError> {
    match (&request.put_request, &request.delete_request) {
        (Some(put), None) => {
            let item = convert::item(put.item.clone())?;
            Ok((Write::Put(item.clone()), item))
        }
        (None, Some(delete)) => Ok((Write::Delete, convert::item(delete.key.clone())?)),
        (None, None) => Err(error::invalid(
            "Supplied WriteRequest is empty, must contain exactly one of PutRequest or DeleteRequest",
        )),
        (Some(_), Some(_)) => Err(error::invalid(
            "Supplied WriteRequest has more than one operation, must contain exactly one of \
             PutRequest or DeleteRequest",
        )),
    }
}
