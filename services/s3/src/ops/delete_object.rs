//! DeleteObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>

use std::sync::Arc;

use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change};
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
    fields::check_version(input.version_id.as_deref())?;
    let conditions = call.conditions.clone();
    let change = Change {
        key: input.key,
        action: Action::Delete { conditions },
    };
    commit::apply(&state, &call, &input.bucket, vec![change], None).await?;
    Ok(DeleteObjectOutput::default())
}
