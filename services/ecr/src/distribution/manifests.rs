//! Manifests, by tag and by digest.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use service::Body;

use super::Call;
use super::answer::{CONTENT_DIGEST, Failure, created, set, with_status};
use crate::domain::manifest::MAX_BYTES;
use crate::error;
use crate::images::{self, Pushed, Reference, Removal};
use oci::Digest;
use oci::is_tag;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

fn reference(text: &str) -> Result<Reference, Failure> {
    match Digest::parse(text) {
        Some(digest) => Ok(Reference::Digest(digest)),
        None if text.contains(':') => {
            Err(Failure::digest_invalid(format!("Invalid digest: {text}")))
        }
        None if is_tag(text) => Ok(Reference::Tag(text.to_owned())),
        None => Err(Failure::tag_invalid(text)),
    }
}

pub fn get(call: &Call<'_>, name: &str, text: &str) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    let asked = reference(text)?;
    let found = call.ecr.with(&id, |it| images::find(it, &asked))?;
    let (digest, image) = found.ok_or_else(|| match asked {
        Reference::Digest(_) => error::image_not_found(&id, Some(text), None),
        Reference::Tag(_) => error::image_not_found(&id, None, Some(text)),
    })?;
    let mut response = with_status(StatusCode::OK, image.manifest.clone());
    set(&mut response, CONTENT_TYPE, &image.media_type);
    set(
        &mut response,
        CONTENT_LENGTH,
        &image.manifest.len().to_string(),
    );
    set(&mut response, CONTENT_DIGEST, &digest.to_string());
    set(&mut response, ETAG, &format!("\"{digest}\""));
    Ok(response)
}

pub async fn put(
    call: &Call<'_>,
    name: &str,
    text: &str,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    let asked = reference(text)?;
    call.ecr.with(&id, |_| ())?;
    let manifest = collected(body).await?;
    let kind = call.parts.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let (tag, digest) = match &asked {
        Reference::Tag(tag) => (Some(tag.as_str()), None),
        Reference::Digest(_) => (None, Some(text)),
    };
    let pushed = Pushed {
        manifest,
        media_type: kind,
        tag,
        digest,
    };
    let put = images::put(call.ecr, &id, pushed).await?;
    let place = format!("/v2/{name}/manifests/{}", put.digest);
    let mut response = created(&place, &put.digest);
    if let Some(subject) = &put.image.subject {
        set(&mut response, SUBJECT, &subject.to_string());
    }
    Ok(response)
}

/// A body that is short, as text.
async fn collected(mut body: Body) -> Result<String, Failure> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::upload_broken())?;
        if let Ok(chunk) = frame.into_data() {
            whole.extend_from_slice(&chunk);
        }
        if whole.len() > MAX_BYTES {
            return Err(Failure::manifest_invalid(format!(
                "A manifest has at most {MAX_BYTES} bytes."
            )));
        }
    }
    String::from_utf8(whole)
        .map_err(|_| Failure::manifest_invalid("The manifest is no UTF-8 text."))
}

/// By tag, and the image goes with its last one; or by digest, with all its tags.
pub async fn delete(call: &Call<'_>, name: &str, text: &str) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    let asked = reference(text)?;
    let _one_writer = call.ecr.writer.lock().await;
    let is_there = call
        .ecr
        .with(&id, |it| images::find(it, &asked).is_some())?;
    let removal = match asked {
        Reference::Digest(_) if !is_there => {
            return Err(error::image_not_found(&id, Some(text), None).into());
        }
        Reference::Tag(_) if !is_there => {
            return Err(error::image_not_found(&id, None, Some(text)).into());
        }
        Reference::Digest(digest) => Removal::Image(digest),
        Reference::Tag(tag) => Removal::Tag(tag),
    };
    images::remove(call.ecr, &id, &[removal]).await?;
    Ok(with_status(StatusCode::ACCEPTED, Bytes::new()))
}
