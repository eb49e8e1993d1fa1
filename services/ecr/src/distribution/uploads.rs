//! Pushing blobs: whole, in pieces, or from another repository.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use service::Body;

use super::Call;
use super::answer::{Failure, created, range, set, with_status};
use crate::layers;
use crate::records::RepositoryId;
use crate::uploads::{Receiving, Upload};
use oci::Digest;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// Begins an upload; or, all at once, mounts a blob or takes a whole one.
pub async fn begin(call: &Call<'_>, name: &str, body: Body) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    call.ecr.with(&id, |_| ())?;
    if let (Some(digest), Some(from)) = (call.parameter("mount"), call.parameter("from"))
        && let Some(digest) = Digest::parse(&digest)
        && layers::mount(call.ecr, &id, &call.repository(&from), &digest).await?
    {
        return Ok(created(&blob_path(&id, &digest), &digest));
    }
    let upload = call.ecr.uploads.begin(id.clone(), &*call.ecr.blobs).await?;
    if let Some(digest) = call.parameter("digest") {
        return complete(call, &upload, &digest, body).await;
    }
    let received = upload.receiving.lock().await.bytes();
    Ok(progress(&upload, StatusCode::ACCEPTED, received))
}

pub async fn append(
    call: &Call<'_>,
    name: &str,
    upload: &str,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let upload = find(call, name, upload)?;
    let mut receiving = upload.receiving.lock().await;
    check_place(call, receiving.bytes())?;
    receive(&mut receiving, body).await?;
    Ok(progress(&upload, StatusCode::ACCEPTED, receiving.bytes()))
}

pub async fn finish(
    call: &Call<'_>,
    name: &str,
    upload: &str,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let upload = find(call, name, upload)?;
    let digest = call.parameter("digest");
    let digest = digest.ok_or_else(|| Failure::digest_invalid("The digest is missing."))?;
    complete(call, &upload, &digest, body).await
}

pub async fn status(call: &Call<'_>, name: &str, upload: &str) -> Result<Response<Body>, Failure> {
    let upload = find(call, name, upload)?;
    let received = upload.receiving.lock().await.bytes();
    Ok(progress(&upload, StatusCode::NO_CONTENT, received))
}

pub fn cancel(call: &Call<'_>, name: &str, upload: &str) -> Result<Response<Body>, Failure> {
    let upload = find(call, name, upload)?;
    call.ecr.uploads.remove(&upload.id);
    Ok(with_status(StatusCode::NO_CONTENT, Bytes::new()))
}

fn find(call: &Call<'_>, name: &str, upload: &str) -> Result<Arc<Upload>, Failure> {
    let id = call.repository(name);
    call.ecr.with(&id, |_| ())?;
    let found = call.ecr.uploads.find(&id, upload);
    found.ok_or_else(|| Failure::upload_unknown(upload))
}

async fn complete(
    call: &Call<'_>,
    upload: &Upload,
    digest: &str,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let ecr = call.ecr;
    let mut receiving = upload.receiving.lock().await;
    check_place(call, receiving.bytes())?;
    receive(&mut receiving, body).await?;
    let found = receiving.digest();
    if Digest::parse(digest).as_ref() != Some(&found) {
        ecr.uploads.remove(&upload.id);
        return Err(Failure::digest_invalid(format!(
            "The content's digest is '{found}', and not '{digest}'."
        )));
    }
    let size = receiving.bytes();
    let blob = receiving.finish(&*ecr.blobs).await;
    ecr.uploads.remove(&upload.id);
    layers::add(ecr, &upload.repository, &found, blob?, size).await?;
    Ok(created(&blob_path(&upload.repository, &found), &found))
}

/// A piece that says where it belongs must be the next one.
fn check_place(call: &Call<'_>, received: u64) -> Result<(), Failure> {
    let header = call.parts.headers.get(CONTENT_RANGE);
    let Some(text) = header.and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    let text = text
        .trim()
        .trim_start_matches("bytes")
        .trim_start_matches([' ', '=']);
    let first = text
        .split(['-', '/'])
        .next()
        .and_then(|it| it.trim().parse().ok());
    if first == Some(received) {
        Ok(())
    } else {
        Err(Failure::out_of_order(received))
    }
}

/// Takes the body as it comes: no more of it than a piece is ever in memory.
async fn receive(receiving: &mut Receiving, mut body: Body) -> Result<(), Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "ecr: an upload broke off");
            Failure::upload_broken()
        })?;
        if let Ok(chunk) = frame.into_data() {
            receiving.add(chunk).await?;
        }
    }
    Ok(())
}

fn progress(upload: &Upload, status: StatusCode, received: u64) -> Response<Body> {
    let mut response = with_status(status, Bytes::new());
    let place = format!("/v2/{}/blobs/uploads/{}", upload.repository.name, upload.id);
    set(&mut response, LOCATION, &place);
    set(&mut response, RANGE, &range(received));
    set(&mut response, UPLOAD_ID, &upload.id);
    response
}

fn blob_path(id: &RepositoryId, digest: &Digest) -> String {
    format!("/v2/{}/blobs/{digest}", id.name)
}
