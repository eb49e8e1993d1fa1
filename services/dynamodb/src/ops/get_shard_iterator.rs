//! GetShardIterator.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::streams::{Iterator, shard_id};
use crate::domain::stream::read_sequence;
use crate::engine::{KEPT, Sequence};
use crate::generated_dynamodbstreams::{
    GetShardIteratorInput, GetShardIteratorOutput, ShardIteratorType,
};
use crate::{DynamoDb, error};

pub async fn get_shard_iterator(
    dynamodb: Arc<DynamoDb>,
    _: RequestContext,
    input: GetShardIteratorInput,
) -> Result<GetShardIteratorOutput, ServiceError> {
    let (name, stream) = dynamodb.stream(&input.stream_arn).await?;
    if input.shard_id != shard_id(&stream) {
        return Err(error::not_found(format!(
            "Requested resource not found: Shard does not exist: {}",
            input.shard_id
        )));
    }
    let now = dynamodb.clock.now();
    let kind = input.shard_iterator_type;
    let from_number = matches!(
        kind,
        ShardIteratorType::AtSequenceNumber | ShardIteratorType::AfterSequenceNumber
    );
    let given = match (&input.sequence_number, from_number) {
        (Some(text), true) => Some(
            read_sequence(text)
                .ok_or_else(|| error::invalid(format!("Invalid SequenceNumber: {text}")))?,
        ),
        (None, true) => {
            return Err(error::invalid(format!(
                "SequenceNumber is required for ShardIteratorType {kind}"
            )));
        }
        (Some(_), false) => {
            return Err(error::invalid(format!(
                "SequenceNumber must not be given for ShardIteratorType {kind}"
            )));
        }
        (None, false) => None,
    };
    let oldest = Sequence::at(now - KEPT);
    if given.is_some_and(|number| number < oldest) {
        return Err(error::trimmed());
    }
    let position = match kind {
        ShardIteratorType::TrimHorizon => stream.first.max(oldest),
        ShardIteratorType::Latest => dynamodb.sequence.latest(),
        ShardIteratorType::AtSequenceNumber => given.unwrap_or_default(),
        ShardIteratorType::AfterSequenceNumber => given.unwrap_or_default() + 1,
        ShardIteratorType::AtTimestamp => {
            let at = input.timestamp.ok_or_else(|| {
                error::invalid("Timestamp is required for ShardIteratorType AT_TIMESTAMP")
            })?;
            Sequence::at(at).max(oldest)
        }
    };
    let iterator = Iterator {
        arn: name.arn(),
        position,
    };
    Ok(GetShardIteratorOutput {
        shard_iterator: Some(iterator.encode(now)),
    })
}
