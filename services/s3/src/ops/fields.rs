//! Members that several operations share, from the wire layer's types and to them.

use base::{AccountId, Timestamp};
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::dto;
use sha2::{Digest as _, Sha256};

use crate::content::ByteStream;
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::{storage_class, tags};
use crate::error::Error;
use crate::records::{Attributes, Headers};

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
    pub encryption: Option<dto::ServerSideEncryption>,
    pub acl: Option<dto::ObjectCannedACL>,
    pub has_grants: bool,
    pub has_customer_key: bool,
    pub has_lock: bool,
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
            encryption: $input.server_side_encryption.take(),
            acl: $input.acl.take(),
            has_grants: $input.grant_full_control.is_some()
                || $input.grant_read.is_some()
                || $input.grant_read_acp.is_some()
                || $input.grant_write_acp.is_some(),
            has_customer_key: $input.sse_customer_algorithm.is_some()
                || $input.sse_customer_key.is_some(),
            has_lock: $input.object_lock_mode.is_some()
                || $input.object_lock_retain_until_date.is_some()
                || $input.object_lock_legal_hold_status.is_some(),
        }
    };
}
pub(super) use given;

impl Given {
    /// # Errors
    /// For what is wrong, and for what S3 would do and this service does not.
    pub fn read(self) -> Result<Attributes, Error> {
        check_acl(
            self.acl.as_ref().map(dto::ObjectCannedACL::as_str),
            self.has_grants,
        )?;
        if self.has_customer_key {
            return Err(Error::not_implemented(
                "server-side encryption with customer keys",
            ));
        }
        if self.has_lock {
            return Err(Error::invalid_request(
                "Bucket is missing Object Lock Configuration",
            ));
        }
        let encryption = match self
            .encryption
            .as_ref()
            .map(dto::ServerSideEncryption::as_str)
        {
            // Every bucket's default.
            None | Some("AES256") => Some("AES256".to_owned()),
            Some(key @ ("aws:kms" | "aws:kms:dsse")) => {
                return Err(Error::not_implemented(format!(
                    "server-side encryption by {key}"
                )));
            }
            Some(other) => {
                return Err(Error::invalid_argument(
                    "The encryption method specified is not supported",
                    "x-amz-server-side-encryption",
                    other,
                ));
            }
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
        Ok(Attributes {
            headers: self.headers,
            metadata: metadata.into_iter().collect(),
            tags: self
                .tagging
                .map_or(Ok(Vec::new()), |tagging| tags::parse_header(&tagging))?,
            storage_class: storage_class::check(class)?,
            encryption,
        })
    }
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

/// Buckets here are as S3 makes them by default: their owner owns every object and ACLs are off.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
///
/// # Errors
/// `AccessControlListNotSupported` for an ACL that would change anything.
pub fn check_acl(canned: Option<&str>, has_grants: bool) -> Result<(), Error> {
    let harmless = matches!(canned, None | Some("private" | "bucket-owner-full-control"));
    if harmless && !has_grants {
        Ok(())
    } else {
        Err(acl_not_supported())
    }
}

pub fn acl_not_supported() -> Error {
    Error::bad_request(
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    )
}

/// The checksum members of an input, by algorithm.
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
            Algorithm::Sha256 => &mut $output.checksum_sha256,
        };
        *place = Some(value);
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
        .filter_map(|(a, value)| Some((a, value?)));
    let first = given.next();
    if given.next().is_some() {
        return Err(Error::invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
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

/// Objects here have no versions, which S3 calls the version `null`.
///
/// # Errors
/// `InvalidArgument` for any other.
pub fn check_version(version_id: Option<&str>) -> Result<(), Error> {
    match version_id {
        None | Some("null") => Ok(()),
        Some(other) => Err(Error::invalid_argument(
            "Invalid version id specified",
            "versionId",
            other,
        )),
    }
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
