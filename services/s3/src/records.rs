//! What is stored, under which keys, and how the records hang together.
//!
//! An object is a small record; its bytes are a *content*: inline beside the record when they are
//! few (so that a small PUT costs one commit), one blob, or the parts of a multipart upload in
//! order. A content is named by an id that is never reused, so that a reader of a replaced object
//! finds its own bytes or none, never another's. Every blob of ours has a record under its id, so
//! that a blob without one is known to be an orphan.
//!
//! Where a bucket has versions, the current one of a key is in [`OBJECTS`], if it is an object, and
//! all others are in [`VERSIONS`], newest first. So a list of objects reads nothing else, and a
//! bucket without versions is as it ever was. Every change to the versions of a key also changes
//! its [`Head`], by which changes of one key learn of each other.

use std::collections::BTreeMap;

use base::{AccountId, Region, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId, Key, Reader, StoreError, Table};

use crate::domain::acl::Acl;
use crate::domain::checksum::Checksum;
use crate::domain::lock::{BucketLock, Lock};
use crate::domain::notification::Notifications;
use crate::domain::tags::Tag;

/// Buckets by name: one namespace for all accounts.
pub const BUCKETS: Table<Bucket> = Table::new("s3.bucket", 1);
/// The buckets of an account: (account, name).
pub const OWNED: Table<()> = Table::new("s3.owned", 1);
/// Current versions that are objects: (bucket, key).
pub const OBJECTS: Table<Object> = Table::new("s3.object", 1);
/// All other versions: (bucket, key, order turned round).
pub const VERSIONS: Table<Version> = Table::new("s3.version", 1);
/// What the versions of a key have in common, in buckets that have versions: (bucket, key).
pub const HEADS: Table<Head> = Table::new("s3.head", 1);
/// Configurations of buckets that are documents: (bucket, kind, id if there can be several).
pub const CONFIGURATIONS: Table<String> = Table::new("s3.configuration", 1);
/// Multipart uploads in progress: (bucket, key, upload id).
pub const UPLOADS: Table<Upload> = Table::new("s3.upload", 1);
/// Their parts: (bucket, upload id, part number).
pub const PARTS: Table<Part> = Table::new("s3.part", 1);
/// The parts of contents made of several blobs: content id.
pub const MANIFESTS: Table<Manifest> = Table::new("s3.manifest", 1);
/// The bytes of inline contents, raw: content id.
const INLINE: Table<()> = Table::new("s3.inline", 1);
/// The blobs this service has named: blob id.
const NAMED: Table<()> = Table::new("s3.blob", 1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub owner: AccountId,
    pub region: Region,
    pub created_at: Timestamp,
    /// Set while DeleteBucket looks whether the bucket is empty: nothing may be added meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closing: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default, skip_serializing_if = "Notifications::is_empty")]
    pub notifications: Notifications,
    /// None until it is first enabled; it can then be suspended and never go away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// None for its owner's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
    /// Whether versions can be locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<BucketLock>,
    /// Who owns its objects, and so whether it has ACLs.
    #[serde(default)]
    pub ownership: Ownership,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_access: Option<PublicAccess>,
    /// How objects are encrypted whose makers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Whether it refuses objects that are encrypted with keys of their makers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocks_customer_keys: bool,
    /// Whether there is a lifecycle configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lifecycle: bool,
    /// From which size on its transitions are meant, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition_minimum: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner owns all, and there are no ACLs.
    #[default]
    BucketOwnerEnforced,
    BucketOwnerPreferred,
    ObjectWriter,
    /// The controls were deleted: as `ObjectWriter`, but nothing says so.
    Unset,
}

/// What may not be public however it is asked for.
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are S3's four settings"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicAccess {
    pub block_acls: bool,
    pub ignore_acls: bool,
    pub block_policy: bool,
    pub restrict: bool,
}

/// Server-side encryption as it is asked for. What is said about keys is recorded: there is no KMS
/// here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bucket_key: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    Enabled,
    Suspended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    pub content: Content,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub last_modified: Timestamp,
    #[serde(flatten)]
    pub attributes: Attributes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// How many parts it was uploaded in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// How its bytes are encrypted at rest, unless they are not, or those of parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// None for the version `null`: made while versioning was not enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Higher for later versions of a key. Zero for one from before the bucket had versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: u64,
    /// The multipart upload that it was: completing that once more has the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with one")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A version that is not the current object of its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    Object(Box<Object>),
    Marker(Marker),
}

