//! DescribeStream.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::streams::{page, shard_id};
use super::tables;
use crate::DynamoDb;
use crate::domain::stream::shown_sequence;
use crate::domain::table::View;
use crate::generated_dynamodbstreams::{
    DescribeStreamInput, DescribeStreamOutput, KeySchemaElement, KeyType, SequenceNumberRange,
    Shard, StreamDescription, StreamStatus, StreamViewType,
};

const PAGE: usize = 100;

pub async fn describe_stream(
    dynamodb: Arc<DynamoDb>,
    _: RequestContext,
    input: DescribeStreamInput,
) -> Result<DescribeStreamOutput, ServiceError> {
    page(input.limit, PAGE)?;
    let (name, stream) = dynamodb.stream(&input.stream_arn).await?;
    let shard_id = shard_id(&stream);
    let shard = Shard {
        sequence_number_range: Some(SequenceNumberRange {
            starting_sequence_number: Some(shown_sequence(stream.first)),
            ending_sequence_number: stream.ended.map(|(last, _)| shown_sequence(last)),
        }),
        shard_id: Some(shard_id.clone()),
        parent_shard_id: None,
    };
    // The only shard has no children, and none comes after it.
    let skipped = input
        .exclusive_start_shard_id
        .is_some_and(|start| start >= shard_id)
        || input.shard_filter.is_some();
    let keys = stream
        .keys
        .attributes()
        .zip([KeyType::Hash, KeyType::Range]);
    let status = if stream.ended.is_some() {
        StreamStatus::Disabled
    } else {
        StreamStatus::Enabled
    };
    Ok(DescribeStreamOutput {
        stream_description: Some(StreamDescription {
            stream_arn: Some(name.arn()),
            stream_label: Some(name.label.clone()),
            stream_status: Some(status),
            stream_view_type: Some(view_type(stream.view)),
            creation_request_date_time: Some(stream.created_at),
            table_name: Some(name.table.name.clone()),
            key_schema: Some(
                keys.map(|(attribute, key_type)| KeySchemaElement {
                    attribute_name: attribute.name.clone(),
                    key_type,
                })
                .collect(),
            ),
            shards: Some(if skipped { Vec::new() } else { vec![shard] }),
            last_evaluated_shard_id: None,
        }),
    })
}

/// The two APIs name one set of views, and each has its own enum of it.
pub fn view_type(view: View) -> StreamViewType {
    StreamViewType::parse(tables::view_type(view).as_str()).unwrap_or_default()
}
