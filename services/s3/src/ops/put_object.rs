//! PutObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use std::sync::Arc;

use s3s::dto::{PutObjectInput, PutObjectOutput, ServerSideEncryption};

use super::fields::{self, checksum_values, given, set_checksum};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, Expected};
use crate::domain::notification::EventKind;
use crate::error::Error;
use crate::objects::{self, Draft};
use crate::state::State;

pub async fn put_object(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: PutObjectInput,
) -> Result<PutObjectOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    call.conditions.check_writable()?;
    if input.write_offset_bytes.is_some() {
        return Err(Error::not_implemented("appending to objects"));
    }
    let attributes = given!(call, input).read()?;
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
    };
    let written = content::write(&*state.blobs, fields::body(input.body.take()), &expected).await?;
    let draft = Draft::new(written, attributes);
    let object = draft.object.clone();
    objects::put(
        &state,
        &call,
        &input.bucket,
        &input.key,
        draft,
        EventKind::Put,
    )
    .await?;

    let mut output = PutObjectOutput {
        e_tag: Some(fields::etag(&object.etag)),
        server_side_encryption: object.attributes.encryption.map(ServerSideEncryption::from),
        ..PutObjectOutput::default()
    };
    if let Some(checksum) = object.checksum {
        output.checksum_type = Some(fields::checksum_type(&checksum));
        set_checksum!(output, (checksum.algorithm, checksum.value));
    }
    Ok(output)
}
