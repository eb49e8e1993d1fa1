//! What a destination learns of an asynchronous invocation.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use base::{Arn, Timestamp};
use routing::deliveries::Envelope;
use serde::Serialize;
use serde_json::value::RawValue;

/// One invocation that has ended.
pub struct Ended<'a> {
    pub request_id: String,
    /// With its qualifier.
    pub function: &'a Arn,
    pub condition: &'a str,
    pub runs: u32,
    pub payload: &'a [u8],
    pub answer: Option<Answer<'a>>,
}

/// What the function said last.
pub struct Answer<'a> {
    pub payload: &'a [u8],
    pub executed_version: &'a str,
    pub function_error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'a str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: String,
    condition: &'a str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'a str>,
}

impl Ended<'_> {
    pub fn document(&self, now: Timestamp) -> String {
        let document = Document {
            version: "1.0",
            timestamp: now.iso8601_millis(),
            request_context: RequestContext {
                request_id: &self.request_id,
                function_arn: self.function.to_string(),
                condition: self.condition,
                approximate_invoke_count: self.runs,
            },
            request_payload: json(self.payload),
            response_context: self.answer.as_ref().map(|answer| ResponseContext {
                status_code: 200,
                executed_version: answer.executed_version,
                function_error: answer.function_error,
            }),
            response_payload: self.answer.as_ref().map(|answer| json(answer.payload)),
        };
        let text = serde_json::to_string(&document);
        text.expect("text and raw JSON can be written")
    }
}

/// A payload as it is. What is no JSON, which custom runtimes may answer, is shown as none.
fn json(payload: &[u8]) -> &RawValue {
    serde_json::from_slice(payload).unwrap_or(RawValue::NULL)
}

/// Around the record on an event bus.
pub fn envelope(succeeded: bool, function: &Arn, destination: &Arn) -> Envelope {
    let end = if succeeded { "Success" } else { "Failure" };
    Envelope {
        source: "lambda".to_owned(),
        detail_type: format!("Lambda Function Invocation Result - {end}"),
        resources: vec![destination.clone(), function.clone()],
    }
}

/// The record's name in a bucket.
pub fn object_key(function: &str, now: Timestamp) -> String {
    let at = now.iso8601_seconds();
    let (date, time) = at.split_once('T').unwrap_or((&at, ""));
    let (folder, time) = (date.replace('-', "/"), time.trim_end_matches('Z'));
    let (time, id) = (time.replace(':', "."), uuid::Uuid::new_v4());
    format!("aws/lambda/async/{function}/{folder}/{date}T{time}-{id}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn arn() -> Arn {
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
            .parse()
            .unwrap()
    }

    #[test]
    fn a_record_is_lambdas_document() {
        let function = arn();
        let mut ended = Ended {
            request_id: "id".to_owned(),
            function: &function,
            condition: "RetriesExhausted",
            runs: 3,
            payload: br#"{"n": 1.0}"#,
            answer: Some(Answer {
                payload: br#"{"errorMessage":"no"}"#,
                executed_version: "$LATEST",
                function_error: Some("Unhandled"),
            }),
        };
        let read = |ended: &Ended<'_>| -> Value {
            serde_json::from_str(&ended.document(Timestamp::from_millis(1_500))).unwrap()
        };
        assert_eq!(
            read(&ended),
            json!({
                "version": "1.0",
                "timestamp": "1970-01-01T00:00:01.500Z",
                "requestContext": {
                    "requestId": "id",
                    "functionArn": function.to_string(),
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": {"n": 1.0},
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "responsePayload": {"errorMessage": "no"},
            })
        );
        ended.answer = None;
        let without = read(&ended);
        assert!(
            without.get("responseContext").is_none() && without.get("responsePayload").is_none()
        );
    }

    #[test]
    fn objects_are_named_by_function_and_time() {
        let key = object_key("f", Timestamp::from_millis(0));
        assert!(
            key.starts_with("aws/lambda/async/f/1970/01/01/1970-01-01T00.00.00-"),
            "{key}"
        );
    }
}
