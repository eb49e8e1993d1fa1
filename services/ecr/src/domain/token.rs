//! Authorization tokens: who may push and pull, sealed, so that none has to be remembered.

use auth::constant_time_eq;
use base::{AccountId, Arn, Region, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use service::Principal;
use sha2::Sha256;

/// What tokens are sealed with.
pub struct TokenKey([u8; 32]);

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Who has got it.
    pub holder: Holder,
    pub account: AccountId,
    pub region: Region,
    pub expires: Timestamp,
    /// The one layer it is for; `None` for all that its account may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<(String, String)>,
}

/// A principal, as a token names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    Root,
    User {
        arn: Arn,
        id: String,
    },
    Session {
        arn: Arn,
        role: Arn,
        id: String,
    },
    /// A service of this server, which has no permissions to judge.
    Service,
}

impl Holder {
    pub fn of(principal: &Principal) -> Self {
        match principal.clone() {
            Principal::Root { .. } => Self::Root,
            Principal::User { arn, user_id } => Self::User { arn, id: user_id },
            Principal::Session {
                arn,
                role_arn,
                session_id,
            } => Self::Session {
                arn,
                role: role_arn,
                id: session_id,
            },
            Principal::Service { .. } => Self::Service,
        }
    }

    pub fn principal(&self, account: AccountId) -> Option<Principal> {
        match self.clone() {
            Self::Root => Some(Principal::Root { account }),
            Self::User { arn, id } => Some(Principal::User { arn, user_id: id }),
            Self::Session { arn, role, id } => Some(Principal::Session {
                arn,
                role_arn: role,
                session_id: id,
            }),
            Self::Service => None,
        }
    }
}

impl TokenKey {
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub fn seal(&self, token: &Token) -> String {
        let text = serde_json::to_vec(token).expect("a token is plain JSON");
        let mac = self.mac(&text);
        let (text, mac) = (URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(mac));
        format!("{text}.{mac}")
    }

    /// What a token says that was sealed here and has not expired.
    pub fn open(&self, sealed: &str, now: Timestamp) -> Option<Token> {
        let (text, mac) = sealed.split_once('.')?;
        let text = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        if !constant_time_eq(&mac, &self.mac(&text)) {
            return None;
        }
        let token: Token = serde_json::from_slice(&text).ok()?;
        (now < token.expires).then_some(token)
    }

    fn mac(&self, text: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let mut mac = mac.expect("HMAC takes keys of any length");
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_with_the_key_is_believed_and_not_for_ever() {
        let key = TokenKey::new([7; 32]);
        let token = Token {
            holder: Holder::Root,
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            expires: Timestamp::from_millis(1_000),
            layer: None,
        };
        let sealed = key.seal(&token);
        let early = Timestamp::from_millis(999);
        assert_eq!(key.open(&sealed, early), Some(token.clone()));
        assert_eq!(key.open(&sealed, Timestamp::from_millis(1_000)), None);
        assert_eq!(TokenKey::new([8; 32]).open(&sealed, early), None);
        let (text, _) = sealed.split_once('.').unwrap();
        for forged in [text, &format!("{text}."), &format!("{text}.AAAA"), "", "."] {
            assert_eq!(key.open(forged, early), None, "{forged}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_opened_without_a_panic(text in ".{0,80}") {
            let key = TokenKey::new([7; 32]);
            proptest::prop_assert_eq!(key.open(&text, Timestamp::from_millis(0)), None);
        }
    }
}
