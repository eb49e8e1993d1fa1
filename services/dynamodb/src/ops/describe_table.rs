//! DescribeTable.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::tables::describe;
use crate::DynamoDb;
use crate::generated::{DescribeTableInput, DescribeTableOutput, TableStatus};

pub async fn describe_table(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeTableInput,
) -> Result<DescribeTableOutput, ServiceError> {
    let (table, definition) = dynamodb.named_table(&context, &input.table_name)?;
    Ok(DescribeTableOutput {
        table: Some(describe(&table, &definition, TableStatus::Active)),
    })
}
