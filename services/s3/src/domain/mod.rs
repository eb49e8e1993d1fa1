//! Rules of S3 that need no IO.

pub mod access;
pub mod bucket_name;
pub mod checksum;
pub mod condition;
pub mod event;
pub mod notification;
pub mod object_key;
pub mod overlap;
pub mod page_token;
pub mod range;
pub mod roll_up;
pub mod storage_class;
pub mod tags;
pub mod url_encoding;
