//! DeleteObjects: up to a thousand at once, in one batch.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>

use std::collections::HashSet;
use std::sync::Arc;

use s3s::dto::{self, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ObjectIdentifier};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change};
use crate::domain::condition::Conditions;
use crate::domain::object_key;
use crate::error::Error;
use crate::records::OBJECTS;
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
    let mut errors = Vec::new();
    let mut deleted = Vec::new();
    let mut changes = Vec::new();
    let mut seen = HashSet::new();
    for object in asked {
        if let Err(error) = check(&state, &input.bucket, &object).await {
            errors.push(refused(object, error));
            continue;
        }
        if seen.insert(object.key.clone()) {
            let conditions = Conditions::default();
            let action = Action::Delete { conditions };
            changes.push(Change {
                key: object.key.clone(),
                action,
            });
        }
        deleted.push(DeletedObject {
            key: Some(object.key),
            version_id: object.version_id,
            ..DeletedObject::default()
        });
    }
    if !changes.is_empty() {
        commit::apply(&state, &call, &input.bucket, changes, None).await?;
    }
    let quiet = input.delete.quiet == Some(true);
    Ok(DeleteObjectsOutput {
        deleted: (!quiet && !deleted.is_empty()).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}

async fn check(state: &State, bucket: &str, object: &ObjectIdentifier) -> Result<(), Error> {
    object_key::check(&object.key)?;
    fields::check_version(object.version_id.as_deref())?;
    if let Some(etag) = &object.e_tag {
        let present = OBJECTS
            .get(&*state.store, (bucket, object.key.as_str()))
            .await?;
        let conditions = Conditions {
            if_match: Some(etag.value().to_owned()),
            ..Conditions::default()
        };
        conditions.check_write(present.as_ref().map(|o| o.etag.as_str()), &object.key)?;
    }
    Ok(())
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
