//! A published message as parcels, one for each subscription that wants it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Arn, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use routing::deliveries::{Attribute as Sent, DeadLetter, Parcel, Retry, Source, Style, Target};
use serde_json::{Map, Value, json};
use service::ports::{Seen, Verdict};

use crate::domain::arn::is_fifo;
use crate::domain::attributes::dead_letters;
use crate::domain::message::{Attribute, Message};
use crate::domain::{delivery_policy, filter};
use crate::records::{Outgoing, TopicId};
use crate::signing::{Signer, text_to_sign};
use crate::topics::Subscribed;

/// SQS and Lambda are tried for 23 days.
const TO_AWS: Retry = Retry {
    attempts: 100_015,
    max_age_seconds: 23 * 86_400,
    first_pause_millis: 1_000,
    longest_pause_millis: 20_000,
    phases: None,
    insists: false,
};
/// A message that a topic has taken.
pub struct Published<'a> {
    pub topic: &'a TopicId,
    pub id: &'a str,
    pub at: Timestamp,
    pub message: &'a Message,
    /// Of a FIFO topic.
    pub order: Option<Order>,
    /// Host and port of this server.
    pub authority: &'a str,
    /// The topic's attributes.
    pub attributes: &'a BTreeMap<String, String>,
    pub signer: Option<Arc<Signer>>,
    /// Of the call that published it.
    pub trace: Option<&'a str>,
}

#[derive(Clone)]
pub struct Order {
    pub group: String,
    pub deduplication: String,
    pub sequence: u64,
}

/// What leaves, and what is only written down for want of a way out.
#[derive(Default)]
pub struct Outcome {
    pub parcels: Vec<Parcel>,
    pub outgoing: Vec<Outgoing>,
}

