//! DescribeLogStreams.

use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::{names, page};
use crate::error;
use crate::generated::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, LogStream, OrderBy};
use crate::groups::group_name;
use crate::records::Stream;

pub async fn answer(
    logs: State,
    context: RequestContext,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, ServiceError> {
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        return Err(error::invalid_parameter(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let group = group_name(
        &context,
        input.log_group_name,
        input.log_group_identifier.as_deref(),
    )?;
    logs.group(&context, &group).await?;
    let mut streams = logs.streams(&context, &group).await?;
    if let Some(prefix) = &input.log_stream_name_prefix {
        streams.retain(|(name, _)| name.starts_with(prefix));
    }
    if by_time {
        // Streams without events come last in time, as in a descending list of the latest.
        streams.sort_by_key(|(_, stream)| stream.last_event);
    }
    if input.descending == Some(true) {
        streams.reverse();
    }
    let begin = match input.next_token.as_deref() {
        Some(token) => after(&streams, token)?,
        None => 0,
    };
    let limit = usize::try_from(input.limit.unwrap_or(50)).unwrap_or(50);
    let end = streams.len().min(begin + limit);
    let next_token = match streams[begin..end].last() {
        Some((name, _)) if end < streams.len() => Some(page::encode_text(name)),
        _ => None,
    };
    let page = streams.drain(begin..end);
    let log_streams = page
        .map(|(name, one)| description(&context, &group, name, &one))
        .collect();
    Ok(DescribeLogStreamsResponse {
        log_streams: Some(log_streams),
        next_token,
    })
}

/// Where the page after the one that ended with this stream begins.
fn after(streams: &[(String, Stream)], token: &str) -> Result<usize, ServiceError> {
    let last = page::decode_text(token)
        .ok_or_else(|| error::invalid_parameter("The specified nextToken is invalid."))?;
    Ok(streams
        .iter()
        .position(|(name, _)| *name == last)
        .map_or(streams.len(), |at| at + 1))
}

fn description(context: &RequestContext, group: &str, name: String, stream: &Stream) -> LogStream {
    let arn = names::stream_arn(&context.region, context.account, group, &name);
    LogStream {
        log_stream_name: Some(name),
        creation_time: Some(stream.created.millis()),
        first_event_timestamp: stream.first_event.map(base::Timestamp::millis),
        last_event_timestamp: stream.last_event.map(base::Timestamp::millis),
        last_ingestion_time: stream.last_ingestion.map(base::Timestamp::millis),
        upload_sequence_token: Some(format!("{:056}", stream.next_sequence)),
        arn: Some(arn.to_string()),
        // AWS has answered zero here since June 2019.
        stored_bytes: Some(0),
    }
}
