//! Keeps the blobs of a multipart object while someone reads them.
//!
//! A reader of one blob has it open, and an open blob outlives its deletion. An object of ten
//! thousand parts cannot be held open, so its readers pin its content id instead, and whoever
//! replaces the object leaves the deletion to the last of them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use store::{BlobId, Blobs};

pub struct Pins {
    blobs: Arc<dyn Blobs>,
    pinned: Mutex<HashMap<String, Pinned>>,
}

#[derive(Default)]
struct Pinned {
    readers: usize,
    /// To delete once the last reader is gone.
    doomed: Vec<BlobId>,
}

/// Held by one reader of one content.
pub struct Pin {
    pins: Arc<Pins>,
    content: String,
}

impl Pins {
    pub fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self {
            blobs,
            pinned: Mutex::default(),
        }
    }

    /// Look whether the object still has this content *after* pinning it: whoever replaces it
    /// later then sees the pin.
    pub fn pin(self: &Arc<Self>, content: &str) -> Pin {
        self.pinned
            .lock()
            .entry(content.to_owned())
            .or_default()
            .readers += 1;
        Pin {
            pins: Arc::clone(self),
            content: content.to_owned(),
        }
    }

    /// Deletes the blobs of a content no record names any more, now or when its readers are done.
    pub fn retire(&self, content: &str, blobs: Vec<BlobId>) {
        if let Some(pinned) = self.pinned.lock().get_mut(content) {
            pinned.doomed = blobs;
            return;
        }
        self.delete(blobs);
    }

    /// Deletes blobs in the background: nobody waits for it, and what a crash leaves is an orphan.
    pub fn delete(&self, doomed: Vec<BlobId>) {
        if doomed.is_empty() {
            return;
        }
        let blobs = Arc::clone(&self.blobs);
        tokio::spawn(async move {
            for id in doomed {
                if let Err(error) = blobs.delete(&id).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%id, error, "a blob that no object names was not deleted");
                }
            }
        });
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.pins.pinned.lock();
        let Some(entry) = pinned.get_mut(&self.content) else {
            return;
        };
        entry.readers -= 1;
        if entry.readers > 0 {
            return;
        }
        let doomed = std::mem::take(&mut entry.doomed);
        pinned.remove(&self.content);
        drop(pinned);
        self.pins.delete(doomed);
    }
}
