//! A bucket as a static website: an index for a folder, a page for an error, redirects.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html>

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use s3s::dto::WebsiteConfiguration;
use service::{Anonymous, Body, Principal, RequestContext, ServiceError};

use crate::configurations::{self, Kind};
use crate::domain::url_encoding;
use crate::domain::website::{self, Asked, Away};
use crate::error::Error;
use crate::ops;
use crate::records::BUCKETS;
use crate::{S3, answer};

/// What the path of a request for a website begins with, by whichever host it came.
pub const PREFIX: &str = "/_aws/s3-website/";

/// Headers that matter to a page.
const PASSED: [HeaderName; 5] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];
const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");

/// Whether a request is for a website.
pub fn is_page(parts: &Parts) -> bool {
    parts.uri.path().starts_with(PREFIX)
}

/// What a page is made of.
struct Visit<'a> {
    bucket: &'a str,
    key: String,
    method: Method,
    headers: HeaderMap,
    context: RequestContext,
    is_anonymous: bool,
}

impl S3 {
    pub(crate) async fn page(&self, context: &RequestContext, parts: &Parts) -> Response<Body> {
        let mut response = match self.visit(context, parts).await {
            Ok(response) => response,
            Err(error) => failure(context, &error),
        };
        if parts.method == Method::HEAD {
            *response.body_mut() = answer::full("");
        }
        answer::identify(context, &mut response);
        response
    }

    async fn visit(
        &self,
        context: &RequestContext,
        parts: &Parts,
    ) -> Result<Response<Body>, ServiceError> {
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(ServiceError::new(
                "MethodNotAllowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The specified method is not allowed against this resource.",
            )
            .with_member("allow", wire::Value::Str("GET, HEAD".to_owned())));
        }
        let (site, owner) = self.site(bucket).await.map_err(Error::into_service_error)?;
        let mut context = context.clone();
        let is_anonymous = parts.extensions.get::<Anonymous>().is_some();
        if !is_anonymous {
            // Where nobody is checked a website is everybody's.
            context.account = owner;
            context.principal = Principal::Root { account: owner };
        }
        let authority = context.authority().unwrap_or_default().to_owned();
        let base = if authority.contains(".s3-website") {
            "/".to_owned()
        } else {
            format!("{PREFIX}{bucket}/")
        };
        let asked = Asked {
            host: &authority,
            base: &base,
            key: &key,
        };
        let first =
            website::away_at_all(&site, asked).or_else(|| website::away(&site, asked, None));
        if let Some(away) = first {
            return Ok(redirect(&away));
        }
        let visit = Visit {
            bucket,
            key: key.clone(),
            method: parts.method.clone(),
            headers: passed(&parts.headers),
            context,
            is_anonymous,
        };
        self.show(&site, asked, &visit).await
    }

    async fn site(&self, bucket: &str) -> Result<(WebsiteConfiguration, base::AccountId), Error> {
        let found = BUCKETS.get(&*self.state.store, bucket).await?;
        let found = found.ok_or_else(|| Error::no_such_bucket(bucket))?;
        let site = configurations::find(&*self.state.store, bucket, Kind::Website).await?;
        let site = site.ok_or_else(|| ops::website::no_configuration(bucket))?;
        Ok((site, found.owner))
    }

    /// The object of the page; else where its error leads, and the page for it.
    async fn show(
        &self,
        site: &WebsiteConfiguration,
        asked: Asked<'_>,
        visit: &Visit<'_>,
    ) -> Result<Response<Body>, ServiceError> {
        let index = site
            .index_document
            .as_ref()
            .map(|index| index.suffix.as_str());
        let index = index.unwrap_or_default();
        let is_folder = visit.key.is_empty() || visit.key.ends_with('/');
        let key = if is_folder {
            format!("{}{index}", visit.key)
        } else {
            visit.key.clone()
        };
        let error = match self.object(visit, &key, &visit.headers).await {
            Ok(response) => return Ok(follow(response)),
            Err(error) => error,
        };
        if error.status == StatusCode::NOT_MODIFIED {
            return Err(error);
        }
        if !is_folder && error.status.is_client_error() {
            let inside = format!("{}/{index}", visit.key);
            let found = self.object(visit, &inside, &HeaderMap::new()).await;
            if found.is_ok() {
                let folder = url_encoding::in_list(&visit.key);
                return Ok(redirect(&Away {
                    status: 302,
                    location: format!("{}{folder}/", asked.base),
                }));
            }
        }
        if let Some(away) = website::away(site, asked, Some(error.status.as_u16())) {
            return Ok(redirect(&away));
        }
        let Some(page) = &site.error_document else {
            return Err(error);
        };
        let mut response = self
            .object(visit, &page.key, &HeaderMap::new())
            .await
            .map_err(|_| error.clone())?;
        *response.status_mut() = error.status;
        Ok(response)
    }

    async fn object(
        &self,
        visit: &Visit<'_>,
        key: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, ServiceError> {
        let path = format!("/{}/{}", visit.bucket, url_encoding::in_list(key));
        let request = Request::builder().method(&visit.method).uri(path);
        let mut request = request.body(answer::full("")).map_err(|_| {
            let message = "Couldn't parse the specified URI.";
            ServiceError::bad_request("InvalidURI", message)
        })?;
        request.headers_mut().extend(headers.clone());
        if visit.is_anonymous {
            request.extensions_mut().insert(Anonymous);
        }
        self.answer(&visit.context, request).await
    }
}

fn passed(headers: &HeaderMap) -> HeaderMap {
    let pairs = PASSED
        .iter()
        .filter_map(|name| Some((name, headers.get(name)?)));
    pairs
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// An object may itself lead elsewhere.
fn follow(response: Response<Body>) -> Response<Body> {
    let to = response
        .headers()
        .get(REDIRECT)
        .and_then(|to| to.to_str().ok());
    match to.map(str::to_owned) {
        Some(location) => redirect(&Away {
            status: 301,
            location,
        }),
        None => response,
    }
}

fn redirect(away: &Away) -> Response<Body> {
    let mut response = Response::new(answer::full(""));
    *response.status_mut() =
        StatusCode::from_u16(away.status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    if let Ok(location) = HeaderValue::from_str(&away.location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A website's visitors get pages, not documents.
fn failure(context: &RequestContext, error: &ServiceError) -> Response<Body> {
    let mut response = answer::failure(context, None, error);
    if error.status != StatusCode::NOT_MODIFIED {
        *response.body_mut() = answer::full(answer::error_page(context, error));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
    }
    response
}