impl Published<'_> {
    pub fn to(&self, subscriptions: &[Arc<Subscribed>]) -> Outcome {
        let attributes = filter::attributes_event(&self.message.attributes);
        let wants_body = subscriptions
            .iter()
            .any(|one| matches!(one.filter, Some((filter::Scope::MessageBody, _))));
        let body: Option<Value> = wants_body
            .then(|| filter::body_event(self.message.body()))
            .flatten();
        let mut outcome = Outcome::default();
        for one in subscriptions {
            if one.record.confirmed
                && filter::passes(one.filter.as_ref(), &attributes, body.as_ref())
            {
                self.deliver(one, &mut outcome);
            }
        }
        outcome
    }

    /// For whoever looks on: the subscriptions that get the message, and why others do not.
    pub fn seen(&self, subscriptions: &[Arc<Subscribed>]) -> Seen {
        let attributes = filter::attributes_event(&self.message.attributes);
        let body = filter::body_event(self.message.body());
        let verdicts = subscriptions.iter().map(|one| {
            let why_not = if !one.record.confirmed {
                Some("the subscription is not confirmed".to_owned())
            } else if filter::passes(one.filter.as_ref(), &attributes, body.as_ref()) {
                None
            } else {
                let policy = one.record.attributes.get("FilterPolicy");
                let by_body = matches!(one.filter, Some((filter::Scope::MessageBody, _)));
                let event = if by_body {
                    body.clone().unwrap_or_default()
                } else {
                    attributes.clone()
                };
                let unmet = patterns::unmet_fields(policy.map_or("", String::as_str), &event);
                Some(format!("does not match in {}", unmet.join(", ")))
            };
            Verdict {
                by: one.arn(),
                targets: vec![one.record.endpoint.clone()],
                why_not,
            }
        });
        let text = |text: &str| wire::Value::Str(text.to_owned());
        let order = self.order.as_ref();
        let sent = self.message.attributes.iter().map(|(name, one)| {
            let kind = Some(("DataType", text(&one.kind)));
            let value = match STANDARD.decode(&one.value) {
                Ok(bytes) if one.kind.starts_with("Binary") => {
                    ("BinaryValue", wire::Value::Blob(bytes.into()))
                }
                _ => ("StringValue", text(&one.value)),
            };
            (name.clone(), wire::Value::of_members([kind, Some(value)]))
        });
        let id = uuid::Uuid::new_v4().to_string();
        let input = wire::Value::of_members([
            Some(("TopicArn", text(&self.topic.arn().to_string()))),
            Some(("Message", text(self.message.body()))),
            self.message
                .subject
                .as_deref()
                .map(|subject| ("Subject", text(subject))),
            Some(("MessageAttributes", wire::Value::Map(sent.collect()))),
            order.map(|order| ("MessageGroupId", text(&order.group))),
            order.map(|_| ("MessageDeduplicationId", text(&id))),
        ]);
        Seen {
            id: self.id.to_owned(),
            at: self.at,
            account: self.topic.account,
            region: self.topic.region.clone(),
            place: self.topic.arn().to_string(),
            event: self.message.body().to_owned(),
            verdicts: verdicts.collect(),
            again: ("sns", "Publish", input),
        }
    }

    fn deliver(&self, to: &Subscribed, outcome: &mut Outcome) {
        let record = &to.record;
        let raw = record
            .attributes
            .get("RawMessageDelivery")
            .is_some_and(|raw| raw.eq_ignore_ascii_case("true"));
        let text = self.message.body_for(&record.protocol);
        let Ok(endpoint) = record.endpoint.parse::<Arn>() else {
            return match record.protocol.as_str() {
                "http" | "https" => outcome.parcels.push(self.web(to, raw)),
                protocol => outcome.outgoing.push(Outgoing {
                    protocol: record.protocol.clone(),
                    endpoint: record.endpoint.clone(),
                    subject: self.message.subject.clone(),
                    message: if protocol == "email-json" {
                        self.envelope(to).to_string()
                    } else {
                        text.to_owned()
                    },
                }),
            };
        };
        let (target, body) = match record.protocol.as_str() {
            "sqs" => {
                let order = self.order.as_ref();
                // A standard queue takes a group, but nothing to tell duplicates by.
                let deduplication = order.filter(|_| is_fifo(&endpoint.resource));
                let target = Target::Queue {
                    queue: endpoint,
                    group: order.map(|order| order.group.clone()),
                    deduplication: deduplication.map(|order| order.deduplication.clone()),
                    attributes: if raw {
                        self.sent_attributes()
                    } else {
                        Vec::new()
                    },
                };
                let body = if raw {
                    text.to_owned()
                } else {
                    self.envelope(to).to_string()
                };
                (target, body)
            }
            "lambda" => (Target::Function(endpoint), self.event(to).to_string()),
            _ => {
                return outcome.outgoing.push(Outgoing {
                    protocol: record.protocol.clone(),
                    endpoint: record.endpoint.clone(),
                    subject: self.message.subject.clone(),
                    message: text.to_owned(),
                });
            }
        };
        outcome.parcels.push(self.parcel(to, target, body, TO_AWS));
    }

    fn parcel(&self, to: &Subscribed, target: Target, body: String, retry: Retry) -> Parcel {
        let dead_letter = to
            .record
            .attributes
            .get("RedrivePolicy")
            .and_then(|policy| dead_letters(policy))
            .map(|queue| DeadLetter {
                queue,
                body: None,
                style: Style::Sns,
                attributes: vec![Sent::text("RequestID", self.id)],
            });
        Parcel {
            target,
            body,
            source: Source {
                arn: self.topic.arn(),
                account: self.topic.account,
                region: self.topic.region.clone(),
            },
            order: self.order.as_ref().map(|order| order.group.clone()),
            retry,
            dead_letter,
            accepted_at: self.at,
            per_second: None,
            trace: self.trace.map(str::to_owned),
        }
    }

    fn web(&self, to: &Subscribed, raw: bool) -> Parcel {
        let mut headers = headers("Notification", self.id, self.topic);
        headers.push(("x-amz-sns-subscription-arn".to_owned(), to.arn()));
        let body = if raw {
            headers.push(("x-amz-sns-rawdelivery".to_owned(), "true".to_owned()));
            self.message.body_for(&to.record.protocol).to_owned()
        } else {
            self.envelope(to).to_string()
        };
        let of =
            |attributes: &'_ BTreeMap<String, String>| attributes.get("DeliveryPolicy").cloned();
        let (topic, own) = (of(self.attributes), of(&to.record.attributes));
        let policy = delivery_policy::effective(topic.as_deref(), own.as_deref());
        if let Some(kind) = policy.content_type {
            headers.retain(|(name, _)| name != "content-type");
            headers.push(("content-type".to_owned(), kind));
        }
        let target = Target::Web {
            url: to.record.endpoint.clone(),
            headers,
            method: None,
            reach: to.record.reach,
        };
        Parcel {
            per_second: policy.per_second,
            ..self.parcel(to, target, body, policy.retry)
        }
    }

    /// What wraps a message: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
    fn envelope(&self, to: &Subscribed) -> Value {
        let mut envelope = Map::new();
        let mut put = |name: &str, value: Value| envelope.insert(name.to_owned(), value);
        put("Type", "Notification".into());
        put("MessageId", self.id.into());
        if let Some(order) = &self.order {
            put("SequenceNumber", sequence_text(order.sequence).into());
        }
        put("TopicArn", self.topic.arn().to_string().into());
        if let Some(subject) = &self.message.subject {
            put("Subject", subject.clone().into());
        }
        put("Message", self.message.body_for(&to.record.protocol).into());
        put("Timestamp", self.at.iso8601_millis().into());
        if let Some(signed) = self.signed(self.message.body_for(&to.record.protocol)) {
            put("SignatureVersion", signed.version.into());
            put("Signature", signed.signature.into());
            put("SigningCertURL", signed.certificate_url.into());
        }
        put(
            "UnsubscribeURL",
            unsubscribe_url(self.authority, &to.arn()).into(),
        );
        if !self.message.attributes.is_empty() {
            put("MessageAttributes", shown(&self.message.attributes));
        }
        Value::Object(envelope)
    }

    /// What a function gets: <https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>
    fn event(&self, to: &Subscribed) -> Value {
        let signed = self.signed(self.message.body_for("lambda"));
        json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": to.arn(),
            "Sns": {
                "Type": "Notification",
                "MessageId": self.id,
                "TopicArn": self.topic.arn().to_string(),
                "Subject": self.message.subject,
                "Message": self.message.body_for("lambda"),
                "Timestamp": self.at.iso8601_millis(),
                "SignatureVersion": signed.as_ref().map(|it| &it.version),
                "Signature": signed.as_ref().map(|it| &it.signature),
                "SigningCertUrl": signed.as_ref().map(|it| &it.certificate_url),
                "UnsubscribeUrl": unsubscribe_url(self.authority, &to.arn()),
                "MessageAttributes": shown(&self.message.attributes),
            }
        }]})
    }

    fn signed(&self, message: &str) -> Option<Signed> {
        let signer = self.signer.as_ref()?;
        let text = text_to_sign(&[
            ("Message", Some(message)),
            ("MessageId", Some(self.id)),
            ("Subject", self.message.subject.as_deref()),
            ("Timestamp", Some(&self.at.iso8601_millis())),
            ("TopicArn", Some(&self.topic.arn().to_string())),
            ("Type", Some("Notification")),
        ]);
        Some(Signed::new(signer, self.attributes, &text, self.authority))
    }

    fn sent_attributes(&self) -> Vec<Sent> {
        self.message
            .attributes
            .iter()
            .map(|(name, one)| Sent {
                name: name.clone(),
                kind: one.kind.clone(),
                value: one.value.clone(),
            })
            .collect()
    }
}

