//! TagResource, UntagResource and ListTagsOfResource.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};
use wire::Unit;

use crate::DynamoDb;
use crate::domain::tags::{check_count, tags};
use crate::engine::Table;
use crate::error;
use crate::generated::{
    ListTagsOfResourceInput, ListTagsOfResourceOutput, Tag, TagResourceInput, UntagResourceInput,
};

const PAGE: usize = 10;

pub async fn tag_resource(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: TagResourceInput,
) -> Result<Unit, ServiceError> {
    let added = tags(input.tags)?;
    dynamodb
        .change_tags(&context, &input.resource_arn, |tags| {
            tags.extend(added);
            check_count(tags).map_err(Into::into)
        })
        .await
}

pub async fn untag_resource(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: UntagResourceInput,
) -> Result<Unit, ServiceError> {
    dynamodb
        .change_tags(&context, &input.resource_arn, |tags| {
            tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
        .await
}

pub async fn list_tags_of_resource(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListTagsOfResourceInput,
) -> Result<ListTagsOfResourceOutput, ServiceError> {
    let table = dynamodb.tagged(&context, &input.resource_arn)?;
    let definition = table.definition().ok_or_else(error::resource_not_found)?;
    let after = input.next_token.unwrap_or_default();
    let left = definition.tags.iter().filter(|(key, _)| **key > after);
    let mut page: Vec<Tag> = left
        .take(PAGE + 1)
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect();
    let more = page.len() > PAGE;
    page.truncate(PAGE);
    let next_token = page.last().filter(|_| more).map(|tag| tag.key.clone());
    Ok(ListTagsOfResourceOutput {
        tags: Some(page),
        next_token,
    })
}

impl DynamoDb {
    fn tagged(&self, context: &RequestContext, arn: &str) -> Result<Arc<Table>, ServiceError> {
        let parsed: Result<Arn, _> = arn.parse();
        let is_table =
            parsed.is_ok_and(|arn| arn.service == "dynamodb" && arn.resource.starts_with("table/"));
        if !is_table {
            return Err(error::invalid(format!(
                "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
            )));
        }
        self.named_table(context, arn)
            .map(|(table, _)| table)
            .map_err(|_| {
                error::not_found(format!(
                    "Requested resource not found: ResourcArn: {arn} not found"
                ))
            })
    }

    async fn change_tags(
        &self,
        context: &RequestContext,
        arn: &str,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), ServiceError>,
    ) -> Result<Unit, ServiceError> {
        self.tagged(context, arn)?;
        let mut changing = self.changing(context, arn).await?;
        change(&mut changing.definition.tags)?;
        changing.save(self).await?;
        Ok(Unit {})
    }
}
