//! Gives the bytes of an object out, a chunk at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin as StdPin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use store::{BlobId, BlobReader, Blobs, StoreError};

use super::pins::Pin;
use crate::error::Error;
use crate::records::{self, Content, MANIFESTS, Manifest, OBJECTS, Object};
use crate::state::State;

pub type ByteStream = StdPin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// Most bytes asked of a blob at once.
const CHUNK: u64 = 256 * 1024;
/// How often an object may be replaced between finding it and opening its bytes.
const MAX_ATTEMPTS: usize = 100;

/// The bytes of one object, safe from its replacement.
pub enum Source {
    Held(Bytes),
    Blob(Arc<dyn BlobReader>),
    Parts(Parts),
}

/// Blobs one after the other, opened when their turn comes.
pub struct Parts {
    blobs: Arc<dyn Blobs>,
    manifest: Manifest,
    _pin: Pin,
}

/// Finds an object and opens its bytes; `None` if there is none.
pub async fn open(
    state: &State,
    bucket: &str,
    key: &str,
) -> Result<Option<(Object, Source)>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(object) = OBJECTS.get(&*state.store, (bucket, key)).await? else {
            return Ok(None);
        };
        if let Some(source) = open_content(state, bucket, key, &object.content).await? {
            return Ok(Some((object, source)));
        }
    }
    Err(Error::Contended)
}

/// Finds an object, and its parts if it has several, without opening its bytes.
pub async fn find(
    state: &State,
    bucket: &str,
    key: &str,
) -> Result<Option<(Object, Option<Manifest>)>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(object) = OBJECTS.get(&*state.store, (bucket, key)).await? else {
            return Ok(None);
        };
        let Content::Parts(id) = &object.content else {
            return Ok(Some((object, None)));
        };
        if let Some(manifest) = MANIFESTS.get(&*state.store, id).await? {
            return Ok(Some((object, Some(manifest))));
        }
    }
    Err(Error::Contended)
}

/// `None` when the object has been replaced meanwhile.
async fn open_content(
    state: &State,
    bucket: &str,
    key: &str,
    content: &Content,
) -> Result<Option<Source>, Error> {
    match content {
        Content::Empty => Ok(Some(Source::Held(Bytes::new()))),
        Content::Inline(id) => Ok(records::get_inline(&*state.store, id)
            .await?
            .map(Source::Held)),
        Content::Blob(id) => match state.blobs.open(id).await {
            Ok(reader) => Ok(Some(Source::Blob(Arc::from(reader)))),
            Err(error @ StoreError::BlobMissing { .. }) => still_has(state, bucket, key, content)
                .await?
                .map_or(Ok(None), |()| Err(Error::Store(error))),
            Err(error) => Err(error.into()),
        },
        Content::Parts(id) => {
            let pin = state.pins.pin(id);
            let Some(manifest) = MANIFESTS.get(&*state.store, id).await? else {
                return Ok(None);
            };
            let source = Source::Parts(Parts {
                blobs: Arc::clone(&state.blobs),
                manifest,
                _pin: pin,
            });
            Ok(still_has(state, bucket, key, content)
                .await?
                .map(|()| source))
        }
    }
}

async fn still_has(
    state: &State,
    bucket: &str,
    key: &str,
    content: &Content,
) -> Result<Option<()>, Error> {
    let now = OBJECTS.get(&*state.store, (bucket, key)).await?;
    Ok(now.filter(|object| object.content == *content).map(|_| ()))
}

impl Source {
    /// The parts, of an object that has several.
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Parts(parts) => Some(&parts.manifest),
            _ => None,
        }
    }

    /// The bytes of a range, which must lie within the object.
    pub fn stream(self, range: Range<u64>) -> ByteStream {
        match self {
            Self::Held(bytes) => {
                let slice = bytes.slice(range.start as usize..range.end as usize);
                if slice.is_empty() {
                    return stream::empty().boxed();
                }
                stream::iter([Ok(slice)]).boxed()
            }
            Self::Blob(reader) => blob_stream(reader, range).boxed(),
            Self::Parts(parts) => parts.stream(range).boxed(),
        }
    }
}

fn blob_stream(
    reader: Arc<dyn BlobReader>,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    stream::try_unfold((reader, range), |(reader, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let end = range.end.min(range.start + CHUNK);
        let chunk = reader.read(range.start..end).await?;
        if chunk.is_empty() {
            return Err(StoreError::corrupt("a blob is shorter than its object").into());
        }
        let rest = range.start + chunk.len() as u64..range.end;
        Ok(Some((chunk, (reader, rest))))
    })
}

impl Parts {
    fn stream(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let pieces = pieces(&self.manifest, range);
        stream::try_unfold((self, pieces), |(parts, mut pieces)| async move {
            let Some((blob, range)) = pieces.pop_front() else {
                return Ok::<_, Error>(None);
            };
            let reader = parts.blobs.open(&blob).await?;
            Ok(Some((
                blob_stream(Arc::from(reader), range),
                (parts, pieces),
            )))
        })
        .flat_map(|piece| match piece {
            Ok(stream) => stream.boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        })
    }
}

/// Which bytes of which blobs a range of the whole is.
fn pieces(manifest: &Manifest, range: Range<u64>) -> VecDeque<(BlobId, Range<u64>)> {
    let mut pieces = VecDeque::new();
    let mut start = 0;
    for part in &manifest.parts {
        let end = start + part.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            pieces.push_back((part.blob, from - start..to - start));
        }
        start = end;
    }
    pieces
}
