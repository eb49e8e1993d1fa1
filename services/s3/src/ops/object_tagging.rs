//! PutObjectTagging, GetObjectTagging, DeleteObjectTagging.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>

use std::sync::Arc;

use s3s::dto::{
    self, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
    GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput,
};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change, Update};
use crate::domain::notification::EventKind;
use crate::domain::tags::{self, Tag};
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::state::State;
use crate::versions;

/// # Errors
/// `MalformedXML` for a tag without key or value.
pub fn read(set: dto::TagSet) -> Result<Vec<Tag>, Error> {
    set.into_iter()
        .map(|tag| match (tag.key, tag.value) {
            (Some(key), value) => Ok(Tag {
                key,
                value: value.unwrap_or_default(),
            }),
            (None, _) => Err(Error::malformed_xml()),
        })
        .collect()
}

pub fn write(tags: Vec<Tag>) -> dto::TagSet {
    tags.into_iter()
        .map(|tag| dto::Tag {
            key: Some(tag.key),
            value: Some(tag.value),
        })
        .collect()
}

pub async fn put_object_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutObjectTaggingInput,
) -> Result<PutObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let tags = read(input.tagging.tag_set)?;
    tags::check(&tags, tags::MAX_OF_OBJECT)?;
    let change = Change {
        key: input.key,
        action: Action::Update {
            version: VersionId::read(input.version_id.as_deref())?,
            update: Update::Tags {
                tags,
                kind: EventKind::TaggingPut,
            },
        },
    };
    let committed = commit::apply(&state, &call, &input.bucket, change, None).await?;
    Ok(PutObjectTaggingOutput {
        version_id: committed.outcome.version_id,
    })
}

pub async fn get_object_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let version = VersionId::read(input.version_id.as_deref())?;
    let object = versions::find(&*state.store, &input.bucket, &input.key, version.as_ref()).await?;
    Ok(GetObjectTaggingOutput {
        version_id: fields::version_id(&bucket.value, &object),
        tag_set: write(object.attributes.tags),
    })
}

pub async fn delete_object_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let change = Change {
        key: input.key,
        action: Action::Update {
            version: VersionId::read(input.version_id.as_deref())?,
            update: Update::Tags {
                tags: Vec::new(),
                kind: EventKind::TaggingDelete,
            },
        },
    };
    let committed = commit::apply(&state, &call, &input.bucket, change, None).await?;
    Ok(DeleteObjectTaggingOutput {
        version_id: committed.outcome.version_id,
    })
}
