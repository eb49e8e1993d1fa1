//! UpdateTable.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html>

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::tables::{Changing, describe};
use crate::DynamoDb;
use crate::domain::Invalid;
use crate::domain::table::{Definition, Throughput};
use crate::domain::table_rules;
use crate::engine::rand_id;
use crate::error::{self, store_failed};
use crate::generated::{
    BillingMode, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, ProvisionedThroughput,
    TableStatus, UpdateTableInput, UpdateTableOutput,
};
use crate::records::Erasure;

/// A new index is filled behind; all else is done with the answer.
pub async fn update_table(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: UpdateTableInput,
) -> Result<UpdateTableOutput, ServiceError> {
    check_asks_something(&input)?;
    let mut changing = dynamodb.changing(&context, &input.table_name).await?;
    let table = Arc::clone(&changing.table);
    let Changing {
        definition, batch, ..
    } = &mut changing;
    if definition.is_backfilling() {
        return Err(error::still_in_use("updated", &table.name.name));
    }
    let now = dynamodb.clock.now();
    if let Some(protection) = input.deletion_protection_enabled {
        definition.deletion_protection = protection;
    }
    if let Some(class) = input.table_class {
        definition.class = Some(table_rules::table_class(class, Some(now)));
    }
    if let Some(limits) = &input.on_demand_throughput {
        definition.on_demand_limits = Some(table_rules::on_demand_limits(limits));
    }
    if let Some(sse) = input.sse_specification {
        definition.encryption_key = table_rules::encryption_key(sse);
    }
    set_billing(
        definition,
        input.billing_mode,
        input.provisioned_throughput.as_ref(),
        now,
    )?;
    if let Some(specification) = &input.stream_specification {
        match (table_rules::stream_view(specification)?, &definition.stream) {
            (Some(_), Some(_)) => {
                return Err(error::in_use(format!(
                    "Table already has an enabled stream: TableName: {}",
                    table.name.name
                )));
            }
            (Some(view), None) => {
                dynamodb.start_stream(&table.name, definition, view, batch)?;
            }
            (None, Some(_)) => {
                dynamodb.end_stream(&table.name, definition, batch).await?;
            }
            (None, None) => {
                return Err(error::invalid(format!(
                    "Table does not have a stream to disable: TableName: {}",
                    table.name.name
                )));
            }
        }
    }
    let mut erasure = Erasure::default();
    if let Some(given) = input.attribute_definitions {
        for attribute in table_rules::attribute_definitions(given)? {
            match definition
                .attributes
                .iter()
                .find(|known| known.name == attribute.name)
            {
                Some(known) if known.kind != attribute.kind => {
                    return Err(error::invalid(format!(
                        "One or more parameter values were invalid: Attribute {} is already defined \
                         with another type",
                        attribute.name
                    )));
                }
                Some(_) => {}
                None => definition.attributes.push(attribute),
            }
        }
    }
    let updates = input.global_secondary_index_updates.unwrap_or_default();
    if updates
        .iter()
        .filter(|update| update.update.is_none())
        .count()
        > 1
    {
        return Err(error::limit_exceeded(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted \
             simultaneously per table",
        ));
    }
    for update in updates {
        update_index(definition, update, now, &mut erasure)?;
    }
    definition.forget_unused_attributes();
    if erasure != Erasure::default() {
        dynamodb
            .plan_erasure(batch, &erasure)
            .map_err(store_failed)?;
    }
    changing.save(&dynamodb).await?;
    let definition = &changing.definition;
    if definition.is_backfilling() {
        dynamodb.backfill(&table);
    }
    if erasure != Erasure::default() {
        dynamodb.erase();
    }
    Ok(UpdateTableOutput {
        table_description: Some(describe(&table, definition, TableStatus::Updating)),
    })
}

fn check_asks_something(input: &UpdateTableInput) -> Result<(), ServiceError> {
    let absent = [
        (input.replica_updates.is_some(), "ReplicaUpdates"),
        (input.vector_index_updates.is_some(), "VectorIndexUpdates"),
        (
            input.global_table_witness_updates.is_some(),
            "GlobalTableWitnessUpdates",
        ),
        (
            input.multi_region_consistency.is_some(),
            "MultiRegionConsistency",
        ),
    ];
    if let Some((_, name)) = absent.iter().find(|(given, _)| *given) {
        return Err(ServiceError::not_implemented("UpdateTable's", name));
    }
    let asks = input.provisioned_throughput.is_some()
        || input.billing_mode.is_some()
        || input.stream_specification.is_some()
        || input.global_secondary_index_updates.is_some()
        || input.sse_specification.is_some()
        || input.table_class.is_some()
        || input.deletion_protection_enabled.is_some()
        || input.on_demand_throughput.is_some()
        || input.warm_throughput.is_some();
    if asks {
        return Ok(());
    }
    Err(error::invalid(
        "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
         GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
    ))
}

