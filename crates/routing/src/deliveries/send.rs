//! Handing a parcel over, by the port of its target.

use auth::policy::{self, Caller, Context, Document, Policies, PolicyKind};
use base::{AccountId, Arn, RequestId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use super::{Attribute, Deliveries, Parcel, Target, web};

/// Why a target did not take a parcel.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// In the words of EventBridge's dead letters, such as `NO_PERMISSIONS`.
    pub code: String,
    pub message: String,
    /// Whether another attempt may succeed.
    pub is_passing: bool,
}

impl Failure {
    /// Another attempt may succeed.
    pub fn passing(code: &str, message: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            is_passing: true,
        }
    }

    pub fn lasting(code: &str, message: &str) -> Self {
        Self {
            is_passing: false,
            ..Self::passing(code, message)
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let throttled = error.status == http::StatusCode::TOO_MANY_REQUESTS
            || error.code.contains("Throttl")
            || error.code.contains("TooManyRequests");
        let is_missing = error.code.contains("NotFound")
            || error.code.contains("NonExistent")
            || error.code.contains("DoesNotExist");
        let code = if throttled {
            "THROTTLING"
        } else if error.code.contains("AccessDenied") {
            "NO_PERMISSIONS"
        } else if is_missing {
            "NO_RESOURCE"
        } else if error.is_server_fault() {
            "INTERNAL_ERROR"
        } else {
            "INVALID_PARAMETER"
        };
        let is_absent = error.status == http::StatusCode::NOT_IMPLEMENTED;
        Self {
            code: code.to_owned(),
            message: error.message,
            is_passing: throttled || (code == "INTERNAL_ERROR" && !is_absent),
        }
    }
}

impl Deliveries {
    /// A target that does not answer in time may still take the parcel: it may come to it twice.
    pub(super) async fn hand_over(&self, parcel: &Parcel) -> Result<(), Failure> {
        tokio::select! {
            answer = self.ask(parcel) => answer,
            () = self.clock.sleep(parcel.target.patience()) => {
                Err(Failure::passing("TIMEOUT", "The target did not answer."))
            }
        }
    }

