//! Key conditions: a hash key's value, and what the range key must be.

use super::Kind;
use super::condition::{Comparator, Condition, Operand};
use crate::domain::Invalid;
use crate::domain::key::{KeyAttribute, KeySchema, hash_key};
use crate::domain::value::Attribute;

/// What a query asks of each key attribute, by name, before it is known which is which.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyCondition(pub Vec<(String, RangeCondition)>);

#[derive(Clone, Debug, PartialEq)]
pub enum RangeCondition {
    Compare(Comparator, Attribute),
    Between(Attribute, Attribute),
    BeginsWith(Attribute),
}

/// What a query asks of the keys of one schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// As [`KeyBytes`](crate::domain::key::KeyBytes) has it.
    pub hash: Vec<u8>,
    pub range: Ranges,
}

/// What is asked of a range key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranges {
    /// Whether it has several attributes.
    pub several: bool,
    /// What the first of them are.
    pub first: Vec<Attribute>,
    /// What is asked of the next.
    pub next: Option<RangeCondition>,
}

/// Takes apart a condition made of nothing but conditions on keys, joined by AND.
pub fn of(condition: &Condition) -> Result<KeyCondition, Invalid> {
    let mut found = KeyCondition::default();
    collect(condition, &mut found)?;
    Ok(found)
}

fn collect(condition: &Condition, found: &mut KeyCondition) -> Result<(), Invalid> {
    let (name, of_name) = match condition {
        Condition::And(a, b) => {
            collect(a, found)?;
            return collect(b, found);
        }
        Condition::Or(..) => return Err(operator("OR")),
        Condition::Not(_) => return Err(operator("NOT")),
        Condition::In(..) => return Err(operator("IN")),
        Condition::Exists(_) => return Err(operator("attribute_exists")),
        Condition::NotExists(_) => return Err(operator("attribute_not_exists")),
        Condition::HasType(..) => return Err(operator("attribute_type")),
        Condition::Contains(..) => return Err(operator("contains")),
        Condition::Compare(Comparator::NotEqual, ..) => return Err(operator("<>")),
        Condition::Compare(comparator, a, b) => match (a, b) {
            (Operand::Path(_), Operand::Path(_)) => {
                return Err(invalid("Multiple attribute names used in one condition"));
            }
            (Operand::Path(_), _) => (
                key_name(a)?,
                RangeCondition::Compare(*comparator, key_value(b)?),
            ),
            (_, Operand::Path(_)) => {
                let mirrored = match comparator {
                    Comparator::Less => Comparator::Greater,
                    Comparator::LessOrEqual => Comparator::GreaterOrEqual,
                    Comparator::Greater => Comparator::Less,
                    Comparator::GreaterOrEqual => Comparator::LessOrEqual,
                    other => *other,
                };
                (
                    key_name(b)?,
                    RangeCondition::Compare(mirrored, key_value(a)?),
                )
            }
            _ => {
                key_value(a)?;
                key_value(b)?;
                return Err(invalid("No key attribute specified"));
            }
        },
        Condition::Between(value, low, high) => {
            first_is_key("BETWEEN", value)?;
            (
                key_name(value)?,
                RangeCondition::Between(key_value(low)?, key_value(high)?),
            )
        }
        Condition::BeginsWith(value, start) => {
            first_is_key("begins_with", value)?;
            (
                key_name(value)?,
                RangeCondition::BeginsWith(key_value(start)?),
            )
        }
    };
    if found.0.iter().any(|(other, _)| *other == name) {
        return Err(Invalid::new(
            "KeyConditionExpressions must only contain one condition per key",
        ));
    }
    found.0.push((name, of_name));
    Ok(())
}

fn first_is_key(operator: &str, operand: &Operand) -> Result<(), Invalid> {
    match operand {
        Operand::Value(_) => Err(Invalid::new(format!(
            "Invalid condition in KeyConditionExpression: {operator} operator must have the key \
             attribute as its first operand"
        ))),
        _ => Ok(()),
    }
}

fn key_name(operand: &Operand) -> Result<String, Invalid> {
    match operand {
        Operand::Path(path) if path.steps.is_empty() => Ok(path.head.clone()),
        Operand::Path(_) => Err(Invalid::new(
            "KeyConditionExpressions cannot have conditions on nested attributes",
        )),
        Operand::Size(_) => Err(nested()),
        Operand::Value(_) => Err(invalid("No key attribute specified")),
    }
}

