//! A layer on its way from its source to where it is unpacked, a few pieces at a time.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use exec::{ImageId, Staging};
use futures::StreamExt as _;
use oci::{PullError, Source};
use tokio::sync::mpsc::{Receiver, channel};

use super::PullFailed;
use crate::records::container::PulledLayer;

/// Pieces between the source and the unpacking.
const AHEAD: usize = 16;

/// Unpacks a layer while it arrives.
pub async fn pull(
    source: &dyn Source,
    layer: PulledLayer,
    staging: &Arc<Staging>,
) -> Result<(), PullFailed> {
    let mut content = source.blob(layer.digest).await.map_err(PullFailed::Pull)?;
    let (pieces, arriving) = channel(AHEAD);
    let staging = Arc::clone(staging);
    let unpacking = tokio::task::spawn_blocking(move || {
        let digest = ImageId(layer.digest.0);
        staging.unpack(digest, layer.compression.into(), Arriving(arriving))
    });
    let mut broken = None;
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(|why| {
            let text = why.to_string();
            broken = Some(why);
            text
        });
        let is_over = piece.is_err();
        // Whoever unpacks may have seen enough.
        if pieces.send(piece).await.is_err() || is_over {
            break;
        }
    }
    drop(pieces);
    let unpacked = unpacking.await;
    if let Some(why) = broken {
        return Err(PullFailed::Pull(why));
    }
    match unpacked {
        Ok(unpacked) => unpacked.map_err(PullFailed::of),
        Err(error) => Err(PullFailed::Internal(error.to_string())),
    }
}

/// What arrives, for a thread that may wait for it.
struct Arriving(Receiver<Result<Bytes, String>>);

impl Iterator for Arriving {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.0.blocking_recv()?;
        Some(piece.map_err(io::Error::other))
    }
}

/// So that the error of a source is told from one of its content.
impl From<PullError> for PullFailed {
    fn from(why: PullError) -> Self {
        Self::Pull(why)
    }
}
