//! Layers of repositories: a blob under its digest. One blob serves all repositories that have it.

use std::time::Duration;

use service::ServiceError;
use store::{Batch, BlobId, StoreError};

use crate::Ecr;
use crate::error;
use crate::records::{LAYERS, Layer, RepositoryId};
use oci::Digest;

/// A layer that no image uses may be about to be used by one.
const GRACE: Duration = Duration::from_hours(24);

/// Gives a repository a layer whose content has just become a blob. Returns whether it is new there;
/// the blob goes if its content is there already.
pub async fn add(
    ecr: &Ecr,
    id: &RepositoryId,
    digest: &Digest,
    blob: BlobId,
    size: u64,
) -> Result<bool, ServiceError> {
    let added = {
        let _one_writer = ecr.writer.lock().await;
        match ecr
            .repositories
            .with(id, |it| it.layers.contains_key(digest))
        {
            None => Err(error::repository_not_found(id)),
            Some(true) => Ok((false, Some(blob))),
            Some(false) => {
                let there = ecr.repositories.content(digest);
                let used = there.unwrap_or(blob);
                let put = put(ecr, id, digest, used, size).await;
                put.map(|()| (true, there.map(|_| blob)))
            }
        }
    };
    let superfluous = match &added {
        Ok((_, superfluous)) => *superfluous,
        Err(_) => Some(blob),
    };
    delete(ecr, superfluous).await;
    added.map(|(is_new, _)| is_new)
}

/// Gives a repository a layer that another one has; false if that has none.
pub async fn mount(
    ecr: &Ecr,
    id: &RepositoryId,
    from: &RepositoryId,
    digest: &Digest,
) -> Result<bool, ServiceError> {
    let _one_writer = ecr.writer.lock().await;
    let found = ecr
        .repositories
        .with(from, |it| it.layers.get(digest).cloned());
    let Some(layer) = found.flatten() else {
        return Ok(false);
    };
    match ecr
        .repositories
        .with(id, |it| it.layers.contains_key(digest))
    {
        None => Err(error::repository_not_found(id)),
        Some(true) => Ok(true),
        Some(false) => put(ecr, id, digest, layer.blob, layer.size)
            .await
            .map(|()| true),
    }
}

async fn put(
    ecr: &Ecr,
    id: &RepositoryId,
    digest: &Digest,
    blob: BlobId,
    size: u64,
) -> Result<(), ServiceError> {
    let layer = Layer {
        blob,
        size,
        pushed: ecr.clock.now(),
    };
    let mut batch = Batch::new();
    let put = LAYERS.put(&mut batch, (id.key(), digest.to_string()), &layer);
    ecr.commit(put.map(|()| batch)).await?;
    ecr.repositories.add_layer(id, *digest, layer);
    Ok(())
}

/// A layer of a repository, if it has it.
pub fn find(ecr: &Ecr, id: &RepositoryId, digest: &Digest) -> Option<Layer> {
    let found = ecr
        .repositories
        .with(id, |it| it.layers.get(digest).cloned());
    found.flatten()
}

/// Deletes blobs that no record names any more. One that stays is swept at the next start.
pub async fn delete(ecr: &Ecr, blobs: impl IntoIterator<Item = BlobId>) {
    for blob in blobs {
        if let Err(error) = ecr.blobs.delete(&blob).await {
            tracing::warn!(%error, %blob, "ecr: delete a layer");
        }
    }
}

/// Takes layers out of a repository that no image of it uses; the writer's lock is held.
pub async fn forget(
    ecr: &Ecr,
    id: &RepositoryId,
    layers: impl IntoIterator<Item = Digest>,
) -> Result<(), StoreError> {
    let layers = layers.into_iter();
    let unused: Vec<Digest> = ecr
        .repositories
        .with(id, |contents| {
            let is_unused = |digest: &Digest| {
                contents.layers.contains_key(digest) && !contents.uses_layer(digest)
            };
            layers.filter(is_unused).collect()
        })
        .unwrap_or_default();
    if unused.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new();
    for digest in &unused {
        LAYERS.delete(&mut batch, (id.key(), digest.to_string()));
    }
    ecr.store.commit(batch).await?;
    let given_up = unused
        .iter()
        .filter_map(|digest| ecr.repositories.remove_layer(id, digest));
    delete(ecr, given_up.collect::<Vec<_>>()).await;
    Ok(())
}

/// Removes what was pushed long ago for images that never came.
pub async fn forget_unused(ecr: &Ecr) -> Result<(), StoreError> {
    let _one_writer = ecr.writer.lock().await;
    let now = ecr.clock.now();
    let old = ecr.repositories.list(
        |_| true,
        |id, contents| {
            let layers = contents.layers.iter();
            let old = layers.filter(|(_, layer)| now.since(layer.pushed) > GRACE);
            (id.clone(), old.map(|(digest, _)| *digest).collect())
        },
    );
    for (_, (id, layers)) in old {
        let layers: Vec<Digest> = layers;
        forget(ecr, &id, layers).await?;
    }
    Ok(())
}
