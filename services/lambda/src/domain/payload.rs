//! The event of an invocation: its size and syntax.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use service::ServiceError;

use super::settings::Limits;
use crate::error;
use crate::generated::InvocationType;

/// Of the client context, in base64.
const MAX_CLIENT_CONTEXT: usize = 3_583;

/// The payload a function gets: an empty one is `{}`.
///
/// # Errors
/// One that is too large or not JSON.
pub fn check(
    payload: Option<Bytes>,
    kind: InvocationType,
    limits: &Limits,
) -> Result<Bytes, ServiceError> {
    let payload = payload.unwrap_or_default();
    check_size(&payload, kind, limits)?;
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match syntax_error(&payload) {
        None => Ok(payload),
        Some(reason) => Err(error::invalid_content(format!(
            "Could not parse request body into json: Could not parse payload into json: {reason}"
        ))),
    }
}

/// For events that this process has written itself, which are JSON.
///
/// # Errors
/// One that is too large.
pub fn check_size(
    payload: &Bytes,
    kind: InvocationType,
    limits: &Limits,
) -> Result<(), ServiceError> {
    let limit = match kind {
        InvocationType::Event => limits.async_payload,
        InvocationType::RequestResponse | InvocationType::DryRun => limits.payload,
    };
    if payload.len() > limit {
        return Err(error::too_large(format!(
            "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            payload.len()
        )));
    }
    Ok(())
}

/// Builds nothing: six megabytes of JSON take many times that as a tree.
fn syntax_error(payload: &[u8]) -> Option<String> {
    match std::str::from_utf8(payload) {
        Ok(text) => serde_json::from_str::<IgnoredAny>(text)
            .err()
            .map(|error| error.to_string()),
        Err(error) => Some(format!("Invalid UTF-8 at byte {}", error.valid_up_to() + 1)),
    }
}

/// The client context as JSON text.
///
/// # Errors
/// One that is too long, or not a JSON object in base64.
pub fn client_context(encoded: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(encoded) = encoded.filter(|encoded| !encoded.is_empty()) else {
        return Ok(None);
    };
    let decoded = (encoded.len() <= MAX_CLIENT_CONTEXT)
        .then(|| STANDARD.decode(encoded).ok())
        .flatten()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| {
            serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
        });
    match decoded {
        Some(text) => Ok(Some(text)),
        None => Err(error::invalid_content(
            "Client context must be a valid Base64-encoded JSON object.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_SYNC: usize = 6 << 20;
    const MAX_ASYNC: usize = 1 << 20;

    fn check(payload: Option<Bytes>, kind: InvocationType) -> Result<Bytes, ServiceError> {
        super::check(payload, kind, &Limits::default())
    }

    fn sync(payload: &[u8]) -> Result<Bytes, ServiceError> {
        check(
            Some(Bytes::copy_from_slice(payload)),
            InvocationType::RequestResponse,
        )
    }

    #[test]
    fn no_payload_is_an_empty_object() {
        assert_eq!(check(None, InvocationType::Event).unwrap(), "{}");
        assert_eq!(sync(b"").unwrap(), "{}");
        assert_eq!(sync(b" [1] ").unwrap(), " [1] ");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in ["{", "hello", "{\"a\":1}}", "\"\u{1}\"", "nul"] {
            let error = sync(bad.as_bytes()).unwrap_err();
            assert_eq!(error.code, "InvalidRequestContentException");
            assert!(
                error
                    .message
                    .starts_with("Could not parse request body into json: "),
                "{error}"
            );
        }
        assert!(sync(b"\"\xff\"").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_or_accepted_without_a_crash() {
        let deep = "[".repeat(3_000_000);
        assert!(sync(deep.as_bytes()).is_err());
    }

    #[test]
    fn limits_are_of_the_invocation_type() {
        let text = |length: usize| Some(Bytes::from(format!("\"{}\"", "x".repeat(length - 2))));
        assert!(check(text(MAX_SYNC), InvocationType::RequestResponse).is_ok());
        let error = check(text(MAX_SYNC + 1), InvocationType::RequestResponse).unwrap_err();
        assert_eq!(
            (error.code.as_ref(), error.status.as_u16()),
            ("RequestEntityTooLargeException", 413)
        );
        assert_eq!(
            error.message,
            "6291457 byte payload is too large for the RequestResponse invocation type (limit \
             6291456 bytes)"
        );
        assert!(check(text(MAX_ASYNC), InvocationType::Event).is_ok());
        let error = check(text(MAX_ASYNC + 1), InvocationType::Event).unwrap_err();
        assert!(error.message.ends_with("(limit 1048576 bytes)"), "{error}");
    }

    #[test]
    fn a_client_context_is_a_json_object_in_base64() {
        let encoded = STANDARD.encode(r#"{"custom":{"a":1}}"#);
        let text = client_context(Some(&encoded)).unwrap();
        assert_eq!(text.as_deref(), Some(r#"{"custom":{"a":1}}"#));
        assert_eq!(client_context(None).unwrap(), None);
        for bad in [
            "not base64!",
            &STANDARD.encode("[1]"),
            &STANDARD.encode("x".repeat(4_000)),
        ] {
            assert!(client_context(Some(bad)).is_err(), "{bad}");
        }
    }
}