/// Says that the key was deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    pub order: u64,
    pub last_modified: Timestamp,
}

impl Version {
    pub fn order(&self) -> u64 {
        match self {
            Self::Object(object) => object.order,
            Self::Marker(marker) => marker.order,
        }
    }

    pub fn last_modified(&self) -> Timestamp {
        match self {
            Self::Object(object) => object.last_modified,
            Self::Marker(marker) => marker.last_modified,
        }
    }

    pub fn version_id(&self) -> Option<&str> {
        match self {
            Self::Object(object) => object.version_id.as_deref(),
            Self::Marker(marker) => marker.version_id.as_deref(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The highest order that was given out.
    pub order: u64,
    /// How often the versions of the key have changed.
    pub changes: u64,
    /// The order of the version `null`, where it is not the current object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<u64>,
}

/// Where a version is, in [`VERSIONS`]: the newest first.
pub fn version_key(bucket: &str, key: &str, order: u64) -> Key {
    Key::of((bucket, key, !order))
}

/// What a client says about an object when it makes one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// None for STANDARD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The server-side encryption with a key of AWS's: `AES256`, `aws:kms` or `aws:kms:dsse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bucket_key: bool,
    /// As it was given, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_context: Option<String>,
    /// MD5 of the client's own key, where it encrypts with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_key_md5: Option<String>,
    /// None for its owner's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
    #[serde(default, skip_serializing_if = "Lock::is_empty")]
    pub lock: Lock,
}

/// The HTTP headers a GET gives back as they were put.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Headers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// As it was sent; S3 does not ask it to be a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_redirect_location: Option<String>,
}

impl Headers {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where an object's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Empty,
    /// In the store itself, under this content id.
    Inline(String),
    Blob(BlobId),
    /// In the blobs that the manifest of this content id lists.
    Parts(String),
}

/// The parts of an object that was uploaded in several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// In order.
    pub parts: Vec<ManifestPart>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestPart {
    pub number: u32,
    pub blob: BlobId,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// How the bytes of one content are encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub by: Keeper,
    /// The content's own key, sealed by that keeper's, in base64.
    pub key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeper {
    /// The client, which sends the key with every request.
    Customer,
    /// Whoever runs the server.
    Operator,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    pub initiated_at: Timestamp,
    pub initiator: AccountId,
    #[serde(flatten)]
    pub attributes: Attributes,
    /// As asked for; without one the object gets S3's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<UploadChecksum>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadChecksum {
    pub algorithm: crate::domain::checksum::Algorithm,
    pub kind: crate::domain::checksum::Kind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub blob: BlobId,
    pub size: u64,
    /// MD5 in hexadecimal, which is the ETag too.
    pub etag: String,
    pub checksum: Checksum,
    pub last_modified: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// Stores the bytes of an inline content.
pub fn put_inline(batch: &mut Batch, id: &str, bytes: Bytes) {
    batch.put(INLINE.full_key(id), bytes);
}

pub fn delete_inline(batch: &mut Batch, id: &str) {
    INLINE.delete(batch, id);
}

pub async fn get_inline(
    reader: &(impl Reader + ?Sized),
    id: &str,
) -> Result<Option<Bytes>, StoreError> {
    reader.get(INLINE.full_key(id).as_bytes()).await
}

/// Says that a blob is ours, in the batch that first names it.
pub fn name_blob(batch: &mut Batch, id: &BlobId) -> Result<(), StoreError> {
    NAMED.put(batch, id.to_string(), &())
}

/// Takes that back, in the batch that drops the last record naming it.
pub fn forget_blob(batch: &mut Batch, id: &BlobId) {
    NAMED.delete(batch, id.to_string());
}

pub fn forget_blobs(batch: &mut Batch, ids: &[BlobId]) {
    for id in ids {
        forget_blob(batch, id);
    }
}

pub async fn is_named(reader: &(impl Reader + ?Sized), id: &BlobId) -> Result<bool, StoreError> {
    Ok(NAMED.get(reader, id.to_string()).await?.is_some())
}
