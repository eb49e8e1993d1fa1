//! UpdateItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::parameters::{self, Given};
use super::writing::{PreparedWrite, Write};
use crate::DynamoDb;
use crate::domain::capacity::{Units, report};
use crate::domain::expression::{self, Action, Condition, Placeholders, Update};
use crate::domain::path::project;
use crate::domain::value::Item;
use crate::domain::{Invalid, convert, legacy};
use crate::generated::{ReturnValue, UpdateItemInput, UpdateItemOutput};

/// Makes the item if it is not there.
pub async fn update_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    mut input: UpdateItemInput,
) -> Result<UpdateItemOutput, ServiceError> {
    let is_legacy = input.attribute_updates.is_some();
    let Request {
        key,
        update,
        condition,
    } = Request::read(&mut input).map_err(Invalid::into_validation_error)?;
    // Before expressions, an update that only deletes made no item.
    let only_deletes = is_legacy
        && !update.0.is_empty()
        && update
            .0
            .iter()
            .all(|action| matches!(action, Action::Remove(_) | Action::Delete(..)));
    let write = Write::Update {
        key: key.clone(),
        update,
        makes: !only_deletes,
    };
    let table = &input.table_name;
    let on_failure = input.return_values_on_condition_check_failure;
    let write = PreparedWrite::new(
        &dynamodb,
        &context,
        table,
        write,
        Some(&key),
        condition,
        on_failure,
    )?;
    let definition = Arc::clone(&write.definition);
    let written = write.run(&dynamodb).await?;
    let asked = input.return_item_collection_metrics;
    let metrics = dynamodb
        .collection_metrics(asked, &definition, &key)
        .await?;
    let touched = &written.touched;
    let part = |item: Option<Item>| {
        item.map(|item| project(&item, touched))
            .filter(|item| !item.is_empty())
    };
    let attributes = match input.return_values.unwrap_or(ReturnValue::None) {
        ReturnValue::None => None,
        ReturnValue::AllOld => written.before,
        ReturnValue::AllNew => written.after,
        ReturnValue::UpdatedOld => part(written.before),
        ReturnValue::UpdatedNew => part(written.after),
    };
    Ok(UpdateItemOutput {
        attributes: attributes.map(convert::to_api),
        consumed_capacity: report(
            input.return_consumed_capacity,
            table,
            &written.consumed,
            Units::Plain,
        ),
        item_collection_metrics: metrics,
    })
}

/// What a request says, whatever the table is.
struct Request {
    key: Item,
    update: Update,
    condition: Option<Condition>,
}

impl Request {
    fn read(input: &mut UpdateItemInput) -> Result<Self, Invalid> {
        Given {
            expressions: &[
                ("UpdateExpression", input.update_expression.is_some()),
                ("ConditionExpression", input.condition_expression.is_some()),
            ],
            legacy: &[
                ("AttributeUpdates", input.attribute_updates.is_some()),
                ("Expected", input.expected.is_some()),
                ("ConditionalOperator", input.conditional_operator.is_some()),
            ],
            names: input.expression_attribute_names.is_some(),
            values: input.expression_attribute_values.is_some(),
        }
        .check()?;
        let key = convert::item(std::mem::take(&mut input.key))?;
        let mut placeholders = Placeholders::new(
            input.expression_attribute_names.take(),
            input.expression_attribute_values.take(),
        )?;
        let update = match (
            input.update_expression.as_deref(),
            input.attribute_updates.take(),
        ) {
            (Some(text), _) => expression::update(text, &mut placeholders)?,
            (None, Some(updates)) => legacy::attribute_updates(updates)?,
            (None, None) => Update::default(),
        };
        let condition = parameters::condition(
            input.condition_expression.as_deref(),
            input.expected.take(),
            input.conditional_operator.take(),
            &mut placeholders,
        )?;
        placeholders.check_all_used()?;
        Ok(Self {
            key,
            update,
            condition,
        })
    }
}
