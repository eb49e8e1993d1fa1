//! ListTables.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::DynamoDb;
use crate::generated::{ListTablesInput, ListTablesOutput};
use crate::records::TableName;

const PAGE: usize = 100;

pub async fn list_tables(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListTablesInput,
) -> Result<ListTablesOutput, ServiceError> {
    let limit = input
        .limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let first = TableName {
        account: context.account,
        region: context.region,
        name: input.exclusive_start_table_name.unwrap_or_default(),
    };
    let mut names = dynamodb.tables.after(&first, limit + 1);
    let more = names.len() > limit;
    names.truncate(limit);
    let last = names.last().filter(|_| more).cloned();
    Ok(ListTablesOutput {
        table_names: Some(names),
        last_evaluated_table_name: last,
    })
}
