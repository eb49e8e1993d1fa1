//! GetObject and HeadObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use std::sync::Arc;

use s3s::dto::{
    GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ObjectLockMode,
    StorageClass, StreamingBlob,
};

use super::fields::{self, customer_key, set_checksum, wanted};
use super::reading::{self, DEFAULT_CONTENT_TYPE};
use crate::access;
use crate::buckets;
use crate::call::Call;
use crate::content::{self, ByteStream};
use crate::dispatch::Custom;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::lifecycle;
use crate::records::Bucket;
use crate::state::State;

/// Sets the members that a GET and a HEAD say alike.
macro_rules! describe {
    ($output:expr, $place:expr, $object:expr, $selection:expr, $wants_checksum:expr) => {{
        let (state, bucket, input): (&State, &Bucket, _) = $place;
        $output.version_id = fields::version_id(bucket, &$object);
        if bucket.lifecycle && input.version_id.is_none() {
            let at = (input.bucket.as_str(), input.key.as_str());
            $output.expiration =
                lifecycle::expiration(state, at, bucket, &$object, $object.last_modified).await?;
        }
        fields::describe_encryption!($output, $object.attributes);
        let lock = $object.attributes.lock;
        $output.object_lock_mode = lock
            .retention
            .map(|retention| ObjectLockMode::from_static(retention.mode.name()));
        $output.object_lock_retain_until_date = lock
            .retention
            .map(|retention| retention.until.datetime().into());
        $output.object_lock_legal_hold_status = lock.legal_hold.map(fields::hold);
        let headers = $object.attributes.headers;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = Some($selection.length());
        $output.content_range = $selection.content_range.clone();
        $output.parts_count = $selection.parts_count;
        $output.e_tag = Some(fields::etag(&$object.etag));
        $output.last_modified = Some(fields::time($object.last_modified));
        $output.content_type = Some(
            headers
                .content_type
                .unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
        );
        $output.cache_control = headers.cache_control;
        $output.content_disposition = headers.content_disposition;
        $output.content_encoding = headers.content_encoding;
        $output.content_language = headers.content_language;
        $output.website_redirect_location = headers.website_redirect_location;
        $output.metadata = Some($object.attributes.metadata.into_iter().collect());
        $output.storage_class = $object.attributes.storage_class.map(StorageClass::from);
        if $wants_checksum
            && $selection.is_whole()
            && let Some(checksum) = $object.checksum
        {
            $output.checksum_type = Some(fields::checksum_type(&checksum));
            set_checksum!($output, (checksum.algorithm, checksum.value));
        }
    }};
}

pub async fn get_object(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectInput,
) -> Result<Custom<GetObjectOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let version = VersionId::read(input.version_id.as_deref())?;
    let customer_key = customer_key!(input)?;
    let wanted = wanted!(input, version, customer_key);
    if call.is_anonymous && overrides(&input) {
        return Err(Error::invalid_request(
            "Request specific response headers cannot be used for anonymous GET requests.",
        ));
    }
    let opened = content::open(&state, wanted).await;
    let (object, source) = access::hide(&state, &call, &input.bucket, &bucket, opened).await?;
    let selection = reading::select(&call, &object, input.part_number, source.manifest())?;
    let mut headers = reading::headers(&object);
    if input.response_expires.is_some() {
        headers.remove(http::header::EXPIRES);
    }
    let wants_checksum = input.checksum_mode.is_some();
    let mut output = GetObjectOutput {
        body: Some(streamed(source.stream(selection.range.clone()))),
        ..GetObjectOutput::default()
    };
    describe!(
        output,
        (&state, &bucket, &input),
        object,
        selection,
        wants_checksum
    );
    Ok(Custom {
        output,
        headers,
        status: None,
        rewrite: None,
    })
}

pub async fn head_object(
    state: Arc<State>,
    call: Arc<Call>,
    input: HeadObjectInput,
) -> Result<Custom<HeadObjectOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let version = VersionId::read(input.version_id.as_deref())?;
    let customer_key = customer_key!(input)?;
    let wanted = wanted!(input, version, customer_key);
    let found = content::find(&state, wanted).await;
    let (object, manifest) = access::hide(&state, &call, &input.bucket, &bucket, found).await?;
    let selection = reading::select(&call, &object, input.part_number, manifest.as_ref())?;
    let headers = reading::headers(&object);
    let wants_checksum = input.checksum_mode.is_some();
    let mut output = HeadObjectOutput::default();
    describe!(
        output,
        (&state, &bucket, &input),
        object,
        selection,
        wants_checksum
    );
    Ok(Custom {
        output,
        headers,
        status: selection.status(),
        rewrite: None,
    })
}

/// Whether the request says with which headers it is to be answered.
fn overrides(input: &GetObjectInput) -> bool {
    input.response_cache_control.is_some()
        || input.response_content_disposition.is_some()
        || input.response_content_encoding.is_some()
        || input.response_content_language.is_some()
        || input.response_content_type.is_some()
        || input.response_expires.is_some()
}

/// The wire layer wants a stream that is `Sync`; its own body type makes one of any.
fn streamed(stream: ByteStream) -> StreamingBlob {
    let frames = futures::StreamExt::map(stream, |chunk| {
        chunk.map(http_body::Frame::data).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "an object broke off"
            );
            service::BoxError::from(error)
        })
    });
    StreamingBlob::from(s3s::Body::http_body_unsync(
        http_body_util::StreamBody::new(frames),
    ))
}
