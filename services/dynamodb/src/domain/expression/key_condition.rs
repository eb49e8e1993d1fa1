//! Key conditions: a hash key's value, and what the range key must be.

use super::Kind;
use super::condition::{Comparator, Condition, Operand};
use crate::domain::Invalid;
use crate::domain::key::KeySchema;
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
    pub fn resolve(
        mut self,
        schema: &KeySchema,
    ) -> Result<(Attribute, Option<RangeCondition>), Invalid> {
        if self.0.is_empty() || self.0.len() > 2 {
            return Err(Invalid::new("Conditions can be of length 1 or 2 only"));
        }
        let missing =
            |name: &str| Invalid::new(format!("Query condition missed key schema element: {name}"));
        let hash = &schema.hash;
        let at = self.0.iter().position(|(name, _)| *name == hash.name);
        let (_, of_hash) = self.0.remove(at.ok_or_else(|| missing(&hash.name))?);
        let RangeCondition::Compare(Comparator::Equal, value) = of_hash else {
            return Err(Invalid::new("Query key condition not supported"));
        };
        check_type(&value, hash.kind.as_str())?;
        check_not_empty(&value, &hash.name)?;
        let Some((name, of_range)) = self.0.pop() else {
            return Ok((value, None));
        };
        let Some(range) = schema.range.as_ref() else {
            return Err(Invalid::new("Query key condition not supported"));
        };
        if range.name != name {
            return Err(missing(&range.name));
        }
        for operand in of_range.operands() {
            check_type(operand, range.kind.as_str())?;
        }
        if let RangeCondition::Compare(Comparator::Equal, operand) = &of_range {
            check_not_empty(operand, &range.name)?;
        }
        if matches!(of_range, RangeCondition::BeginsWith(Attribute::N(_))) {
            return Err(Invalid::new("Query key condition not supported"));
        }
        Ok((value, Some(of_range)))
    }
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
