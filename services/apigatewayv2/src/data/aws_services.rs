//! Service integrations: parameters become a call of another service.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html>

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use proxy::invoke::API_GATEWAY;
use serde_json::Value as Json;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use super::DataPlane;
use super::exchange::Exchange;
use super::integrate::Failure;
use crate::domain::expression::evaluate;
use crate::records::{Integration, Texts};
use crate::shape;

/// A subtype: the operation behind it, and the parameters it takes.
struct Subtype {
    service: &'static str,
    operation: &'static str,
    required: &'static [&'static str],
    /// With what an operation's member is made of.
    parameters: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    /// JSON text.
    Json,
}

use Kind::{Json as AsJson, Number, Text};

const SEND_MESSAGE: Subtype = Subtype {
    service: "sqs",
    operation: "SendMessage",
    required: &["QueueUrl", "MessageBody"],
    parameters: &[
        ("QueueUrl", Text),
        ("MessageBody", Text),
        ("DelaySeconds", Number),
        ("MessageAttributes", AsJson),
        ("MessageDeduplicationId", Text),
        ("MessageGroupId", Text),
        ("MessageSystemAttributes", AsJson),
    ],
};
const RECEIVE_MESSAGE: Subtype = Subtype {
    service: "sqs",
    operation: "ReceiveMessage",
    required: &["QueueUrl"],
    parameters: &[
        ("QueueUrl", Text),
        ("AttributeNames", AsJson),
        ("MaxNumberOfMessages", Number),
        ("MessageAttributeNames", AsJson),
        ("ReceiveRequestAttemptId", Text),
        ("VisibilityTimeout", Number),
        ("WaitTimeSeconds", Number),
    ],
};
const PURGE_QUEUE: Subtype = Subtype {
    service: "sqs",
    operation: "PurgeQueue",
    required: &["QueueUrl"],
    parameters: &[("QueueUrl", Text)],
};
const DELETE_MESSAGE: Subtype = Subtype {
    service: "sqs",
    operation: "DeleteMessage",
    required: &["QueueUrl", "ReceiptHandle"],
    parameters: &[("QueueUrl", Text), ("ReceiptHandle", Text)],
};
/// One entry of the call.
const PUT_EVENTS: Subtype = Subtype {
    service: "events",
    operation: "PutEvents",
    required: &["Detail", "DetailType", "Source"],
    parameters: &[
        ("Detail", Text),
        ("DetailType", Text),
        ("Source", Text),
        ("EventBusName", Text),
        ("Resources", AsJson),
        ("TraceHeader", Text),
    ],
};

impl DataPlane {
    /// Calls the service of an integration, in the API's account.
    pub async fn call_service(
        &self,
        exchange: &Exchange,
        integration: &Integration,
        name: &str,
        body: &[u8],
    ) -> Result<Response<Bytes>, Failure> {
        let subtype = match name {
            "SQS-SendMessage" => SEND_MESSAGE,
            "SQS-ReceiveMessage" => RECEIVE_MESSAGE,
            "SQS-DeleteMessage" => DELETE_MESSAGE,
            "SQS-PurgeQueue" => PURGE_QUEUE,
            "EventBridge-PutEvents" => PUT_EVENTS,
            other => return Err(Failure::Broken(format!("there is no {other} here"))),
        };
        let parameters = integration.request_parameters.clone().unwrap_or_default();
        let input = input(&subtype, &parameters, exchange, body)?;
        let api = &exchange.target.api;
        let principal = Principal::Service {
            name: API_GATEWAY,
            source_arn: None,
            source_account: Some(api.account),
        };
        let region = parameters
            .get("Region")
            .and_then(|region| region.parse().ok());
        let region = region.unwrap_or_else(|| api.region.clone());
        let context = RequestContext::internal(principal, api.account, region, self.clock.now())
            .within(exchange.reach());
        let id = context.request_id.to_string();
        let called = self
            .api
            .call(subtype.service, subtype.operation, context, input)
            .await;
        Ok(match called {
            Ok(output) if subtype.service == "sqs" => {
                let body = xml_answer(subtype.operation, &output, &id);
                respond(StatusCode::OK, "text/xml", body)
            }
            Ok(output) => {
                let body = shape::json_of(output).to_string();
                respond(StatusCode::OK, "application/x-amz-json-1.1", body)
            }
            Err(error) => refused(&error),
        })
    }
}

