//! What a request says about server-side encryption.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>

use base::{AccountId, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};

use crate::error::Error;
use crate::records::Encryption;

/// Bytes of a key.
pub const KEY: usize = 32;

/// A key that the client keeps and sends with every request.
#[derive(Clone)]
pub struct CustomerKey {
    pub key: [u8; KEY],
    /// In base64, as it is recorded and given back.
    pub md5: String,
}

/// Not derived: the key must not reach a log.
impl std::fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerKey").finish_non_exhaustive()
    }
}

impl CustomerKey {
    /// Reads the three headers; `None` when none of them is there.
    ///
    /// # Errors
    /// `InvalidArgument` or `InvalidEncryptionAlgorithmError`, with S3's words.
    pub fn read(
        algorithm: Option<&str>,
        key: Option<&str>,
        md5: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let refuse = |message: &str| {
            let name = "x-amz-server-side-encryption";
            Err(Error::invalid_argument(message, name, "null"))
        };
        let (algorithm, key) = match (algorithm, key) {
            (None, None) if md5.is_none() => return Ok(None),
            (None, _) => {
                return refuse(
                    "Requests specifying Server Side Encryption with Customer provided keys must \
                     provide a valid encryption algorithm.",
                );
            }
            (Some(_), None) => {
                return refuse(
                    "Requests specifying Server Side Encryption with Customer provided keys must \
                     provide an appropriate secret key.",
                );
            }
            (Some(algorithm), Some(key)) => (algorithm, key),
        };
        if algorithm != "AES256" {
            let message = "The encryption request you specified is not valid. The valid value is \
                           AES256.";
            return Err(
                Error::bad_request("InvalidEncryptionAlgorithmError", message)
                    .with(
                        "ArgumentName",
                        "x-amz-server-side-encryption-customer-algorithm",
                    )
                    .with("ArgumentValue", algorithm),
            );
        }
        let bytes = BASE64
            .decode(key)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let Some(key): Option<[u8; KEY]> = bytes else {
            return refuse("The secret key was invalid for the specified algorithm.");
        };
        let Some(given) = md5 else {
            return refuse(
                "Requests specifying Server Side Encryption with Customer provided keys must \
                 provide the client calculated MD5 of the secret key.",
            );
        };
        let md5 = BASE64.encode(Md5::digest(key));
        if given != md5 {
            return refuse(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
            );
        }
        Ok(Some(Self { key, md5 }))
    }
}

/// The headers by which a maker asks for encryption with a key of AWS's.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub algorithm: Option<String>,
    pub key_id: Option<String>,
    pub bucket_key: Option<bool>,
}

/// What a new object gets, by what is asked and what its bucket does by default.
///
/// # Errors
/// `InvalidArgument` for what does not go together.
pub fn choose(
    asked: Asked,
    default: Option<&Encryption>,
    account: AccountId,
    region: &Region,
) -> Result<Encryption, Error> {
    let key_id = asked.key_id.filter(|id| !id.is_empty());
    let Some(algorithm) = asked.algorithm else {
        if let Some(key) = key_id {
            let message = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                           x-amz-server-side-encryption : aws:kms";
            return Err(Error::invalid_argument(
                message,
                "x-amz-server-side-encryption",
                &key,
            ));
        }
        let default = default.cloned();
        return Ok(default.map_or_else(aes, |default| with_key(default, account, region)));
    };
    match algorithm.as_str() {
        "AES256" if key_id.is_some() => {
            let message = "Server Side Encryption with AWS KMS managed key requires HTTP header \
                           x-amz-server-side-encryption : aws:kms";
            Err(Error::invalid_argument(
                message,
                "x-amz-server-side-encryption",
                "AES256",
            ))
        }
        "AES256" => Ok(aes()),
        "aws:kms" | "aws:kms:dsse" => {
            let bucket_key = asked.bucket_key.or(default.map(|d| d.bucket_key));
            let chosen = Encryption {
                algorithm,
                key_id,
                bucket_key: bucket_key == Some(true),
            };
            Ok(with_key(chosen, account, region))
        }
        other => Err(Error::invalid_argument(
            "The encryption method specified is not supported",
            "x-amz-server-side-encryption",
            other,
        )),
    }
}

fn aes() -> Encryption {
    Encryption {
        algorithm: "AES256".to_owned(),
        key_id: None,
        bucket_key: false,
    }
}

/// With the key's ARN, as S3 answers: of the one named, or of the account's own for S3.
fn with_key(encryption: Encryption, account: AccountId, region: &Region) -> Encryption {
    if encryption.algorithm == "AES256" {
        return encryption;
    }
    let arn = |resource: &str| {
        let partition = region.partition();
        format!("arn:{partition}:kms:{region}:{account}:{resource}")
    };
    let key_id = match encryption.key_id.as_deref() {
        Some(key) if key.starts_with("arn:") => key.to_owned(),
        Some(alias) if alias.starts_with("alias/") => arn(alias),
        Some(id) => arn(&format!("key/{id}")),
        None => arn("alias/aws/s3"),
    };
    Encryption {
        key_id: Some(key_id),
        ..encryption
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn customer_keys() {
        let key = BASE64.encode([7; KEY]);
        let md5 = BASE64.encode(Md5::digest([7; KEY]));
        let read = |a, k, m| CustomerKey::read(a, k, m);
        assert!(read(None, None, None).unwrap().is_none());
        let fine = read(Some("AES256"), Some(&key), Some(&md5))
            .unwrap()
            .unwrap();
        assert_eq!(fine.md5, md5);
        assert!(!format!("{fine:?}").contains('7'));
        assert!(read(Some("AES256"), None, None).is_err());
        assert!(read(None, Some(&key), Some(&md5)).is_err());
        assert!(read(Some("AES128"), Some(&key), Some(&md5)).is_err());
        assert!(read(Some("AES256"), Some("c2hvcnQ="), Some(&md5)).is_err());
        assert!(read(Some("AES256"), Some(&key), Some("x")).is_err());
        assert!(read(Some("AES256"), Some(&key), None).is_err());
    }

    #[test]
    fn what_an_object_gets() {
        let region = Region::us_east_1();
        let get = |algorithm: Option<&str>, key: Option<&str>, default: Option<&Encryption>| {
            let asked = Asked {
                algorithm: algorithm.map(str::to_owned),
                key_id: key.map(str::to_owned),
                bucket_key: None,
            };
            choose(asked, default, AccountId::DEFAULT, &region)
        };
        assert_eq!(get(None, None, None).unwrap(), aes());
        let kms = get(Some("aws:kms"), Some("1234"), None).unwrap();
        let arn = "arn:aws:kms:us-east-1:000000000000:key/1234";
        assert_eq!(kms.key_id.as_deref(), Some(arn));
        let default = Encryption {
            bucket_key: true,
            ..kms
        };
        assert_eq!(get(None, None, Some(&default)).unwrap(), default);
        assert_eq!(get(Some("AES256"), None, Some(&default)).unwrap(), aes());
        assert!(
            get(Some("aws:kms"), None, Some(&default))
                .unwrap()
                .bucket_key
        );
        assert!(get(Some("AES256"), Some("1"), None).is_err());
        assert!(get(None, Some("1"), None).is_err());
        assert!(get(Some("rot13"), None, None).is_err());
    }

    proptest! {
        #[test]
        fn any_headers_are_read_or_refused(a in ".{0,9}", key in ".{0,60}", md5 in ".{0,30}") {
            let _ = CustomerKey::read(Some(&a), Some(&key), Some(&md5));
            let _ = CustomerKey::read(Some("AES256"), Some(&key), Some(&md5));
        }
    }
}
