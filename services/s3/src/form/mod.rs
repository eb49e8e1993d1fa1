//! Uploads by a browser's form (PostObject): judged by the form's policy, then put as any object.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

mod multipart;
mod policy;

use std::ops::RangeInclusive;

use auth::policy::{Caller, Context, Document, Policies, PolicyKind};
use auth::sigv4::SignedForm;
use base::AccountId;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, StreamBody};
use s3s::dto::Tagging;
use s3s::xml::{Deserialize as _, Deserializer};
use service::{Anonymous, Body, BoxError, RequestContext, ServiceError};

use crate::content::ByteStream;
use crate::domain::notification::EventKind;
use crate::domain::url_encoding;
use crate::error::Error;
use crate::{S3, answer};
use multipart::Form;
use policy::Policy;

/// Fields that are headers of the object under other names.
const RENAMED: [(&str, &str); 2] = [
    ("acl", "x-amz-acl"),
    ("redirect", "success_action_redirect"),
];
/// Fields that become headers as they are, besides those that begin with `x-amz-`.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "expires",
];
/// Fields of the signature.
const SIGNATURE: [&str; 6] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// Whether a request is a form to a bucket.
pub fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    parts.method == Method::POST
        && content_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value
                    .to_ascii_lowercase()
                    .starts_with("multipart/form-data")
            })
}

/// What a form asks for besides its object.
struct Wish {
    bucket: String,
    key: String,
    redirect: Option<String>,
    status: Option<String>,
}

impl S3 {
    pub(crate) async fn post_form(
        &self,
        context: &RequestContext,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<Body>, ServiceError> {
        let put = self.read_form(context, parts, body).await;
        let (context, request, wish) = put.map_err(Error::into_service_error)?;
        let response = self.answer(&context, request).await?;
        Ok(done(&context, &response, &wish))
    }

    /// The request that puts the form's object.
    async fn read_form(
        &self,
        context: &RequestContext,
        parts: &Parts,
        body: Body,
    ) -> Result<(RequestContext, Request<Body>, Wish), Error> {
        let bucket = bucket_of(&parts.uri)?;
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(multipart::boundary).ok_or_else(|| {
            let message = "The body of your POST request is not well-formed multipart/form-data.";
            Error::bad_request("MalformedPOSTRequest", message)
        })?;
        let body: ByteStream = body
            .into_data_stream()
            .map(|chunk| chunk.map_err(Error::Body))
            .boxed();
        let (form, file) = multipart::read(body, boundary).await?;
        let mut context = context.clone();
        let mut is_anonymous = parts.extensions.get::<Anonymous>().is_some();
        let length = match form.field("policy") {
            Some(encoded) => {
                let policy = Policy::parse(encoded)?;
                self.authenticate(&form, encoded, &bucket, &mut context, &mut is_anonymous)
                    .await?;
                policy.check(&form.fields, &bucket, self.state.clock.now())?
            }
            None => 0..=u64::MAX,
        };
        let wish = Wish {
            key: key_of(&form)?,
            redirect: form.field("success_action_redirect").map(str::to_owned),
            status: form.field("success_action_status").map(str::to_owned),
            bucket,
        };
        let path = format!("/{}/{}", wish.bucket, url_encoding::in_list(&wish.key));
        let mut request = Request::builder().method(Method::PUT).uri(path);
        for (name, value) in headers_of(&form)? {
            request = request.header(name, value);
        }
        let body = bounded(file, length);
        let mut request = request.body(body).map_err(|_| {
            let message = "Couldn't parse the specified URI.";
            Error::bad_request("InvalidURI", message)
        })?;
        request.extensions_mut().insert(EventKind::Post);
        if is_anonymous {
            request.extensions_mut().insert(Anonymous);
        }
        Ok((context, request, wish))
    }

    /// Finds out who signed the policy, and whether they may put objects.
    async fn authenticate(
        &self,
        form: &Form,
        policy: &str,
        bucket: &str,
        context: &mut RequestContext,
        is_anonymous: &mut bool,
    ) -> Result<(), Error> {
        let field = |name| form.field(name);
        if self.state.is_permissive {
            let credential = field("x-amz-credential").or_else(|| field("awsaccesskeyid"));
            let id = credential.and_then(|credential| credential.split('/').next());
            if let Some(id) = id {
                self.take_at_word(id, field("x-amz-security-token"), context)
                    .await;
            }
            return Ok(());
        }
        let signed = match (field("x-amz-signature"), field("signature")) {
            (Some(signature), _) => SignedForm::parse(
                field("x-amz-algorithm").unwrap_or_default(),
                field("x-amz-credential").unwrap_or_default(),
                signature,
            )
            .map_err(|error| refused(&error))?,
            (None, Some(signature)) => {
                SignedForm::version_2(field("awsaccesskeyid").unwrap_or_default(), signature)
            }
            (None, None) => return Err(Error::access_denied()),
        };
        let token = field("x-amz-security-token");
        let found = match &self.state.ports.credentials {
            Some(credentials) => credentials.find(&signed.access_key_id, token).await,
            None => None,
        };
        let found = found.ok_or_else(|| refused(&auth::AuthError::UnknownAccessKey))?;
        let now = self.state.clock.now();
        if found.expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(refused(&auth::AuthError::ExpiredToken));
        }
        let scope = signed.scope.as_ref();
        if scope.is_some_and(|scope| scope.service != "s3") || !signed.is_of(policy, &found.secret)
        {
            let message = "The request signature we calculated does not match the signature you \
                           provided. Check your key and signing method.";
            let code = "SignatureDoesNotMatch";
            return Err(Error::new(code, StatusCode::FORBIDDEN, message));
        }
        if let Some(Ok(region)) = scope.map(|scope| scope.region.parse()) {
            context.region = region;
        }
        context.principal = found.principal.clone();
        context.account = found.account;
        *is_anonymous = false;
        let resource = format!("arn:aws:s3:::{bucket}/{}", key_of(form)?);
        if may_put(&found, &resource) {
            return Ok(());
        }
        Err(Error::access_denied())
    }

