//! Gives the bytes of an object out, a chunk at a time.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin as StdPin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use store::{BlobReader, Blobs, StoreError};

use super::pins::Pin;
use super::seal::{Keys, Opener};
use crate::domain::encryption::CustomerKey;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::records::{self, Content, MANIFESTS, Manifest, Object};
use crate::state::State;
use crate::versions;

pub type ByteStream = StdPin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// Most bytes asked of a blob at once.
const CHUNK: u64 = 256 * 1024;
/// Reads of one blob under way at once.
const AHEAD: usize = 2;
/// How often an object may be replaced between finding it and opening its bytes.
const MAX_ATTEMPTS: usize = 100;

/// The bytes of one object, safe from its replacement.
pub enum Source {
    Held(Bytes),
    Blob(Opened),
    Parts(Parts),
}

/// Blobs one after the other, opened when their turn comes.
pub struct Parts {
    blobs: Arc<dyn Blobs>,
    manifest: Manifest,
    keys: Keys,
    _pin: Pin,
}

/// An open blob, and what opens its bytes if they are encrypted.
#[derive(Clone)]
pub struct Opened {
    reader: Arc<dyn BlobReader>,
    opener: Option<Opener>,
}

/// Finds an object and opens its bytes.
///
/// # Errors
/// As [`versions::find`].
pub async fn open(state: &State, wanted: Wanted<'_>) -> Result<(Object, Source), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let object = wanted.find(state).await?;
        wanted.check_key(&object)?;
        if let Some(source) = open_content(state, wanted, &object).await? {
            return Ok((object, source));
        }
    }
    Err(Error::Contended)
}

/// Finds an object, and its parts if it has several, without opening its bytes.
///
/// # Errors
/// As [`versions::find`].
pub async fn find(state: &State, wanted: Wanted<'_>) -> Result<(Object, Option<Manifest>), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let object = wanted.find(state).await?;
        wanted.check_key(&object)?;
        let Content::Parts(id) = &object.content else {
            return Ok((object, None));
        };
        if let Some(manifest) = MANIFESTS.get(&*state.store, id).await? {
            return Ok((object, Some(manifest)));
        }
    }
    Err(Error::Contended)
}

/// The object that is looked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub version: Option<&'a VersionId>,
    /// The client's own key, if it sends one.
    pub customer_key: Option<&'a CustomerKey>,
}

impl Wanted<'_> {
    async fn find(self, state: &State) -> Result<Object, Error> {
        versions::find(&*state.store, self.bucket, self.key, self.version).await
    }

    /// The client's own key must come with what is encrypted by it, and with nothing else.
    fn check_key(self, object: &Object) -> Result<(), Error> {
        let recorded = object.attributes.customer_key_md5.as_deref();
        match (recorded, self.customer_key) {
            (None, None) => Ok(()),
            (Some(md5), Some(key)) if key.md5 == md5 => Ok(()),
            (Some(_), Some(_)) => Err(Error::access_denied()),
            (Some(_), None) => Err(Error::invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct \
                 parameters must be provided to retrieve the object.",
            )),
            (None, Some(_)) => Err(Error::invalid_request(
                "The encryption parameters are not applicable to this object.",
            )),
        }
    }

    fn keys(self, state: &State) -> Keys {
        state.keys(self.customer_key)
    }

    async fn still_has(self, state: &State, content: &Content) -> Result<bool, Error> {
        match self.find(state).await {
            Ok(object) => Ok(object.content == *content),
            Err(Error::Client(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// `None` when the object has been replaced meanwhile.
async fn open_content(
    state: &State,
    wanted: Wanted<'_>,
    object: &Object,
) -> Result<Option<Source>, Error> {
    let content = &object.content;
    let opener = match &object.sealed {
        Some(sealed) => Some(wanted.keys(state).opener(sealed, object.size)?),
        None => None,
    };
    match content {
        Content::Empty => Ok(Some(Source::Held(Bytes::new()))),
        Content::Inline(id) => {
            let held = records::get_inline(&*state.store, id).await?;
            let opened = held.map(|held| match &opener {
                Some(opener) => opener.whole(&held),
                None => Ok(held),
            });
            Ok(opened.transpose()?.map(Source::Held))
        }
        Content::Blob(id) => match state.blobs.open(id).await {
            Ok(reader) => Ok(Some(Source::Blob(Opened {
                reader: Arc::from(reader),
                opener,
            }))),
            Err(error @ StoreError::BlobMissing { .. }) => {
                if wanted.still_has(state, content).await? {
                    return Err(error.into());
                }
                Ok(None)
            }
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
                keys: wanted.keys(state),
                _pin: pin,
            });
            Ok(wanted.still_has(state, content).await?.then_some(source))
        }
    }
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
            Self::Blob(blob) => blob_stream(blob, range),
            Self::Parts(parts) => parts.stream(range).boxed(),
        }
    }
}