    async fn ask(&self, parcel: &Parcel) -> Result<(), Failure> {
        let context = self.context(parcel);
        match &parcel.target {
            Target::Function(arn) => {
                let input = Value::of_members([
                    Some(("FunctionName", Value::Str(arn.to_string()))),
                    Some(("InvocationType", Value::Str("Event".to_owned()))),
                    Some(("Payload", Value::Blob(parcel.body.clone().into()))),
                ]);
                let context = in_region_of(arn, context);
                self.call("lambda", "Invoke", context, input).await
            }
            Target::Queue {
                queue,
                group,
                deduplication,
                attributes,
            } => {
                let input = Value::of_members([
                    Some(("QueueUrl", Value::Str(queue_url(queue)))),
                    Some(("MessageBody", Value::Str(parcel.body.clone()))),
                    group
                        .clone()
                        .map(|group| ("MessageGroupId", Value::Str(group))),
                    deduplication
                        .clone()
                        .map(|id| ("MessageDeduplicationId", Value::Str(id))),
                    (!attributes.is_empty())
                        .then(|| ("MessageAttributes", message_attributes(attributes))),
                ]);
                self.check_owner(queue, parcel).await?;
                let context = in_region_of(queue, context);
                self.call("sqs", "SendMessage", context, input).await
            }
            Target::LogGroup(group) => {
                self.check_owner(group, parcel).await?;
                self.log(group, context, &parcel.body).await
            }
            Target::EventBus {
                bus,
                source,
                detail_type,
                resources,
                time,
            } => {
                let resources = resources.iter().map(|arn| Value::Str(arn.to_string()));
                let entry = Value::of_members([
                    bus.as_ref()
                        .map(|bus| ("EventBusName", Value::Str(bus.to_string()))),
                    Some(("Source", Value::Str(source.clone()))),
                    Some(("DetailType", Value::Str(detail_type.clone()))),
                    Some(("Resources", Value::List(resources.collect()))),
                    Some(("Time", Value::Time(*time))),
                    Some(("Detail", Value::Str(parcel.body.clone()))),
                ]);
                let entries = Value::List(vec![entry]);
                let input = Value::of_members([Some(("Entries", entries))]);
                // Another account's bus itself judges who sends to it.
                self.call("events", "PutEvents", context, input).await
            }
            Target::Call {
                service,
                operation,
                arn,
                reach,
            } => {
                let mut input = serde_json::from_str(&parcel.body)
                    .map(value_of)
                    .map_err(|error| invalid(format!("the input is no JSON: {error}")))?;
                // JSON has no bytes; a function's event and an object are given as text.
                let bytes = match operation.as_str() {
                    "Invoke" => Some("Payload"),
                    "PutObject" => Some("Body"),
                    _ => None,
                };
                if let Some(member) = bytes
                    && let Some(Value::Str(text)) = input.take(member)
                    && let Value::Map(members) = &mut input
                {
                    members.push((member.to_owned(), Value::Blob(text.into())));
                }
                let context = match arn.parse::<Arn>() {
                    Ok(arn) => {
                        self.check_owner(&arn, parcel).await?;
                        in_region_of(&arn, context)
                    }
                    Err(_) => context,
                };
                let context = context.within(*reach);
                self.call(service, operation, context, input).await
            }
            Target::Web {
                url,
                headers,
                method,
                reach,
            } => {
                let method = method.as_deref().unwrap_or("POST");
                web::send(&*self.web, *reach, method, url, headers, &parcel.body).await
            }
            Target::Endpoint { arn, parts } => {
                let endpoints = self.endpoints.get().ok_or_else(|| {
                    Failure::lasting("UNSUPPORTED_TARGET", "this service has no endpoints")
                })?;
                let web::Exchange {
                    method,
                    url,
                    headers,
                    body,
                    reach,
                } = endpoints.exchange(arn, parts, &parcel.body).await?;
                let sent = web::send(&*self.web, reach, &method, &url, &headers, &body).await;
                sent.map_err(|failure| {
                    if failure.code == "401" || failure.code == "407" {
                        endpoints.refused(arn);
                    }
                    Failure {
                        is_passing: failure.is_passing || web::may_pass(&failure.code),
                        ..failure
                    }
                })
            }
            Target::Refused { code, message } => Err(Failure {
                code: code.clone(),
                message: message.clone(),
                is_passing: false,
            }),
            Target::Nowhere(what) => Err(Failure {
                code: "UNSUPPORTED_TARGET".to_owned(),
                message: format!("Kagero does not deliver to {what} yet."),
                is_passing: false,
            }),
        }
    }

    fn context(&self, parcel: &Parcel) -> RequestContext {
        let source = &parcel.source;
        let principal = Principal::Service {
            name: self.sender,
            source_arn: Some(source.arn.clone()),
            source_account: Some(source.account),
        };
        let now = self.clock.now();
        RequestContext {
            trace: parcel.trace.clone(),
            ..RequestContext::internal(principal, source.account, source.region.clone(), now)
        }
    }

    /// Another account's queues and topics get what their policies let in, other resources of theirs
    /// nothing; of functions Lambda itself judges, and what Lambda tells goes by the function's role,
    /// whose policies nobody evaluates here.
    async fn check_owner(&self, target: &Arn, parcel: &Parcel) -> Result<(), Failure> {
        let source = &parcel.source;
        let Some(owner) = target.account_id().filter(|owner| *owner != source.account) else {
            return Ok(());
        };
        if source.arn.service == "lambda" {
            return Ok(());
        }
        let asked = match target.service.as_str() {
            "sqs" => {
                let names = Value::List(vec![Value::Str("Policy".to_owned())]);
                let input = [
                    Some(("QueueUrl", Value::Str(queue_url(target)))),
                    Some(("AttributeNames", names)),
                ];
                Some(("GetQueueAttributes", Value::of_members(input)))
            }
            "sns" => {
                let topic = Value::Str(target.to_string());
                let input = Value::of_members([Some(("TopicArn", topic))]);
                Some(("GetTopicAttributes", input))
            }
            _ => None,
        };
        if let Some((operation, input)) = asked {
            let context = in_region_of(target, self.context(parcel));
            let service = target.service.as_str();
            let answer = self.api.call(service, operation, context, input).await?;
            let attributes = answer.get("Attributes");
            let policy = attributes.and_then(|all| all.get("Policy")?.as_str());
            if policy.is_some_and(|policy| self.is_let_in(policy, target, owner, parcel)) {
                return Ok(());
            }
        }
        Err(Failure {
            code: "NO_PERMISSIONS".to_owned(),
            message: format!("{target} does not let {} in", source.arn),
            is_passing: false,
        })
    }

