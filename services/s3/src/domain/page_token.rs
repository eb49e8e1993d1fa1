//! Continuation tokens: where a list goes on, opaque to clients.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;

/// Marks our tokens, so that one made up is refused.
const MARK: u8 = b'1';

/// A token that stands for a place in a list.
pub fn encode(place: &str) -> String {
    let mut bytes = vec![MARK];
    bytes.extend_from_slice(place.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// # Errors
/// `InvalidArgument` when it is not a token of ours.
pub fn decode(token: &str) -> Result<String, Error> {
    let place = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let rest = bytes.strip_prefix(&[MARK])?;
        String::from_utf8(rest.to_vec()).ok()
    });
    place.ok_or_else(|| {
        Error::invalid_argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            token,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tokens_are_read() {
        for place in ["", "a/b", "\u{0}キー"] {
            assert_eq!(decode(&encode(place)).unwrap(), place);
        }
        for bad in ["", "%%%", "bm90IG91cnM"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
