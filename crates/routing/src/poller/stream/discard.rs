//! What a mapping's on-failure destination learns of records that are given up.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>

use base::{Arn, RequestId};
use serde_json::{Value as Json, json};
use service::ports::Invocation;

use super::mapping::Mapping;
use super::record::Record;
use crate::deliveries::{Kind, Notice, Parcel, Source};
use crate::poller::event;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

pub struct Discarded<'a> {
    pub shard: &'a str,
    pub records: &'a [Record],
    pub condition: Condition,
    pub runs: u32,
    /// The last one, if there was any.
    pub invocation: Option<&'a Invocation>,
}

impl Condition {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::RecordAgeExceeded => "RecordAgeExceeded",
        }
    }
}

/// What is to be sent, if anybody wants to know.
pub fn parcel(mapping: &Mapping, discarded: &Discarded<'_>) -> Option<Parcel> {
    let target = mapping.settings.on_failure.as_ref()?;
    let mut document = document(mapping, discarded)?;
    let mut object_key = None;
    if Kind::of(target) == Some(Kind::Bucket) {
        object_key = Some(key(mapping, discarded.shard));
        // Only a bucket has room for the records themselves.
        let texts: Vec<String> = discarded
            .records
            .iter()
            .map(|it| it.json.to_string())
            .collect();
        let payload = event::document(texts.iter().map(String::as_str));
        document["payload"] = String::from_utf8_lossy(&payload).into();
    }
    let source = Source {
        arn: unqualified(&mapping.settings.function),
        account: mapping.settings.account,
        region: mapping.settings.region.clone(),
    };
    let notice = Notice {
        object_key,
        ..Notice::new(target.clone(), source, document.to_string())
    };
    Some(notice.parcel(mapping.ports.clock.now()))
}

fn document(mapping: &Mapping, discarded: &Discarded<'_>) -> Option<Json> {
    let (first, last) = (discarded.records.first()?, discarded.records.last()?);
    let mut document = json!({
        "version": "1.0",
        "timestamp": mapping.ports.clock.now().iso8601_millis(),
        "requestContext": {
            "requestId": RequestId::random().to_string(),
            "functionArn": mapping.settings.function.to_string(),
            "condition": discarded.condition.as_str(),
            "approximateInvokeCount": discarded.runs,
        },
        mapping.source.batch_info(): {
            "shardId": discarded.shard,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": first.at.iso8601_seconds(),
            "approximateArrivalOfLastRecord": last.at.iso8601_seconds(),
            "batchSize": discarded.records.len(),
            "streamArn": mapping.settings.stream.to_string(),
        },
    });
    if let Some(invocation) = discarded.invocation {
        let mut response = json!({
            "statusCode": 200,
            "executedVersion": invocation.executed_version,
        });
        if let Some(error) = invocation.function_error {
            response["functionError"] = error.into();
        }
        document["responseContext"] = response;
    }
    Some(document)
}

fn key(mapping: &Mapping, shard: &str) -> String {
    let at = mapping.ports.clock.now().iso8601_seconds();
    let (date, time) = at.split_once('T').unwrap_or((&at, ""));
    let folder = date.replace('-', "/");
    let time = time.trim_end_matches('Z').replace(':', ".");
    let (uuid, id) = (&mapping.settings.uuid, RequestId::random());
    format!("aws/lambda/{uuid}/{shard}/{folder}/{date}T{time}-{id}")
}

fn unqualified(function: &Arn) -> Arn {
    let mut parts = function.resource.splitn(3, ':');
    let resource = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    Arn {
        resource: resource.join(":"),
        ..function.clone()
    }
}
