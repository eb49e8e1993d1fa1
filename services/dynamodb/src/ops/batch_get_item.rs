//! BatchGetItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::parameters::{self, Given};
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::convert;
use crate::domain::expression::Placeholders;
use crate::domain::key::KeyBytes;
use crate::domain::path::{Path, project};
use crate::domain::table::Definition;
use crate::domain::value::item_size;
use crate::generated::{AttributeValue, BatchGetItemInput, BatchGetItemOutput, KeysAndAttributes};
use crate::records::item_key;
use crate::{DynamoDb, error};

const MOST_KEYS: usize = 100;
/// What would be beyond is left for the next request, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// The keys of one table.
struct Wanted {
    definition: Arc<Definition>,
    keys: Vec<KeyBytes>,
    projection: Option<Vec<Path>>,
    given: KeysAndAttributes,
}

pub async fn batch_get_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: BatchGetItemInput,
) -> Result<BatchGetItemOutput, ServiceError> {
    let count: usize = input
        .request_items
        .values()
        .map(|wanted| wanted.keys.len())
        .sum();
    if count > MOST_KEYS {
        return Err(error::invalid(
            "Too many items requested for the BatchGetItem call",
        ));
    }
    let mut wanted = Vec::new();
    for (table, given) in input.request_items {
        let prepared = prepare(&dynamodb, &context, &table, given)?;
        wanted.push((table, prepared));
    }
    let mut bytes = 0;
    let mut responses = BTreeMap::new();
    let mut unprocessed = BTreeMap::new();
    let mut consumed = Vec::new();
    for (
        table,
        Wanted {
            definition,
            keys,
            projection,
            given,
        },
    ) in wanted
    {
        let consistent = given.consistent_read == Some(true);
        let mut found: Vec<BTreeMap<String, AttributeValue>> = Vec::new();
        let mut units = Consumed::default();
        let mut left = Vec::new();
        for (key, given) in keys.iter().zip(&given.keys) {
            if bytes >= MOST_BYTES || dynamodb.admit_read(&definition, None).is_err() {
                left.push(given.clone());
                continue;
            }
            let item = dynamodb
                .item(item_key(definition.id, key).as_bytes())
                .await?;
            let size = item.as_ref().map_or(0, item_size);
            if bytes + size > MOST_BYTES {
                bytes = MOST_BYTES;
                left.push(given.clone());
                continue;
            }
            bytes += size;
            let consumed = Consumed {
                table: read_units(size, consistent),
                ..Consumed::default()
            };
            dynamodb.charge_read(&definition, &consumed);
            units.add(&consumed);
            found.extend(item.map(|item| match &projection {
                Some(paths) => convert::to_api(project(&item, paths)),
                None => convert::to_api(item),
            }));
        }
        consumed.extend(report(
            input.return_consumed_capacity,
            &table,
            &units,
            Units::Plain,
        ));
        if !left.is_empty() {
            unprocessed.insert(
                table.clone(),
                KeysAndAttributes {
                    keys: left,
                    ..given
                },
            );
        }
        responses.insert(table, found);
    }
    Ok(BatchGetItemOutput {
        responses: Some(responses),
        unprocessed_keys: Some(unprocessed),
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
    })
}

fn prepare(
    dynamodb: &DynamoDb,
    context: &RequestContext,
    table: &str,
    given: KeysAndAttributes,
) -> Result<Wanted, ServiceError> {
    Given {
        expressions: &[(
            "ProjectionExpression",
            given.projection_expression.is_some(),
        )],
        legacy: &[("AttributesToGet", given.attributes_to_get.is_some())],
        names: given.expression_attribute_names.is_some(),
        values: false,
    }
    .check()?;
    let mut placeholders = Placeholders::new(given.expression_attribute_names.clone(), None)?;
    let projection = parameters::projection(
        given.projection_expression.as_deref(),
        given.attributes_to_get.clone(),
        &mut placeholders,
    )?;
    placeholders.check_all_used()?;
    let (_, definition) = dynamodb.table(context, table)?;
    let keys = given
        .keys
        .iter()
        .map(|key| definition.keys.of_key(&convert::item(key.clone())?))
        .collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<&KeyBytes> = keys.iter().collect();
    if distinct.len() < keys.len() {
        return Err(error::invalid(
            "Provided list of item keys contains duplicates",
        ));
    }
    Ok(Wanted {
        definition,
        keys,
        projection,
        given,
    })
}