    /// Where anybody may say who they are.
    async fn take_at_word(&self, id: &str, token: Option<&str>, context: &mut RequestContext) {
        let found = match &self.state.ports.credentials {
            Some(credentials) => credentials.find(id, token).await,
            None => None,
        };
        if let Some(found) = found {
            context.principal = found.principal;
            context.account = found.account;
        } else if let Ok(account) = id.parse::<AccountId>() {
            context.principal = service::Principal::Root { account };
            context.account = account;
        }
    }
}

fn refused(error: &auth::AuthError) -> Error {
    let parts = error.to_parts(auth::ServiceStyle::S3);
    ServiceError::new(parts.code, parts.status, parts.message).into()
}

/// By the caller's own policies; the bucket's is judged with the PUT.
fn may_put(found: &service::ports::IssuedCredential, resource: &str) -> bool {
    let parse = |text: &String| {
        Document::parse(text, PolicyKind::Identity).unwrap_or_else(|_| Document::union([]))
    };
    let identity: Vec<_> = found.identity_policies.iter().map(parse).collect();
    let boundaries: Vec<_> = found.boundaries.iter().map(parse).collect();
    let caller: Caller<'_> = found.principal.in_policies();
    let mut keys = Context::new();
    keys.insert_caller(&caller);
    let request = auth::policy::Request {
        caller,
        action: "s3:PutObject",
        resource,
        resource_account: found.account,
        context: &keys,
    };
    let policies = Policies {
        identity: &identity,
        boundaries: &boundaries,
        resource: None,
    };
    auth::policy::evaluate(&request, &policies).is_allowed()
}

impl Form {
    fn field(&self, name: &str) -> Option<&str> {
        let renamed = RENAMED.iter().find(|(_, now)| *now == name);
        let is_it = |field: &str| field == name || renamed.is_some_and(|(old, _)| *old == field);
        self.fields
            .iter()
            .find(|(field, _)| is_it(field))
            .map(|(_, value)| value.as_str())
    }
}

fn bucket_of(uri: &Uri) -> Result<String, Error> {
    let path = uri.path().trim_start_matches('/');
    match path.split_once('/') {
        Some((_, key)) if !key.is_empty() => Err(Error::new(
            "MethodNotAllowed",
            StatusCode::METHOD_NOT_ALLOWED,
            "The specified method is not allowed against this resource.",
        )),
        Some((bucket, _)) => Ok(bucket.to_owned()),
        None => Ok(path.to_owned()),
    }
}

fn key_of(form: &Form) -> Result<String, Error> {
    let key = form.field("key").filter(|key| !key.is_empty()).ok_or_else(|| {
        let message = "Bucket POST must contain a field named 'key'.  If it is specified, please \
                       check the order of the fields.";
        Error::invalid_argument(message, "key", "")
    })?;
    let name = form.file_name.as_deref().unwrap_or_default();
    // Some browsers send the whole path.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    Ok(key.replace("${filename}", name))
}

