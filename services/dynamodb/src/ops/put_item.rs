//! PutItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::one_write::one_write;
use crate::DynamoDb;
use crate::generated::{PutItemInput, PutItemOutput};

pub async fn put_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: PutItemInput,
) -> Result<PutItemOutput, ServiceError> {
    let write = one_write!(input, item, is_put: true);
    let answer = write.run(&dynamodb, &context).await?;
    Ok(PutItemOutput {
        attributes: answer.attributes,
        consumed_capacity: answer.consumed_capacity,
        item_collection_metrics: answer.item_collection_metrics,
    })
}
