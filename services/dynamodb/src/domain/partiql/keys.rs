//! What a condition says of keys.

use crate::domain::Invalid;
use crate::domain::expression::{Comparator, Condition, KeyCondition, Operand, RangeCondition};
use crate::domain::key::{KeyAttribute, KeySchema};
use crate::domain::value::{Attribute, Item};

/// The conditions that must all hold.
fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::And(a, b) => [conjuncts(a), conjuncts(b)].concat(),
        other => vec![other],
    }
}

/// What is left to be asked.
fn all_but(all: &[&Condition], used: &[usize]) -> Option<Condition> {
    let left = all.iter().enumerate().filter(|(at, _)| !used.contains(at));
    left.map(|(_, one)| (*one).clone())
        .reduce(|a, b| Condition::And(Box::new(a), Box::new(b)))
}

fn equal_to<'a>(condition: &'a Condition, key: &KeyAttribute) -> Option<&'a Attribute> {
    let Condition::Compare(Comparator::Equal, a, b) = condition else {
        return None;
    };
    let (Operand::Path(path), Operand::Value(value)) = (a, b) else {
        let (Operand::Value(value), Operand::Path(path)) = (a, b) else {
            return None;
        };
        return (path.steps.is_empty() && path.head == key.name).then_some(value);
    };
    (path.steps.is_empty() && path.head == key.name).then_some(value)
}

/// The key of the one item that a condition is about, and what else it asks.
pub fn full_key(
    condition: &Condition,
    keys: &KeySchema,
) -> Result<(Item, Option<Condition>), Invalid> {
    let all = conjuncts(condition);
    let mut key = Item::new();
    let mut used = Vec::new();
    for attribute in keys.attributes() {
        let found = all
            .iter()
            .enumerate()
            .find_map(|(at, one)| Some((at, equal_to(one, attribute)?)));
        let (at, value) = found.ok_or_else(|| {
            Invalid::new("Where clause does not contain a mandatory equality on all key attributes")
        })?;
        used.push(at);
        key.insert(attribute.name.clone(), value.clone());
    }
    Ok((key, all_but(&all, &used)))
}

/// The key condition of a query that finds all that meets a condition, and what it leaves to a
/// filter; `None` if the hash key is not given, so that it takes a scan.
pub fn key_condition(
    condition: &Condition,
    keys: &KeySchema,
) -> Option<(KeyCondition, Option<Condition>)> {
    let all = conjuncts(condition);
    let mut found = KeyCondition::default();
    let mut used = Vec::new();
    for key in keys.hash_attributes() {
        let (at, value) = all
            .iter()
            .enumerate()
            .find_map(|(at, one)| Some((at, equal_to(one, key)?)))?;
        let equal = RangeCondition::Compare(Comparator::Equal, value.clone());
        used.push(at);
        found.0.push((key.name.clone(), equal));
    }
    for key in keys.range_attributes() {
        let Some((at, of_range)) = all
            .iter()
            .enumerate()
            .find_map(|(at, one)| Some((at, on_range(one, key)?)))
        else {
            break;
        };
        // Only behind a value can the next attribute be asked about.
        let is_value = matches!(of_range, RangeCondition::Compare(Comparator::Equal, _));
        used.push(at);
        found.0.push((key.name.clone(), of_range));
        if !is_value {
            break;
        }
    }
    Some((found, all_but(&all, &used)))
}

fn on_range(condition: &Condition, key: &KeyAttribute) -> Option<RangeCondition> {
    let is_key = |operand: &Operand| matches!(operand, Operand::Path(path) if path.steps.is_empty() && path.head == key.name);
    let value = |operand: &Operand| match operand {
        Operand::Value(value) if value.kind() == key.kind.as_str() => Some(value.clone()),
        _ => None,
    };
    match condition {
        Condition::Compare(comparator, a, b)
            if is_key(a) && *comparator != Comparator::NotEqual =>
        {
            Some(RangeCondition::Compare(*comparator, value(b)?))
        }
        Condition::Between(a, low, high) if is_key(a) => {
            Some(RangeCondition::Between(value(low)?, value(high)?))
        }
        Condition::BeginsWith(a, start) if is_key(a) => value(start)
            .filter(|start| start.kind() != "N")
            .map(RangeCondition::BeginsWith),
        _ => None,
    }
}