fn set_billing(
    definition: &mut Definition,
    mode: Option<BillingMode>,
    given: Option<&ProvisionedThroughput>,
    now: Timestamp,
) -> Result<(), Invalid> {
    let on_demand = mode.map_or(definition.on_demand, |mode| {
        mode == BillingMode::PayPerRequest
    });
    let switched = on_demand != definition.on_demand;
    if on_demand {
        table_rules::throughput(given, true)?;
        if switched {
            definition.on_demand_since = Some(now);
            definition.throughput = Throughput::default();
            for index in &mut definition.indexes {
                index.throughput = Throughput::default();
            }
        }
    } else if switched || given.is_some() {
        let next = table_rules::throughput(given, false)?;
        let old = &definition.throughput;
        if !switched && (old.read, old.write) == (next.read, next.write) {
            return Err(Invalid::new(format!(
                "The provisioned throughput for the table will not change. The requested value \
                 equals the current value. Current ReadCapacityUnits provisioned for the table: {0}. \
                 Requested ReadCapacityUnits: {0}. Current WriteCapacityUnits provisioned for the \
                 table: {1}. Requested WriteCapacityUnits: {1}. Refer to the Amazon DynamoDB \
                 Developer Guide for current limits and how to request higher limits.",
                old.read, old.write
            )));
        }
        definition.throughput = changed(old, &next, now);
        if switched {
            // Indexes begin with what the table has, until they are given their own.
            for index in definition.indexes.iter_mut().filter(|index| !index.local) {
                index.throughput = definition.throughput.clone();
            }
        }
    }
    definition.on_demand = on_demand;
    Ok(())
}

fn changed(old: &Throughput, next: &Throughput, now: Timestamp) -> Throughput {
    let up = next.read > old.read || next.write > old.write;
    let down = next.read < old.read || next.write < old.write;
    Throughput {
        read: next.read,
        write: next.write,
        increased_at: if up { Some(now) } else { old.increased_at },
        decreased_at: if down { Some(now) } else { old.decreased_at },
    }
}

fn update_index(
    definition: &mut Definition,
    update: GlobalSecondaryIndexUpdate,
    now: Timestamp,
    erasure: &mut Erasure,
) -> Result<(), ServiceError> {
    let find = |definition: &Definition, name: &str| {
        definition
            .indexes
            .iter()
            .position(|index| index.name == name && !index.local)
            .ok_or_else(error::resource_not_found)
    };
    match (update.create, update.update, update.delete) {
        (Some(create), None, None) => {
            let index = GlobalSecondaryIndex {
                index_name: create.index_name,
                key_schema: create.key_schema,
                projection: create.projection,
                provisioned_throughput: create.provisioned_throughput,
                on_demand_throughput: create.on_demand_throughput,
                warm_throughput: create.warm_throughput,
            };
            let on_demand = definition.on_demand;
            let mut index =
                table_rules::global_index(index, &definition.attributes, on_demand, rand_id())?;
            if definition.index(&index.name).is_some() {
                return Err(error::invalid(format!(
                    "Attempting to create an index which already exists: {}",
                    index.name
                )));
            }
            index.backfilling = true;
            definition.indexes.push(index);
            table_rules::check_indexes(&definition.indexes)?;
        }
        (None, Some(update), None) => {
            let at = find(definition, &update.index_name)?;
            let on_demand = definition.on_demand;
            let index = &mut definition.indexes[at];
            if let Some(given) = &update.provisioned_throughput {
                let next = table_rules::throughput(Some(given), on_demand)?;
                index.throughput = changed(&index.throughput, &next, now);
            }
            if let Some(limits) = &update.on_demand_throughput {
                index.on_demand_limits = Some(table_rules::on_demand_limits(limits));
            }
        }
        (None, None, Some(delete)) => {
            let at = find(definition, &delete.index_name)?;
            erasure.indexes.push(definition.indexes.remove(at).id);
        }
        _ => {
            return Err(error::invalid(
                "One or more parameter values were invalid: Only one of Create, Update or Delete \
                 can be given for a global secondary index update",
            ));
        }
    }
    Ok(())
}
