//! What is stored, under which keys, and how the records hang together.
//!
//! An object is a small record; its bytes are a *content*: inline beside the record when they are
//! few (so that a small PUT costs one commit), one blob, or the parts of a multipart upload in
//! order. A content is named by an id that is never reused, so that a reader of a replaced object
//! finds its own bytes or none, never another's. Every blob of ours has a record under its id, so
//! that a blob without one is known to be an orphan.

use std::collections::BTreeMap;

use base::{AccountId, Region, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId, Reader, StoreError, Table};

use crate::domain::checksum::Checksum;
use crate::domain::notification::Notifications;
use crate::domain::tags::Tag;

/// Buckets by name: one namespace for all accounts.
pub const BUCKETS: Table<Bucket> = Table::new("s3.bucket", 1);
/// The buckets of an account: (account, name).
pub const OWNED: Table<()> = Table::new("s3.owned", 1);
/// Objects: (bucket, key).
pub const OBJECTS: Table<Object> = Table::new("s3.object", 1);
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
    /// The server-side encryption asked for: only ever `AES256`, S3's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
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
