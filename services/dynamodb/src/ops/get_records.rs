//! GetRecords.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Reader as _;
use wire::Shape as _;

use super::describe_stream::view_type;
use super::streams::{Iterator, page};
use crate::DynamoDb;
use crate::domain::stream::{Event, Record as Change, shown_sequence};
use crate::domain::table::View;
use crate::domain::value::Item;
use crate::domain::{codec, convert};
use crate::error::store_failed;
use crate::generated_dynamodbstreams::{
    AttributeValue, GetRecordsInput, GetRecordsOutput, Identity, OperationType, Record,
    StreamRecord,
};
use crate::records::{changes, sequence_of};

const MOST_RECORDS: usize = 1000;
/// Records come in pages of a megabyte.
const MOST_BYTES: usize = 1 << 20;
const STEP: usize = 100;

pub async fn get_records(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: GetRecordsInput,
) -> Result<GetRecordsOutput, ServiceError> {
    let now = dynamodb.clock.now();
    let mut iterator = Iterator::decode(&input.shard_iterator, now)?;
    let (_, stream) = dynamodb.stream(&iterator.arn).await?;
    let limit = page(input.limit, MOST_RECORDS)?;
    // Before the scan: what it then finds below, nothing can come before.
    let horizon = dynamodb.sequence.horizon(stream.id);
    let mut records = Vec::new();
    let mut bytes = 0;
    'pages: while records.len() < limit {
        let step = STEP.min(limit - records.len());
        let scan = changes(stream.id, iterator.position, horizon).limit(step);
        let rows = dynamodb.store.scan(scan).await.map_err(store_failed)?;
        let exhausted = rows.len() < step;
        for row in rows {
            let sequence = sequence_of(&row.key).map_err(store_failed)?;
            let item = codec::decode(row.value).map_err(store_failed)?;
            let change = Change::from_item(item).map_err(store_failed)?;
            let size = change.size();
            if bytes + size > MOST_BYTES && !records.is_empty() {
                break 'pages;
            }
            bytes += size;
            iterator.position = sequence + 1;
            records.push(record(change, sequence, stream.view, &context));
        }
        if exhausted {
            // A shard that has ended, and was read to its end, leads nowhere.
            if stream.ended.is_some_and(|(last, _)| horizon > last) {
                return Ok(GetRecordsOutput {
                    records: Some(records),
                    next_shard_iterator: None,
                });
            }
            break;
        }
    }
    Ok(GetRecordsOutput {
        records: Some(records),
        next_shard_iterator: Some(iterator.encode(now)),
    })
}

fn record(change: Change, sequence: u64, view: View, context: &RequestContext) -> Record {
    let size = change.size();
    let seconds = change.at.seconds() * 1000;
    Record {
        // The same whenever the record is read.
        event_id: Some(format!("{sequence:032x}")),
        event_name: Some(match change.event {
            Event::Insert => OperationType::Insert,
            Event::Modify => OperationType::Modify,
            Event::Remove => OperationType::Remove,
        }),
        event_version: Some("1.1".to_owned()),
        event_source: Some("aws:dynamodb".to_owned()),
        aws_region: Some(context.region.to_string()),
        dynamodb: Some(StreamRecord {
            approximate_creation_date_time: Some(base::Timestamp::from_millis(seconds)),
            keys: Some(to_api(change.keys)),
            new_image: change.new.map(to_api),
            old_image: change.old.map(to_api),
            sequence_number: Some(shown_sequence(sequence)),
            size_bytes: i64::try_from(size).ok(),
            stream_view_type: Some(view_type(view)),
        }),
        user_identity: change.by_expiry.then(|| Identity {
            principal_id: Some("dynamodb.amazonaws.com".to_owned()),
            r#type: Some("Service".to_owned()),
        }),
    }
}

/// The two APIs name one shape, and each has its own struct of it.
fn to_api(item: Item) -> BTreeMap<String, AttributeValue> {
    BTreeMap::from_value(convert::to_api(item).into_value())
}
