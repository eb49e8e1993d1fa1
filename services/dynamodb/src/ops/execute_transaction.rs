//! ExecuteTransaction.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Reader as _;

use super::statements::{self, Selection, point_read, shown};
use super::transact_write_items::{Token, check_distinct};
use crate::DynamoDb;
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::codec;
use crate::domain::partiql::Statement;
use crate::domain::value::item_size;
use crate::error::{self, Reason, store_failed, transaction_canceled};
use crate::generated::{ExecuteTransactionInput, ExecuteTransactionOutput, ItemResponse};
use crate::records::item_key;

/// All reads are of one moment; all writes become durable together, or none does.
pub async fn execute_transaction(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ExecuteTransactionInput,
) -> Result<ExecuteTransactionOutput, ServiceError> {
    let token = input
        .client_request_token
        .as_ref()
        .map(|token| Token::new(&context, token, &input.transact_statements));
    let mut selections = Vec::new();
    let mut writes = Vec::new();
    let mut reasons = Vec::new();
    for request in input.transact_statements {
        let statement = statements::parse(&request.statement, request.parameters)?;
        if let Statement::Select {
            table,
            index,
            columns,
            condition,
            order,
        } = statement
        {
            selections.push(Selection {
                table,
                index,
                columns,
                condition,
                order,
            });
            continue;
        }
        let table = statement.table().to_owned();
        let on_failure = request.return_values_on_condition_check_failure;
        match statements::write(&dynamodb, &context, statement, on_failure) {
            Ok(write) => {
                reasons.push(Reason::NONE);
                writes.push((table, write));
            }
            Err(error) if error.code == "ValidationException" => {
                reasons.push(Reason::of(&error, None));
            }
            Err(error) => return Err(error),
        }
    }
    if !selections.is_empty() && !reasons.is_empty() {
        return Err(error::invalid(
            "ExecuteTransaction API does not support both read and write operations in the same \
             request.",
        ));
    }
    if reasons.iter().any(|reason| *reason != Reason::NONE) {
        return Err(transaction_canceled(reasons));
    }
    let (responses, consumed, units) = if writes.is_empty() {
        let (responses, consumed) = dynamodb.read_together(&context, &selections).await?;
        (responses, consumed, Units::Read)
    } else {
        check_distinct(&writes)?;
        let responses = vec![ItemResponse::default(); writes.len()];
        let service = Arc::clone(&dynamodb);
        let done = tokio::spawn(async move { service.transact(writes, token).await });
        let done = done
            .await
            .unwrap_or_else(|_| Err(ServiceError::internal()))?;
        let units = done.units();
        (responses, done.consumed, units)
    };
    let consumed: Vec<_> = consumed
        .iter()
        .filter_map(|(table, amount)| report(input.return_consumed_capacity, table, amount, units))
        .collect();
    Ok(ExecuteTransactionOutput {
        responses: Some(responses),
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
    })
}

impl DynamoDb {
    async fn read_together(
        &self,
        context: &RequestContext,
        selections: &[Selection],
    ) -> Result<(Vec<ItemResponse>, BTreeMap<String, Consumed>), ServiceError> {
        let snapshot = self.store.snapshot().await.map_err(store_failed)?;
        let mut responses = Vec::with_capacity(selections.len());
        let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
        for selection in selections {
            let (table, key, rest) = point_read(self, context, selection)?;
            let stored = snapshot
                .get(item_key(table, &key).as_bytes())
                .await
                .map_err(store_failed)?;
            let item = stored
                .map(codec::decode)
                .transpose()
                .map_err(store_failed)?;
            let size = item.as_ref().map_or(0, item_size);
            consumed.entry(selection.table.clone()).or_default().table +=
                2.0 * read_units(size, true);
            let item = shown(item, rest.as_ref(), selection.columns.as_deref());
            responses.push(ItemResponse { item });
        }
        Ok((responses, consumed))
    }
}