    fn is_let_in(&self, policy: &str, target: &Arn, owner: AccountId, parcel: &Parcel) -> bool {
        let Ok(document) = Document::parse(policy, PolicyKind::Resource) else {
            return false;
        };
        let caller = Caller::Service { name: self.sender };
        let mut keys = Context::new();
        keys.insert_caller(&caller);
        keys.insert("aws:SourceArn", parcel.source.arn.to_string());
        keys.insert("aws:SourceAccount", parcel.source.account.to_string());
        let request = policy::Request {
            caller,
            action: match target.service.as_str() {
                "sns" => "sns:Publish",
                _ => "sqs:SendMessage",
            },
            resource: &target.to_string(),
            resource_account: owner,
            context: &keys,
        };
        let policies = Policies {
            resource: Some(&document),
            ..Policies::default()
        };
        policy::evaluate(&request, &policies).is_allowed()
    }

    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<(), Failure> {
        let answer = self.api.call(service, operation, context, input).await?;
        match answer.get("FailedEntryCount") {
            Some(Value::Int(count)) if *count > 0 => Err(failed_entry(&answer)),
            _ => Ok(()),
        }
    }

    /// One event in a stream of its own, as EventBridge writes them.
    async fn log(&self, group: &Arn, context: RequestContext, body: &str) -> Result<(), Failure> {
        let context = in_region_of(group, context);
        let name = group.resource.trim_end_matches(":*");
        let name = name.strip_prefix("log-group:").unwrap_or(name);
        let stream = RequestId::random().to_string();
        let names = [
            Some(("logGroupName", Value::Str(name.to_owned()))),
            Some(("logStreamName", Value::Str(stream))),
        ];
        let create = Value::of_members(names.clone());
        self.call("logs", "CreateLogStream", context.clone(), create)
            .await?;
        let event = Value::of_members([
            Some(("timestamp", Value::Int(context.received_at.millis()))),
            Some(("message", Value::Str(body.to_owned()))),
        ]);
        let [group, stream] = names;
        let events = Some(("logEvents", Value::List(vec![event])));
        let put = Value::of_members([group, stream, events]);
        self.call("logs", "PutLogEvents", context, put).await
    }
}

/// Why an event bus did not take an event.
fn failed_entry(answer: &Value) -> Failure {
    let entry = answer
        .get("Entries")
        .and_then(Value::as_list)
        .and_then(|entries| entries.first());
    let text = |member| entry.and_then(|entry| entry.get(member)?.as_str());
    let code = text("ErrorCode").unwrap_or("InternalFailure");
    Failure {
        is_passing: code.starts_with("Internal") || code.starts_with("Throttl"),
        ..Failure::passing(code, text("ErrorMessage").unwrap_or_default())
    }
}

/// The call is about the resources of the target's owner, where the target is.
fn in_region_of(target: &Arn, mut context: RequestContext) -> RequestContext {
    if let Some(account) = target.account_id() {
        context.account = account;
    }
    if let Some(region) = target.region() {
        context.region = region;
    }
    context
}

/// Only the path of a queue's URL counts.
fn queue_url(queue: &Arn) -> String {
    format!("http://localhost/{}/{}", queue.account, queue.resource)
}

fn message_attributes(attributes: &[Attribute]) -> Value {
    let attribute = |one: &Attribute| {
        let kind = Some(("DataType", Value::Str(one.kind.clone())));
        let value = if one.kind.starts_with("Binary") {
            let bytes = STANDARD.decode(&one.value).unwrap_or_default();
            ("BinaryValue", Value::Blob(bytes.into()))
        } else {
            ("StringValue", Value::Str(one.value.clone()))
        };
        (one.name.clone(), Value::of_members([kind, Some(value)]))
    };
    Value::Map(attributes.iter().map(attribute).collect())
}

fn value_of(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(value_of).collect()),
        serde_json::Value::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(name, value)| (name, value_of(value)))
                .collect(),
        ),
    }
}

fn invalid(message: String) -> Failure {
    Failure {
        code: "INVALID_PARAMETER".to_owned(),
        message,
        is_passing: false,
    }
}
