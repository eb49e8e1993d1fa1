//! Signatures of messages, and the certificate that verifies them.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, PublicKeyData, SignatureAlgorithm};
use rsa::PrivateKey;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use store::{Batch, Store, StoreError, Table};

/// One record, under an empty key.
const SIGNING: Table<Stored> = Table::new("sns.signing", 1);
const BITS: usize = 2048;
/// What certificates' names begin with, also at AWS.
pub const PREFIX: &str = "SimpleNotificationService-";

#[derive(Serialize, Deserialize)]
struct Stored {
    /// PKCS #8 in base64.
    key: String,
    certificate: String,
}

/// The server's key.
pub struct Signer {
    with_sha1: SigningKey<Sha1>,
    with_sha256: SigningKey<Sha256>,
    /// PEM.
    pub certificate: String,
    /// Of the file in its URL.
    pub name: String,
}

/// A key as `rcgen` takes one that it cannot read itself.
struct Key {
    signing: SigningKey<Sha256>,
    public: Vec<u8>,
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.signing.sign(message).to_vec())
    }
}

impl Signer {
    /// The key kept in the store, made now if there is none: that takes a second.
    pub async fn open(store: &dyn Store) -> Result<Arc<Self>, StoreError> {
        if let Some(stored) = SIGNING.get(store, ()).await? {
            return Self::of(&stored).map(Arc::new);
        }
        let made = tokio::task::spawn_blocking(make).await;
        let made = made.map_err(|error| failed(&error))??;
        let mut batch = Batch::new();
        SIGNING.expect_absent(&mut batch, ());
        SIGNING.put(&mut batch, (), &made)?;
        store.commit(batch).await?;
        Self::of(&made).map(Arc::new)
    }

    fn of(stored: &Stored) -> Result<Self, StoreError> {
        let damaged = || StoreError::corrupt("the key that SNS signs with");
        let key = STANDARD.decode(&stored.key).map_err(|_| damaged())?;
        let key = PrivateKey::from_pkcs8_der(&key).map_err(|_| damaged())?;
        let digest = hex::encode(Sha256::digest(&stored.certificate));
        Ok(Self {
            with_sha1: SigningKey::new(key.clone()),
            with_sha256: SigningKey::new(key),
            certificate: stored.certificate.clone(),
            name: format!("{PREFIX}{}.pem", &digest[..32]),
        })
    }

    /// Signs in version `1` (SHA-1) or `2` (SHA-256).
    pub fn sign(&self, version: &str, text: &str) -> String {
        let text = text.as_bytes();
        STANDARD.encode(if version == "2" {
            self.with_sha256.sign(text).to_vec()
        } else {
            self.with_sha1.sign(text).to_vec()
        })
    }
}

fn make() -> Result<Stored, StoreError> {
    let key = PrivateKey::new(&mut rand::rng(), BITS).map_err(|error| failed(&error))?;
    let public = key.to_public_key().to_pkcs1_der();
    let pkcs8 = key.to_pkcs8_der().map_err(|error| failed(&error))?;
    let key = Key {
        public: public.map_err(|error| failed(&error))?.as_bytes().to_vec(),
        signing: SigningKey::new(key),
    };
    let mut parameters =
        CertificateParams::new(["sns.amazonaws.com".to_owned()]).map_err(|error| failed(&error))?;
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "sns.amazonaws.com");
    name.push(DnType::OrganizationName, "Kagero");
    let certificate = parameters.self_signed(&key);
    let certificate = certificate.map_err(|error| failed(&error))?.pem();
    Ok(Stored {
        key: STANDARD.encode(pkcs8.as_bytes()),
        certificate,
    })
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    tracing::error!(%error, "SNS cannot make a key to sign with");
    StoreError::corrupt("no key to sign messages with could be made")
}

/// What is signed of a message: some of its members in order, each a line for its name and one for
/// its value.
pub fn text_to_sign(members: &[(&str, Option<&str>)]) -> String {
    let present = members
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    present.fold(String::new(), |text, (name, value)| {
        text + name + "\n" + value + "\n"
    })
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };
    use store::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn both_versions_verify_and_the_key_stays() {
        let store = MemoryStore::new();
        let signer = Signer::open(&store).await.unwrap();
        let again = Signer::open(&store).await.unwrap();
        assert_eq!(signer.certificate, again.certificate);
        let text = text_to_sign(&[("Message", Some("hello")), ("Subject", None)]);
        assert_eq!(text, "Message\nhello\n");
        let public = {
            let stored = SIGNING.get(&store, ()).await.unwrap().unwrap();
            let key = STANDARD.decode(stored.key).unwrap();
            let key = PrivateKey::from_pkcs8_der(&key).unwrap().to_public_key();
            key.to_pkcs1_der().unwrap().as_bytes().to_vec()
        };
        let verifies = |version: &str, by: &'static dyn VerificationAlgorithm| {
            let signature = STANDARD.decode(again.sign(version, &text)).unwrap();
            let key = UnparsedPublicKey::new(by, &public);
            key.verify(text.as_bytes(), &signature).is_ok()
        };
        assert!(verifies("1", &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY));
        assert!(verifies("2", &RSA_PKCS1_2048_8192_SHA256));
        assert!(!verifies("1", &RSA_PKCS1_2048_8192_SHA256));
    }
}
