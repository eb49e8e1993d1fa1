//! GetObject and HeadObject.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>

use std::sync::Arc;

use s3s::dto::{
    GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ServerSideEncryption,
    StorageClass, StreamingBlob,
};

use super::fields::{self, set_checksum};
use super::reading::{self, DEFAULT_CONTENT_TYPE};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, ByteStream};
use crate::dispatch::Custom;
use crate::error::Error;
use crate::state::State;

/// Sets the members that a GET and a HEAD say alike.
macro_rules! describe {
    ($output:expr, $object:expr, $selection:expr, $wants_checksum:expr) => {{
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
        $output.server_side_encryption = $object
            .attributes
            .encryption
            .map(ServerSideEncryption::from);
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
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    fields::check_version(input.version_id.as_deref())?;
    let found = content::open(&state, &input.bucket, &input.key).await?;
    let (object, source) = found.ok_or_else(|| Error::no_such_key(&input.key))?;
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
    describe!(output, object, selection, wants_checksum);
    Ok(Custom {
        output,
        headers,
        status: None,
    })
}

pub async fn head_object(
    state: Arc<State>,
    call: Arc<Call>,
    input: HeadObjectInput,
) -> Result<Custom<HeadObjectOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    fields::check_version(input.version_id.as_deref())?;
    let found = content::find(&state, &input.bucket, &input.key).await?;
    let (object, manifest) = found.ok_or_else(|| Error::no_such_key(&input.key))?;
    let selection = reading::select(&call, &object, input.part_number, manifest.as_ref())?;
    let headers = reading::headers(&object);
    let wants_checksum = input.checksum_mode.is_some();
    let mut output = HeadObjectOutput::default();
    describe!(output, object, selection, wants_checksum);
    Ok(Custom {
        output,
        headers,
        status: selection.status(),
    })
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
