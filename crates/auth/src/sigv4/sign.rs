//! Making signatures: for the CLI, the test clients and URLs we hand out.

use base::Timestamp;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Uri};

use super::canonical::{self, PathRule, encoded};
use super::key::SigningKey;
use super::verify::{ChunkChain, string_to_sign};
use super::{ALGORITHM, PayloadHash, Scope, VerifiedSeed, amz_date};

/// Who signs, for what, and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    pub access_key_id: &'a str,
    pub secret: &'a str,
    pub session_token: Option<&'a str>,
    pub region: &'a str,
    pub service: &'a str,
    pub at: Timestamp,
}

/// A request that cannot be signed: a value that fits no header, or a URI without host.
#[derive(Debug, thiserror::Error)]
#[error("sign request: {0}")]
pub struct UnsignableRequest(&'static str);

/// Adds `x-amz-date`, `x-amz-content-sha256`, the session token and `authorization`. All `x-amz-*`
/// headers, `host` and `content-type` are signed. The seed continues into
/// [`crate::chunked::ChunkSigner`] when the payload is signed chunks.
///
/// # Errors
/// Without a `Host` header or an authority in the URI there is nothing to sign.
pub fn sign(
    parts: &mut Parts,
    signer: &Signer<'_>,
    payload: PayloadHash,
    body_sha256: [u8; 32],
) -> Result<VerifiedSeed, UnsignableRequest> {
    let payload_line = payload.canonical(body_sha256);
    let date = amz_date::format(signer.at);
    put(parts, "x-amz-date", &date)?;
    put(parts, "x-amz-content-sha256", &payload_line)?;
    if let Some(token) = signer.session_token {
        put(parts, "x-amz-security-token", token)?;
    }
    let signed = headers_to_sign(parts)?;
    let scope = signer.scope();
    let request = canonical::request(parts, signer.path_rule(), None, &signed, &payload_line);
    let key = SigningKey::derive(signer.secret, &scope);
    let signature = hex::encode(key.sign(&string_to_sign(&date, &scope.to_text(), &request)));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        signer.access_key_id,
        scope.to_text(),
        signed.join(";")
    );
    put(parts, "authorization", &authorization)?;
    let chain = ChunkChain {
        key,
        date,
        scope: scope.to_text(),
        seed: signature,
    };
    Ok(VerifiedSeed {
        expected_sha256: None,
        chain: Some(chain),
    })
}

/// Turns a request into a presigned URL, good for `expires` seconds (1 to 604,800) from
/// [`Signer::at`]. Its headers, if any, must be sent with it.
///
/// # Errors
/// As for [`sign`].
pub fn presign(
    parts: &mut Parts,
    signer: &Signer<'_>,
    expires: u32,
) -> Result<(), UnsignableRequest> {
    let date = amz_date::format(signer.at);
    let scope = signer.scope();
    let signed = headers_to_sign(parts)?;
    let query = parts
        .uri
        .query()
        .map_or_else(String::new, |query| format!("{query}&"));
    let credential = format!("{}/{}", signer.access_key_id, scope.to_text());
    let mut query = query
        + &format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={expires}\
         &X-Amz-SignedHeaders={}",
            encoded(&credential),
            encoded(&signed.join(";")),
        );
    if let Some(token) = signer.session_token {
        query.push_str("&X-Amz-Security-Token=");
        query.push_str(&encoded(token));
    }
    set_query(parts, &query)?;
    let payload = if signer.service == "s3" {
        PayloadHash::Unsigned
    } else {
        PayloadHash::OfBody
    };
    let payload_line = payload.canonical(super::key::empty_sha256());
    let request = canonical::request(parts, signer.path_rule(), None, &signed, &payload_line);
    let key = SigningKey::derive(signer.secret, &scope);
    let signature = hex::encode(key.sign(&string_to_sign(&date, &scope.to_text(), &request)));
    set_query(parts, &format!("{query}&X-Amz-Signature={signature}"))
}

impl Signer<'_> {
    fn scope(&self) -> Scope {
        Scope {
            date: amz_date::format(self.at)[..8].to_owned(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
        }
    }

    fn path_rule(&self) -> PathRule {
        PathRule::of_service(self.service)[0]
    }
}

/// Not derived: the secret must not reach a log.
impl std::fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

fn headers_to_sign(parts: &Parts) -> Result<Vec<String>, UnsignableRequest> {
    let has_host = parts.headers.contains_key("host");
    if !has_host && parts.uri.authority().is_none() {
        return Err(UnsignableRequest("it names no host"));
    }
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") || *name == "content-type")
        .map(str::to_owned)
        .collect();
    names.push("host".to_owned());
    names.sort_unstable();
    Ok(names)
}

fn put(parts: &mut Parts, name: &'static str, value: &str) -> Result<(), UnsignableRequest> {
    let value =
        HeaderValue::from_str(value).map_err(|_| UnsignableRequest("a value fits no header"))?;
    parts.headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

fn set_query(parts: &mut Parts, query: &str) -> Result<(), UnsignableRequest> {
    let mut uri = parts.uri.clone().into_parts();
    let text = format!("{}?{query}", parts.uri.path());
    let path_and_query = text
        .parse()
        .map_err(|_| UnsignableRequest("its query fits no URI"))?;
    uri.path_and_query = Some(path_and_query);
    parts.uri = Uri::from_parts(uri).map_err(|_| UnsignableRequest("its query fits no URI"))?;
    Ok(())
}
