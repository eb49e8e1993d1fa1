//! Where a request says the code comes from.

use std::path::PathBuf;

use bytes::Bytes;
use service::ServiceError;

use crate::error;

/// Largest package in a request, in bytes.
pub const MAX_ZIPPED: usize = 50 << 20;
/// Largest request that holds one, as Lambda's message has it.
const MAX_REQUEST: usize = 70_167_211;
/// S3 objects in this bucket are folders of this machine, as in LocalStack.
/// <https://docs.localstack.cloud/aws/tooling/lambda-tools/hot-reloading/>
const HOT_RELOAD_BUCKET: &str = "hot-reload";

/// Exactly one of the places code can come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeSource {
    Zip(Bytes),
    S3 {
        bucket: String,
        key: String,
        version: Option<String>,
    },
    HotReload(PathBuf),
    /// A container image, by its name.
    Image(String),
}

/// The members of a request that say so.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub zip_file: Option<Bytes>,
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
    pub image_uri: Option<String>,
}

impl CodeSource {
    /// Reads them. `hot_reload` says whether folders of this machine may be named.
    pub fn of(given: Given, operation: &str, hot_reload: bool) -> Result<Self, ServiceError> {
        if let Some(uri) = given.image_uri {
            let has_more = given.zip_file.is_some()
                || given.s3_bucket.is_some()
                || given.s3_key.is_some()
                || given.s3_object_version.is_some();
            return if has_more {
                Err(error::invalid_parameter(
                    "Please do not provide other FunctionCode parameters when providing an \
                     ImageUri.",
                ))
            } else {
                Ok(Self::Image(uri))
            };
        }
        match (given.zip_file, given.s3_bucket, given.s3_key) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(error::invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            )),
            (Some(zip), None, None) => Self::zip(zip, operation),
            (None, Some(bucket), Some(key)) if bucket == HOT_RELOAD_BUCKET && hot_reload => {
                Self::folder(&key)
            }
            (None, Some(bucket), Some(key)) => Ok(Self::S3 {
                bucket,
                key,
                version: given.s3_object_version,
            }),
            _ => Err(error::invalid_parameter(
                "Please provide a source for function code.",
            )),
        }
    }

    /// Refuses code of another kind than the function's package type.
    pub fn check_kind(&self, is_image: bool, verb: &str) -> Result<(), ServiceError> {
        match (self, is_image) {
            (Self::Image(_), false) => Err(error::invalid_parameter(format!(
                "Please don't provide ImageUri when {verb} a function with packageType Zip."
            ))),
            (Self::Image(_), true) | (_, false) => Ok(()),
            (_, true) => Err(error::invalid_parameter(format!(
                "Please provide ImageUri when {verb} a function with packageType Image."
            ))),
        }
    }

    fn zip(zip: Bytes, operation: &str) -> Result<Self, ServiceError> {
        if zip.len() > MAX_ZIPPED {
            return Err(error::request_too_large(MAX_REQUEST, operation));
        }
        if zip.is_empty() {
            return Err(empty_zip());
        }
        Ok(Self::Zip(zip))
    }

    fn folder(key: &str) -> Result<Self, ServiceError> {
        let folder = PathBuf::from(key);
        if !folder.is_absolute() {
            return Err(error::invalid_parameter(format!(
                "The S3Key of a function in the bucket {HOT_RELOAD_BUCKET} is the absolute path \
                 of a folder on this machine, not {key}."
            )));
        }
        Ok(Self::HotReload(folder))
    }
}

pub fn empty_zip() -> ServiceError {
    error::invalid_parameter("Uploaded file must be a non-empty zip")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(bucket: &str, key: &str) -> Given {
        Given {
            s3_bucket: Some(bucket.to_owned()),
            s3_key: Some(key.to_owned()),
            ..Given::default()
        }
    }

    #[test]
    fn exactly_one_source() {
        let zip = Given {
            zip_file: Some(Bytes::from_static(b"PK")),
            ..Given::default()
        };
        let source = CodeSource::of(zip.clone(), "CreateFunction", true).unwrap();
        assert_eq!(source, CodeSource::Zip(Bytes::from_static(b"PK")));
        let both = Given {
            zip_file: zip.zip_file,
            ..s3("b", "k")
        };
        assert!(CodeSource::of(both, "CreateFunction", true).is_err());
        let error = CodeSource::of(Given::default(), "CreateFunction", true).unwrap_err();
        assert_eq!(error.message, "Please provide a source for function code.");
    }

    #[test]
    fn the_hot_reload_bucket_is_a_folder_only_where_that_is_allowed() {
        let of =
            |key: &str, allowed| CodeSource::of(s3("hot-reload", key), "CreateFunction", allowed);
        assert_eq!(
            of("/src/f", true).unwrap(),
            CodeSource::HotReload("/src/f".into())
        );
        assert!(of("src/f", true).is_err());
        assert!(matches!(
            of("/src/f", false).unwrap(),
            CodeSource::S3 { .. }
        ));
    }

    #[test]
    fn a_package_over_50_mb_is_too_large() {
        let given = |length| Given {
            zip_file: Some(Bytes::from(vec![0; length])),
            ..Given::default()
        };
        assert!(CodeSource::of(given(MAX_ZIPPED), "CreateFunction", true).is_ok());
        let error = CodeSource::of(given(MAX_ZIPPED + 1), "CreateFunction", true).unwrap_err();
        assert_eq!(error.status, 413);
        assert_eq!(
            error.message,
            "Request must be smaller than 70167211 bytes for the CreateFunction operation"
        );
    }
}
