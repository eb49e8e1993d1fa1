//! One request, as the operations see it: who asks, and the headers the wire layer would misread.

use base::AccountId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::request::Parts;
use http::{HeaderMap, header};
use service::{Access, Anonymous, Origin, Principal, RequestContext, TrailingHeaders};
use sha2::{Digest as _, Sha256};

use crate::domain::access;
use crate::domain::checksum::Algorithm;
use crate::domain::condition::Conditions;
use crate::domain::event::Cause;
use crate::domain::notification::EventKind;
use crate::domain::range::ByteRange;
use crate::domain::tags::Tag;
use crate::error::Error;

const TRAILER: &str = "x-amz-trailer";

/// A call of one operation.
#[derive(Clone, Debug)]
pub struct Call {
    pub context: RequestContext,
    /// Nobody is known to have sent it.
    pub is_anonymous: bool,
    /// What it asks for. None of a call from inside.
    pub access: Option<Access>,
    /// The condition keys that policies know of S3's requests.
    pub condition_keys: Vec<(&'static str, String)>,
    /// What an object that it makes is told to have been made by, if not by a PUT.
    pub kind: Option<EventKind>,
    pub conditions: Conditions,
    /// Those on the source of a copy.
    pub source_conditions: Conditions,
    pub range: Option<ByteRange>,
    /// `Expires` as sent: S3 does not ask it to be a date.
    pub expires: Option<String>,
    /// What comes after the body, if a checksum is announced to be among it.
    pub trailers: Option<TrailingHeaders>,
    /// The tags that a bucket is to be made with.
    pub bucket_tags: Vec<Tag>,
    /// Whether a bucket's new encryption is to block customers' keys, if that is said.
    pub blocks_customer_keys: Option<bool>,
    /// The checksum that is announced to come there, or that the SDK was told to use.
    pub body_checksum: Option<Algorithm>,
}

impl Call {
    /// A call without any of these headers.
    pub fn plain(context: RequestContext) -> Self {
        Self {
            context,
            is_anonymous: false,
            access: None,
            condition_keys: Vec::new(),
            kind: None,
            conditions: Conditions::default(),
            source_conditions: Conditions::default(),
            range: None,
            expires: None,
            trailers: None,
            bucket_tags: Vec::new(),
            blocks_customer_keys: None,
            body_checksum: None,
        }
    }

    /// Takes the headers out of a request, so that the wire layer does not refuse what S3 ignores.
    pub fn take(context: RequestContext, parts: &mut Parts) -> Self {
        let access = Some(access::of(parts));
        let condition_keys = access::condition_keys(parts);
        let headers = &mut parts.headers;
        let text = |value: http::HeaderValue| value.to_str().ok().map(str::to_owned);
        Self {
            is_anonymous: parts.extensions.get::<Anonymous>().is_some(),
            access,
            condition_keys,
            kind: parts.extensions.get::<EventKind>().copied(),
            conditions: Conditions::take(headers, ""),
            source_conditions: Conditions::take(headers, "x-amz-copy-source-"),
            range: headers
                .remove(header::RANGE)
                .and_then(text)
                .and_then(|range| ByteRange::parse(&range)),
            expires: headers.remove(header::EXPIRES).and_then(text),
            trailers: trailer(headers)
                .and_then(|_| parts.extensions.get::<TrailingHeaders>().cloned()),
            bucket_tags: Vec::new(),
            blocks_customer_keys: None,
            body_checksum: body_checksum(headers),
            context,
        }
    }

    pub fn account(&self) -> AccountId {
        self.context.account
    }

    /// What an event says about the request.
    pub fn cause(&self) -> Cause {
        Cause {
            at: self.context.received_at,
            principal_id: principal_id(&self.context.principal),
            requester: self.context.account.to_string(),
            source_ip: source_ip(&self.context),
            request_id: self.context.request_id.to_string(),
            host_id: host_id(&self.context),
            trace: self.context.trace.clone(),
        }
    }
}

fn body_checksum(headers: &HeaderMap) -> Option<Algorithm> {
    let asked = headers.get("x-amz-sdk-checksum-algorithm");
    let asked = || Algorithm::parse(asked?.to_str().ok()?).ok();
    trailer(headers).or_else(asked)
}

/// The checksum that is announced to come after the body.
fn trailer(headers: &HeaderMap) -> Option<Algorithm> {
    Algorithm::of_trailer(headers.get(TRAILER)?.to_str().ok()?)
}

/// # Errors
/// `InvalidRequest` when what is announced to come after the body is no checksum of S3's.
pub fn check_trailer(headers: &HeaderMap) -> Result<(), Error> {
    if headers.contains_key(TRAILER) && trailer(headers).is_none() {
        let message = "The value specified in the x-amz-trailer header is not supported";
        return Err(Error::invalid_request(message));
    }
    Ok(())
}

/// `x-amz-id-2`: derived from the request id, so that the answer and the event agree.
pub fn host_id(context: &RequestContext) -> String {
    BASE64.encode(Sha256::digest(context.request_id.to_string()))
}

fn principal_id(principal: &Principal) -> String {
    let id = principal.id();
    match principal {
        Principal::User { .. } | Principal::Session { .. } => format!("AWS:{id}"),
        Principal::Root { .. } | Principal::Service { .. } => id,
    }
}

fn source_ip(context: &RequestContext) -> String {
    match (&context.origin, &context.principal) {
        (
            Origin::Http {
                peer: Some(peer), ..
            },
            _,
        ) => peer.ip().to_string(),
        (_, Principal::Service { name, .. }) => (*name).to_owned(),
        _ => "127.0.0.1".to_owned(),
    }
}
