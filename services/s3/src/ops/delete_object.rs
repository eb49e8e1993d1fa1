//! DeleteObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use std::sync::Arc;

use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};

use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, By, Change};
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::state::State;

/// Deleting what is not there succeeds.
pub async fn delete_object(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteObjectInput,
) -> Result<DeleteObjectOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(Error::not_implemented(
            "conditions on size and time, which AWS has for directory buckets",
        ));
    }
    let conditions = call.conditions.clone();
    let action = match VersionId::read(input.version_id.as_deref())? {
        None => Action::Delete {
            conditions,
            by: By::Request,
        },
        Some(version) => Action::DeleteVersion {
            version,
            conditions,
            bypass: input.bypass_governance_retention == Some(true),
            by: By::Request,
        },
    };
    let change = Change {
        key: input.key,
        action,
    };
    let committed = commit::apply(&state, &call, &input.bucket, change, None).await?;
    let outcome = committed.outcome;
    Ok(DeleteObjectOutput {
        delete_marker: outcome.delete_marker.then_some(true),
        version_id: outcome.version_id,
        request_charged: None,
    })
}
