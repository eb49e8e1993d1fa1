//! CompleteMultipartUpload once more: a client that missed the answer asks again, and S3 answers as it
//! did.
//!
//! The object remembers the upload that it was. So the answer is there for as long as the object or
//! version is, and nothing has to be kept beside it.

use store::Key;

use super::complete_multipart_upload::{AskedPart, composite_etag};
use crate::error::Error;
use crate::records::{Content, MANIFESTS, OBJECTS, Object, VERSIONS, Version};
use crate::state::State;

/// Versions of a key read at once.
const PAGE: usize = 100;

/// The object that these parts of this upload have become.
pub async fn find(
    state: &State,
    bucket: &str,
    key: &str,
    upload_id: &str,
    parts: &[AskedPart],
) -> Result<Option<Object>, Error> {
    let Some(object) = made_of(state, bucket, key, upload_id).await? else {
        return Ok(None);
    };
    let Content::Parts(content) = &object.content else {
        return Ok(None);
    };
    let Some(manifest) = MANIFESTS.get(&*state.store, content).await? else {
        return Ok(None);
    };
    let numbers = manifest.parts.iter().map(|part| part.number);
    let same = numbers.eq(parts.iter().map(|part| part.number))
        && composite_etag(parts.iter().map(|part| part.etag.as_str())).as_ref()
            == Some(&object.etag);
    Ok(same.then_some(object))
}

/// The object that an upload has become, whatever it was completed with.
async fn made_of(
    state: &State,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Option<Object>, Error> {
    let is_it = |object: &Object| object.upload.as_deref() == Some(upload_id);
    let current = OBJECTS.get(&*state.store, (bucket, key)).await?;
    if let Some(object) = current.filter(is_it) {
        return Ok(Some(object));
    }
    let mut after: Option<Key> = None;
    loop {
        let page = VERSIONS
            .scan(&*state.store, (bucket, key), after.as_ref(), PAGE)
            .await?;
        let found = page.rows.into_iter().find_map(|row| match row.value {
            Version::Object(object) if is_it(&object) => Some(*object),
            _ => None,
        });
        after = page.next;
        if found.is_some() || after.is_none() {
            return Ok(found);
        }
    }
}
