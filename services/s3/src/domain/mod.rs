//! Rules of S3 that need no IO.

pub mod access;
pub mod acl;
pub mod bucket_name;
pub mod checksum;
pub mod condition;
pub mod control;
pub mod cors;
pub mod encryption;
pub mod event;
pub mod lifecycle;
pub mod lifecycle_check;
pub mod lock;
pub mod md5;
pub mod notification;
pub mod object_key;
pub mod overlap;
pub mod page_token;
pub mod public_policy;
pub mod range;
pub mod roll_up;
pub mod storage_class;
pub mod tags;
pub mod unserved;
pub mod url_encoding;
pub mod version_id;
pub mod website;
