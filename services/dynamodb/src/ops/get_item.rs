//! GetItem.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::parameters::{self, Given};
use crate::DynamoDb;
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::convert;
use crate::domain::expression::Placeholders;
use crate::domain::path::project;
use crate::domain::value::item_size;
use crate::generated::{GetItemInput, GetItemOutput};
use crate::records::item_key;

/// Every read here is consistent, whether or not it was asked to be.
pub async fn get_item(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: GetItemInput,
) -> Result<GetItemOutput, ServiceError> {
    Given {
        expressions: &[(
            "ProjectionExpression",
            input.projection_expression.is_some(),
        )],
        legacy: &[("AttributesToGet", input.attributes_to_get.is_some())],
        names: input.expression_attribute_names.is_some(),
        values: false,
    }
    .check()?;
    let key = convert::item(input.key)?;
    let mut placeholders = Placeholders::new(input.expression_attribute_names, None)?;
    let projection = parameters::projection(
        input.projection_expression.as_deref(),
        input.attributes_to_get,
        &mut placeholders,
    )?;
    placeholders.check_all_used()?;
    let (_, definition) = dynamodb.table(&context, &input.table_name)?;
    let key = definition.keys.of_key(&key)?;
    dynamodb.admit_read(&definition, None)?;
    let item = dynamodb
        .item(item_key(definition.id, &key).as_bytes())
        .await?;
    let consistent = input.consistent_read == Some(true);
    let consumed = Consumed {
        table: read_units(item.as_ref().map_or(0, item_size), consistent),
        ..Consumed::default()
    };
    dynamodb.charge_read(&definition, &consumed);
    let item = match projection {
        Some(paths) => item.map(|item| project(&item, &paths)),
        None => item,
    };
    Ok(GetItemOutput {
        item: item.map(convert::to_api),
        consumed_capacity: report(
            input.return_consumed_capacity,
            &input.table_name,
            &consumed,
            Units::Plain,
        ),
    })
}
