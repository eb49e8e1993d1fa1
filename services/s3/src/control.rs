//! S3 Control, as far as the tags of buckets go: ListTagsForResource, TagResource, UntagResource.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_ListTagsForResource.html>

use base::AccountId;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use s3s::dto;
use s3s::xml::{DeError, Deserializer};
use service::{Body, RequestContext, ServiceError};

use crate::call::Call;
use crate::domain::control;
use crate::domain::tags::{self, Tag};
use crate::error::Error;
use crate::ops::object_tagging;
use crate::{S3, answer, buckets};

const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";

impl S3 {
    pub(crate) async fn control(
        &self,
        context: &RequestContext,
        mut parts: Parts,
        body: Body,
    ) -> Response<Body> {
        let call = Call::take(context.clone(), &mut parts);
        let mut response = match self.answer_control(&call, &parts, body).await {
            Ok(Some(document)) => xml(StatusCode::OK, &document),
            Ok(None) => {
                let mut response = Response::new(answer::full(Bytes::new()));
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err(error) => failure(context, &error),
        };
        answer::identify(context, &mut response);
        response
    }

    /// What is answered, if anything is.
    async fn answer_control(
        &self,
        call: &Call,
        parts: &Parts,
        body: Body,
    ) -> Result<Option<String>, ServiceError> {
        let Some(arn) = control::tagged(parts) else {
            let other = Error::not_implemented("S3 Control's other operations");
            return Err(other.into_service_error());
        };
        let Some(bucket) = control::bucket(&arn) else {
            let other = Error::not_implemented("tags of S3 Control's other resources");
            return Err(other.into_service_error());
        };
        let document = match parts.method {
            Method::POST => answer::collect(body).await?,
            _ => Bytes::new(),
        };
        let done = self.bucket_tags(call, parts, bucket, &document).await;
        done.map_err(|error| match error.into_service_error() {
            error if error.code == "NoSuchBucket" => {
                let message = "The specified resource doesn't exist.";
                Error::new("NoSuchResource", StatusCode::NOT_FOUND, message).into_service_error()
            }
            error => error,
        })
    }

    async fn bucket_tags(
        &self,
        call: &Call,
        parts: &Parts,
        bucket: &str,
        document: &[u8],
    ) -> Result<Option<String>, Error> {
        let account = parts.headers.get(control::ACCOUNT);
        let account = account.and_then(|value| value.to_str().ok());
        if account.is_none_or(|account| account.parse::<AccountId>().is_err()) {
            return Err(Error::bad_request("InvalidRequest", "Invalid account id"));
        }
        match parts.method {
            Method::GET => {
                let row = buckets::find_of(&self.state, call, bucket, account).await?;
                Ok(Some(list(&row.value.tags)))
            }
            Method::POST => {
                let added = read_tags(document, "TagResourceRequest")?;
                tags::check(&added, tags::MAX_OF_BUCKET)?;
                buckets::update(&self.state, call, bucket, account, |bucket, _| {
                    for tag in &added {
                        match bucket.tags.iter_mut().find(|one| one.key == tag.key) {
                            Some(present) => present.value.clone_from(&tag.value),
                            None => bucket.tags.push(tag.clone()),
                        }
                    }
                    tags::check(&bucket.tags, tags::MAX_OF_BUCKET)
                })
                .await?;
                Ok(None)
            }
            Method::DELETE => {
                let keys = tag_keys(parts);
                buckets::update(&self.state, call, bucket, account, |bucket, _| {
                    bucket.tags.retain(|tag| !keys.contains(&tag.key));
                    Ok(())
                })
                .await?;
                Ok(None)
            }
            _ => Err(Error::new(
                "MethodNotAllowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The specified method is not allowed against this resource.",
            )),
        }
    }
}

/// The tags in a document that may say where a bucket is to be as well.
///
/// # Errors
/// `MalformedXML`.
pub fn read_tags(document: &[u8], root: &str) -> Result<Vec<Tag>, Error> {
    let mut reader = Deserializer::new(document);
    let mut found: Vec<dto::Tag> = Vec::new();
    let read = reader.named_element(root, |reader| {
        reader.for_each_element(|reader, name| {
            match name {
                b"Tags" => found = reader.list_content("Tag")?,
                b"LocationConstraint" => {
                    reader.content::<dto::BucketLocationConstraint>()?;
                }
                b"Location" => {
                    reader.content::<dto::LocationInfo>()?;
                }
                b"Bucket" => {
                    reader.content::<dto::BucketInfo>()?;
                }
                _ => return Err(DeError::UnexpectedTagName),
            }
            Ok(())
        })
    });
    read.map_err(|_| Error::malformed_xml())?;
    object_tagging::read(found)
}

fn tag_keys(parts: &Parts) -> Vec<String> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| *name == "tagKeys")
        .map(|(_, key)| {
            let key = key.replace('+', " ");
            percent_decode_str(&key).decode_utf8_lossy().into_owned()
        })
        .collect()
}

fn list(tags: &[Tag]) -> String {
    let mut xml = format!("<ListTagsForResourceResult xmlns=\"{NAMESPACE}\"><Tags>");
    for tag in tags {
        xml.push_str("<Tag>");
        answer::element(&mut xml, "Key", &tag.key);
        answer::element(&mut xml, "Value", &tag.value);
        xml.push_str("</Tag>");
    }
    xml.push_str("</Tags></ListTagsForResourceResult>");
    xml
}

/// S3 Control wraps its errors, unlike S3.
fn failure(context: &RequestContext, error: &ServiceError) -> Response<Body> {
    let mut document = format!("<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>");
    answer::element(&mut document, "Code", answer::code(&error.code));
    answer::element(&mut document, "Message", &error.message);
    document.push_str("</Error>");
    answer::element(&mut document, "RequestId", &context.request_id.to_string());
    document.push_str("</ErrorResponse>");
    xml(error.status, &document)
}

fn xml(status: StatusCode, document: &str) -> Response<Body> {
    let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{document}");
    let mut response = Response::new(answer::full(declared));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
