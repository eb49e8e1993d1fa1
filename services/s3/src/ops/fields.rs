//! Members that several operations share, from the wire layer's types and to them.

use base::{AccountId, Timestamp};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use s3s::dto;
use sha2::{Digest as _, Sha256};

use super::acl;
use crate::carried;
use crate::content::ByteStream;
use crate::domain::acl::{Acl, Owners};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::encryption::{self, CustomerKey};
use crate::domain::lock::{self, Lock};
use crate::domain::{storage_class, tags, version_id};
use crate::error::Error;
use crate::records::{Attributes, Bucket, Headers, Object};

/// Most bytes of names and values of user metadata.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>
const MAX_METADATA: usize = 2 * 1024;

/// The members of PutObject, CopyObject and CreateMultipartUpload that describe an object.
#[derive(Default)]
pub struct Given {
    pub headers: Headers,
    pub metadata: Option<dto::Metadata>,
    pub tagging: Option<String>,
    pub storage_class: Option<dto::StorageClass>,
    pub acl: acl::Asked,
    pub encryption: encryption::Asked,
    pub kms_context: Option<String>,
    pub customer_key: Option<CustomerKey>,
    pub lock_mode: Option<String>,
    pub lock_until: Option<dto::Timestamp>,
    pub legal_hold: Option<String>,
}

/// Moves those members out of an input.
macro_rules! given {
    ($call:expr, $input:expr) => {
        $crate::ops::fields::Given {
            headers: $crate::records::Headers {
                content_type: $input.content_type.take(),
                cache_control: $input.cache_control.take(),
                content_disposition: $input.content_disposition.take(),
                content_encoding: $input.content_encoding.take(),
                content_language: $input.content_language.take(),
                expires: $call.expires.clone(),
                website_redirect_location: $input.website_redirect_location.take(),
            },
            metadata: $input.metadata.take(),
            tagging: $input.tagging.take(),
            storage_class: $input.storage_class.take(),
            acl: $crate::ops::acl::Asked {
                canned: $input.acl.take().map(|acl| acl.as_str().to_owned()),
                grants: $crate::ops::acl::grants!(
                    $input,
                    grant_full_control = FullControl,
                    grant_read = Read,
                    grant_read_acp = ReadAcp,
                    grant_write_acp = WriteAcp
                ),
                policy: None,
            },
            encryption: $crate::domain::encryption::Asked {
                algorithm: $input
                    .server_side_encryption
                    .take()
                    .map(|algorithm| algorithm.as_str().to_owned()),
                key_id: $input.ssekms_key_id.take(),
                bucket_key: $input.bucket_key_enabled,
            },
            kms_context: $input.ssekms_encryption_context.take(),
            customer_key: $crate::ops::fields::customer_key!($input)?,
            lock_mode: $input
                .object_lock_mode
                .take()
                .map(|mode| mode.as_str().to_owned()),
            lock_until: $input.object_lock_retain_until_date.take(),
            legal_hold: $input
                .object_lock_legal_hold_status
                .take()
                .map(|status| status.as_str().to_owned()),
        }
    };
}
pub(super) use given;

/// The client's own key that comes with a request.
macro_rules! customer_key {
    ($input:expr) => {
        $crate::domain::encryption::CustomerKey::read(
            $input.sse_customer_algorithm.as_deref(),
            $input.sse_customer_key.as_deref(),
            $input.sse_customer_key_md5.as_deref(),
        )
    };
}
pub(super) use customer_key;

/// The object that an input names, by what has been read of it.
macro_rules! wanted {
    ($input:expr, $version:expr, $customer_key:expr) => {
        $crate::content::Wanted {
            bucket: &$input.bucket,
            key: &$input.key,
            version: $version.as_ref(),
            customer_key: $customer_key.as_ref(),
        }
    };
}
pub(super) use wanted;

/// The client's own key to the source of a copy.
macro_rules! source_key {
    ($input:expr) => {
        $crate::domain::encryption::CustomerKey::read(
            $input.copy_source_sse_customer_algorithm.as_deref(),
            $input.copy_source_sse_customer_key.as_deref(),
            $input.copy_source_sse_customer_key_md5.as_deref(),
        )
    };
}
pub(super) use source_key;

/// Sets what an output says about encryption.
macro_rules! describe_encryption {
    ($output:expr, $attributes:expr) => {{
        let attributes: &$crate::records::Attributes = &$attributes;
        let customer_key = attributes.customer_key_md5.clone();
        $output.sse_customer_algorithm = customer_key.as_ref().map(|_| "AES256".to_owned());
        $output.sse_customer_key_md5 = customer_key;
        $output.ssekms_key_id = attributes.kms_key_id.clone();
        $output.bucket_key_enabled = attributes.bucket_key.then_some(true);
        $output.server_side_encryption = attributes
            .encryption
            .clone()
            .map(s3s::dto::ServerSideEncryption::from);
    }};
}
pub(super) use describe_encryption;

