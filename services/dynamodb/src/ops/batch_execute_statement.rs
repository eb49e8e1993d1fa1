//! BatchExecuteStatement.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::statements::{self, Selection, point_read, shown};
use crate::domain::capacity::{Consumed, Units, read_units, report};
use crate::domain::partiql::Statement;
use crate::domain::value::item_size;
use crate::generated::{
    AttributeValue, BatchExecuteStatementInput, BatchExecuteStatementOutput, BatchStatementError,
    BatchStatementErrorCodeEnum as Code, BatchStatementRequest, BatchStatementResponse,
};
use crate::records::item_key;
use crate::{DynamoDb, error};

type Found = Option<BTreeMap<String, AttributeValue>>;

/// Each statement stands for itself, and its answer says how it went.
pub async fn batch_execute_statement(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: BatchExecuteStatementInput,
) -> Result<BatchExecuteStatementOutput, ServiceError> {
    let reads = |text: &str| {
        text.trim_start()
            .get(..6)
            .is_some_and(|verb| verb.eq_ignore_ascii_case("select"))
    };
    let selects = input
        .statements
        .iter()
        .filter(|request| reads(&request.statement))
        .count();
    if selects > 0 && selects < input.statements.len() {
        return Err(error::invalid(
            "Batch execute statement can only contain read or write statements, not both.",
        ));
    }
    let mut responses = Vec::with_capacity(input.statements.len());
    let mut consumed: BTreeMap<String, Consumed> = BTreeMap::new();
    for request in input.statements {
        let mut table = None;
        let run = run(&dynamodb, &context, request, &mut table, &mut consumed).await;
        let mut response = BatchStatementResponse {
            table_name: table,
            ..BatchStatementResponse::default()
        };
        match run {
            Ok(item) => response.item = item,
            Err(error) if error.is_server_fault() => return Err(error),
            Err(error) => {
                let item = error.members.iter().find(|(name, _)| *name == "Item");
                response.error = Some(BatchStatementError {
                    code: Some(code(&error)),
                    item: item.map(|(_, item)| wire::Shape::from_value(item.clone())),
                    message: Some(error.message),
                });
            }
        }
        responses.push(response);
    }
    let consumed: Vec<_> = consumed
        .iter()
        .filter_map(|(table, units)| {
            report(input.return_consumed_capacity, table, units, Units::Plain)
        })
        .collect();
    Ok(BatchExecuteStatementOutput {
        responses: Some(responses),
        consumed_capacity: (!consumed.is_empty()).then_some(consumed),
    })
}

async fn run(
    dynamodb: &Arc<DynamoDb>,
    context: &RequestContext,
    request: BatchStatementRequest,
    name: &mut Option<String>,
    consumed: &mut BTreeMap<String, Consumed>,
) -> Result<Found, ServiceError> {
    let statement = statements::parse(&request.statement, request.parameters)?;
    let named = statement.table().to_owned();
    *name = Some(named.clone());
    statements::check_alone(&statement)?;
    if let Statement::Select {
        table,
        index,
        columns,
        condition,
        order,
    } = statement
    {
        let selection = Selection {
            table,
            index,
            columns,
            condition,
            order,
        };
        let (table, key, rest) = point_read(dynamodb, context, &selection)?;
        let item = dynamodb.item(item_key(table, &key).as_bytes()).await?;
        let size = item.as_ref().map_or(0, item_size);
        consumed.entry(named).or_default().table +=
            read_units(size, request.consistent_read == Some(true));
        return Ok(shown(item, rest.as_ref(), selection.columns.as_deref()));
    }
    let on_failure = request.return_values_on_condition_check_failure;
    let write = statements::write(dynamodb, context, statement, on_failure)?;
    let written = write.run(dynamodb).await?;
    consumed.entry(named).or_default().add(&written.consumed);
    Ok(None)
}

fn code(error: &ServiceError) -> Code {
    match error.code.as_ref() {
        "ConditionalCheckFailedException" => Code::ConditionalCheckFailed,
        "TransactionConflictException" => Code::TransactionConflict,
        "ResourceNotFoundException" => Code::ResourceNotFound,
        "DuplicateItemException" => Code::DuplicateItem,
        _ => Code::ValidationError,
    }
}
