//! Every repository, in memory: what is read touches no store. Records are replaced after they are
//! durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::{AccountId, Region};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use store::{BlobId, KeyReader, Store, StoreError, Table};

use crate::records::{IMAGES, Image, LAYERS, Layer, REPOSITORIES, Repository, RepositoryId, TAGS};
use oci::Digest;

/// Records read at once.
const PAGE: usize = 1_000;

/// A repository with all it holds.
#[derive(Clone)]
pub struct Contents {
    pub record: Repository,
    pub images: BTreeMap<Digest, Arc<Image>>,
    pub tags: BTreeMap<String, Digest>,
    pub layers: BTreeMap<Digest, Layer>,
}

#[derive(Default)]
pub struct Repositories(RwLock<All>);

#[derive(Default)]
struct All {
    repositories: BTreeMap<RepositoryId, Contents>,
    /// How many repositories have a blob as a layer.
    uses: HashMap<BlobId, usize>,
    /// One blob of each content.
    contents: HashMap<Digest, BlobId>,
}

impl Repositories {
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let mut all = All::default();
        for (id, _, record) in each(store, &REPOSITORIES, false).await? {
            all.repositories.insert(id, Contents::new(record));
        }
        for (id, key, image) in each(store, &IMAGES, true).await? {
            if let (Some(found), Some(digest)) =
                (all.repositories.get_mut(&id), Digest::parse(&key))
            {
                found.images.insert(digest, Arc::new(image));
            }
        }
        for (id, tag, digest) in each(store, &TAGS, true).await? {
            if let Some(found) = all.repositories.get_mut(&id) {
                found.tags.insert(tag, digest);
            }
        }
        for (id, key, layer) in each(store, &LAYERS, true).await? {
            if let Some(digest) = Digest::parse(&key) {
                all.add_layer(&id, digest, layer);
            }
        }
        Ok(Self(RwLock::new(all)))
    }

    /// Reads one; `None` if there is none of that name.
    pub fn with<T>(&self, id: &RepositoryId, read: impl FnOnce(&Contents) -> T) -> Option<T> {
        self.0.read().repositories.get(id).map(read)
    }

    /// The region where an account has a repository of this name: `first`, if it is one of several.
    pub fn region_of(&self, account: AccountId, name: &str, first: &Region) -> Option<Region> {
        let all = self.0.read();
        let named = all.repositories.keys();
        let named = named.filter(|id| id.account == account && id.name == name);
        let region = named
            .map(|id| &id.region)
            .min_by_key(|region| *region != first);
        region.cloned()
    }

    /// Those of an account and region, by name.
    pub fn list<T>(
        &self,
        fits: impl Fn(&RepositoryId) -> bool,
        read: impl Fn(&RepositoryId, &Contents) -> T,
    ) -> Vec<(String, T)> {
        let all = self.0.read();
        let fitting = all.repositories.iter().filter(|(id, _)| fits(id));
        fitting
            .map(|(id, contents)| (id.name.clone(), read(id, contents)))
            .collect()
    }

    /// Changes one that is there.
    pub fn change(&self, id: &RepositoryId, change: impl FnOnce(&mut Contents)) {
        if let Some(contents) = self.0.write().repositories.get_mut(id) {
            change(contents);
        }
    }

    pub fn insert(&self, id: RepositoryId, record: Repository) {
        self.0
            .write()
            .repositories
            .insert(id, Contents::new(record));
    }

    /// Removes one; returns the blobs that nobody uses any more.
    pub fn remove(&self, id: &RepositoryId) -> Vec<BlobId> {
        let mut all = self.0.write();
        let Some(contents) = all.repositories.remove(id) else {
            return Vec::new();
        };
        let layers = contents.layers.iter();
        let unused = layers.filter_map(|(digest, layer)| all.give_up(digest, layer.blob));
        unused.collect()
    }

    pub fn add_layer(&self, id: &RepositoryId, digest: Digest, layer: Layer) {
        self.0.write().add_layer(id, digest, layer);
    }

    /// Takes a layer out of a repository; returns its blob if nobody uses it any more.
    pub fn remove_layer(&self, id: &RepositoryId, digest: &Digest) -> Option<BlobId> {
        let mut all = self.0.write();
        let layer = all.repositories.get_mut(id)?.layers.remove(digest)?;
        all.give_up(digest, layer.blob)
    }

    /// A blob with this content, of whatever repository.
    pub fn content(&self, digest: &Digest) -> Option<BlobId> {
        self.0.read().contents.get(digest).copied()
    }

    pub fn names_blob(&self, blob: &BlobId) -> bool {
        self.0.read().uses.contains_key(blob)
    }
}

impl All {
    fn add_layer(&mut self, id: &RepositoryId, digest: Digest, layer: Layer) {
        if let Some(found) = self.repositories.get_mut(id) {
            *self.uses.entry(layer.blob).or_default() += 1;
            self.contents.insert(digest, layer.blob);
            found.layers.insert(digest, layer);
        }
    }

    fn give_up(&mut self, digest: &Digest, blob: BlobId) -> Option<BlobId> {
        let uses = self.uses.get_mut(&blob)?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        self.uses.remove(&blob);
        if self.contents.get(digest) == Some(&blob) {
            self.contents.remove(digest);
        }
        Some(blob)
    }
}

impl Contents {
    fn new(record: Repository) -> Self {
        Self {
            record,
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            layers: BTreeMap::new(),
        }
    }

    /// The tags of an image, in their order.
    pub fn tags_of(&self, digest: &Digest) -> Vec<String> {
        let tags = self.tags.iter().filter(|(_, of)| *of == digest);
        tags.map(|(tag, _)| tag.clone()).collect()
    }

    /// Whether an image or its configuration is made of this layer.
    pub fn uses_layer(&self, digest: &Digest) -> bool {
        self.images
            .values()
            .any(|image| image.layers.contains(digest))
    }
}

/// Every record of a table, with the repository it belongs to and the rest of its key.
async fn each<T: DeserializeOwned>(
    store: &dyn Store,
    table: &Table<T>,
    has_more: bool,
) -> Result<Vec<(RepositoryId, String, T)>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = table.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let id = repository_id(&mut parts)?;
            let rest = if has_more {
                parts.text()?
            } else {
                String::new()
            };
            all.push((id, rest, row.value));
        }
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn repository_id(parts: &mut KeyReader<'_>) -> Result<RepositoryId, StoreError> {
    let damaged = || StoreError::corrupt("a key of ECR names no account or region");
    Ok(RepositoryId {
        account: parts.text()?.parse().map_err(|_| damaged())?,
        region: parts.text()?.parse().map_err(|_| damaged())?,
        name: parts.text()?,
    })
}