impl Given {
    /// # Errors
    /// For what is wrong, and for what S3 would do and this service does not.
    pub fn read(self, bucket: &Bucket, now: Timestamp) -> Result<Attributes, Error> {
        let acl = read_acl(self.acl, bucket)?;
        let lock = self.lock_mode.is_some() || self.legal_hold.is_some();
        if (lock || self.lock_until.is_some()) && bucket.lock.is_none() {
            return Err(lock::missing());
        }
        let until = self.lock_until.map(timestamp);
        let retention = lock::read_retention(self.lock_mode.as_deref(), until, now)?;
        let default = bucket.lock.and_then(|lock| lock.default);
        let lock = Lock {
            retention: retention.or_else(|| default.map(|default| default.from(now))),
            legal_hold: self
                .legal_hold
                .as_deref()
                .map(lock::read_hold)
                .transpose()?,
        };
        check_redirect(self.headers.website_redirect_location.as_deref())?;
        let metadata = self.metadata.unwrap_or_default();
        let size: usize = metadata
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if size > MAX_METADATA {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            return Err(Error::bad_request("MetadataTooLarge", message)
                .with("Size", size.to_string())
                .with("MaxSizeAllowed", MAX_METADATA.to_string()));
        }
        let class = self.storage_class.as_ref().map(dto::StorageClass::as_str);
        let mut attributes = Attributes {
            headers: self.headers,
            metadata: metadata.into_iter().collect(),
            tags: self
                .tagging
                .map_or(Ok(Vec::new()), |tagging| tags::parse_header(&tagging))?,
            storage_class: storage_class::check(class)?,
            acl,
            lock,
            ..Attributes::default()
        };
        if let Some(key) = self.customer_key {
            if bucket.blocks_customer_keys {
                return Err(Error::access_denied());
            }
            if self.encryption.algorithm.is_some() {
                let message = "Server Side Encryption with Customer provided key is incompatible \
                               with the encryption method specified";
                let name = "x-amz-server-side-encryption";
                return Err(Error::invalid_argument(message, name, "AES256"));
            }
            attributes.customer_key_md5 = Some(key.md5);
            return Ok(attributes);
        }
        let default = bucket.encryption.as_ref();
        let chosen = encryption::choose(self.encryption, default, bucket.owner, &bucket.region)?;
        attributes.encryption = Some(chosen.algorithm);
        attributes.bucket_key = chosen.bucket_key;
        attributes.kms_context = self.kms_context.filter(|_| chosen.key_id.is_some());
        attributes.kms_key_id = chosen.key_id;
        Ok(attributes)
    }
}

/// The ACL of a new object, unless it is the one that everything has.
fn read_acl(asked: acl::Asked, bucket: &Bucket) -> Result<Option<Acl>, Error> {
    let is_harmless = acl::is_harmless(asked.canned.as_deref());
    let id = canonical_id(bucket.owner);
    let owners = Owners {
        own: &id,
        bucket: &id,
    };
    let Some(acl) = asked.read(owners)? else {
        return Ok(None);
    };
    if is_harmless {
        return Ok(None);
    }
    acl::check(bucket, &acl)?;
    Ok(Some(acl))
}

/// A redirect leads to an object of the bucket or to a URL.
fn check_redirect(location: Option<&str>) -> Result<(), Error> {
    let leads = |location: &str| {
        ["/", "http://", "https://"]
            .iter()
            .any(|p| location.starts_with(p))
    };
    if location.is_none_or(leads) {
        return Ok(());
    }
    let message = "The website redirect location must have a prefix of 'http://' or 'https://' or \
                   '/'.";
    Err(Error::bad_request("InvalidRedirectLocation", message))
}

/// The checksum members of an input, by algorithm; of those that the wire layer does not know see
/// [`carried`](crate::carried).
macro_rules! checksum_values {
    ($input:expr) => {{
        use $crate::domain::checksum::Algorithm;
        [
            (Algorithm::Crc32, $input.checksum_crc32.take()),
            (Algorithm::Crc32c, $input.checksum_crc32c.take()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.take()),
            (Algorithm::Sha1, $input.checksum_sha1.take()),
            (Algorithm::Sha256, $input.checksum_sha256.take()),
        ]
    }};
}
pub(super) use checksum_values;

/// Sets the checksum member of an output.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {{
        use $crate::domain::checksum::Algorithm;
        let (algorithm, value): (Algorithm, String) = $checksum;
        let place = match algorithm {
            Algorithm::Crc32 => &mut $output.checksum_crc32,
            Algorithm::Crc32c => &mut $output.checksum_crc32c,
            Algorithm::Crc64Nvme => &mut $output.checksum_crc64nvme,
            Algorithm::Sha1 => &mut $output.checksum_sha1,
            _ => &mut $output.checksum_sha256,
        };
        *place = Some($crate::carried::value(algorithm, value));
    }};
}
pub(super) use set_checksum;

