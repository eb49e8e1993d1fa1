//! Multipart uploads in progress.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use std::collections::HashSet;

use base::Timestamp;
use store::{Batch, Key, Row, StoreError};

use crate::error::Error;
use crate::records::{self, PARTS, Part, UPLOADS, Upload};
use crate::state::State;

/// Records read at once when sweeping.
const PAGE: usize = 500;
/// Part numbers are 1 to this.
pub const MAX_PART_NUMBER: u32 = 10_000;

/// A fresh upload id: ids of one key sort by the time their uploads began.
pub fn new_id(now: Timestamp) -> String {
    format!("{:012x}{}", now.millis(), uuid::Uuid::new_v4().simple())
}

/// # Errors
/// `NoSuchUpload`.
pub async fn find(
    state: &State,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Row<Upload>, Error> {
    let row = get(state, bucket, key, upload_id).await?;
    row.ok_or_else(|| Error::no_such_upload(upload_id))
}

/// An upload, unless it is over or never began.
pub async fn get(
    state: &State,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Option<Row<Upload>>, StoreError> {
    UPLOADS
        .get_row(&*state.store, (bucket, key, upload_id))
        .await
}

/// The parts of an upload after a number, in order.
pub async fn parts(
    state: &State,
    bucket: &str,
    upload_id: &str,
    after: u32,
    limit: usize,
) -> Result<(Vec<(u32, Row<Part>)>, bool), Error> {
    let after = Key::of((bucket, upload_id, u64::from(after)));
    let page = PARTS
        .scan(&*state.store, (bucket, upload_id), Some(&after), limit)
        .await?;
    let more = page.next.is_some();
    let mut parts = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        let mut reader = row.key.reader();
        reader.text()?;
        reader.text()?;
        parts.push((reader.u64()? as u32, row));
    }
    Ok((parts, more))
}

/// Ends an upload that will not be completed, with all its parts.
///
/// # Errors
/// `NoSuchUpload` when somebody else ended it first.
pub async fn abort(
    state: &State,
    bucket: &str,
    upload: Row<Upload>,
    upload_id: &str,
) -> Result<(), Error> {
    let mut batch = Batch::new();
    UPLOADS.expect_unchanged(&mut batch, &upload);
    UPLOADS.delete(&mut batch, &upload.key);
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => return Err(Error::no_such_upload(upload_id)),
        outcome => outcome?,
    }
    // With the upload gone no part can be added, so these are all there will ever be. What a crash
    // leaves here is swept at the next start.
    Ok(forget_parts(state, Key::of((bucket, upload_id))).await?)
}

/// Forgets parts whose uploads are gone.
pub async fn forget_parts(state: &State, within: Key) -> Result<(), StoreError> {
    let all = usize::MAX - 1;
    let parts = PARTS.scan(&*state.store, &within, None, all).await?;
    let blobs: Vec<_> = parts.rows.into_iter().map(|row| row.value.blob).collect();
    let mut batch = Batch::new();
    PARTS.delete_prefix(&mut batch, &within);
    records::forget_blobs(&mut batch, &blobs);
    state.store.commit(batch).await?;
    state.pins.delete(blobs);
    Ok(())
}

/// Forgets the parts that a crash left behind when their uploads had ended.
pub async fn sweep(state: &State) -> Result<(), StoreError> {
    let mut uploads = HashSet::new();
    let mut after = None;
    loop {
        let page = UPLOADS
            .scan(&*state.store, (), after.as_ref(), PAGE)
            .await?;
        for row in &page.rows {
            let mut parts = row.key.reader();
            let (bucket, _, id) = (parts.text()?, parts.text()?, parts.text()?);
            uploads.insert((bucket, id));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = PARTS.scan(&*state.store, (), after.as_ref(), PAGE).await?;
        let mut left: Option<(String, String)> = None;
        for row in &page.rows {
            let mut parts = row.key.reader();
            let of = (parts.text()?, parts.text()?);
            if left.as_ref() != Some(&of) && !uploads.contains(&of) {
                forget_parts(state, Key::of((of.0.as_str(), of.1.as_str()))).await?;
                left = Some(of);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// # Errors
/// `InvalidArgument` unless it is 1 to 10,000.
pub fn check_part_number(number: i32) -> Result<u32, Error> {
    match u32::try_from(number) {
        Ok(number @ 1..=MAX_PART_NUMBER) => Ok(number),
        _ => Err(Error::invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive",
            "partNumber",
            &number.to_string(),
        )),
    }
}
