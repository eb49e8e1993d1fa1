//! DeleteItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::one_write::one_write;
use crate::DynamoDb;
use crate::generated::{DeleteItemInput, DeleteItemOutput};

/// Succeeds also if there is no such item, unless a condition says otherwise.
pub async fn delete_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DeleteItemInput,
) -> Result<DeleteItemOutput, ServiceError> {
    let write = one_write!(input, key, is_put: false);
    let answer = write.run(&dynamodb, &context).await?;
    Ok(DeleteItemOutput {
        attributes: answer.attributes,
        consumed_capacity: answer.consumed_capacity,
        item_collection_metrics: answer.item_collection_metrics,
    })
}
