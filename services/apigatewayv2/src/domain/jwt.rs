//! JSON Web Tokens: signed by RSA with a key that their issuer publishes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents,
};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes.
const MOST: usize = 16 * 1024;

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    #[error("signing method {0} is invalid")]
    Algorithm(String),
    #[error("unknown kid")]
    UnknownKey,
    #[error("signature is invalid")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    TooEarly,
    #[error("iss claim is not the issuer's")]
    Issuer,
    #[error("aud or client_id claim is not among the audiences")]
    Audience,
}

/// A token that has been read and not yet checked.
pub struct Token<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: &'static RsaParameters,
    pub key_id: String,
    pub claims: Map<String, Value>,
}

/// A public key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token, with or without `Bearer` before it.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        if text.len() > MOST {
            return Err(Invalid::Malformed("it is too long"));
        }
        let text = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => text.trim(),
        };
        let (signed, signature) = text
            .rsplit_once('.')
            .ok_or(Invalid::Malformed("it has no three parts"))?;
        let (header, claims) = signed
            .split_once('.')
            .ok_or(Invalid::Malformed("it has no three parts"))?;
        let header = object(header)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(Self {
            signed,
            signature: decoded(signature)?,
            algorithm: match algorithm {
                "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                "RS384" => &RSA_PKCS1_2048_8192_SHA384,
                "RS512" => &RSA_PKCS1_2048_8192_SHA512,
                other => return Err(Invalid::Algorithm(other.to_owned())),
            },
            key_id: header
                .get("kid")
                .and_then(Value::as_str)
                .ok_or(Invalid::Malformed("its header names no key"))?
                .to_owned(),
            claims: object(claims)?,
        })
    }

    /// Checks signature, times, issuer and audience.
    pub fn check(
        &self,
        keys: &[Key],
        issuer: &str,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(), Invalid> {
        let key = keys.iter().find(|key| key.id == self.key_id);
        let key = key.ok_or(Invalid::UnknownKey)?;
        let public = RsaPublicKeyComponents {
            n: &key.modulus,
            e: &key.exponent,
        };
        public
            .verify(self.algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|_| Invalid::Signature)?;
        let seconds = |name: &str| self.claims.get(name).and_then(Value::as_f64);
        let now = now.as_seconds_f64();
        let expires = seconds("exp").ok_or(Invalid::Malformed("it has no exp claim"))?;
        if expires <= now {
            return Err(Invalid::Expired);
        }
        let starts = [seconds("nbf"), seconds("iat")];
        if starts.into_iter().flatten().any(|at| at > now) {
            return Err(Invalid::TooEarly);
        }
        if self.claims.get("iss").and_then(Value::as_str) != Some(issuer) {
            return Err(Invalid::Issuer);
        }
        self.check_audience(audiences)
    }

    /// `client_id` counts only where there is no `aud`.
    fn check_audience(&self, audiences: &[String]) -> Result<(), Invalid> {
        let named = match (self.claims.get("aud"), self.claims.get("client_id")) {
            (Some(Value::Array(all)), _) => all.iter().filter_map(Value::as_str).collect(),
            (Some(Value::String(one)), _) | (None, Some(Value::String(one))) => vec![one.as_str()],
            _ => Vec::new(),
        };
        let fits = named
            .iter()
            .any(|one| audiences.iter().any(|own| own == one));
        if fits { Ok(()) } else { Err(Invalid::Audience) }
    }

    /// What `scope` or `scp` grants.
    pub fn scopes(&self) -> Vec<String> {
        match self.claims.get("scope").or_else(|| self.claims.get("scp")) {
            Some(Value::String(text)) => text.split(' ').map(str::to_owned).collect(),
            Some(Value::Array(all)) => {
                let all = all.iter().filter_map(Value::as_str);
                all.map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The claims as events tell them: texts.
    pub fn shown_claims(&self) -> Map<String, Value> {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            // As AWS writes lists.
            Value::Array(all) => {
                let all = all.iter().map(|one| match one {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                format!("[{}]", all.collect::<Vec<_>>().join(" "))
            }
            other => other.to_string(),
        };
        let claims = self.claims.iter();
        claims
            .map(|(name, value)| (name.clone(), shown(value).into()))
            .collect()
    }
}

/// The RSA keys of a JWKS document; others are left out.
pub fn keys(document: &[u8]) -> Option<Vec<Key>> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let keys = document.get("keys")?.as_array()?;
    let key = |key: &Value| {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        (text("kty") == Some("RSA")).then_some(())?;
        Some(Key {
            id: text("kid")?.to_owned(),
            modulus: decoded(text("n")?).ok()?,
            exponent: decoded(text("e")?).ok()?,
        })
    };
    Some(keys.iter().filter_map(key).collect())
}

fn decoded(text: &str) -> Result<Vec<u8>, Invalid> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Invalid::Malformed("a part is no base64"))
}

fn object(text: &str) -> Result<Map<String, Value>, Invalid> {
    match serde_json::from_slice(&decoded(text)?) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Invalid::Malformed("a part is no JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unsigned(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{}", encode(header), encode(claims), "AAAA")
    }

    #[test]
    fn only_rsa_counts_and_only_with_its_key() {
        for algorithm in ["none", "HS256", "ES256", ""] {
            let token = unsigned(&json!({"alg": algorithm, "kid": "k"}), &json!({}));
            assert!(
                matches!(Token::parse(&token), Err(Invalid::Algorithm(_))),
                "{algorithm}"
            );
        }
        let token = unsigned(&json!({"alg": "RS256", "kid": "k"}), &json!({"aud": ["a"]}));
        let text = format!("Bearer {token}");
        let token = Token::parse(&text).unwrap();
        let now = Timestamp::from_millis(0);
        assert_eq!(token.check(&[], "i", &[], now), Err(Invalid::UnknownKey));
        let jwks = json!({"keys": [
            {"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB"},
            {"kty": "EC", "kid": "x"},
        ]});
        let keys = keys(jwks.to_string().as_bytes()).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(token.check(&keys, "i", &[], now), Err(Invalid::Signature));
        assert_eq!(token.check_audience(&["a".to_owned()]), Ok(()));
        assert_eq!(
            token.check_audience(&["b".to_owned()]),
            Err(Invalid::Audience)
        );
    }

    #[test]
    fn claims_are_shown_as_texts() {
        let claims = json!({"aud": ["a", "b"], "exp": 5, "ok": true, "scope": "x y"});
        let text = unsigned(&json!({"alg": "RS256", "kid": "k"}), &claims);
        let token = Token::parse(&text).unwrap();
        let shown = Value::Object(token.shown_claims());
        assert_eq!(
            shown,
            json!({"aud": "[a b]", "exp": "5", "ok": "true", "scope": "x y"})
        );
        assert_eq!(token.scopes(), ["x", "y"]);
    }

    proptest::proptest! {
        #[test]
        fn any_token_is_read_without_a_panic(text in ".{0,80}", bytes: Vec<u8>) {
            let _ = (Token::parse(&text), keys(&bytes));
        }
    }
}
