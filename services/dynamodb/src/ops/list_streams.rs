//! ListStreams.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Key;

use super::streams::{StreamName, page};
use super::tables::table_name;
use crate::DynamoDb;
use crate::error::store_failed;
use crate::generated_dynamodbstreams::{ListStreamsInput, ListStreamsOutput, Stream};
use crate::records::{STREAMS, TableName};

const PAGE: usize = 100;

pub async fn list_streams(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListStreamsInput,
) -> Result<ListStreamsOutput, ServiceError> {
    let limit = page(input.limit, PAGE)?;
    let prefix = match &input.table_name {
        Some(table) => table_name(&context, table)?.key(),
        None => Key::of((context.account.as_str(), context.region.as_str())),
    };
    let after = match &input.exclusive_start_stream_arn {
        Some(arn) => {
            let name = StreamName::parse(arn)?;
            Some(Key::of((name.table.key(), name.label.as_str())))
        }
        None => None,
    };
    let page = STREAMS
        .scan(&*dynamodb.store, prefix, after.as_ref(), limit)
        .await
        .map_err(store_failed)?;
    let mut streams = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        let table = TableName::from_key(&row.key).map_err(store_failed)?;
        let mut parts = row.key.reader();
        let mut label = String::new();
        for _ in 0..4 {
            label = parts.text().map_err(store_failed)?;
        }
        streams.push(Stream {
            stream_arn: Some(table.stream_arn(&label)),
            table_name: Some(table.name),
            stream_label: Some(label),
        });
    }
    let last = streams.last().filter(|_| page.next.is_some());
    let last_evaluated_stream_arn = last.and_then(|stream| stream.stream_arn.clone());
    Ok(ListStreamsOutput {
        streams: Some(streams),
        last_evaluated_stream_arn,
    })
}
