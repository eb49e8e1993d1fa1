//! Getting blobs.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{Method, Response, StatusCode};
use service::Body;

use super::Call;
use super::answer::{CONTENT_DIGEST, Failure, set, with_status};
use super::content;
use crate::layers;
use oci::Digest;

pub async fn get(call: &Call<'_>, name: &str, digest: &str) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    call.ecr.with(&id, |_| ())?;
    let parsed = Digest::parse(digest);
    let parsed =
        parsed.ok_or_else(|| Failure::digest_invalid(format!("Invalid digest: {digest}")))?;
    let found = layers::find(call.ecr, &id, &parsed);
    let layer = found.ok_or_else(|| Failure::blob_unknown(digest))?;
    let header = call
        .parts
        .headers
        .get(RANGE)
        .and_then(|it| it.to_str().ok());
    let range = content::range(header, layer.size).map_err(|_| Failure::range_unsatisfiable())?;
    let status = match range {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let mut response = with_status(status, Bytes::new());
    if let Some(range) = &range {
        let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, layer.size);
        set(&mut response, CONTENT_RANGE, &shown);
    }
    let range = range.unwrap_or(0..layer.size);
    let length = range.end - range.start;
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    set(&mut response, CONTENT_DIGEST, digest);
    set(&mut response, ETAG, &format!("\"{digest}\""));
    set(&mut response, ACCEPT_RANGES, "bytes");
    if call.parts.method == Method::HEAD {
        return Ok(response);
    }
    let reader = call.ecr.blobs.open(&layer.blob).await?;
    Ok(response.map(|_| content::body(reader.into(), range)))
}
