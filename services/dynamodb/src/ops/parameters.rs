//! Parameters that several operations share: which go together, and what they come to.

use std::collections::BTreeMap;

use crate::domain::expression::{self, Condition, Kind, Placeholders};
use crate::domain::path::Path;
use crate::domain::{Invalid, legacy};
use crate::generated::{
    AttributeValue, ConditionalOperator, ExpectedAttributeValue,
    ReturnValuesOnConditionCheckFailure,
};

/// Parameters of one request by name, and whether it has them.
pub struct Given<'a> {
    pub expressions: &'a [(&'static str, bool)],
    pub legacy: &'a [(&'static str, bool)],
    pub names: bool,
    pub values: bool,
}

impl Given<'_> {
    /// Expressions and what they replaced exclude each other; placeholders need expressions.
    pub fn check(&self) -> Result<(), Invalid> {
        let named = |parameters: &[(&'static str, bool)]| -> Vec<&'static str> {
            parameters
                .iter()
                .filter(|(_, given)| *given)
                .map(|(name, _)| *name)
                .collect()
        };
        let (expressions, legacy) = (named(self.expressions), named(self.legacy));
        if !expressions.is_empty() && !legacy.is_empty() {
            return Err(Invalid::new(format!(
                "Can not use both expression and non-expression parameters in the same request: \
                 Non-expression parameters: {{{}}} Expression parameters: {{{}}}",
                legacy.join(", "),
                expressions.join(", ")
            )));
        }
        if self.names && expressions.is_empty() {
            return Err(Invalid::new(
                "ExpressionAttributeNames can only be specified when using expressions",
            ));
        }
        let with_values: Vec<_> = self
            .expressions
            .iter()
            .filter(|(name, _)| *name != Kind::Projection.name())
            .collect();
        if self.values && !with_values.is_empty() && with_values.iter().all(|(_, given)| !given) {
            let names: Vec<_> = with_values.iter().map(|(name, _)| *name).collect();
            let verb = if names.len() > 1 { "are" } else { "is" };
            return Err(Invalid::new(format!(
                "ExpressionAttributeValues can only be specified when using expressions: {} {verb} \
                 null",
                names.join(" and ")
            )));
        }
        Ok(())
    }
}

/// The condition of a request that has no other expression.
pub struct OnlyCondition {
    pub expression: Option<String>,
    pub expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    pub operator: Option<ConditionalOperator>,
    pub names: Option<BTreeMap<String, String>>,
    pub values: Option<BTreeMap<String, AttributeValue>>,
}

impl OnlyCondition {
    pub fn read(self) -> Result<Option<Condition>, Invalid> {
        Given {
            expressions: &[("ConditionExpression", self.expression.is_some())],
            legacy: &[
                ("Expected", self.expected.is_some()),
                ("ConditionalOperator", self.operator.is_some()),
            ],
            names: self.names.is_some(),
            values: self.values.is_some(),
        }
        .check()?;
        let mut placeholders = Placeholders::new(self.names, self.values)?;
        let text = self.expression.as_deref();
        let condition = condition(text, self.expected, self.operator, &mut placeholders)?;
        placeholders.check_all_used()?;
        Ok(condition)
    }
}

/// The condition of a write.
pub fn condition(
    expression: Option<&str>,
    expected: Option<BTreeMap<String, ExpectedAttributeValue>>,
    operator: Option<ConditionalOperator>,
    placeholders: &mut Placeholders,
) -> Result<Option<Condition>, Invalid> {
    match (expression, expected) {
        (Some(text), _) => expression::condition(Kind::Condition, text, placeholders).map(Some),
        (None, Some(expected)) => legacy::expected(expected, operator),
        (None, None) => legacy::check_operator(operator, false).map(|()| None),
    }
}

/// The paths to return; `None` for everything.
pub fn projection(
    expression: Option<&str>,
    attributes_to_get: Option<Vec<String>>,
    placeholders: &mut Placeholders,
) -> Result<Option<Vec<Path>>, Invalid> {
    match (expression, attributes_to_get) {
        (Some(text), _) => expression::projection(text, placeholders).map(Some),
        (None, Some(names)) => legacy::attributes_to_get(names).map(Some),
        (None, None) => Ok(None),
    }
}

/// Whether the answer to a failed condition shows the item.
pub fn shows_item(asked: Option<ReturnValuesOnConditionCheckFailure>) -> bool {
    asked == Some(ReturnValuesOnConditionCheckFailure::AllOld)
}
