//! JSON to [`Document`]: the grammar that every kind of policy shares.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use serde_json::{Map, Value};

use super::condition::Condition;
use super::document::{Document, Effect, MAX_TEXT, MalformedPolicy, Selector, Statement};
use super::principal::PrincipalSet;

/// A document, and what only the checks by kind want to know of it.
pub(super) struct Parsed {
    pub(super) policy: Document,
    pub(super) version: Option<String>,
}

type Object = Map<String, Value>;

pub(super) fn malformed(message: impl Into<String>) -> MalformedPolicy {
    MalformedPolicy(message.into())
}

fn syntax() -> MalformedPolicy {
    malformed("Syntax errors in policy.")
}

pub(super) fn document(text: &str) -> Result<Parsed, MalformedPolicy> {
    if text.len() > MAX_TEXT {
        return Err(malformed("The policy is too long."));
    }
    let json: Value =
        serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
    let Value::Object(top) = json else {
        return Err(syntax());
    };
    only(&top, &["Version", "Id", "Statement"])?;
    let version = optional_text(&top, "Version")?;
    if version
        .as_deref()
        .is_some_and(|v| v != "2012-10-17" && v != "2008-10-17")
    {
        return Err(syntax());
    }
    optional_text(&top, "Id")?;
    let statements = match top.get("Statement") {
        Some(Value::Array(statements)) => statements
            .iter()
            .map(statement)
            .collect::<Result<Vec<_>, _>>()?,
        Some(one @ Value::Object(_)) => vec![statement(one)?],
        None => return Err(malformed("Missing required field Statement")),
        Some(_) => return Err(syntax()),
    };
    let has_variables = version.as_deref() == Some("2012-10-17");
    Ok(Parsed {
        policy: Document {
            has_variables,
            statements,
        },
        version,
    })
}

fn statement(value: &Value) -> Result<Statement, MalformedPolicy> {
    const FIELDS: &[&str] = &[
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let object = value.as_object().ok_or_else(syntax)?;
    only(object, FIELDS)?;
    let effect = match object.get("Effect") {
        Some(Value::String(text)) if text == "Allow" => Effect::Allow,
        Some(Value::String(text)) if text == "Deny" => Effect::Deny,
        None => return Err(malformed("Missing required field Effect")),
        Some(_) => return Err(syntax()),
    };
    let action = selector(object, "Action", "NotAction", |_, value| texts(value))?
        .ok_or_else(|| malformed("Policy statement must contain actions."))?;
    let conditions = match object.get("Condition") {
        Some(Value::Object(blocks)) => conditions(blocks)?,
        None => Vec::new(),
        Some(_) => return Err(syntax()),
    };
    Ok(Statement {
        sid: optional_text(object, "Sid")?,
        effect,
        principal: selector(object, "Principal", "NotPrincipal", |_, value| {
            principals(value)
        })?,
        action,
        resource: selector(object, "Resource", "NotResource", |_, value| texts(value))?,
        conditions,
    })
}

/// Reads one of two fields that exclude each other.
fn selector<T>(
    object: &Object,
    positive: &str,
    negative: &str,
    read: impl Fn(&str, &Value) -> Result<T, MalformedPolicy>,
) -> Result<Option<Selector<T>>, MalformedPolicy> {
    match (object.get(positive), object.get(negative)) {
        (Some(_), Some(_)) => Err(syntax()),
        (Some(value), None) => Ok(Some(Selector::In(read(positive, value)?))),
        (None, Some(value)) => Ok(Some(Selector::NotIn(read(negative, value)?))),
        (None, None) => Ok(None),
    }
}

/// `"*"`, or `{"AWS": …, "Service": …, "Federated": …, "CanonicalUser": …}`.
fn principals(value: &Value) -> Result<PrincipalSet, MalformedPolicy> {
    let object = match value {
        Value::String(text) if text == "*" => return Ok(PrincipalSet::everyone()),
        Value::String(text) => {
            return Err(malformed(format!("Invalid principal in policy: {text}")));
        }
        Value::Object(object) if !object.is_empty() => object,
        _ => return Err(syntax()),
    };
    let mut set = PrincipalSet::default();
    for (kind, value) in object {
        let names = texts(value)?;
        match kind.as_str() {
            "AWS" => set.aws = names,
            "Service" => set.services = names,
            "Federated" => set.federated = names,
            "CanonicalUser" => set.canonical_users = names,
            _ => return Err(malformed(format!("Unknown field {kind}"))),
        }
    }
    Ok(set)
}

fn conditions(blocks: &Object) -> Result<Vec<Condition>, MalformedPolicy> {
    let mut found = Vec::new();
    for (operator, keys) in blocks {
        for (key, values) in keys.as_object().ok_or_else(syntax)? {
            let condition = Condition::new(operator, key, scalars(values)?);
            found.push(
                condition
                    .ok_or_else(|| malformed(format!("Invalid Condition type : {operator}.")))?,
            );
        }
    }
    Ok(found)
}

fn texts(value: &Value) -> Result<Vec<String>, MalformedPolicy> {
    let one = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(syntax);
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

/// Condition values may also be numbers and booleans.
fn scalars(value: &Value) -> Result<Vec<String>, MalformedPolicy> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(syntax()),
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

fn optional_text(object: &Object, name: &str) -> Result<Option<String>, MalformedPolicy> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(syntax()),
    }
}

fn only(object: &Object, known: &[&str]) -> Result<(), MalformedPolicy> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(malformed(format!("Unknown field {unknown}"))),
        None => Ok(()),
    }
}
