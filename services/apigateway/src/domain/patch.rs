//! `patchOperations`: JSON Patch in AWS's dialect. Values are texts, paths come from a list of those
//! that each resource has, and a list is changed by naming its item, not its index.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html>

use service::ServiceError;
use wire::{Shape, Value};

use crate::error::bad_request;
use crate::generated::{Op, PatchOperation};

/// One path that can be changed.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Such as `/quota/limit`, or `/requestTemplates/{}` for the entries of a map and the items of
    /// a list.
    pub path: &'static str,
    /// Where it is kept, if the structure calls it something else.
    pub member: Option<&'static str>,
    pub kind: Kind,
    /// Whether it can be added and removed, and not just replaced.
    pub optional: bool,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    Int,
    Float,
    /// An item of a list of texts: named by the end of the path, or by the value.
    Item,
    /// Only to be removed: a structure.
    Whole,
}

/// A path whose value is only replaced.
pub const fn fixed(path: &'static str, kind: Kind) -> Rule {
    Rule {
        path,
        member: None,
        kind,
        optional: false,
    }
}

/// A path whose value is added, replaced and removed.
pub const fn free(path: &'static str, kind: Kind) -> Rule {
    Rule {
        path,
        member: None,
        kind,
        optional: true,
    }
}

/// What an operation asks for, with all that it needs.
pub struct Asked<'a> {
    pub op: Op,
    pub path: &'a str,
    pub value: Option<&'a str>,
    pub from: Option<&'a str>,
}

impl<'a> Asked<'a> {
    pub fn of(operation: &'a PatchOperation) -> Result<Self, ServiceError> {
        let path = operation.path.as_deref().unwrap_or_default();
        let Some(op) = operation.op else {
            return Err(bad_request(
                "Invalid patch operation specified. Must be one of: [add, remove, replace, move, copy, test]",
            ));
        };
        Ok(Self {
            op,
            path,
            value: operation.value.as_deref(),
            from: operation.from.as_deref(),
        })
    }
}

/// The thing as the operations leave it.
///
/// # Errors
/// A path that the thing does not have, an operation that the path does not take, a value of
/// another kind. Nothing is changed then.
pub fn patched<T: Shape + Clone>(
    thing: &T,
    operations: Option<Vec<PatchOperation>>,
    rules: &[Rule],
) -> Result<T, ServiceError> {
    let mut tree = thing.clone().into_value();
    for operation in operations.unwrap_or_default() {
        apply(&mut tree, &Asked::of(&operation)?, rules)?;
    }
    typed(tree)
}

/// A changed tree as what it stands for; a value that its member cannot have is lost on the way
/// there.
pub fn typed<T: Shape>(tree: Value) -> Result<T, ServiceError> {
    let back = T::from_value(tree.clone()).into_value();
    match lost(&tree, &back) {
        Some(value) => Err(bad_request(format!(
            "Invalid patch value  '{value}' specified"
        ))),
        None => Ok(T::from_value(tree)),
    }
}