fn key_value(operand: &Operand) -> Result<Attribute, Invalid> {
    match operand {
        Operand::Value(value) => Ok(value.clone()),
        Operand::Size(_) => Err(nested()),
        Operand::Path(_) => Err(invalid("Multiple attribute names used in one condition")),
    }
}

fn nested() -> Invalid {
    Invalid::new("KeyConditionExpressions cannot contain nested operations")
}

fn invalid(reason: &str) -> Invalid {
    Invalid::new(format!(
        "Invalid condition in KeyConditionExpression: {reason}"
    ))
}

fn operator(name: &str) -> Invalid {
    Kind::KeyCondition.invalid(format_args!(
        "Invalid operator used in KeyConditionExpression: {name}"
    ))
}

impl KeyCondition {
    /// Which value the hash key has, and what is asked of the range key.
    ///
    /// Of a key with several attributes every one of the hash key must be given, and those of the range
    /// key from the first on, all but the last by their values.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.MultiAttributeKeys>
    pub fn resolve(mut self, schema: &KeySchema) -> Result<Resolved, Invalid> {
        let unsupported = || Invalid::new("Query key condition not supported");
        let missing =
            |name: &str| Invalid::new(format!("Query condition missed key schema element: {name}"));
        let most = schema.attributes().count().max(2);
        if self.0.is_empty() || (most == 2 && self.0.len() > most) {
            return Err(Invalid::new("Conditions can be of length 1 or 2 only"));
        }
        let mut hash = Vec::new();
        for attribute in schema.hash_attributes() {
            let of_hash = self.take(attribute);
            let of_hash = of_hash.ok_or_else(|| missing(&attribute.name))?;
            let RangeCondition::Compare(Comparator::Equal, value) = of_hash else {
                return Err(unsupported());
            };
            check_type(&value, attribute.kind.as_str())?;
            check_not_empty(&value, &attribute.name)?;
            hash.push(value);
        }
        let mut ranges = Vec::new();
        let mut skipped = None;
        for attribute in schema.range_attributes() {
            let Some(of_range) = self.take(attribute) else {
                skipped = Some(&attribute.name);
                break;
            };
            check_range(&of_range, attribute)?;
            ranges.push(of_range);
        }
        if !self.0.is_empty() {
            return Err(skipped.map_or_else(unsupported, |name| missing(name)));
        }
        let next = ranges.pop();
        let first = ranges.into_iter().map(|of_range| match of_range {
            RangeCondition::Compare(Comparator::Equal, value) => Ok(value),
            _ => Err(unsupported()),
        });
        Ok(Resolved {
            hash: hash_key(&hash).ok_or_else(unsupported)?,
            range: Ranges {
                several: !schema.more_range.is_empty(),
                first: first.collect::<Result<_, _>>()?,
                next,
            },
        })
    }

    /// What is asked of an attribute.
    fn take(&mut self, attribute: &KeyAttribute) -> Option<RangeCondition> {
        let at = self.0.iter().position(|(name, _)| *name == attribute.name);
        at.map(|at| self.0.remove(at).1)
    }
}

fn check_range(of_range: &RangeCondition, attribute: &KeyAttribute) -> Result<(), Invalid> {
    for operand in of_range.operands() {
        check_type(operand, attribute.kind.as_str())?;
    }
    if let RangeCondition::Compare(Comparator::Equal, operand) = of_range {
        check_not_empty(operand, &attribute.name)?;
    }
    if matches!(of_range, RangeCondition::BeginsWith(Attribute::N(_))) {
        return Err(Invalid::new("Query key condition not supported"));
    }
    Ok(())
}

impl RangeCondition {
    fn operands(&self) -> Vec<&Attribute> {
        match self {
            Self::Compare(_, value) | Self::BeginsWith(value) => vec![value],
            Self::Between(low, high) => vec![low, high],
        }
    }
}

fn check_type(value: &Attribute, kind: &str) -> Result<(), Invalid> {
    if value.kind() == kind {
        return Ok(());
    }
    Err(Invalid::parameter(
        "Condition parameter type does not match schema type",
    ))
}

fn check_not_empty(value: &Attribute, key: &str) -> Result<(), Invalid> {
    let kind = match value {
        Attribute::S(text) if text.is_empty() => "string",
        Attribute::B(bytes) if bytes.is_empty() => "binary",
        _ => return Ok(()),
    };
    Err(Invalid::new(format!(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
         contain an empty {kind} value. Key: {key}"
    )))
}
