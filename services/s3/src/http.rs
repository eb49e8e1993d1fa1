//! S3 as the gateway calls it.

use std::sync::Arc;

use async_trait::async_trait;
use base::AccountId;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version, header};
use http_body_util::BodyExt as _;
use service::{Access, Body, CrossOrigin, Demand, HttpService, RequestContext, ServiceError};

use crate::call::Call;
use crate::dispatch::{Failure, Rewrite, Status};
use crate::domain::tags::Tag;
use crate::error::{Error, broken_body};
use crate::records::BUCKETS;
use crate::{
    S3, answer, blocked_encryption, call, carried, control, document, domain, form, pages, port,
    website,
};

#[async_trait]
impl HttpService for S3 {
    fn signing_name(&self) -> &'static str {
        "s3"
    }

    fn access(&self, request: &Parts) -> Access {
        domain::access::of(request)
    }

    fn demands(&self, request: &Parts) -> Vec<Demand> {
        let conditions = domain::access::condition_keys(request);
        let all = std::iter::once(domain::access::of(request)).chain(domain::access::also(request));
        all.map(|access| Demand {
            conditions: conditions.clone(),
            ..access.into()
        })
        .collect()
    }

    /// Where signatures are checked: what has none, a form, which has its own, and a website. The
    /// bucket then says whether anybody may.
    fn admits_anonymous(&self, request: &Parts) -> bool {
        let is_signed = request.headers.contains_key(header::AUTHORIZATION)
            || request.uri.query().is_some_and(|query| {
                query.contains("X-Amz-Signature=") || query.contains("Signature=")
            });
        !self.state.is_permissive
            && (!is_signed || form::is_form(request) || website::is_page(request))
    }

    async fn cross_origin(&self, request: &Parts) -> CrossOrigin {
        pages::judge(&self.state, request).await
    }

    async fn resource_policy(&self, access: &Access, account: AccountId) -> Option<String> {
        let named = access.resource.strip_prefix("arn:aws:s3:::")?;
        let bucket = named.split('/').next()?;
        let found = BUCKETS.get(&*self.state.store, bucket).await;
        let bucket = found.ok().flatten()?;
        (bucket.owner == account).then_some(bucket.policy)?
    }

    async fn handle(&self, context: RequestContext, request: Request<Body>) -> Response<Body> {
        if request.uri().path().starts_with(website::PREFIX) {
            return self.page(&context, &request.into_parts().0).await;
        }
        let must_close = expects_in_vain(&request);
        let method = request.method().clone();
        let mut response = match self.form_or_answer(&context, request).await {
            Ok(response) => response,
            Err(error) => answer::failure(&context, Some(&method), &error),
        };
        if must_close {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }

    fn error_response(&self, context: &RequestContext, error: &ServiceError) -> Response<Body> {
        answer::failure(context, None, error)
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: wire::Value,
    ) -> Result<wire::Value, ServiceError> {
        port::call(&self.state, operation, context, input).await
    }
}

impl S3 {
    async fn form_or_answer(
        &self,
        context: &RequestContext,
        request: Request<Body>,
    ) -> Result<Response<Body>, ServiceError> {
        let (parts, body) = request.into_parts();
        if domain::control::is_meant(&parts) {
            return Ok(self.control(context, parts, body).await);
        }
        if !form::is_form(&parts) {
            return self.answer(context, Request::from_parts(parts, body)).await;
        }
        let mut response = self.post_form(context, &parts, body).await?;
        answer::identify(context, &mut response);
        Ok(response)
    }

