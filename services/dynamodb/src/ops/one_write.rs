//! What PutItem and DeleteItem have in common: all but the write itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::parameters::OnlyCondition;
use super::writing::{PreparedWrite, Write};
use crate::DynamoDb;
use crate::domain::capacity::{Units, report};
use crate::domain::expression::Condition;
use crate::domain::value::Item;
use crate::domain::{Invalid, convert};
use crate::generated::{
    AttributeValue, ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity,
    ReturnItemCollectionMetrics, ReturnValue, ReturnValuesOnConditionCheckFailure,
};

pub struct OneWrite {
    pub table: String,
    /// Replaces the item rather than deletes it.
    pub is_put: bool,
    /// The item, or its key.
    pub item: BTreeMap<String, AttributeValue>,
    pub condition: OnlyCondition,
    pub returns: Option<ReturnValue>,
    pub on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    pub metrics: Option<ReturnItemCollectionMetrics>,
    pub capacity: Option<ReturnConsumedCapacity>,
}

pub struct Answer {
    pub attributes: Option<BTreeMap<String, AttributeValue>>,
    pub consumed_capacity: Option<ConsumedCapacity>,
    pub item_collection_metrics: Option<ItemCollectionMetrics>,
}

/// An input of either operation: all members but one have the same names.
macro_rules! one_write {
    ($input:ident, $item:ident, is_put: $is_put:expr) => {
        $crate::ops::one_write::OneWrite {
            table: $input.table_name,
            is_put: $is_put,
            item: $input.$item,
            condition: $crate::ops::parameters::OnlyCondition {
                expression: $input.condition_expression,
                expected: $input.expected,
                operator: $input.conditional_operator,
                names: $input.expression_attribute_names,
                values: $input.expression_attribute_values,
            },
            returns: $input.return_values,
            on_failure: $input.return_values_on_condition_check_failure,
            metrics: $input.return_item_collection_metrics,
            capacity: $input.return_consumed_capacity,
        }
    };
}
pub(super) use one_write;

impl OneWrite {
    pub async fn run(
        self,
        dynamodb: &Arc<DynamoDb>,
        context: &RequestContext,
    ) -> Result<Answer, ServiceError> {
        let returns = self.returns.unwrap_or(ReturnValue::None);
        let (condition, item) =
            read(returns, self.condition, self.item).map_err(Invalid::into_validation_error)?;
        let (write, key) = if self.is_put {
            (Write::Put(item.clone()), None)
        } else {
            (Write::Delete, Some(&item))
        };
        let table = &self.table;
        let write = PreparedWrite::new(
            dynamodb,
            context,
            table,
            write,
            key,
            condition,
            self.on_failure,
        )?;
        let definition = Arc::clone(&write.definition);
        let written = write.run(dynamodb).await?;
        let old = written.before.filter(|_| returns == ReturnValue::AllOld);
        Ok(Answer {
            attributes: old.map(convert::to_api),
            consumed_capacity: report(self.capacity, table, &written.consumed, Units::Plain),
            item_collection_metrics: dynamodb
                .collection_metrics(self.metrics, &definition, &item)
                .await?,
        })
    }
}

/// What is wrong with a request whatever the table is.
fn read(
    returns: ReturnValue,
    condition: OnlyCondition,
    item: BTreeMap<String, AttributeValue>,
) -> Result<(Option<Condition>, Item), Invalid> {
    if !matches!(returns, ReturnValue::None | ReturnValue::AllOld) {
        return Err(Invalid::new("ReturnValues can only be ALL_OLD or NONE"));
    }
    Ok((condition.read()?, convert::item(item)?))
}
