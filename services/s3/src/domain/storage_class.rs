//! Storage classes are recorded and reported; they change nothing else here.

use crate::error::Error;

const KNOWN: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

/// What is recorded for a requested class: nothing for STANDARD.
///
/// # Errors
/// `InvalidStorageClass` for a class S3 does not have; NotImplemented for the archive classes,
/// whose objects S3 would refuse to read before a restore.
pub fn check(requested: Option<&str>) -> Result<Option<String>, Error> {
    match requested {
        None | Some("STANDARD") => Ok(None),
        Some(class @ ("GLACIER" | "DEEP_ARCHIVE")) => {
            Err(Error::not_implemented(format!("the storage class {class}")))
        }
        Some(class) if KNOWN.contains(&class) => Ok(Some(class.to_owned())),
        Some(class) => Err(Error::bad_request(
            "InvalidStorageClass",
            "The storage class you specified is not valid",
        )
        .with("StorageClassRequested", class)),
    }
}
