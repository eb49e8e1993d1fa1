//! The bucket that an export goes to, or an import comes from, by S3's port.

use base::{AccountId, Arn};
use bytes::Bytes;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use crate::DynamoDb;
use crate::records::TableName;

const PRINCIPAL: &str = "dynamodb.amazonaws.com";

pub struct Bucket<'a> {
    dynamodb: &'a DynamoDb,
    name: &'a str,
    context: RequestContext,
}

impl DynamoDb {
    /// A bucket of `owner`, reached in the name of a table.
    pub fn bucket<'a>(
        &'a self,
        name: &'a str,
        owner: Option<&str>,
        table: &TableName,
    ) -> Bucket<'a> {
        let mut context = self.context_of(table);
        if let Some(owner) = owner.and_then(|owner| owner.parse::<AccountId>().ok()) {
            context.account = owner;
        }
        Bucket {
            dynamodb: self,
            name,
            context,
        }
    }

    /// A call that the service makes for a table.
    pub fn context_of(&self, table: &TableName) -> RequestContext {
        let principal = Principal::Service {
            name: PRINCIPAL,
            source_arn: Some(table.arn()),
            source_account: Some(table.account),
        };
        let now = self.clock.now();
        RequestContext::internal(principal, table.account, table.region.clone(), now)
    }
}

/// An object as a listing shows it.
pub struct Listed {
    pub keys: Vec<String>,
    pub next: Option<String>,
}

impl Bucket<'_> {
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), ServiceError> {
        let key = ("Key", Value::Str(key.to_owned()));
        let body = ("Body", Value::Blob(body));
        self.call("PutObject", [Some(key), Some(body)])
            .await
            .map(drop)
    }

    pub async fn get(&self, key: &str) -> Result<Bytes, ServiceError> {
        let key = ("Key", Value::Str(key.to_owned()));
        match self
            .call("GetObject", [Some(key), None])
            .await?
            .take("Body")
        {
            Some(Value::Blob(body)) => Ok(body),
            _ => Err(ServiceError::internal()),
        }
    }

    /// A page of the objects whose keys begin with `prefix`.
    pub async fn list(&self, prefix: &str, token: Option<String>) -> Result<Listed, ServiceError> {
        let token = token.map(|token| ("ContinuationToken", Value::Str(token)));
        let prefix = ("Prefix", Value::Str(prefix.to_owned()));
        let page = self.call("ListObjectsV2", [Some(prefix), token]).await?;
        let key = |object: &Value| object.get("Key")?.as_str().map(str::to_owned);
        let contents = page.get("Contents").and_then(Value::as_list);
        let next = page.get("NextContinuationToken");
        Ok(Listed {
            keys: contents
                .unwrap_or_default()
                .iter()
                .filter_map(key)
                .collect(),
            next: next.and_then(Value::as_str).map(str::to_owned),
        })
    }

    async fn call(
        &self,
        operation: &str,
        [first, second]: [Option<(&str, Value)>; 2],
    ) -> Result<Value, ServiceError> {
        let bucket = ("Bucket", Value::Str(self.name.to_owned()));
        let input = Value::of_members([Some(bucket), first, second]);
        let context = self.context.clone();
        let api = &self.dynamodb.api;
        api.call("s3", operation, context, input).await
    }
}

/// The log group where an import says what it could not read.
pub fn import_log_group(table: &TableName) -> Arn {
    let resource = "log-group:/aws-dynamodb/imports:*".to_owned();
    Arn::regional("logs", &table.region, table.account, resource)
}