fn blob_stream(blob: Opened, range: Range<u64>) -> ByteStream {
    let Opened { reader, opener } = blob;
    match opener {
        Some(opener) => sealed_stream(reader, opener, range).boxed(),
        None => plain_stream(reader, range).boxed(),
    }
}

/// While one chunk is sent, the next one is read.
fn plain_stream(
    reader: Arc<dyn BlobReader>,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let end = range.end;
    let starts = range.step_by(CHUNK as usize);
    stream::iter(starts)
        .map(move |start| {
            let reader = Arc::clone(&reader);
            async move { read_whole(&*reader, start..end.min(start + CHUNK)).await }
        })
        .buffered(AHEAD)
        .flat_map(|read| match read {
            Ok(chunks) => stream::iter(chunks.into_iter().map(Ok)).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        })
}

async fn read_whole(reader: &dyn BlobReader, range: Range<u64>) -> Result<Vec<Bytes>, Error> {
    let (mut chunks, mut start) = (Vec::new(), range.start);
    while start < range.end {
        let chunk = reader.read(start..range.end).await?;
        if chunk.is_empty() {
            return Err(too_short());
        }
        start += chunk.len() as u64;
        chunks.push(chunk);
    }
    Ok(chunks)
}

fn sealed_stream(
    reader: Arc<dyn BlobReader>,
    opener: Opener,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let begin = (reader, opener, range);
    stream::try_unfold(begin, |(reader, opener, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let chunk = opener.read(&*reader, range.clone()).await?;
        if chunk.is_empty() {
            return Err(too_short());
        }
        let rest = range.start + chunk.len() as u64..range.end;
        Ok(Some((chunk, (reader, opener, rest))))
    })
}

fn too_short() -> Error {
    StoreError::corrupt("a blob is shorter than its object").into()
}

impl Parts {
    async fn open(&self, at: usize) -> Result<Opened, Error> {
        let part = &self.manifest.parts[at];
        let opener = match &part.sealed {
            Some(sealed) => Some(self.keys.opener(sealed, part.size)?),
            None => None,
        };
        let reader = Arc::from(self.blobs.open(&part.blob).await?);
        Ok(Opened { reader, opener })
    }

    fn stream(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        let pieces = pieces(&self.manifest, range);
        stream::try_unfold((self, pieces), |(parts, mut pieces)| async move {
            let Some((at, range)) = pieces.pop_front() else {
                return Ok::<_, Error>(None);
            };
            let blob = parts.open(at).await?;
            Ok(Some((blob_stream(blob, range), (parts, pieces))))
        })
        .flat_map(|piece| match piece {
            Ok(stream) => stream.boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        })
    }
}

/// Which bytes of which parts a range of the whole is.
fn pieces(manifest: &Manifest, range: Range<u64>) -> VecDeque<(usize, Range<u64>)> {
    let mut pieces = VecDeque::new();
    let mut start = 0;
    for (at, part) in manifest.parts.iter().enumerate() {
        let end = start + part.size;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            pieces.push_back((at, from - start..to - start));
        }
        start = end;
    }
    pieces
}
