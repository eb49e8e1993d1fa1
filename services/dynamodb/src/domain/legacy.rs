//! The parameters of before expressions: Expected, KeyConditions, QueryFilter, ScanFilter,
//! AttributeUpdates and AttributesToGet.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html>

use std::collections::{BTreeMap, BTreeSet};

use super::expression::{
    Action, Comparator, Condition, KeyCondition, Operand, RangeCondition, SetValue, Update,
    UpdateOperand,
};
use super::path::Path;
use super::value::Attribute;
use super::{Invalid, convert};
use crate::generated::{
    self, AttributeAction, AttributeValueUpdate, ComparisonOperator, ConditionalOperator,
    ExpectedAttributeValue,
};

/// Expected, as a condition.
pub fn expected(
    expected: BTreeMap<String, ExpectedAttributeValue>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    let conditions = expected.into_iter().map(|(name, expected)| {
        let of = |reason: String| Invalid::parameter(format!("{reason} for Attribute: {name}"));
        let ExpectedAttributeValue {
            value,
            exists,
            comparison_operator,
            attribute_value_list,
        } = expected;
        if value.is_some() && attribute_value_list.is_some() {
            return Err(of(
                "Value and AttributeValueList cannot be used together".into()
            ));
        }
        if let Some(operator) = comparison_operator {
            if exists.is_some() {
                return Err(of(
                    "Exists and ComparisonOperator cannot be used together".into()
                ));
            }
            let unary = matches!(
                operator,
                ComparisonOperator::Null | ComparisonOperator::NotNull
            );
            if !unary && value.is_none() && attribute_value_list.is_none() {
                return Err(of(format!(
                    "Value or AttributeValueList must be used with ComparisonOperator: {operator}"
                )));
            }
            let values = attribute_value_list.unwrap_or_else(|| value.into_iter().collect());
            return comparison(name, operator, convert_all(values)?);
        }
        if attribute_value_list.is_some() {
            return Err(of(
                "AttributeValueList can only be used with a ComparisonOperator".into(),
            ));
        }
        let shown = exists.map_or_else(|| "null".to_owned(), |exists| exists.to_string());
        match (exists.unwrap_or(true), value) {
            (true, None) => Err(of(format!("Value must be provided when Exists is {shown}"))),
            (false, Some(_)) => Err(of("Value cannot be used when Exists is false".into())),
            (false, None) => Ok(Condition::NotExists(Path::attribute(name))),
            (true, Some(value)) => Ok(Condition::Compare(
                Comparator::Equal,
                Operand::Path(Path::attribute(name)),
                Operand::Value(convert::attribute(value)?),
            )),
        }
    });
    join(conditions.collect::<Result<_, _>>()?, operator)
}

/// QueryFilter or ScanFilter, as a condition.
pub fn filter(
    filter: BTreeMap<String, generated::Condition>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    let conditions = filter.into_iter().map(|(name, condition)| {
        let values = convert_all(condition.attribute_value_list.unwrap_or_default())?;
        comparison(name, condition.comparison_operator, values)
    });
    join(conditions.collect::<Result<_, _>>()?, operator)
}

/// KeyConditions.
pub fn key_conditions(
    conditions: BTreeMap<String, generated::Condition>,
) -> Result<KeyCondition, Invalid> {
    let mut found = KeyCondition::default();
    for (name, condition) in conditions {
        let operator = condition.comparison_operator;
        let mut values = convert_all(condition.attribute_value_list.unwrap_or_default())?;
        check_values(operator, &values)?;
        let first = (!values.is_empty()).then(|| values.remove(0));
        let compare = |comparator| move |value| RangeCondition::Compare(comparator, value);
        let of_key = match operator {
            ComparisonOperator::Eq => first.map(compare(Comparator::Equal)),
            ComparisonOperator::Le => first.map(compare(Comparator::LessOrEqual)),
            ComparisonOperator::Lt => first.map(compare(Comparator::Less)),
            ComparisonOperator::Ge => first.map(compare(Comparator::GreaterOrEqual)),
            ComparisonOperator::Gt => first.map(compare(Comparator::Greater)),
            ComparisonOperator::BeginsWith => first.map(RangeCondition::BeginsWith),
            ComparisonOperator::Between => first
                .zip(values.pop())
                .map(|(low, high)| RangeCondition::Between(low, high)),
            _ => None,
        };
        let of_key = of_key.ok_or_else(|| {
            Invalid::new("Attempted conditional constraint is not an indexable operation")
        })?;
        found.0.push((name, of_key));
    }
    Ok(found)
}

/// AttributeUpdates.
pub fn attribute_updates(
    updates: BTreeMap<String, AttributeValueUpdate>,
) -> Result<Update, Invalid> {
    let actions = updates.into_iter().map(|(name, update)| {
        let path = Path::attribute(name);
        let action = update.action.unwrap_or(AttributeAction::Put);
        let Some(value) = update.value else {
            return if action == AttributeAction::Delete {
                Ok(Action::Remove(path))
            } else {
                Err(Invalid::parameter(
                    "Only DELETE action is allowed when no attribute value is specified",
                ))
            };
        };
        let value = convert::attribute(value)?;
        let is_set = matches!(
            value,
            Attribute::Ss(_) | Attribute::Ns(_) | Attribute::Bs(_)
        );
        match action {
            AttributeAction::Put => {
                Ok(Action::Set(path, SetValue::Of(UpdateOperand::Value(value))))
            }
            AttributeAction::Delete if is_set => Ok(Action::Delete(path, value)),
            AttributeAction::Delete => Err(Invalid::parameter(format!(
                "DELETE action with value is not supported for the type {}",
                value.kind()
            ))),
            AttributeAction::Add if is_set || matches!(value, Attribute::N(_)) => {
                Ok(Action::Add(path, value))
            }
            // Not in the documentation, but in the service: a list is appended to.
            AttributeAction::Add if matches!(value, Attribute::L(_)) => {
                let empty = UpdateOperand::Value(Attribute::L(Vec::new()));
                let list = UpdateOperand::IfNotExists(path.clone(), Box::new(empty));
                let appended = UpdateOperand::ListAppend(
                    Box::new(list),
                    Box::new(UpdateOperand::Value(value)),
                );
                Ok(Action::Set(path, SetValue::Of(appended)))
            }
            AttributeAction::Add => Err(Invalid::parameter(format!(
                "ADD action is not supported for the type {}",
                value.kind()
            ))),
        }
    });
    actions.collect::<Result<_, _>>().map(Update)
}

