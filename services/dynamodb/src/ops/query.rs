//! Query.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>

use std::ops::RangeBounds as _;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::reading::asked;
use crate::domain::expression::{self, Condition};
use crate::domain::key::KeySchema;
use crate::domain::{Invalid, legacy};
use crate::generated::{QueryInput, QueryOutput};
use crate::{DynamoDb, error};

pub async fn query(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    mut input: QueryInput,
) -> Result<QueryOutput, ServiceError> {
    let key_text = input.key_condition_expression.take();
    // KeyConditions may go with the other expressions.
    let both = key_text.is_some() && input.key_conditions.is_some();
    let (start, forward) = (input.exclusive_start_key.take(), input.scan_index_forward);
    let conditions = input.key_conditions.take();
    let mut asked = asked!(input, query_filter);
    let mut placeholders = asked.placeholders(
        "QueryFilter",
        Some(("KeyConditionExpression", key_text.is_some())),
        Some(("KeyConditions", both)),
    )?;
    let key_condition = match (key_text, conditions) {
        (Some(text), _) => expression::key_condition(&text, &mut placeholders)?,
        (None, Some(conditions)) => legacy::key_conditions(conditions)?,
        (None, None) => {
            return Err(error::invalid(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in \
                 the request.",
            ));
        }
    };
    let filtered_by = if asked.filter_expression.is_some() {
        "Filter Expression"
    } else {
        "QueryFilter"
    };
    let reading = asked.reading(&dynamodb, &context, placeholders)?;
    if let Some(filter) = reading.filter() {
        check_filter(filtered_by, filter, reading.keys())?;
    }
    let asked = key_condition.resolve(reading.keys())?;
    let mut scan = reading.place().collection(&asked.hash, &asked.range);
    if forward == Some(false) {
        scan = scan.reversed();
    }
    if let Some(start) = start {
        let (row, key) = reading.start(start)?;
        if key.hash != asked.hash || !(scan.start.clone(), scan.end.clone()).contains(&row) {
            return Err(error::invalid(
                "The provided starting key is outside query boundaries based on provided conditions",
            ));
        }
        scan = scan.after(row);
    }
    let answer = reading.run(&dynamodb, scan).await?;
    Ok(QueryOutput {
        items: answer.items,
        count: answer.count,
        scanned_count: answer.scanned_count,
        last_evaluated_key: answer.last_evaluated_key,
        consumed_capacity: answer.consumed_capacity,
    })
}

/// A filter says nothing of keys: the key condition does.
fn check_filter(parameter: &str, filter: &Condition, keys: &KeySchema) -> Result<(), Invalid> {
    let mut key = None;
    filter.each_path(&mut |path| {
        if keys.has(&path.head) {
            key.get_or_insert_with(|| path.head.clone());
        }
    });
    match key {
        Some(key) => Err(Invalid::new(format!(
            "{parameter} can only contain non-primary key attributes: Primary key attribute: {key}"
        ))),
        None => Ok(()),
    }
}
