//! Multipart uploads in progress.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use base::Timestamp;
use store::{Key, Row};

use crate::error::Error;
use crate::records::{PARTS, Part, UPLOADS, Upload};
use crate::state::State;

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
    let row = UPLOADS
        .get_row(&*state.store, (bucket, key, upload_id))
        .await?;
    row.ok_or_else(|| Error::no_such_upload(upload_id))
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
