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
use crate::commit::{self, Action, Change};
use crate::domain::notification::EventKind;
use crate::domain::tags::{self, Tag};
use crate::error::Error;
use crate::records::OBJECTS;
use crate::state::State;

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
    fields::check_version(input.version_id.as_deref())?;
    let tags = read(input.tagging.tag_set)?;
    tags::check(&tags, tags::MAX_OF_OBJECT)?;
    let action = Action::Retag {
        tags,
        kind: EventKind::TaggingPut,
    };
    let change = Change {
        key: input.key,
        action,
    };
    commit::apply(&state, &call, &input.bucket, vec![change], None).await?;
    Ok(PutObjectTaggingOutput::default())
}

pub async fn get_object_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    fields::check_version(input.version_id.as_deref())?;
    let at = (input.bucket.as_str(), input.key.as_str());
    let object = OBJECTS.get(&*state.store, at).await?;
    let object = object.ok_or_else(|| Error::no_such_key(&input.key))?;
    Ok(GetObjectTaggingOutput {
        tag_set: write(object.attributes.tags),
        version_id: None,
    })
}

pub async fn delete_object_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    fields::check_version(input.version_id.as_deref())?;
    let action = Action::Retag {
        tags: Vec::new(),
        kind: EventKind::TaggingDelete,
    };
    let change = Change {
        key: input.key,
        action,
    };
    commit::apply(&state, &call, &input.bucket, vec![change], None).await?;
    Ok(DeleteObjectTaggingOutput::default())
}
