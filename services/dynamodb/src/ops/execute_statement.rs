//! ExecuteStatement.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::statements::{self, Reads, Selection};
use crate::DynamoDb;
use crate::domain::capacity::{Units, report};
use crate::domain::convert;
use crate::domain::partiql::{Returning, Statement};
use crate::domain::path::project;
use crate::generated::{ExecuteStatementInput, ExecuteStatementOutput};

pub async fn execute_statement(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ExecuteStatementInput,
) -> Result<ExecuteStatementOutput, ServiceError> {
    let statement = statements::parse(&input.statement, input.parameters)?;
    statements::check_alone(&statement)?;
    let returning = match statement {
        Statement::Select {
            table,
            index,
            columns,
            condition,
            order,
        } => {
            let selection = Selection {
                table,
                index,
                columns,
                condition,
                order,
            };
            let reads = Reads {
                consistent: input.consistent_read == Some(true),
                limit: input.limit,
                token: input.next_token,
                capacity: input.return_consumed_capacity,
            };
            let answer = statements::select(&dynamodb, &context, selection, reads).await?;
            let next_token = answer.last_evaluated_key.as_ref().map(statements::token);
            return Ok(ExecuteStatementOutput {
                items: answer.items,
                next_token: next_token.transpose()?,
                consumed_capacity: answer.consumed_capacity,
                last_evaluated_key: answer.last_evaluated_key,
            });
        }
        Statement::Update { returning, .. } | Statement::Delete { returning, .. } => returning,
        Statement::Insert { .. } | Statement::Exists { .. } => None,
    };
    let table = statement.table().to_owned();
    let on_failure = input.return_values_on_condition_check_failure;
    let write = statements::write(&dynamodb, &context, statement, on_failure)?;
    let written = write.run(&dynamodb).await?;
    let touched = &written.touched;
    let shown = match returning {
        None => None,
        Some(Returning::AllOld) => written.before,
        Some(Returning::AllNew) => written.after,
        Some(Returning::ModifiedOld) => written.before.map(|item| project(&item, touched)),
        Some(Returning::ModifiedNew) => written.after.map(|item| project(&item, touched)),
    };
    let capacity = input.return_consumed_capacity;
    Ok(ExecuteStatementOutput {
        items: Some(shown.map(convert::to_api).into_iter().collect()),
        consumed_capacity: report(capacity, &table, &written.consumed, Units::Plain),
        ..ExecuteStatementOutput::default()
    })
}
