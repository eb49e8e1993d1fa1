//! DeleteObjects: up to a thousand at once, in one batch.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use std::sync::Arc;

use s3s::dto::{self, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ObjectIdentifier};

use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, By, Change, Outcome};
use crate::domain::condition::Conditions;
use crate::domain::object_key;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::state::State;

/// Most keys of a request.
const MAX_KEYS: usize = 1000;

pub async fn delete_objects(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteObjectsInput,
) -> Result<DeleteObjectsOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let asked = input.delete.objects;
    if asked.is_empty() || asked.len() > MAX_KEYS {
        return Err(Error::malformed_xml());
    }
    let bypass = input.bypass_governance_retention == Some(true);
    let mut errors = Vec::new();
    let (mut named, mut changes) = (Vec::new(), Vec::new());
    for object in asked {
        match change(&object, bypass) {
            Ok(change) => {
                changes.push(change);
                named.push(object);
            }
            Err(error) => errors.push(refused(object, error)),
        }
    }
    let mut deleted = Vec::new();
    if !changes.is_empty() {
        let (_, outcomes) = commit::apply_each(&state, &call, &input.bucket, changes, None).await?;
        for (object, outcome) in named.into_iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => deleted.push(done(object, outcome)),
                Err(error) => errors.push(refused(object, error)),
            }
        }
    }
    let quiet = input.delete.quiet == Some(true);
    Ok(DeleteObjectsOutput {
        deleted: (!quiet && !deleted.is_empty()).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}

fn change(object: &ObjectIdentifier, bypass: bool) -> Result<Change, Error> {
    object_key::check(&object.key)?;
    if object.last_modified_time.is_some() || object.size.is_some() {
        return Err(Error::not_implemented(
            "conditions on size and time, which AWS has for directory buckets",
        ));
    }
    let conditions = Conditions {
        if_match: object.e_tag.as_ref().map(|etag| etag.value().to_owned()),
        ..Conditions::default()
    };
    // Here S3 takes an empty version for none.
    let version = object.version_id.as_deref().filter(|id| !id.is_empty());
    let action = match version.map(VersionId::parse).transpose()? {
        None => Action::Delete {
            conditions,
            by: By::Request,
        },
        Some(version) => Action::DeleteVersion {
            version,
            conditions,
            bypass,
            by: By::Request,
        },
    };
    Ok(Change {
        key: object.key.clone(),
        action,
    })
}

/// A marker that was made has an id of its own; one that was deleted is the version named.
fn done(object: ObjectIdentifier, outcome: Outcome) -> DeletedObject {
    DeletedObject {
        delete_marker: outcome.delete_marker.then_some(true),
        delete_marker_version_id: outcome.version_id.filter(|_| outcome.delete_marker),
        key: Some(object.key),
        version_id: object.version_id.filter(|id| !id.is_empty()),
    }
}

fn refused(object: ObjectIdentifier, error: Error) -> dto::Error {
    let error = error.into_service_error();
    dto::Error {
        code: Some(error.code.into_owned()),
        key: Some(object.key),
        message: Some(error.message),
        version_id: object.version_id,
    }
}