    /// Answers what the wire layer knows.
    pub(crate) async fn answer(
        &self,
        context: &RequestContext,
        request: Request<Body>,
    ) -> Result<Response<Body>, ServiceError> {
        let (mut parts, body) = request.into_parts();
        if let Some(operation) = domain::unserved::operation(&parts) {
            return Err(Error::not_implemented(operation).into_service_error());
        }
        announce_length(&mut parts, &body);
        call::check_trailer(&parts.headers).map_err(Error::into_service_error)?;
        let body = document::guard(&parts, body).map_err(Error::into_service_error)?;
        let body = checksums_in(&mut parts, body).await?;
        let (body, bucket_tags) = bucket_tags(&parts, body).await?;
        let (body, blocks_customer_keys) = blocked_encryption(&mut parts, body).await?;
        let call = Arc::new(Call {
            bucket_tags,
            blocks_customer_keys,
            ..Call::take(context.clone(), &mut parts)
        });
        let failure = Failure::default();
        parts.extensions.insert(call);
        parts.extensions.insert(failure.clone());
        let broken = failure.clone();
        let body = body.map_err(move |error| {
            broken.set(broken_body(&error));
            error
        });
        let request = Request::from_parts(parts, s3s::Body::http_body_unsync(body));
        let response = self.wire.call(request).await.map_err(|error| {
            let error = service::BoxError::from(error);
            tracing::error!(%error, "the S3 wire layer gave up on a request");
            ServiceError::internal()
        })?;
        if let Some(error) = failure.take() {
            return Err(error);
        }
        let rewrite = response.extensions().get::<Rewrite>().copied();
        let mut response = response.map(|body| answer::document_or_stream(body, rewrite));
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(read_wire_error(response).await);
        }
        carried::headers_out(response.headers_mut());
        if let Some(Status(status)) = response.extensions_mut().remove() {
            *response.status_mut() = status;
        }
        answer::identify(context, &mut response);
        Ok(response)
    }
}

/// Gives checksums that the wire layer does not know to it as it can carry them. Of bodies only that of a
/// CompleteMultipartUpload has any.
async fn checksums_in(parts: &mut Parts, body: Body) -> Result<Body, ServiceError> {
    carried::headers_in(&mut parts.headers).map_err(Error::into_service_error)?;
    let completes = parts.method == Method::POST
        && parts.uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair.split('=').next() == Some("uploadId"))
        });
    if !completes {
        return Ok(body);
    }
    let given = answer::collect(body).await?;
    let carried = carried::document_in(given);
    Ok(replaced(parts, carried))
}

/// Takes out of a PutBucketEncryption what the wire layer does not know.
async fn blocked_encryption(
    parts: &mut Parts,
    body: Body,
) -> Result<(Body, Option<bool>), ServiceError> {
    let puts = parts.method == Method::PUT
        && domain::access::of(parts).action == "s3:PutEncryptionConfiguration";
    if !puts {
        return Ok((body, None));
    }
    let given = answer::collect(body).await?;
    let (left, blocks) = blocked_encryption::take(given).map_err(Error::into_service_error)?;
    Ok((replaced(parts, left), blocks))
}

/// A body in place of the one that came.
fn replaced(parts: &mut Parts, document: Bytes) -> Body {
    if parts.headers.contains_key(header::CONTENT_LENGTH) {
        let length = HeaderValue::from(document.len());
        parts.headers.insert(header::CONTENT_LENGTH, length);
    }
    answer::full(document)
}

/// Reads the tags that a bucket is to be made with, which the wire layer passes over.
async fn bucket_tags(parts: &Parts, body: Body) -> Result<(Body, Vec<Tag>), ServiceError> {
    let is_empty = http_body::Body::is_end_stream(&body);
    if is_empty || domain::access::of(parts).action != "s3:CreateBucket" {
        return Ok((body, Vec::new()));
    }
    let document = answer::collect(body).await?;
    let tags = if document.windows(6).any(|six| six == b"<Tags>") {
        control::read_tags(&document, "CreateBucketConfiguration")
            .map_err(Error::into_service_error)?
    } else {
        Vec::new()
    };
    Ok((answer::full(document), tags))
}

/// Whether the client awaits a 100 for a body of no bytes, which is answered without one. botocore
/// then takes that answer's status for the next upload's on the same connection, so the connection
/// must end.
fn expects_in_vain(request: &Request<Body>) -> bool {
    request.version() == Version::HTTP_11
        && request.headers().contains_key(header::EXPECT)
        && http_body::Body::is_end_stream(request.body())
}

/// The wire layer wants a Content-Length with every XML body; over HTTP/2 there may be none.
fn announce_length(parts: &mut Parts, body: &Body) {
    let exact = http_body::Body::size_hint(body).exact();
    if let Some(length) = exact
        && length > 0
        && !parts.headers.contains_key(header::CONTENT_LENGTH)
    {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
}

/// What the wire layer found wrong with a request.
async fn read_wire_error(response: Response<Body>) -> ServiceError {
    let status = response.status();
    let document = response
        .into_body()
        .collect()
        .await
        .map_or(Bytes::new(), http_body_util::Collected::to_bytes);
    let document = String::from_utf8_lossy(&document);
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(
            text.replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&"),
        )
    };
    let code = element("Code").unwrap_or_else(|| "InternalError".to_owned());
    answer::wire_error(&code, &element("Message").unwrap_or_default(), status)
}
