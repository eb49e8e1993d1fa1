//! Images of repositories: put, found, deleted.

use std::sync::Arc;

use service::ServiceError;
use store::Batch;

use crate::Ecr;
use crate::domain::manifest::{Manifest, Refused};
use crate::error;
use crate::layers;
use crate::records::{IMAGES, Image, RepositoryId, TAGS};
use crate::repositories::Contents;
use oci::Digest;

/// A manifest that a client pushes.
pub struct Pushed<'a> {
    pub manifest: String,
    pub media_type: Option<&'a str>,
    pub tag: Option<&'a str>,
    /// What the client says it is called.
    pub digest: Option<&'a str>,
}

/// What became of it.
pub struct Put {
    pub digest: Digest,
    pub image: Arc<Image>,
    /// Neither the image nor its tag was there.
    pub is_new: bool,
}

/// Keeps an image whose layers are there.
pub async fn put(ecr: &Ecr, id: &RepositoryId, pushed: Pushed<'_>) -> Result<Put, ServiceError> {
    let parsed = Manifest::parse(&pushed.manifest, pushed.media_type);
    let manifest = parsed.map_err(|refused| match refused {
        Refused::Malformed(why) => error::invalid("ImageManifest", why),
        Refused::Unsupported(kind) => error::unsupported_image(&kind),
    })?;
    let digest = Digest::of(pushed.manifest.as_bytes());
    if let Some(given) = pushed.digest
        && Digest::parse(given).as_ref() != Some(&digest)
    {
        return Err(error::digest_does_not_match(given, &digest));
    }
    let _one_writer = ecr.writer.lock().await;
    let checked = ecr.repositories.with(id, |contents| {
        check(contents, id, &manifest, &digest, pushed.tag)
    });
    let before = checked.ok_or_else(|| error::repository_not_found(id))??;
    let moves_tag = pushed.tag.is_some() && !before.is_tagged;
    if let Some(image) = &before.image
        && !moves_tag
    {
        return Ok(Put {
            digest,
            image: Arc::clone(image),
            is_new: false,
        });
    }
    let image = before.image.unwrap_or_else(|| {
        Arc::new(Image {
            media_type: manifest.media_type.clone(),
            artifact_type: manifest.artifact_type.clone(),
            layers: digests(&manifest.layers),
            images: digests(&manifest.images),
            subject: manifest.subject,
            annotations: manifest.annotations.clone(),
            size: manifest.size(),
            pushed: ecr.clock.now(),
            manifest: pushed.manifest,
        })
    });
    let mut batch = Batch::new();
    let mut put = IMAGES.put(&mut batch, (id.key(), digest.to_string()), &image);
    if let (Ok(()), Some(tag)) = (&put, pushed.tag) {
        put = TAGS.put(&mut batch, (id.key(), tag), &digest);
    }
    ecr.commit(put.map(|()| batch)).await?;
    ecr.repositories.change(id, |contents| {
        contents.images.insert(digest, Arc::clone(&image));
        if let Some(tag) = pushed.tag {
            contents.tags.insert(tag.to_owned(), digest);
        }
    });
    Ok(Put {
        digest,
        image,
        is_new: true,
    })
}

fn digests(descriptors: &[crate::domain::manifest::Descriptor]) -> Vec<Digest> {
    descriptors.iter().map(|it| it.digest).collect()
}

/// What is there of an image that is pushed.
struct Before {
    image: Option<Arc<Image>>,
    /// The tag leads to it already.
    is_tagged: bool,
}

fn check(
    contents: &Contents,
    id: &RepositoryId,
    manifest: &Manifest,
    digest: &Digest,
    tag: Option<&str>,
) -> Result<Before, ServiceError> {
    let layers = manifest.layers.iter().filter(|it| !it.is_foreign);
    let missing: Vec<&Digest> = layers
        .map(|it| &it.digest)
        .filter(|digest| !contents.layers.contains_key(*digest))
        .collect();
    if !missing.is_empty() {
        return Err(error::layers_missing(id, &missing));
    }
    let images = manifest.images.iter().map(|it| &it.digest);
    let missing: Vec<&Digest> = images
        .filter(|digest| !contents.images.contains_key(*digest))
        .collect();
    if !missing.is_empty() {
        return Err(error::images_missing(id, &missing));
    }
    let tagged = tag.and_then(|tag| contents.tags.get(tag));
    // Not even for the same image: ECR compares no digests here.
    if let (Some(tag), Some(_)) = (tag, tagged)
        && contents.record.mutability.fixes(tag)
    {
        return Err(error::tag_exists(id, tag));
    }
    Ok(Before {
        image: contents.images.get(digest).cloned(),
        is_tagged: tagged == Some(digest),
    })
}

/// How an image is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Digest(Digest),
    Tag(String),
}

/// The image that is asked for.
pub fn find(contents: &Contents, reference: &Reference) -> Option<(Digest, Arc<Image>)> {
    let digest = match reference {
        Reference::Digest(digest) => digest,
        Reference::Tag(tag) => contents.tags.get(tag)?,
    };
    let image = contents.images.get(digest)?;
    Some((*digest, Arc::clone(image)))
}

/// What is taken away.
pub enum Removal {
    /// The image goes with its last tag.
    Tag(String),
    Image(Digest),
}

/// Takes images and tags away, and the layers that no other image uses.
pub async fn remove(
    ecr: &Ecr,
    id: &RepositoryId,
    removals: &[Removal],
) -> Result<(), ServiceError> {
    let Some(before) = ecr.repositories.with(id, Clone::clone) else {
        return Err(error::repository_not_found(id));
    };
    let mut after = before.clone();
    for removal in removals {
        let digest = match removal {
            Removal::Image(digest) => *digest,
            Removal::Tag(tag) => {
                let Some(digest) = after.tags.remove(tag) else {
                    continue;
                };
                if after.tags.values().any(|other| *other == digest) {
                    continue;
                }
                digest
            }
        };
        after.images.remove(&digest);
        after.tags.retain(|_, other| *other != digest);
    }
    let mut batch = Batch::new();
    let mut layers = Vec::new();
    for (digest, image) in &before.images {
        if !after.images.contains_key(digest) {
            IMAGES.delete(&mut batch, (id.key(), digest.to_string()));
            layers.extend(image.layers.iter().copied());
        }
    }
    for tag in before.tags.keys() {
        if !after.tags.contains_key(tag) {
            TAGS.delete(&mut batch, (id.key(), tag.as_str()));
        }
    }
    ecr.commit(Ok(batch)).await?;
    ecr.repositories.change(id, |contents| {
        contents.images = after.images;
        contents.tags = after.tags;
    });
    layers::forget(ecr, id, layers)
        .await
        .map_err(|error| error::unavailable(&error))
}
