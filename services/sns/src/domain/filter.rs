//! Filter policies.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html>

use std::collections::BTreeMap;

use patterns::{Event, Pattern};
use serde_json::{Map, Value};
use service::ServiceError;

use crate::domain::message::Attribute;
use crate::error;

/// What the policy is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    MessageAttributes,
    MessageBody,
}

const MAX_KEYS: usize = 5;
const MAX_COMBINATIONS: usize = 150;

/// The filter of a subscription with these attributes, which have been checked.
pub fn of(attributes: &BTreeMap<String, String>) -> Option<(Scope, Pattern)> {
    let policy = attributes.get("FilterPolicy")?;
    if is_empty(policy) {
        return None;
    }
    let mut policy: Value = serde_json::from_str(policy).ok()?;
    to_five_digits(&mut policy);
    Some((scope(attributes), Pattern::parse(&policy.to_string()).ok()?))
}

/// Numbers are compared with an accuracy of five digits after the decimal point.
pub fn to_five_digits(value: &mut Value) {
    const SCALE: f64 = 1e5;
    match value {
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().map(|exact| (exact * SCALE).round() / SCALE);
            if let Some(rounded) = rounded.and_then(serde_json::Number::from_f64) {
                *number = rounded;
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(to_five_digits),
        Value::Object(members) => members.values_mut().for_each(to_five_digits),
        _ => {}
    }
}

fn scope(attributes: &BTreeMap<String, String>) -> Scope {
    match attributes.get("FilterPolicyScope").map(String::as_str) {
        Some("MessageBody") => Scope::MessageBody,
        _ => Scope::MessageAttributes,
    }
}

fn is_empty(policy: &str) -> bool {
    let policy = policy.trim();
    policy.is_empty() || policy == "{}"
}

/// `prefix` is what stands before the reason, which differs between operations.
pub fn check(attributes: &BTreeMap<String, String>, prefix: &str) -> Result<(), ServiceError> {
    let Some(policy) = attributes.get("FilterPolicy") else {
        return Ok(());
    };
    if is_empty(policy) {
        return Ok(());
    }
    let invalid = |reason: String| error::invalid(format!("{prefix}{reason}"));
    let document: Value = serde_json::from_str(policy)
        .map_err(|error| invalid(format!("FilterPolicy: failed to parse JSON. {error}")))?;
    let nested = |members: &Map<String, Value>| {
        members
            .iter()
            .any(|(name, value)| name != "$or" && value.is_object())
    };
    if scope(attributes) == Scope::MessageAttributes && document.as_object().is_some_and(nested) {
        return Err(invalid(
            "Filter policy scope MessageAttributes does not support nested filter policy"
                .to_owned(),
        ));
    }
    let pattern =
        Pattern::parse(policy).map_err(|error| invalid(format!("FilterPolicy: {error}")))?;
    if pattern.fields().len() > MAX_KEYS {
        return Err(invalid(
            "FilterPolicy: Filter policy can not have more than 5 keys".to_owned(),
        ));
    }
    if pattern.combinations() > MAX_COMBINATIONS {
        return Err(invalid(
            "FilterPolicy: Filter policy is too complex".to_owned(),
        ));
    }
    Ok(())
}

/// A message's attributes as the event that filters see.
pub fn attributes_event(attributes: &BTreeMap<String, Attribute>) -> Value {
    let value = |one: &Attribute| {
        let kind = one.kind.split('.').next().unwrap_or_default();
        match kind {
            "Number" => serde_json::from_str(&one.value).ok(),
            "String" if one.kind == "String.Array" => serde_json::from_str(&one.value).ok(),
            "String" => Some(Value::from(one.value.clone())),
            _ => None,
        }
    };
    let mut event = attributes
        .iter()
        .filter_map(|(name, one)| Some((name.clone(), value(one)?)))
        .collect::<Map<_, _>>()
        .into();
    to_five_digits(&mut event);
    event
}

/// A message's body as the event that filters see.
pub fn body_event(body: &str) -> Option<Value> {
    let mut event = serde_json::from_str(body).ok()?;
    to_five_digits(&mut event);
    Some(event)
}

/// Whether a message passes. A body that is no object passes no filter.
pub fn passes(filter: Option<&(Scope, Pattern)>, attributes: &Value, body: Option<&Value>) -> bool {
    match filter {
        None => true,
        Some((Scope::MessageAttributes, pattern)) => pattern.matches(&Event::of(attributes)),
        Some((Scope::MessageBody, pattern)) => {
            body.is_some_and(|body| body.is_object() && pattern.matches(&Event::of(body)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes_with(policy: &str, body: &str) -> bool {
        let attributes = [
            ("FilterPolicy".to_owned(), policy.to_owned()),
            ("FilterPolicyScope".to_owned(), "MessageBody".to_owned()),
        ];
        let filter = of(&attributes.into());
        passes(filter.as_ref(), &Value::Null, body_event(body).as_ref())
    }

    #[test]
    fn numbers_are_compared_to_five_digits() {
        let exact = r#"{"price": [100.123456789]}"#;
        assert!(passes_with(exact, r#"{"price": 100.1234567}"#));
        assert!(passes_with(exact, r#"{"price": [100.1234567, 50]}"#));
        assert!(!passes_with(exact, r#"{"price": 100.12344}"#));
        let range = r#"{"price": [{"numeric": [">", 0.000001]}]}"#;
        assert!(!passes_with(range, r#"{"price": 0.000004}"#));
        assert!(passes_with(range, r#"{"price": 0.00001}"#));
    }
}
