//! PutObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use std::sync::Arc;

use s3s::dto::{PutObjectInput, PutObjectOutput};

use super::fields::{self, checksum_values, describe_encryption, given, set_checksum};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, Expected};
use crate::domain::notification::EventKind;
use crate::error::Error;
use crate::lifecycle;
use crate::objects::{self, Draft};
use crate::state::State;

pub async fn put_object(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: PutObjectInput,
) -> Result<PutObjectOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    call.conditions.check_writable()?;
    if input.write_offset_bytes.is_some() {
        return Err(Error::not_implemented("appending to objects"));
    }
    let is_locked =
        input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some();
    let given = given!(call, input);
    let keys = state.keys(given.customer_key.as_ref());
    let attributes = given.read(&bucket, state.clock.now())?;
    let asked = fields::read_algorithm(input.checksum_algorithm.as_ref())?;
    let asked = call.body_checksum.or(asked);
    let (algorithm, checksum) = fields::choose_checksum(checksum_values!(input), asked)?;
    let expected = Expected {
        length: input
            .content_length
            .and_then(|length| u64::try_from(length).ok()),
        md5: Expected::read_md5(input.content_md5.as_deref())?,
        algorithm,
        checksum,
        trailers: call.trailers.clone(),
        may_inline: true,
        keys,
    };
    if is_locked && expected.md5.is_none() && expected.checksum.is_none() && asked.is_none() {
        return Err(Error::invalid_request(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
             Object Lock parameters",
        ));
    }
    let written = content::write(&*state.blobs, fields::body(input.body.take()), &expected).await?;
    let draft = Draft::new(written, attributes);
    let object = draft.object.clone();
    let committed = objects::put(
        &state,
        &call,
        &input.bucket,
        &input.key,
        draft,
        call.kind.unwrap_or(EventKind::Put),
    )
    .await?;
    let at = (input.bucket.as_str(), input.key.as_str());
    let expiration = lifecycle::expiration(&state, at, &bucket, &object, committed.at).await?;

    let mut output = PutObjectOutput {
        e_tag: Some(fields::etag(&object.etag)),
        version_id: committed.outcome.version_id,
        ..PutObjectOutput::default()
    };
    output
        .ssekms_encryption_context
        .clone_from(&object.attributes.kms_context);
    describe_encryption!(output, object.attributes);
    output.expiration = expiration;
    if let Some(checksum) = object.checksum {
        output.checksum_type = Some(fields::checksum_type(&checksum));
        set_checksum!(output, (checksum.algorithm, checksum.value));
    }
    Ok(output)
}
