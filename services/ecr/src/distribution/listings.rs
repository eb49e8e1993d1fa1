//! What there is: repositories, tags, and what refers to an image.

use http::header::{CONTENT_TYPE, HeaderName, LINK};
use http::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use service::Body;

use super::Call;
use super::answer::{Failure, set, with_status};
use crate::domain::media_type::OCI_INDEX;
use oci::Digest;

/// Names at most at once.
const MOST: usize = 1_000;
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

pub fn catalog(call: &Call<'_>) -> Result<Response<Body>, Failure> {
    let names = call.ecr.repositories.list(
        |id| id.account == call.account && id.region == call.region,
        |_, _| (),
    );
    let names = names.into_iter().map(|(name, ())| name).collect();
    page(
        call,
        names,
        "/v2/_catalog",
        |names| json!({"repositories": names}),
    )
}

pub fn tags(call: &Call<'_>, name: &str) -> Result<Response<Body>, Failure> {
    let id = call.repository(name);
    let tags = call.ecr.with(&id, |it| it.tags.keys().cloned().collect())?;
    let path = format!("/v2/{name}/tags/list");
    page(
        call,
        tags,
        &path,
        |tags| json!({"name": name, "tags": tags}),
    )
}

/// The names after `last`, `n` of them, and where the rest is.
fn page(
    call: &Call<'_>,
    names: Vec<String>,
    path: &str,
    shown: impl FnOnce(Vec<String>) -> Json,
) -> Result<Response<Body>, Failure> {
    let limit = match call.parameter("n") {
        None => MOST,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Failure::manifest_invalid("n is no number"))?
            .min(MOST),
    };
    let last = call.parameter("last").unwrap_or_default();
    let mut names = names;
    names.retain(|name| *name > last);
    let has_more = names.len() > limit;
    names.truncate(limit);
    let next = names.last().filter(|_| has_more).map(|last| {
        let last = utf8_percent_encode(last, NON_ALPHANUMERIC);
        format!("<{path}?n={limit}&last={last}>; rel=\"next\"")
    });
    let mut response = with_status(StatusCode::OK, shown(names).to_string());
    set(&mut response, CONTENT_TYPE, "application/json");
    if let Some(next) = next {
        set(&mut response, LINK, &next);
    }
    Ok(response)
}

/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
pub fn referrers(call: &Call<'_>, name: &str, digest: &str) -> Result<Response<Body>, Failure> {
    let subject = Digest::parse(digest);
    let subject =
        subject.ok_or_else(|| Failure::digest_invalid(format!("Invalid digest: {digest}")))?;
    let wanted = call.parameter("artifactType");
    let id = call.repository(name);
    let found: Vec<Json> = call.ecr.with(&id, |contents| {
        let images = contents.images.iter();
        let referring = images.filter(|(_, image)| {
            image.subject.as_ref() == Some(&subject)
                && (wanted.is_none() || image.artifact_type == wanted)
        });
        let shown = referring.map(|(digest, image)| {
            let mut shown = json!({
                "mediaType": image.media_type,
                "digest": digest.to_string(),
                "size": image.manifest.len(),
            });
            if let Some(kind) = &image.artifact_type {
                shown["artifactType"] = json!(kind);
            }
            if !image.annotations.is_empty() {
                shown["annotations"] = json!(image.annotations);
            }
            shown
        });
        shown.collect()
    })?;
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    let mut response = with_status(StatusCode::OK, index.to_string());
    set(&mut response, CONTENT_TYPE, OCI_INDEX);
    if wanted.is_some() {
        set(&mut response, FILTERS_APPLIED, "artifactType");
    }
    Ok(response)
}
