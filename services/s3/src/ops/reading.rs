//! What GetObject and HeadObject have in common: which bytes, and what is said about them.

use std::ops::Range;

use http::{HeaderMap, StatusCode};

use super::fields;
use crate::call::Call;
use crate::domain::condition::Version;
use crate::error::Error;
use crate::records::{Manifest, Object};

/// The bytes a request is answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    /// End exclusive.
    pub range: Range<u64>,
    /// `bytes 0-4/10`, of a part of the object.
    pub content_range: Option<String>,
    pub parts_count: Option<i32>,
}

impl Selection {
    pub fn length(&self) -> i64 {
        (self.range.end - self.range.start) as i64
    }

    pub fn is_whole(&self) -> bool {
        self.content_range.is_none()
    }

    /// A HEAD says 206 too; the wire layer knows that of GET only.
    pub fn status(&self) -> Option<StatusCode> {
        self.content_range
            .is_some()
            .then_some(StatusCode::PARTIAL_CONTENT)
    }
}

/// Judges the conditions and finds the bytes.
///
/// # Errors
/// `PreconditionFailed`, `NotModified`, `InvalidRange`, `InvalidPartNumber`, `InvalidRequest`.
pub fn select(
    call: &Call,
    object: &Object,
    part_number: Option<i32>,
    manifest: Option<&Manifest>,
) -> Result<Selection, Error> {
    let version = Version {
        etag: &object.etag,
        last_modified: object.last_modified,
    };
    call.conditions.check_read(version)?;
    let size = object.size;
    match (part_number, call.range) {
        (Some(_), Some(_)) => Err(Error::invalid_request(
            "Cannot specify both Range header and partNumber query parameter",
        )),
        (Some(number), None) => select_part(number, size, manifest),
        (None, Some(range)) => match range.within(size) {
            Some(range) => Ok(partial(range, size, None)),
            // S3 answers a suffix of an empty object with the empty object.
            None if size == 0 && matches!(range, crate::domain::range::ByteRange::Last(1..)) => {
                Ok(whole(0))
            }
            None => Err(Error::new(
                "InvalidRange",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The requested range is not satisfiable",
            )
            .with("RangeRequested", range.to_string())
            .with("ActualObjectSize", size.to_string())),
        },
        (None, None) => Ok(whole(size)),
    }
}

fn whole(size: u64) -> Selection {
    Selection {
        range: 0..size,
        content_range: None,
        parts_count: None,
    }
}

fn partial(range: Range<u64>, size: u64, parts_count: Option<i32>) -> Selection {
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    Selection {
        range,
        content_range: Some(content_range),
        parts_count,
    }
}

fn select_part(number: i32, size: u64, manifest: Option<&Manifest>) -> Result<Selection, Error> {
    let no_such_part = || {
        Error::new(
            "InvalidPartNumber",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        )
    };
    let number = u32::try_from(number).map_err(|_| no_such_part())?;
    let Some(manifest) = manifest else {
        // An object that was put whole is its own first part.
        if number != 1 {
            return Err(no_such_part());
        }
        return Ok(if size == 0 {
            whole(0)
        } else {
            partial(0..size, size, None)
        });
    };
    let mut start = 0;
    for (at, part) in manifest.parts.iter().enumerate() {
        let end = start + part.size;
        // Parts count from one however they were numbered when they were uploaded.
        if at as u32 + 1 == number {
            let count = manifest.parts.len() as i32;
            return Ok(if start == end {
                whole(size)
            } else {
                partial(start..end, size, Some(count))
            });
        }
        start = end;
    }
    Err(no_such_part())
}

/// The headers the wire layer's types have no member for, or not as text.
pub fn headers(object: &Object) -> HeaderMap {
    let mut headers = HeaderMap::new();
    fields::add_header(
        &mut headers,
        "expires",
        object.attributes.headers.expires.as_deref(),
    );
    let tags = object.attributes.tags.len();
    if tags > 0 {
        fields::add_header(&mut headers, "x-amz-tagging-count", Some(&tags.to_string()));
    }
    headers
}

/// The type of an object whose maker named none.
pub const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";
