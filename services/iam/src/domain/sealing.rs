//! Session credentials without a record: the token says whose they are, sealed with a key that
//! only this state has, and the secret is derived from it.
//!
//! Making and checking a session therefore touches no disk, and sessions outlive a restart.

use auth::constant_time_eq;
use base::{AccountId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The first byte of a token.
const VERSION: u8 = 1;
const TAG: usize = 32;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    #[serde(rename = "r")]
    Role {
        name: String,
        path: String,
        id: String,
        session: String,
    },
    /// By GetSessionToken.
    #[serde(rename = "u")]
    User { name: String, id: String },
    #[serde(rename = "a")]
    Root,
}

/// What a session token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    #[serde(rename = "k")]
    pub access_key_id: String,
    #[serde(rename = "c")]
    pub account: AccountId,
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
    #[serde(rename = "h")]
    pub holder: Holder,
    /// Session policies: ARNs of managed ones, then the inline one.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Seals and opens tokens.
#[derive(Clone)]
pub struct Sealer([u8; 32]);

impl Sealer {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The token of a session.
    pub fn seal(&self, session: &Session) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(serde_json::to_vec(session).expect("a session is plain JSON"));
        let tag = self.mac(b"token", &bytes);
        bytes.extend(tag);
        STANDARD.encode(bytes)
    }

    /// The session of a token; `None` if we did not seal it.
    pub fn open(&self, token: &str) -> Option<Session> {
        let bytes = STANDARD.decode(token).ok()?;
        let (sealed, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
        if !constant_time_eq(&self.mac(b"token", sealed), tag) {
            return None;
        }
        let (&VERSION, json) = sealed.split_first()? else {
            return None;
        };
        serde_json::from_slice(json).ok()
    }

    /// The secret access key that goes with a token: 40 characters.
    pub fn secret(&self, token: &str) -> String {
        let mut secret = STANDARD.encode(self.mac(b"secret", token.as_bytes()));
        secret.truncate(40);
        secret
    }

    /// `purpose` keeps a token from ever being another's secret.
    fn mac(&self, purpose: &[u8], bytes: &[u8]) -> [u8; TAG] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key");
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

/// Not derived: the key must not reach a log.
impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            account: AccountId::DEFAULT,
            expires_at: Timestamp::from_millis(1_000),
            holder: Holder::Root,
            policy_arns: Vec::new(),
            policy: Some("{}".to_owned()),
        }
    }

    #[test]
    fn a_token_opens_with_its_key_only() {
        let sealer = Sealer::new([1; 32]);
        let token = sealer.seal(&session());
        assert_eq!(sealer.open(&token), Some(session()));
        assert_eq!(Sealer::new([2; 32]).open(&token), None);
        assert_eq!(sealer.secret(&token).len(), 40);
        assert_ne!(sealer.secret(&token), Sealer::new([2; 32]).secret(&token));
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let sealer = Sealer::new([1; 32]);
        let bytes = STANDARD.decode(sealer.seal(&session())).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(&STANDARD.encode(changed)), None, "byte {at}");
        }
        for bad in ["", "AQ==", "not base64"] {
            assert_eq!(sealer.open(bad), None, "{bad}");
        }
    }
}
