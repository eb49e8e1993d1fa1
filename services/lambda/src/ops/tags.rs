//! TagResource, UntagResource, ListTags: of functions, event source mappings, code signing
//! configurations and capacity providers.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{place, revision};
use crate::capacity_providers::ProviderRecord;
use crate::domain::function_name::{FunctionName, Place};
use crate::domain::tags;
use crate::generated::{
    ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest,
};
use crate::records::{FunctionRecord, MappingRecord};
use crate::{Lambda, error};

type Tags = BTreeMap<String, String>;

/// What an ARN may name.
enum Tagged {
    Function(FunctionName),
    Mapping { place: Place, uuid: String },
    CodeSigning { place: Place, arn: String },
    CapacityProvider { place: Place, arn: Arn },
}

pub async fn tag_resource(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: TagResourceRequest,
) -> Result<Unit, ServiceError> {
    let tagged = Tagged::of(&input.resource, &context)?;
    if input.tags.is_empty() {
        return Err(error::invalid_parameter(
            "An error occurred and the request cannot be processed.",
        ));
    }
    change(&lambda, &tagged, |before| tags::with(before, input.tags)).await
}

pub async fn untag_resource(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UntagResourceRequest,
) -> Result<Unit, ServiceError> {
    let tagged = Tagged::of(&input.resource, &context)?;
    change(&lambda, &tagged, |before| {
        Ok(tags::without(before, &input.tag_keys))
    })
    .await
}

pub async fn list_tags(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListTagsRequest,
) -> Result<ListTagsResponse, ServiceError> {
    let tags = match Tagged::of(&input.resource, &context)? {
        Tagged::Function(name) => lambda.functions.get(&name)?.record.tags.clone(),
        Tagged::Mapping { place, uuid } => lambda.mappings.get(&place, &uuid)?.record.tags,
        Tagged::CodeSigning { place, arn } => {
            let config = lambda.code_signing.find(&arn, &place);
            config.ok_or_else(error::no_such_resource)?.tags
        }
        Tagged::CapacityProvider { place, arn } => {
            lambda.capacity_providers.get(&arn, &place)?.tags.clone()
        }
    };
    Ok(ListTagsResponse { tags: Some(tags) })
}

impl Tagged {
    fn of(resource: &str, context: &RequestContext) -> Result<Self, ServiceError> {
        let here = place(context);
        if let Some((_, uuid)) = resource.split_once(":event-source-mapping:") {
            // Of another region or account there is none here, whatever its UUID.
            if here.mapping_arn(uuid).to_string() != resource {
                return Err(error::no_such_resource());
            }
            return Ok(Self::Mapping {
                place: here,
                uuid: uuid.to_owned(),
            });
        }
        if resource.contains(":code-signing-config:") {
            return Ok(Self::CodeSigning {
                place: here,
                arn: resource.to_owned(),
            });
        }
        if resource.contains(":capacity-provider:") {
            return Ok(Self::CapacityProvider {
                place: here,
                arn: resource.parse().map_err(|_| error::no_such_resource())?,
            });
        }
        if !resource.contains(":function:") {
            return Err(error::no_such_resource());
        }
        let name = FunctionName::parse(resource, None, &here)?;
        if name.qualifier.is_some() {
            return Err(error::invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a \
                 function ARN.",
            ));
        }
        Ok(Self::Function(name))
    }
}

async fn change(
    lambda: &Lambda,
    tagged: &Tagged,
    change: impl FnOnce(&Tags) -> Result<Tags, ServiceError>,
) -> Result<Unit, ServiceError> {
    match tagged {
        Tagged::Function(name) => {
            lambda.functions.get(name)?;
            let changing = lambda.functions.change(&name.place).await;
            let before = changing.get(name)?;
            let record = FunctionRecord {
                tags: change(&before.record.tags)?,
                revision_id: revision(),
                ..before.record.clone()
            };
            changing.put(record).await?;
        }
        Tagged::Mapping { place, uuid } => {
            let retag = |before: &MappingRecord| {
                Ok(MappingRecord {
                    tags: change(&before.tags)?,
                    ..before.clone()
                })
            };
            lambda.mappings.retag(place, uuid, retag).await?;
        }
        Tagged::CodeSigning { place, arn } => {
            let unchanging = lambda.code_signing.hold().await;
            let before = lambda.code_signing.find(arn, place);
            let mut record = before.ok_or_else(error::no_such_resource)?;
            record.tags = change(&record.tags)?;
            lambda.code_signing.put(&unchanging, record).await?;
        }
        Tagged::CapacityProvider { place, arn } => {
            let unchanging = lambda.capacity_providers.hold().await;
            let before = lambda.capacity_providers.get(arn, place)?;
            let record = ProviderRecord {
                tags: change(&before.tags)?,
                ..ProviderRecord::clone(&before)
            };
            lambda.capacity_providers.put(&unchanging, record).await?;
        }
    }
    Ok(Unit {})
}