fn headers_of(form: &Form) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let mut headers = Vec::new();
    for (name, value) in &form.fields {
        let value = match name.as_str() {
            "tagging" => tagging(value)?,
            _ => value.clone(),
        };
        let name = match name.as_str() {
            "acl" => "x-amz-acl",
            "tagging" => "x-amz-tagging",
            name if HEADERS.contains(&name) => name,
            name if name.starts_with("x-amz-") && !SIGNATURE.contains(&name) => name,
            _ => continue,
        };
        let header = HeaderName::try_from(name).ok();
        let header = header.zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        headers.push(header.ok_or_else(|| {
            Error::invalid_argument("The field cannot be a header.", name, &value)
        })?);
    }
    Ok(headers)
}

/// A form has its tags as a document, a PUT in a header.
fn tagging(document: &str) -> Result<String, Error> {
    let tags = Tagging::deserialize(&mut Deserializer::new(document.as_bytes()))
        .map_err(|_| Error::malformed_xml())?;
    let pairs = tags.tag_set.into_iter().map(|tag| {
        let encoded = |text: Option<String>| url_encoding::in_list(&text.unwrap_or_default());
        format!("{}={}", encoded(tag.key), encoded(tag.value))
    });
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

/// The file as a body, which breaks off where it is shorter or longer than the policy allows.
fn bounded(file: ByteStream, length: RangeInclusive<u64>) -> Body {
    let frames = stream::try_unfold((file, 0, length), |(mut file, size, length)| async move {
        let Some(chunk) = file.next().await else {
            return if size < *length.start() {
                Err(too_small(size, *length.start()))
            } else {
                Ok(None)
            };
        };
        let chunk: Bytes = chunk.map_err(|error| BoxError::from(error.into_service_error()))?;
        let size = size + chunk.len() as u64;
        if size > *length.end() {
            return Err(too_large(size, *length.end()));
        }
        Ok(Some((http_body::Frame::data(chunk), (file, size, length))))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn too_small(size: u64, least: u64) -> BoxError {
    let message = "Your proposed upload is smaller than the minimum allowed size";
    let error = Error::bad_request("EntityTooSmall", message)
        .with("ProposedSize", size.to_string())
        .with("MinSizeAllowed", least.to_string());
    error.into_service_error().into()
}

fn too_large(size: u64, most: u64) -> BoxError {
    let message = "Your proposed upload exceeds the maximum allowed size";
    let error = Error::bad_request("EntityTooLarge", message)
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", most.to_string());
    error.into_service_error().into()
}

/// The answer to a form whose object is there.
fn done(context: &RequestContext, put: &Response<Body>, wish: &Wish) -> Response<Body> {
    let etag = put.headers().get(header::ETAG).cloned();
    let text = etag.as_ref().and_then(|etag| etag.to_str().ok());
    let etag_text = text.unwrap_or_default().to_owned();
    let mut response = Response::new(answer::full(Bytes::new()));
    for (name, value) in put.headers() {
        if name.as_str().starts_with("x-amz-") || name == header::ETAG {
            response.headers_mut().insert(name, value.clone());
        }
    }
    let authority = context.authority().unwrap_or("s3.amazonaws.com");
    let path = url_encoding::in_list(&wish.key);
    let location = format!("http://{authority}/{}/{path}", wish.bucket);
    if let Some(redirect) = wish
        .redirect
        .as_deref()
        .and_then(|to| away(to, wish, &etag_text))
    {
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, redirect);
        return response;
    }
    *response.status_mut() = match wish.status.as_deref() {
        Some("200") => StatusCode::OK,
        Some("201") => {
            let document = answer::post_response(&location, &wish.bucket, &wish.key, &etag_text);
            *response.body_mut() = answer::full(document);
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(header::CONTENT_TYPE, xml);
            StatusCode::CREATED
        }
        _ => StatusCode::NO_CONTENT,
    };
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A redirect that is no URL is passed over, as S3 does.
fn away(to: &str, wish: &Wish, etag: &str) -> Option<HeaderValue> {
    let uri: Uri = to.parse().ok()?;
    uri.scheme()?;
    let encoded = |text: &str| url_encoding::in_list(text).replace('/', "%2F");
    let joint = if uri.query().is_some() { '&' } else { '?' };
    let query = format!(
        "bucket={}&key={}&etag={}",
        encoded(&wish.bucket),
        encoded(&wish.key),
        encoded(etag)
    );
    format!("{to}{joint}{query}").parse().ok()
}
