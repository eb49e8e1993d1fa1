//! The operations, a file each; trivial ones share a file by resource.

mod fields;
mod reading;

pub use fields::check_version;

pub mod abort_multipart_upload;
pub mod acl;
pub mod bucket;
pub mod bucket_policy;
pub mod bucket_tagging;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod create_multipart_upload;
pub mod delete_object;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_objects;
pub mod list_parts;
pub mod notification;
pub mod object_tagging;
pub mod put_object;
pub mod unconfigured;
pub mod upload_part;
