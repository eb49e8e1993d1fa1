//! Hands one parcel to its target, through the same door as any client.

use std::sync::Arc;

use base::{Arn, Clock};
use bytes::Bytes;
use http::StatusCode;
use service::ports::ApiCaller;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use super::parcel::Address;
use super::target::Target;

pub struct Courier {
    pub api: Arc<dyn ApiCaller>,
    pub clock: Clock,
}

/// Why a parcel did not arrive.
#[derive(Debug)]
pub enum Undelivered {
    /// It may arrive later.
    ForNow(ServiceError),
    /// It never will.
    ForGood(ServiceError),
}

impl Courier {
    pub async fn hand_over(&self, address: &Address, body: Bytes) -> Result<(), Undelivered> {
        let (service, operation, input) = call(address, body).map_err(Undelivered::ForGood)?;
        let context = self.context(address);
        let answer = self.api.call(service, operation, context, input).await;
        let answer = answer.map_err(judge)?;
        match answer.get("FailedEntryCount") {
            Some(Value::Int(count)) if *count > 0 => {
                Err(Undelivered::ForNow(failed_entry(&answer)))
            }
            _ => Ok(()),
        }
    }

    /// In the account and region of the target.
    fn context(&self, address: &Address) -> RequestContext {
        let Address { target, source, .. } = address;
        let principal = Principal::Service {
            name: address.sender.principal(),
            source_arn: Some(source.clone()),
            source_account: source.account_id(),
        };
        let account = target.account_id().or_else(|| source.account_id());
        let region = target.region().or_else(|| source.region());
        let context = RequestContext::internal(
            principal,
            account.unwrap_or(base::AccountId::DEFAULT),
            region.unwrap_or_else(base::Region::us_east_1),
            self.clock.now(),
        );
        RequestContext {
            trace: address.trace.clone(),
            ..context
        }
    }
}

/// A service that is not here will not come; what was throttled or failed may yet succeed.
fn judge(error: ServiceError) -> Undelivered {
    let is_absent = error.status == StatusCode::NOT_IMPLEMENTED;
    let may_pass = error.is_server_fault() || error.status == StatusCode::TOO_MANY_REQUESTS;
    if may_pass && !is_absent {
        Undelivered::ForNow(error)
    } else {
        Undelivered::ForGood(error)
    }
}

fn failed_entry(answer: &Value) -> ServiceError {
    let entry = answer
        .get("Entries")
        .and_then(Value::as_list)
        .and_then(|entries| entries.first());
    let text = |member| entry.and_then(|entry| entry.get(member)?.as_str());
    ServiceError::bad_request(
        text("ErrorCode").unwrap_or("InternalFailure").to_owned(),
        text("ErrorMessage").unwrap_or_default(),
    )
}

/// The call that hands a parcel over.
fn call(
    address: &Address,
    body: Bytes,
) -> Result<(&'static str, &'static str, Value), ServiceError> {
    let arn = &address.target;
    let kind = Target::of(arn).ok_or_else(|| refused(arn, "is not a target"))?;
    let text = |body: Bytes| {
        String::from_utf8(body.into())
            .map(Value::Str)
            .map_err(|_| refused(arn, "takes text only"))
    };
    Ok(match kind {
        Target::Queue => {
            // Only the path of a queue's URL counts.
            let url = format!("http://localhost/{}/{}", arn.account, arn.resource);
            let trace = address.trace.clone().map(|trace| {
                let header = attribute("String".to_owned(), trace);
                Value::Map(vec![("AWSTraceHeader".to_owned(), header)])
            });
            let input = [
                ("QueueUrl", Some(Value::Str(url))),
                ("MessageBody", Some(text(body)?)),
                ("MessageAttributes", attributes(address)),
                ("MessageSystemAttributes", trace),
            ];
            ("sqs", "SendMessage", members(input))
        }
        Target::Topic => {
            let input = [
                ("TopicArn", Some(Value::Str(arn.to_string()))),
                ("Message", Some(text(body)?)),
                ("MessageAttributes", attributes(address)),
            ];
            ("sns", "Publish", members(input))
        }
        Target::Function => {
            let input = [
                ("FunctionName", Some(Value::Str(arn.to_string()))),
                ("InvocationType", Some(Value::Str("Event".to_owned()))),
                ("Payload", Some(Value::Blob(body))),
            ];
            ("lambda", "Invoke", members(input))
        }
        Target::Bucket => {
            let key = address.object_key.clone();
            let input = [
                ("Bucket", Some(Value::Str(arn.resource.clone()))),
                ("Key", key.map(Value::Str)),
                (
                    "ContentType",
                    Some(Value::Str("application/json".to_owned())),
                ),
                ("Body", Some(Value::Blob(body))),
            ];
            ("s3", "PutObject", members(input))
        }
        Target::EventBus => {
            let envelope = address.envelope.clone();
            let envelope = envelope.ok_or_else(|| refused(arn, "takes events only"))?;
            let resources = envelope.resources.into_iter().map(Value::Str).collect();
            let entry = [
                ("EventBusName", Some(Value::Str(arn.to_string()))),
                ("Source", Some(Value::Str(envelope.source))),
                ("DetailType", Some(Value::Str(envelope.detail_type))),
                ("Resources", Some(Value::List(resources))),
                ("Detail", Some(text(body)?)),
                ("TraceHeader", address.trace.clone().map(Value::Str)),
            ];
            let entries = Value::List(vec![members(entry)]);
            ("events", "PutEvents", members([("Entries", Some(entries))]))
        }
    })
}

fn refused(target: &Arn, why: &str) -> ServiceError {
    ServiceError::bad_request("InvalidTarget", format!("{target} {why}"))
}

fn attributes(address: &Address) -> Option<Value> {
    if address.attributes.is_empty() {
        return None;
    }
    let each = address.attributes.iter().map(|(name, given)| {
        let value = attribute(given.data_type.clone(), given.value.clone());
        (name.clone(), value)
    });
    Some(Value::Map(each.collect()))
}

fn attribute(data_type: String, value: String) -> Value {
    members([
        ("DataType", Some(Value::Str(data_type))),
        ("StringValue", Some(Value::Str(value))),
    ])
}

/// Those that are there.
fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::of_members(members.map(|(name, value)| Some((name, value?))))
}
