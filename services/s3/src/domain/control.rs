//! Which requests are S3 Control's: an API of its own beside S3's, signed for as S3.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html>

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use service::Access;

/// Every request names the account.
pub const ACCOUNT: &str = "x-amz-account-id";
const PREFIX: &str = "/v20180820/";
const TAGS: &str = "/v20180820/tags/";

/// Whether a request is S3 Control's. One to a bucket of S3's has no header that names an account.
pub fn is_meant(request: &Parts) -> bool {
    request.headers.contains_key(ACCOUNT) && request.uri.path().starts_with(PREFIX)
}

/// The ARN of the resource whose tags a request is about.
pub fn tagged(request: &Parts) -> Option<String> {
    let arn = request.uri.path().strip_prefix(TAGS)?;
    Some(percent_decode_str(arn).decode_utf8_lossy().into_owned())
}

/// The bucket that an ARN names, alone or with its region and account.
pub fn bucket(arn: &str) -> Option<&str> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    let bucket = resource.strip_prefix("bucket/").unwrap_or(resource);
    let is_name = !bucket.is_empty() && !bucket.contains('/');
    is_name.then_some(bucket)
}

/// What a request asks for, in IAM's terms.
pub fn access(request: &Parts) -> Access {
    let action = match request.method {
        Method::GET => "s3:ListTagsForResource",
        Method::DELETE => "s3:UntagResource",
        _ => "s3:TagResource",
    };
    let arn = tagged(request);
    let bucket = arn.as_deref().and_then(bucket);
    Access {
        action: action.to_owned(),
        resource: bucket.map_or_else(|| "*".to_owned(), |name| format!("arn:aws:s3:::{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_buckets() {
        for (arn, expected) in [
            ("arn:aws:s3:::b-1", Some("b-1")),
            ("arn:aws:s3:us-east-1:000000000000:bucket/b-1", Some("b-1")),
            ("arn:aws:s3:us-east-1:000000000000:accesspoint/a", None),
            ("arn:aws:s3:::b-1/key", None),
            ("arn:aws:s3:::", None),
            ("b-1", None),
        ] {
            assert_eq!(bucket(arn), expected, "{arn}");
        }
    }
}
