//! A message as published, and the checks it has to pass.
//!
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use service::ServiceError;

use crate::error;
use crate::generated::MessageAttributeValue;

/// Bytes of a message with its attributes, and of a batch, where the topic does not say otherwise.
pub const DEFAULT_MAX_BYTES: usize = 262_144;
const MAX_SUBJECT: usize = 100;

/// A checked message.
#[derive(Clone, Debug)]
pub struct Message {
    pub subject: Option<String>,
    pub attributes: BTreeMap<String, Attribute>,
    body: String,
    /// With `MessageStructure` `json`: what each protocol gets instead.
    by_protocol: BTreeMap<String, String>,
}

/// A message attribute; binary values are in base64.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub kind: String,
    pub value: String,
}

impl Message {
    pub fn check(
        body: String,
        subject: Option<String>,
        structure: Option<&str>,
        attributes: BTreeMap<String, MessageAttributeValue>,
    ) -> Result<Self, ServiceError> {
        if body.is_empty() {
            return Err(error::invalid("Empty message"));
        }
        if let Some(subject) = &subject {
            check_subject(subject)?;
        }
        let attributes = attributes
            .into_iter()
            .map(|(name, one)| attribute(&name, one).map(|checked| (name, checked)))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let (body, by_protocol) = match structure {
            None | Some("") => (body, BTreeMap::new()),
            Some("json") => structured(&body)?,
            Some(_) => return Err(error::invalid("MessageStructure")),
        };
        Ok(Self {
            subject,
            attributes,
            body,
            by_protocol,
        })
    }

    /// Checks the size of the message with its attributes.
    pub fn check_size(&self, max_bytes: usize) -> Result<(), ServiceError> {
        if self.bytes() > max_bytes {
            return Err(error::invalid("Message too long"));
        }
        Ok(())
    }

    /// What an endpoint of this protocol gets.
    pub fn body_for(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.body)
    }

    /// What filters look at.
    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn bytes(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, one)| name.len() + one.kind.len() + one.value.len())
            .sum();
        self.body.len() + attributes
    }
}

/// Printable, on one line, not beginning with a space.
fn check_subject(subject: &str) -> Result<(), ServiceError> {
    let fits = !subject.is_empty()
        && subject.chars().count() <= MAX_SUBJECT
        && !subject.starts_with(char::is_whitespace)
        && !subject.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(error::invalid("Subject"))
    }
}

fn structured(body: &str) -> Result<(String, BTreeMap<String, String>), ServiceError> {
    let Ok(Value::Object(entries)) = serde_json::from_str(body) else {
        return Err(error::invalid(
            "Message Structure - JSON message body failed to parse",
        ));
    };
    let by_protocol: BTreeMap<String, String> = entries
        .into_iter()
        .filter_map(|(protocol, text)| Some((protocol, text.as_str()?.to_owned())))
        .collect();
    match by_protocol.get("default") {
        Some(default) => Ok((default.clone(), by_protocol)),
        None => Err(error::invalid(
            "Message Structure - No default entry in JSON message body",
        )),
    }
}

fn attribute(name: &str, given: MessageAttributeValue) -> Result<Attribute, ServiceError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty()
        || name.len() > 256
        || !name.chars().all(legal)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
    {
        return Err(error::invalid_value(format!(
            "The message attribute name '{name}' is invalid."
        )));
    }
    let kind = given.data_type;
    if kind.is_empty() {
        return Err(error::invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        )));
    }
    let value = match kind.split('.').next() {
        Some("String" | "Number") => given.string_value.unwrap_or_default(),
        Some("Binary") => STANDARD.encode(given.binary_value.unwrap_or_default()),
        _ => {
            return Err(error::invalid_value(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of \
                 supported type prefixes is Binary, Number, and String."
            )));
        }
    };
    if value.is_empty() {
        return Err(error::invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{kind}'."
        )));
    }
    if kind.starts_with("Number") && value.parse::<f64>().is_err() {
        return Err(error::invalid_value(format!(
            "Could not cast message attribute '{name}' value to number."
        )));
    }
    Ok(Attribute { kind, value })
}
