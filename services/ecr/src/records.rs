//! What is stored, under which keys, in which version.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Timestamp};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use store::{Batch, BlobId, Store, StoreError, Table};

use crate::domain::mutability::Mutability;
use oci::Digest;

/// Key: account, region, name.
pub const REPOSITORIES: Table<Repository> = Table::new("ecr.repository", 1);
/// Key: that of the repository, digest.
pub const IMAGES: Table<Image> = Table::new("ecr.image", 1);
/// Key: that of the repository, tag. The digest.
pub const TAGS: Table<Digest> = Table::new("ecr.tag", 1);
/// Key: that of the repository, digest.
pub const LAYERS: Table<Layer> = Table::new("ecr.layer", 1);
/// One record: what authorization tokens are sealed with, in hexadecimal.
const KEY: Table<String> = Table::new("ecr.token_key", 1);

/// A repository of an account's registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

impl RepositoryId {
    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }

    pub fn arn(&self) -> Arn {
        let resource = format!("repository/{}", self.name);
        Arn::regional("ecr", &self.region, self.account, resource)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    pub created: Timestamp,
    #[serde(default)]
    pub mutability: Mutability,
    #[serde(default)]
    pub scan_on_push: bool,
    pub encryption: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A manifest, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// To the byte as it was pushed.
    pub manifest: String,
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Of the configuration and the layers; of an index, none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Digest>,
    /// Of the manifests of an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Of the layers, as they are stored, in bytes.
    pub size: u64,
    pub pushed: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub blob: BlobId,
    /// In bytes.
    pub size: u64,
    pub pushed: Timestamp,
}

/// What tokens are sealed with, made now if there is none.
pub async fn token_key(store: &dyn Store) -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    if let Some(kept) = KEY.get(store, ()).await? {
        return match hex::decode_to_slice(kept, &mut key) {
            Ok(()) => Ok(key),
            Err(_) => Err(StoreError::corrupt("ECR's token key is no key")),
        };
    }
    rand::rng().fill_bytes(&mut key);
    let mut batch = Batch::new();
    KEY.put(&mut batch, (), &hex::encode(key))?;
    store.commit(batch).await?;
    Ok(key)
}