/// A signature, as messages carry it.
struct Signed {
    version: String,
    signature: String,
    certificate_url: String,
}

impl Signed {
    fn new(signer: &Signer, topic: &BTreeMap<String, String>, text: &str, authority: &str) -> Self {
        let version = topic.get("SignatureVersion").map_or("1", String::as_str);
        Self {
            version: version.to_owned(),
            signature: signer.sign(version, text),
            certificate_url: format!("http://{authority}/{}", signer.name),
        }
    }
}

/// Whether what these subscriptions get is signed.
pub fn wants_signature(subscriptions: &[Arc<Subscribed>]) -> bool {
    subscriptions.iter().any(|one| {
        let raw = one.record.attributes.get("RawMessageDelivery");
        let raw = raw.is_some_and(|raw| raw.eq_ignore_ascii_case("true"));
        match one.record.protocol.as_str() {
            "sqs" | "http" | "https" => !raw,
            "lambda" | "email-json" => true,
            _ => false,
        }
    })
}

/// The message that asks an endpoint's owner to confirm.
pub fn confirmation(
    to: &Subscribed,
    topic_attributes: &BTreeMap<String, String>,
    signer: &Signer,
    at: Timestamp,
    authority: &str,
) -> Outcome {
    let id = uuid::Uuid::new_v4().to_string();
    let topic = to.topic.arn().to_string();
    let token = &to.record.token;
    let url = format!(
        "http://{authority}/?Action=ConfirmSubscription&Version=2010-03-31&TopicArn={topic}&Token={token}"
    );
    let message = format!(
        "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the \
         SubscribeURL included in this message."
    );
    let time = at.iso8601_millis();
    let text = text_to_sign(&[
        ("Message", Some(&message)),
        ("MessageId", Some(&id)),
        ("SubscribeURL", Some(&url)),
        ("Timestamp", Some(&time)),
        ("Token", Some(token)),
        ("TopicArn", Some(&topic)),
        ("Type", Some("SubscriptionConfirmation")),
    ]);
    let signed = Signed::new(signer, topic_attributes, &text, authority);
    let body = json!({
        "Type": "SubscriptionConfirmation",
        "MessageId": id,
        "Token": token,
        "TopicArn": topic,
        "Message": message,
        "SubscribeURL": url,
        "Timestamp": time,
        "SignatureVersion": signed.version,
        "Signature": signed.signature,
        "SigningCertURL": signed.certificate_url,
    });
    let mut outcome = Outcome::default();
    let protocol = to.record.protocol.as_str();
    if protocol.starts_with("email") {
        outcome.outgoing.push(Outgoing {
            protocol: protocol.to_owned(),
            endpoint: to.record.endpoint.clone(),
            subject: Some("AWS Notification - Subscription Confirmation".to_owned()),
            message: if protocol == "email-json" {
                body.to_string()
            } else {
                format!(
                    "You have chosen to subscribe to the topic: {topic}\nTo confirm, visit {url}"
                )
            },
        });
        return outcome;
    }
    let own = to.record.attributes.get("DeliveryPolicy");
    let topic_policy = topic_attributes.get("DeliveryPolicy");
    let policy =
        delivery_policy::effective(topic_policy.map(String::as_str), own.map(String::as_str));
    outcome.parcels.push(Parcel {
        target: Target::Web {
            url: to.record.endpoint.clone(),
            headers: headers("SubscriptionConfirmation", &id, &to.topic),
            method: None,
            reach: to.record.reach,
        },
        body: body.to_string(),
        source: Source {
            arn: to.topic.arn(),
            account: to.topic.account,
            region: to.topic.region.clone(),
        },
        order: None,
        retry: policy.retry,
        dead_letter: None,
        accepted_at: at,
        per_second: None,
        trace: None,
    });
    outcome
}

fn headers(kind: &str, id: &str, topic: &TopicId) -> Vec<(String, String)> {
    [
        ("x-amz-sns-message-type", kind.to_owned()),
        ("x-amz-sns-message-id", id.to_owned()),
        ("x-amz-sns-topic-arn", topic.arn().to_string()),
        ("content-type", "text/plain; charset=UTF-8".to_owned()),
        (
            "user-agent",
            "Amazon Simple Notification Service Agent".to_owned(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn unsubscribe_url(authority: &str, subscription: &str) -> String {
    format!(
        "http://{authority}/?Action=Unsubscribe&Version=2010-03-31&SubscriptionArn={subscription}"
    )
}

fn shown(attributes: &BTreeMap<String, Attribute>) -> Value {
    attributes
        .iter()
        .map(|(name, one)| (name.clone(), json!({"Type": one.kind, "Value": one.value})))
        .collect::<Map<_, _>>()
        .into()
}

/// Twenty digits, as SNS writes them.
pub fn sequence_text(sequence: u64) -> String {
    format!("{sequence:020}")
}
