//! CopyObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use std::sync::Arc;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, MetadataDirective, TaggingDirective,
};

use super::fields::{self, describe_encryption, given, set_checksum, source_key};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, Expected};
use crate::domain::checksum::Algorithm;
use crate::domain::notification::EventKind;
use crate::error::Error;
use crate::lifecycle;
use crate::objects::{self, Draft};
use crate::records::{Attributes, Object};
use crate::source::{self, Opened};
use crate::state::State;

pub async fn copy_object(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: CopyObjectInput,
) -> Result<CopyObjectOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    call.conditions.check_writable()?;
    let asked = fields::read_algorithm(input.checksum_algorithm.as_ref())?;
    let replaces = replaces(&input);
    let given = given!(call, input);
    let keys = state.keys(given.customer_key.as_ref());
    let given = given.read(&bucket, state.clock.now())?;
    let source_key = source_key!(input)?;
    let source_owner = input.expected_source_bucket_owner.as_deref();
    let Opened {
        object: from,
        bytes,
        version_id: source_version,
    } = source::open(
        &state,
        &call,
        &input.copy_source,
        source_owner,
        source_key.as_ref(),
    )
    .await?;
    let named = source::name(&input.copy_source)?;
    if from.size > source::MAX_COPY {
        return Err(Error::invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy \
             source: {}",
            source::MAX_COPY
        )));
    }
    let attributes = attributes(&input, given, &from)?;
    if named == (input.bucket.as_str(), input.key.as_str(), None)
        && attributes == from.attributes
        && !replaces
    {
        return Err(Error::invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location or \
             encryption attributes.",
        ));
    }
    let kept = from.checksum.as_ref().map(|checksum| checksum.algorithm);
    let algorithm = asked.or(kept).unwrap_or(Algorithm::DEFAULT);
    let expected = Expected {
        keys,
        ..Expected::nothing(algorithm)
    };
    let stream = bytes.stream(0..from.size);
    let written = content::write(&*state.blobs, stream, &expected).await?;
    let draft = Draft::new(written, attributes);
    let object = draft.object.clone();
    let committed = objects::put(
        &state,
        &call,
        &input.bucket,
        &input.key,
        draft,
        EventKind::Copy,
    )
    .await?;
    let at = (input.bucket.as_str(), input.key.as_str());
    let expiration = lifecycle::expiration(&state, at, &bucket, &object, committed.at).await?;

    let mut result = CopyObjectResult {
        e_tag: Some(fields::etag(&object.etag)),
        last_modified: Some(fields::time(committed.at)),
        ..CopyObjectResult::default()
    };
    if let Some(checksum) = object.checksum {
        result.checksum_type = Some(fields::checksum_type(&checksum));
        set_checksum!(result, (checksum.algorithm, checksum.value));
    }
    let mut output = CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source_version,
        version_id: committed.outcome.version_id,
        ..CopyObjectOutput::default()
    };
    output
        .ssekms_encryption_context
        .clone_from(&object.attributes.kms_context);
    describe_encryption!(output, object.attributes);
    output.expiration = expiration;
    Ok(output)
}

fn replaces(input: &CopyObjectInput) -> bool {
    let directive = input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str);
    directive == Some("REPLACE")
        || input.storage_class.is_some()
        || input.server_side_encryption.is_some()
        || input.sse_customer_algorithm.is_some()
        || input.website_redirect_location.is_some()
}

/// What the copy keeps of its source and what it is given. Storage class, encryption, ACL and lock
/// are never kept.
fn attributes(
    input: &CopyObjectInput,
    given: Attributes,
    from: &Object,
) -> Result<Attributes, Error> {
    let source = from.attributes.clone();
    let metadata = input
        .metadata_directive
        .as_ref()
        .map(MetadataDirective::as_str);
    let (headers, metadata) = match metadata {
        None | Some("COPY") => {
            // The redirect is not metadata: it is only ever given.
            let redirect = given.headers.website_redirect_location;
            let mut headers = source.headers;
            headers.website_redirect_location = redirect;
            (headers, source.metadata)
        }
        Some("REPLACE") => (given.headers, given.metadata),
        Some(other) => {
            let message = "Unknown metadata directive.";
            return Err(Error::invalid_argument(
                message,
                "x-amz-metadata-directive",
                other,
            ));
        }
    };
    let tags = match input
        .tagging_directive
        .as_ref()
        .map(TaggingDirective::as_str)
    {
        None | Some("COPY") => source.tags,
        Some("REPLACE") => given.tags,
        Some(other) => {
            let message = "Unknown tagging directive.";
            return Err(Error::invalid_argument(
                message,
                "x-amz-tagging-directive",
                other,
            ));
        }
    };
    Ok(Attributes {
        headers,
        metadata,
        tags,
        ..given
    })
}
