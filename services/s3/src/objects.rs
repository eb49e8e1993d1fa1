//! Making an object of bytes that are kept, and naming it.

use std::sync::Arc;

use base::Timestamp;

use crate::call::Call;
use crate::commit::{self, Action, Change, Committed, Payload};
use crate::content::{self, Stored, Written};
use crate::domain::notification::EventKind;
use crate::error::Error;
use crate::records::{Attributes, Content, Object};
use crate::state::State;

/// An object with its bytes, not yet visible.
#[derive(Clone, Debug)]
pub struct Draft {
    pub object: Object,
    payload: Payload,
}

/// A fresh content id.
pub fn new_content_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

impl Draft {
    pub fn new(written: Written, attributes: Attributes) -> Self {
        let (content, payload) = match written.stored {
            Stored::Empty => (Content::Empty, Payload::None),
            Stored::Inline(bytes) => (Content::Inline(new_content_id()), Payload::Inline(bytes)),
            Stored::Blob(id) => (Content::Blob(id), Payload::Blob(id)),
        };
        let object = Object {
            content,
            size: written.size,
            etag: written.etag,
            last_modified: Timestamp::from_millis(0),
            attributes,
            checksum: Some(written.checksum),
            parts: None,
            sealed: written.sealed,
            version_id: None,
            order: 0,
            upload: None,
        };
        Self { object, payload }
    }
}

/// Makes a draft the object of its key. A draft that is refused leaves nothing.
///
/// # Errors
/// As [`commit::apply`].
pub async fn put(
    state: &Arc<State>,
    call: &Arc<Call>,
    bucket: &str,
    key: &str,
    draft: Draft,
    kind: EventKind,
) -> Result<Committed, Error> {
    let stored = match &draft.payload {
        Payload::Blob(id) => Some(Stored::Blob(*id)),
        _ => None,
    };
    let action = Action::Put {
        object: Box::new(draft.object),
        payload: draft.payload,
        conditions: call.conditions.clone(),
        kind,
    };
    let change = Change {
        key: key.to_owned(),
        action,
    };
    let outcome = commit::apply(state, call, bucket, change, None).await;
    // After a failure of the store the outcome is not known, so the blob must stay.
    if let (Err(Error::Client(_) | Error::Contended), Some(stored)) = (&outcome, stored) {
        content::discard(&*state.blobs, &stored).await;
    }
    outcome
}
