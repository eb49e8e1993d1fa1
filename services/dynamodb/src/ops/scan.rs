//! Scan.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>

use std::ops::RangeBounds as _;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::reading::asked;
use crate::domain::segment;
use crate::generated::{ScanInput, ScanOutput};
use crate::{DynamoDb, error};

pub async fn scan(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    mut input: ScanInput,
) -> Result<ScanOutput, ServiceError> {
    let segments = segments(&input)?;
    let start = input.exclusive_start_key.take();
    let mut asked = asked!(input, scan_filter);
    let placeholders = asked.placeholders("ScanFilter", None, None)?;
    let reading = asked.reading(&dynamodb, &context, placeholders)?;
    let mut range = match segments {
        None => reading.place().all(),
        Some((segment, total)) => {
            let partitions = segment::partitions(segment, total);
            reading
                .place()
                .partitions(*partitions.start(), *partitions.end())
        }
    };
    if let Some(start) = start {
        let (row, _) = reading.start(start)?;
        if let Some((segment, total)) = segments
            && !(range.start.clone(), range.end.clone()).contains(&row)
        {
            return Err(error::invalid(format!(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use \
                 ExclusiveStartKey with correct Segment. TotalSegments: {total} Segment: {segment}"
            )));
        }
        range = range.after(row);
    }
    let answer = reading.run(&dynamodb, range).await?;
    Ok(ScanOutput {
        items: answer.items,
        count: answer.count,
        scanned_count: answer.scanned_count,
        last_evaluated_key: answer.last_evaluated_key,
        consumed_capacity: answer.consumed_capacity,
    })
}

fn segments(input: &ScanInput) -> Result<Option<(u32, u32)>, ServiceError> {
    match (input.segment, input.total_segments) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(error::invalid(
            "The TotalSegments parameter is required but was not present in the request when \
             Segment parameter is present",
        )),
        (None, Some(_)) => Err(error::invalid(
            "The Segment parameter is required but was not present in the request when parameter \
             TotalSegments is present",
        )),
        (Some(segment), Some(total)) if segment >= total => Err(error::invalid(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: \
             Segment: {segment} is not less than TotalSegments: {total}"
        ))),
        (Some(segment), Some(total)) => {
            Ok(u32::try_from(segment).ok().zip(u32::try_from(total).ok()))
        }
    }
}
