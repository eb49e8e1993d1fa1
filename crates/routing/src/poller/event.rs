//! The event a function gets from a queue.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use wire::Value;

use super::SqsMapping;

/// Largest event of a synchronous invocation: 6 MB.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
const PROLOGUE: &str = r#"{"Records":["#;
const EPILOGUE: &str = "]}";

/// A received message, written as a record of the event.
#[derive(Clone, Debug)]
pub struct Record {
    pub message_id: String,
    pub receipt_handle: String,
    pub trace_header: Option<String>,
    pub json: String,
}

/// Records that fit into one event.
#[derive(Debug)]
pub struct Batch {
    pub records: Vec<Record>,
}

impl Record {
    /// From a message as ReceiveMessage returns it; `None` if it lacks an id or a receipt.
    pub fn new(message: &Value, mapping: &SqsMapping) -> Option<Self> {
        let text = |name: &str| message.get(name).and_then(Value::as_str);
        let (message_id, receipt_handle) = (text("MessageId")?, text("ReceiptHandle")?);
        let mut record = Map::new();
        record.insert("messageId".into(), message_id.into());
        record.insert("receiptHandle".into(), receipt_handle.into());
        record.insert("body".into(), text("Body").unwrap_or_default().into());
        record.insert("attributes".into(), attributes(message.get("Attributes")));
        record.insert(
            "messageAttributes".into(),
            message_attributes(message.get("MessageAttributes")),
        );
        if let Some(digest) = text("MD5OfMessageAttributes") {
            record.insert("md5OfMessageAttributes".into(), digest.into());
        }
        record.insert(
            "md5OfBody".into(),
            text("MD5OfBody").unwrap_or_default().into(),
        );
        record.insert("eventSource".into(), "aws:sqs".into());
        record.insert("eventSourceARN".into(), mapping.queue.to_string().into());
        record.insert("awsRegion".into(), mapping.queue.region.clone().into());
        let trace_header = message
            .get("Attributes")
            .and_then(|attributes| attributes.get("AWSTraceHeader"))
            .and_then(Value::as_str);
        Some(Self {
            message_id: message_id.to_owned(),
            receipt_handle: receipt_handle.to_owned(),
            trace_header: trace_header.map(str::to_owned),
            json: Json::Object(record).to_string(),
        })
    }

    /// What it adds to an event, its comma included.
    pub fn bytes(&self) -> usize {
        self.json.len() + 1
    }
}

impl Batch {
    /// Bytes that the records of one event may take together.
    pub const MAX_BYTES: usize = MAX_PAYLOAD - PROLOGUE.len() - EPILOGUE.len();

    pub fn payload(&self) -> Bytes {
        document(self.records.iter().map(|record| record.json.as_str()))
    }
}

/// The event of records that are written already.
pub fn document<'a>(records: impl Iterator<Item = &'a str> + Clone) -> Bytes {
    let bytes = records
        .clone()
        .map(|record| record.len() + 1)
        .sum::<usize>();
    let mut payload = String::with_capacity(bytes + PROLOGUE.len() + EPILOGUE.len());
    payload.push_str(PROLOGUE);
    for (at, record) in records.enumerate() {
        if at > 0 {
            payload.push(',');
        }
        payload.push_str(record);
    }
    payload.push_str(EPILOGUE);
    payload.into()
}

fn attributes(attributes: Option<&Value>) -> Json {
    let Some(Value::Map(members)) = attributes else {
        return json!({});
    };
    let text = |(name, value): &(String, Value)| Some((name.clone(), value.as_str()?.into()));
    Json::Object(members.iter().filter_map(text).collect())
}

fn message_attributes(attributes: Option<&Value>) -> Json {
    let Some(Value::Map(members)) = attributes else {
        return json!({});
    };
    let converted = members.iter().map(|(name, value)| {
        let mut attribute = Map::new();
        if let Some(text) = value.get("StringValue").and_then(Value::as_str) {
            attribute.insert("stringValue".into(), text.into());
        }
        if let Some(Value::Blob(bytes)) = value.get("BinaryValue") {
            attribute.insert("binaryValue".into(), STANDARD.encode(bytes).into());
        }
        attribute.insert("stringListValues".into(), json!([]));
        attribute.insert("binaryListValues".into(), json!([]));
        let data_type = value.get("DataType").and_then(Value::as_str);
        attribute.insert("dataType".into(), data_type.unwrap_or_default().into());
        (name.clone(), Json::Object(attribute))
    });
    Json::Object(converted.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{AccountId, Region};

    use super::*;

    fn mapping() -> SqsMapping {
        SqsMapping {
            uuid: "u".into(),
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            queue: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
            function: "arn:aws:lambda:us-east-1:000000000000:function:f"
                .parse()
                .unwrap(),
            batch_size: 10,
            batching_window: Duration::ZERO,
            report_batch_item_failures: false,
            maximum_concurrency: None,
            provisioned: None,
            filters: crate::poller::Filters::default(),
        }
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn map(members: &[(&str, Value)]) -> Value {
        let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        Value::Map(members.iter().map(owned).collect())
    }

    #[test]
    fn a_record_as_aws_writes_it() {
        let message = map(&[
            ("MessageId", text("m-1")),
            ("ReceiptHandle", text("r-1")),
            ("Body", text("say \"hi\"\n")),
            ("MD5OfBody", text("d1")),
            ("MD5OfMessageAttributes", text("d2")),
            (
                "Attributes",
                map(&[
                    ("SentTimestamp", text("1")),
                    ("AWSTraceHeader", text("Root=1")),
                ]),
            ),
            (
                "MessageAttributes",
                map(&[
                    (
                        "s",
                        map(&[("DataType", text("String")), ("StringValue", text("v"))]),
                    ),
                    (
                        "b",
                        map(&[
                            ("DataType", text("Binary")),
                            ("BinaryValue", Value::Blob(Bytes::from_static(b"\xff"))),
                        ]),
                    ),
                ]),
            ),
        ]);
        let record = Record::new(&message, &mapping()).unwrap();
        assert_eq!(record.trace_header.as_deref(), Some("Root=1"));
        let batch = Batch {
            records: vec![record.clone(), record],
        };
        let event: Json = serde_json::from_slice(&batch.payload()).unwrap();
        let lists = json!([]);
        let expected = json!({
            "messageId": "m-1",
            "receiptHandle": "r-1",
            "body": "say \"hi\"\n",
            "attributes": {"SentTimestamp": "1", "AWSTraceHeader": "Root=1"},
            "messageAttributes": {
                "s": {"stringValue": "v", "stringListValues": lists, "binaryListValues": lists,
                      "dataType": "String"},
                "b": {"binaryValue": "/w==", "stringListValues": lists, "binaryListValues": lists,
                      "dataType": "Binary"},
            },
            "md5OfMessageAttributes": "d2",
            "md5OfBody": "d1",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
            "awsRegion": "us-east-1",
        });
        assert_eq!(event, json!({"Records": [expected, expected]}));
        assert!(Record::new(&map(&[("Body", text("x"))]), &mapping()).is_none());
    }
}