/// Refuses an operator that joins nothing.
pub fn check_operator(
    operator: Option<ConditionalOperator>,
    conditions: bool,
) -> Result<(), Invalid> {
    if operator.is_some() && !conditions {
        return Err(Invalid::parameter(
            "ConditionalOperator cannot be used without Filter or Expected",
        ));
    }
    Ok(())
}

/// AttributesToGet: whole attributes, whatever their names.
pub fn attributes_to_get(names: Vec<String>) -> Result<Vec<Path>, Invalid> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Invalid::parameter(format!(
            "Duplicate value in attribute name: {twice}"
        )));
    }
    Ok(names.into_iter().map(Path::attribute).collect())
}

fn convert_all(values: Vec<generated::AttributeValue>) -> Result<Vec<Attribute>, Invalid> {
    values.into_iter().map(convert::attribute).collect()
}

fn comparison(
    name: String,
    operator: ComparisonOperator,
    values: Vec<Attribute>,
) -> Result<Condition, Invalid> {
    check_values(operator, &values)?;
    let path = Path::attribute(name);
    let attribute = Operand::Path(path.clone());
    let mut values = values.into_iter().map(Operand::Value);
    let mut next = || values.next().unwrap_or(Operand::Value(Attribute::Null));
    Ok(match operator {
        ComparisonOperator::Null => Condition::NotExists(path),
        ComparisonOperator::NotNull => Condition::Exists(path),
        ComparisonOperator::Eq => Condition::Compare(Comparator::Equal, attribute, next()),
        ComparisonOperator::Ne => Condition::Compare(Comparator::NotEqual, attribute, next()),
        ComparisonOperator::Le => Condition::Compare(Comparator::LessOrEqual, attribute, next()),
        ComparisonOperator::Lt => Condition::Compare(Comparator::Less, attribute, next()),
        ComparisonOperator::Ge => Condition::Compare(Comparator::GreaterOrEqual, attribute, next()),
        ComparisonOperator::Gt => Condition::Compare(Comparator::Greater, attribute, next()),
        ComparisonOperator::Contains => Condition::Contains(attribute, next()),
        ComparisonOperator::NotContains => {
            Condition::Not(Box::new(Condition::Contains(attribute, next())))
        }
        ComparisonOperator::BeginsWith => Condition::BeginsWith(attribute, next()),
        ComparisonOperator::Between => {
            let low = next();
            Condition::Between(attribute, low, next())
        }
        ComparisonOperator::In => Condition::In(attribute, values.collect()),
    })
}

fn check_values(operator: ComparisonOperator, values: &[Attribute]) -> Result<(), Invalid> {
    let (fits, allowed): (bool, &[&str]) = match operator {
        ComparisonOperator::Null | ComparisonOperator::NotNull => (values.is_empty(), &[]),
        ComparisonOperator::Eq | ComparisonOperator::Ne => (values.len() == 1, &[]),
        ComparisonOperator::In => (!values.is_empty(), &["S", "N", "B"]),
        ComparisonOperator::Between => (values.len() == 2, &["S", "N", "B"]),
        ComparisonOperator::BeginsWith => (values.len() == 1, &["S", "B"]),
        _ => (values.len() == 1, &["S", "N", "B"]),
    };
    if !fits {
        return Err(Invalid::parameter(format!(
            "Invalid number of argument(s) for the {operator} ComparisonOperator"
        )));
    }
    if values.iter().any(|value| value.kind() != values[0].kind()) {
        return Err(Invalid::parameter(
            "AttributeValues inside AttributeValueList must be of same type",
        ));
    }
    let refused = values
        .iter()
        .find(|value| !allowed.is_empty() && !allowed.contains(&value.kind()));
    if let Some(value) = refused {
        return Err(Invalid::parameter(format!(
            "ComparisonOperator {operator} is not valid for {} AttributeValue type",
            value.kind()
        )));
    }
    let reversed = |values: &[Attribute]| {
        values[0]
            .compare(&values[1])
            .is_some_and(std::cmp::Ordering::is_gt)
    };
    if operator == ComparisonOperator::Between && reversed(values) {
        return Err(Invalid::new(
            "The BETWEEN condition was provided a range where the lower bound is greater than the \
             upper bound",
        ));
    }
    Ok(())
}

fn join(
    conditions: Vec<Condition>,
    operator: Option<ConditionalOperator>,
) -> Result<Option<Condition>, Invalid> {
    if operator.is_some() && conditions.len() < 2 {
        return Err(Invalid::parameter(
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ));
    }
    let or = operator == Some(ConditionalOperator::Or);
    Ok(conditions.into_iter().reduce(|a, b| {
        let (a, b) = (Box::new(a), Box::new(b));
        if or {
            Condition::Or(a, b)
        } else {
            Condition::And(a, b)
        }
    }))
}