/// What the operation gets, of the parameters that have a value.
fn input(
    subtype: &Subtype,
    parameters: &Texts,
    exchange: &Exchange,
    body: &[u8],
) -> Result<Value, Failure> {
    let context = |name: &str| exchange.context(name);
    let sources = exchange.sources(body, &context);
    let mut members = Vec::new();
    for (parameter, kind) in subtype.parameters {
        let text = parameters.get(*parameter);
        let Some(text) = text.and_then(|text| evaluate(text, &sources)) else {
            continue;
        };
        let bad = || Failure::BadRequest(format!("{parameter} has the value {text}"));
        let value = match kind {
            Text => Value::Str(text.clone()),
            Number => Value::Int(text.parse().map_err(|_| bad())?),
            AsJson => {
                let json: Json = serde_json::from_str(&text).map_err(|_| bad())?;
                shape::value_of("", json)
            }
        };
        members.push(((*parameter).to_owned(), value));
    }
    for required in subtype.required {
        if !members.iter().any(|(name, _)| name == required) {
            let why = format!("{required} has no value");
            return Err(Failure::BadRequest(why));
        }
    }
    let mut input = Value::Map(members);
    if subtype.operation == "PutEvents" {
        let entries = Value::List(vec![input]);
        input = Value::of_members([Some(("Entries", entries))]);
    }
    Ok(input)
}

fn refused(error: &ServiceError) -> Response<Bytes> {
    let body = serde_json::json!({"__type": error.code, "message": error.message});
    respond(error.status, "application/json", body.to_string())
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// SQS's answers reach clients as its query protocol has them.
fn xml_answer(operation: &str, output: &Value, id: &str) -> String {
    let mut inner = String::new();
    write_xml(output, &mut inner);
    format!(
        "<?xml version=\"1.0\"?><{operation}Response \
         xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><{operation}Result>{inner}\
         </{operation}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    )
}

fn write_xml(value: &Value, out: &mut String) {
    match value {
        Value::Map(members) => {
            for (name, value) in members {
                let items = match value {
                    Value::List(items) => items.as_slice(),
                    Value::Null => &[],
                    other => std::slice::from_ref(other),
                };
                // Lists are flat, and their elements' names are singular.
                let is_list = value.as_list().is_some();
                let singular = name.strip_suffix('s').filter(|_| is_list);
                let name = singular.unwrap_or(name);
                for item in items {
                    out.extend(["<", name, ">"]);
                    write_xml(item, out);
                    out.extend(["</", name, ">"]);
                }
            }
        }
        Value::Str(text) => {
            for letter in text.chars() {
                match letter {
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '&' => out.push_str("&amp;"),
                    '"' => out.push_str("&quot;"),
                    other => out.push(other),
                }
            }
        }
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Bool(truth) => out.push_str(&truth.to_string()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_queues_are_xml() {
        let message = Value::of_members([Some(("Body", Value::Str("a<b".to_owned())))]);
        let output = Value::of_members([
            Some(("Messages", Value::List(vec![message]))),
            Some(("MessageId", Value::Str("m".to_owned()))),
        ]);
        let xml = xml_answer("ReceiveMessage", &output, "id");
        assert!(
            xml.contains("<Message><Body>a&lt;b</Body></Message>"),
            "{xml}"
        );
        assert!(xml.contains("<MessageId>m</MessageId>"), "{xml}");
    }
}