/// The one checksum value a request may give.
///
/// # Errors
/// `InvalidRequest` for two of them, or one that cannot be.
pub fn one_checksum(
    values: [(Algorithm, Option<String>); 5],
) -> Result<Option<(Algorithm, String)>, Error> {
    let mut given = values
        .into_iter()
        .filter_map(|(a, value)| Some(carried::read(a, value?)));
    let first = given.next();
    if given.next().is_some() {
        return Err(carried::several());
    }
    if let Some((algorithm, value)) = &first {
        algorithm.check_form(value)?;
    }
    Ok(first)
}

/// The algorithm to compute, and the value it must have.
///
/// # Errors
/// As [`one_checksum`]; `InvalidRequest` when the value is of another algorithm than asked for.
pub fn choose_checksum(
    values: [(Algorithm, Option<String>); 5],
    asked: Option<Algorithm>,
) -> Result<(Algorithm, Option<String>), Error> {
    match (one_checksum(values)?, asked) {
        (Some((given, _)), Some(asked)) if given != asked => Err(checksum_mismatch(asked, given)),
        (Some((given, value)), _) => Ok((given, Some(value))),
        (None, asked) => Ok((asked.unwrap_or(Algorithm::DEFAULT), None)),
    }
}

/// A checksum of another algorithm than the one there must be.
pub fn checksum_mismatch(expected: Algorithm, actual: Algorithm) -> Error {
    let lower = |a: Algorithm| a.name().to_ascii_lowercase();
    Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        lower(expected),
        lower(actual)
    ))
}

/// # Errors
/// As [`Algorithm::parse`].
pub fn read_algorithm(asked: Option<&dto::ChecksumAlgorithm>) -> Result<Option<Algorithm>, Error> {
    asked
        .map(|algorithm| Algorithm::parse(algorithm.as_str()))
        .transpose()
}

pub fn checksum_type(checksum: &Checksum) -> dto::ChecksumType {
    dto::ChecksumType::from_static(checksum.kind.name())
}

/// The bucket that an input names.
macro_rules! named {
    ($input:expr) => {
        $crate::configurations::Named {
            bucket: &$input.bucket,
            expected_owner: $input.expected_bucket_owner.as_deref(),
        }
    };
}
pub(super) use named;

/// A configuration that a bucket does not have: a 404 with the code S3 has for it.
pub fn none(code: &'static str, message: &'static str, bucket: &str) -> Error {
    Error::new(code, StatusCode::NOT_FOUND, message).with("BucketName", bucket)
}

/// A request body as the content is written from.
pub fn body(blob: Option<dto::StreamingBlob>) -> ByteStream {
    match blob {
        Some(blob) => blob.map(|chunk| chunk.map_err(Error::Body)).boxed(),
        None => futures::stream::empty().boxed(),
    }
}

pub fn etag(etag: &str) -> dto::ETag {
    dto::ETag::Strong(etag.to_owned())
}

/// S3 keeps whole seconds.
pub fn time(at: Timestamp) -> dto::Timestamp {
    Timestamp::from_millis(at.seconds() * 1000)
        .datetime()
        .into()
}

pub fn timestamp(at: dto::Timestamp) -> Timestamp {
    Timestamp::from_datetime(at.into())
}

pub fn hold(is_held: bool) -> dto::ObjectLockLegalHoldStatus {
    type Status = dto::ObjectLockLegalHoldStatus;
    Status::from_static(if is_held { Status::ON } else { Status::OFF })
}

/// An account as S3 names it: by a canonical id of 64 hexadecimal digits.
pub fn owner(account: AccountId) -> dto::Owner {
    dto::Owner {
        display_name: None,
        id: Some(canonical_id(account)),
    }
}

pub fn canonical_id(account: AccountId) -> String {
    hex::encode(Sha256::digest(account.as_str()))
}

/// The version of an object, as an answer says it: not at all where the bucket never had any.
pub fn version_id(bucket: &Bucket, object: &Object) -> Option<String> {
    bucket.versioning?;
    let id = object.version_id.as_deref().unwrap_or(version_id::NULL);
    Some(id.to_owned())
}

/// How many entries a page may have.
///
/// # Errors
/// `InvalidArgument` for a negative number.
pub fn page_size(asked: Option<i32>, name: &str, most: usize) -> Result<usize, Error> {
    match asked.map(usize::try_from) {
        None => Ok(most),
        Some(Ok(size)) => Ok(size.min(most)),
        Some(Err(_)) => Err(Error::invalid_argument(
            format!("Argument {name} must be an integer between 0 and 2147483647"),
            name,
            &asked.unwrap_or_default().to_string(),
        )),
    }
}

/// Adds a header if its value can be one.
pub fn add_header(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| http::HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}