/// The first value of one tree that is not in the other.
fn lost(tree: &Value, back: &Value) -> Option<String> {
    match tree {
        Value::Map(members) => members
            .iter()
            .find_map(|(name, value)| lost(value, back.get(name).unwrap_or(&Value::Null))),
        Value::List(items) => match back {
            Value::List(others) if others.len() == items.len() => None,
            _ => Some(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        },
        value if value == back => None,
        value => Some(value.as_str().unwrap_or_default().to_owned()),
    }
}

/// Changes a tree by one operation.
pub fn apply(tree: &mut Value, asked: &Asked<'_>, rules: &[Rule]) -> Result<(), ServiceError> {
    let parts: Vec<String> = asked.path.split('/').skip(1).map(unescaped).collect();
    let found = rules.iter().find(|rule| {
        let pattern: Vec<&str> = rule.path.split('/').skip(1).collect();
        let fits = pattern.len() == parts.len()
            && pattern
                .iter()
                .zip(&parts)
                .all(|(pattern, part)| *pattern == "{}" || pattern == part);
        // An item may stand in the value instead of at the end of the path.
        let fits_by_value = rule.kind == Kind::Item
            && asked.value.is_some()
            && pattern.len() == parts.len() + 1
            && pattern
                .iter()
                .zip(&parts)
                .all(|(pattern, part)| pattern == part);
        fits || fits_by_value
    });
    let Some(rule) = found else {
        return Err(unknown_path(asked, rules));
    };
    let mut path = parts;
    if let (Some(member), Some(first)) = (rule.member, path.first_mut()) {
        member.clone_into(first);
    }
    match (asked.op, rule.kind) {
        (Op::Add | Op::Replace | Op::Remove, Kind::Item) => item(tree, &path, asked, rule),
        (Op::Remove, _) if rule.optional => remove(tree, &path, asked),
        (Op::Replace, kind) if kind != Kind::Whole => set(tree, &path, value(asked, kind)?),
        (Op::Add, kind) if rule.optional && kind != Kind::Whole => {
            set(tree, &path, value(asked, kind)?)
        }
        _ => Err(unsupported(asked)),
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

pub fn unsupported(asked: &Asked<'_>) -> ServiceError {
    bad_request(format!(
        "Invalid patch path  '{}' specified for op '{}'. Please choose supported operations",
        asked.path, asked.op
    ))
}

fn unknown_path(asked: &Asked<'_>, rules: &[Rule]) -> ServiceError {
    let mut paths: Vec<&str> = rules.iter().map(|rule| rule.path).collect();
    paths.sort_unstable();
    bad_request(format!(
        "Invalid patch path  '{}' specified for op '{}'. Must be one of: [{}]",
        asked.path,
        asked.op,
        paths.join(", ")
    ))
}

/// The value as its member's type; an empty text is no value.
pub fn value(asked: &Asked<'_>, kind: Kind) -> Result<Value, ServiceError> {
    let invalid = |must: &str| {
        bad_request(format!(
            "Invalid patch value  '{}' specified for op '{}'. Must be {must}",
            asked.value.unwrap_or("null"),
            asked.op
        ))
    };
    let Some(text) = asked.value else {
        return match kind {
            Kind::Text => Err(invalid("a string")),
            _ => Ok(Value::Null),
        };
    };
    match kind {
        Kind::Text | Kind::Item | Kind::Whole => Ok(Value::Str(text.to_owned())),
        _ if text.is_empty() => Ok(Value::Null),
        Kind::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(invalid("one of: [true, false]")),
        },
        Kind::Int => {
            let number: Result<i32, _> = text.parse();
            let number = number.map_err(|_| invalid("an integer"))?;
            Ok(Value::Int(number.into()))
        }
        Kind::Float => {
            let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
            number.map(Value::Float).ok_or_else(|| invalid("a number"))
        }
    }
}

/// Where a member is, which is put in where it is missing.
pub fn place(
    members: &mut Vec<(String, Value)>,
    name: &str,
    make: impl FnOnce() -> Value,
) -> usize {
    let known = members.iter().position(|(other, _)| other == name);
    known.unwrap_or_else(|| {
        members.push((name.to_owned(), make()));
        members.len() - 1
    })
}

/// The structure or map that holds the path's last part; made where it is missing.
fn holder<'v>(tree: &'v mut Value, path: &[String]) -> Option<&'v mut Vec<(String, Value)>> {
    let Value::Map(members) = tree else {
        return None;
    };
    let Some((first, rest)) = path.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Some(members);
    };
    let at = place(members, first, || Value::Map(Vec::new()));
    holder(&mut members[at].1, rest)
}

fn set(tree: &mut Value, path: &[String], value: Value) -> Result<(), ServiceError> {
    let (Some(members), Some(name)) = (holder(tree, path), path.last()) else {
        return Err(bad_request("Invalid patch path"));
    };
    members.retain(|(other, _)| other != name);
    if value != Value::Null {
        members.push((name.clone(), value));
    }
    Ok(())
}

fn remove(tree: &mut Value, path: &[String], asked: &Asked<'_>) -> Result<(), ServiceError> {
    let missing = || {
        bad_request(format!(
            "Invalid patch path  '{}' specified for op 'remove': there is no such value",
            asked.path
        ))
    };
    let (Some(members), Some(name)) = (holder(tree, path), path.last()) else {
        return Err(missing());
    };
    let before = members.len();
    members.retain(|(other, _)| other != name);
    if members.len() == before {
        return Err(missing());
    }
    if members.is_empty() && path.len() > 1 {
        // AWS shows no empty maps.
        return set(tree, &path[..path.len() - 1], Value::Null);
    }
    Ok(())
}

/// A list has no order that a client could name: an item replaced goes, and the new one comes last.
fn item(
    tree: &mut Value,
    path: &[String],
    asked: &Asked<'_>,
    rule: &Rule,
) -> Result<(), ServiceError> {
    let named = rule.path.matches('/').count() == path.len();
    let (list_path, in_path) = if named {
        let (last, list) = path.split_last().ok_or_else(|| unsupported(asked))?;
        (list, Some(last.as_str()))
    } else {
        (path, None)
    };
    let (Some(members), Some(name)) = (holder(tree, list_path), list_path.last()) else {
        return Err(unsupported(asked));
    };
    let at = place(members, name, || Value::List(Vec::new()));
    let Value::List(items) = &mut members[at].1 else {
        return Err(unsupported(asked));
    };
    let has =
        |items: &[Value], text: &str| items.iter().position(|item| item.as_str() == Some(text));
    let (old, new) = match asked.op {
        Op::Add => (None, in_path.or(asked.value)),
        Op::Remove => (in_path.or(asked.value), None),
        _ => (in_path, asked.value),
    };
    match old.map(|old| (old, has(items, old))) {
        Some((_, Some(at))) => {
            items.remove(at);
        }
        // `replace` without a name in the path puts one where there was one, or none.
        None if asked.op == Op::Replace => items.clear(),
        Some((old, None)) => {
            return Err(bad_request(format!(
                "Invalid patch path  '{}' specified for op '{}': there is no {old}",
                asked.path, asked.op
            )));
        }
        None => {}
    }
    if let Some(new) = new
        && has(items, new).is_none()
    {
        items.push(Value::Str(new.to_owned()));
    }
    if items.is_empty() {
        members.remove(at);
    }
    Ok(())
}
