//! The operations, a file each; trivial ones share a file by resource.

pub mod fields;
mod reading;

pub mod abort_multipart_upload;
pub mod acl;
pub mod bucket;
pub mod bucket_encryption;
pub mod bucket_policy;
pub mod bucket_tagging;
pub mod complete_multipart_upload;
pub mod copy_object;
pub mod cors;
pub mod create_multipart_upload;
pub mod delete_object;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
pub mod kept;
pub mod lifecycle;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod list_parts;
pub mod notification;
pub mod object_lock;
pub mod object_tagging;
pub mod ownership_controls;
pub mod public_access_block;
pub mod put_object;
mod repeated_completion;
pub mod reports;
pub mod upload_part;
pub mod versioning;
pub mod website;
