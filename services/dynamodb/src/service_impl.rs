//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::partiql::Statement;
use crate::ops::table_name;
use crate::{
    DynamoDb, OPERATIONS, STREAMS_OPERATIONS, generated, generated_dynamodbstreams as streams,
};

pub struct DynamoDbService(pub Arc<DynamoDb>);

pub struct StreamsService(pub Arc<DynamoDb>);

#[async_trait]
impl Service for DynamoDbService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        for (action, resource) in self.accesses(operation, &context, &input) {
            self.0.check_cross_account(&context, &action, &resource)?;
        }
        dispatch(OPERATIONS, "DynamoDB", &self.0, operation, context, input).await
    }

    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let arns = [
            "ResourceArn",
            "BackupArn",
            "TableArn",
            "ExportArn",
            "ImportArn",
        ];
        if let Some(arn) = arns.into_iter().find_map(text) {
            return arn.to_owned();
        }
        if let Some(table) = text("SourceTableArn").or(text("SourceTableName")) {
            return table_arn(context, table);
        }
        match (text("TableName"), text("IndexName")) {
            (Some(table), Some(index)) => format!("{}/index/{index}", table_arn(context, table)),
            (Some(table), None) => table_arn(context, table),
            (None, _) => "*".to_owned(),
        }
    }

    /// Batches are about each of their tables, and a transaction needs the permissions of what it
    /// does to each item.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>
    fn accesses(
        &self,
        operation: &str,
        context: &RequestContext,
        input: &Value,
    ) -> Vec<(String, String)> {
        let mut accesses = Vec::new();
        if let Some(Value::Map(tables)) = input.get("RequestItems") {
            let action = self.action(operation);
            accesses.extend(
                tables
                    .iter()
                    .map(|(table, _)| (action.clone(), table_arn(context, table))),
            );
        }
        for item in input
            .get("TransactItems")
            .and_then(Value::as_list)
            .unwrap_or_default()
        {
            let Value::Map(actions) = item else { continue };
            for (kind, action) in actions {
                let table = action
                    .get("TableName")
                    .and_then(Value::as_str)
                    .unwrap_or("*");
                // Put is allowed as PutItem, and ConditionCheck as ConditionCheckItem.
                accesses.push((format!("dynamodb:{kind}Item"), table_arn(context, table)));
            }
        }
        for statement in statements(input) {
            let Some((verb, table, index)) = Statement::access(statement) else {
                // Whatever it may turn out to be.
                let all = ["Select", "Insert", "Update", "Delete"].into_iter();
                accesses
                    .extend(all.map(|verb| (format!("dynamodb:PartiQL{verb}"), "*".to_owned())));
                continue;
            };
            let arn = table_arn(context, &table);
            let arn = match index {
                Some(index) => format!("{arn}/index/{index}"),
                None => arn,
            };
            accesses.push((format!("dynamodb:{verb}"), arn));
        }
        accesses.extend(bucket_accesses(input));
        if !accesses.is_empty() && matches!(operation, "ExportTableToPointInTime" | "ImportTable") {
            accesses.push((
                self.action(operation),
                self.resource(operation, context, input),
            ));
        }
        if let Some(target) = input.get("TargetTableName").and_then(Value::as_str) {
            // A restore also makes a table, and fills it.
            accesses.push((self.action(operation), table_arn(context, target)));
            accesses.push((
                self.action(operation),
                self.resource(operation, context, input),
            ));
        }
        accesses.sort();
        accesses.dedup();
        if accesses.is_empty() {
            accesses.push((
                self.action(operation),
                self.resource(operation, context, input),
            ));
        }
        accesses
    }

    fn checksums_answers(&self) -> bool {
        true
    }
}

/// What an export or an import does in a bucket.
fn bucket_accesses(input: &Value) -> Vec<(String, String)> {
    let access = |action: &str, resource: String| (action.to_owned(), resource);
    if let Some(bucket) = input.get("S3Bucket").and_then(Value::as_str) {
        return vec![access("s3:PutObject", format!("arn:aws:s3:::{bucket}/*"))];
    }
    let source = input.get("S3BucketSource");
    match source.and_then(|source| source.get("S3Bucket")?.as_str()) {
        Some(bucket) => vec![
            access("s3:GetObject", format!("arn:aws:s3:::{bucket}/*")),
            access("s3:ListBucket", format!("arn:aws:s3:::{bucket}")),
        ],
        None => Vec::new(),
    }
}

/// The PartiQL statements of a call.
fn statements(input: &Value) -> impl Iterator<Item = &str> {
    let lists = ["Statements", "TransactStatements"].into_iter();
    let listed = lists
        .filter_map(|name| input.get(name)?.as_list())
        .flatten();
    std::iter::once(input)
        .chain(listed)
        .filter_map(|value| value.get("Statement")?.as_str())
}

/// A name that is none stays as it is: the operation refuses it.
fn table_arn(context: &RequestContext, table: &str) -> String {
    table_name(context, table).map_or_else(|_| table.to_owned(), |name| name.arn().to_string())
}

#[async_trait]
impl Service for StreamsService {
    fn schema(&self) -> &'static ServiceSchema {
        &streams::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let resource = self.resource(operation, &context, &input);
        let action = self.action(operation);
        self.0.check_cross_account(&context, &action, &resource)?;
        let title = "DynamoDB Streams";
        dispatch(
            STREAMS_OPERATIONS,
            title,
            &self.0,
            operation,
            context,
            input,
        )
        .await
    }

    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        if let Some(arn) = text("StreamArn") {
            return arn.to_owned();
        }
        if let Some(iterator) = text("ShardIterator") {
            return crate::ops::stream_of_iterator(iterator).unwrap_or_else(|| "*".to_owned());
        }
        match text("TableName").map(|name| table_name(context, name)) {
            Some(Ok(name)) => format!("{}/stream/*", name.arn()),
            _ => "*".to_owned(),
        }
    }

    fn checksums_answers(&self) -> bool {
        true
    }
}
