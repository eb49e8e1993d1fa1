//! CreateTable.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::resource_policies;
use super::tables::{describe, table_name};
use crate::DynamoDb;
use crate::domain::table_rules;
use crate::engine::{Table, rand_id};
use crate::error::{self, store_failed};
use crate::generated::{CreateTableInput, CreateTableOutput, TableStatus};
use crate::records::{Sizes, TABLES};

/// The table can be used at once, though the answer calls it CREATING, as clients expect.
pub async fn create_table(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: CreateTableInput,
) -> Result<CreateTableOutput, ServiceError> {
    refuse_absent(&input)?;
    let name = table_name(&context, &input.table_name)?;
    let view = match &input.stream_specification {
        Some(specification) => table_rules::stream_view(specification)?,
        None => None,
    };
    let now = dynamodb.clock.now();
    let uuid = uuid::Uuid::new_v4().to_string();
    let policy = input.resource_policy.clone();
    let mut definition = table_rules::create(input, now, uuid, rand_id)?;
    if let Some(document) = policy {
        let policy = resource_policies::checked(document, now)?;
        definition.policies.insert(String::new(), policy);
    }
    let _deciding = dynamodb.deciding.lock().await;
    if dynamodb.tables.get(&name).is_some() {
        return Err(error::in_use(format!(
            "Table already exists: {}",
            name.name
        )));
    }
    let mut batch = Batch::new();
    if let Some(view) = view {
        dynamodb.start_stream(&name, &mut definition, view, &mut batch)?;
    }
    TABLES
        .put(&mut batch, name.key(), &definition)
        .map_err(store_failed)?;
    dynamodb.store.commit(batch).await.map_err(store_failed)?;
    let table = Table::new(name, definition.clone(), Sizes::default());
    dynamodb.tables.insert(Arc::clone(&table));
    Ok(CreateTableOutput {
        table_description: Some(describe(&table, &definition, TableStatus::Creating)),
    })
}

/// What is not there must not look as if it were.
fn refuse_absent(input: &CreateTableInput) -> Result<(), ServiceError> {
    let absent = [
        (input.vector_indexes.is_some(), "VectorIndexes"),
        (
            input.global_table_source_arn.is_some(),
            "GlobalTableSourceArn",
        ),
    ];
    match absent.iter().find(|(given, _)| *given) {
        Some((_, name)) => Err(ServiceError::not_implemented("CreateTable's", name)),
        None => Ok(()),
    }
}
