//! What a request asks for, in IAM's terms.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use service::Access;

/// The action on a bucket for a sub-resource of it: (query key, GET, PUT, DELETE).
const BUCKET_SUBRESOURCES: &[(&str, &str, &str, &str)] = &[
    (
        "accelerate",
        "GetAccelerateConfiguration",
        "PutAccelerateConfiguration",
        "",
    ),
    ("acl", "GetBucketAcl", "PutBucketAcl", ""),
    (
        "analytics",
        "GetAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
        "PutAnalyticsConfiguration",
    ),
    ("cors", "GetBucketCORS", "PutBucketCORS", "PutBucketCORS"),
    (
        "encryption",
        "GetEncryptionConfiguration",
        "PutEncryptionConfiguration",
        "PutEncryptionConfiguration",
    ),
    (
        "intelligent-tiering",
        "GetIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
        "PutIntelligentTieringConfiguration",
    ),
    (
        "inventory",
        "GetInventoryConfiguration",
        "PutInventoryConfiguration",
        "PutInventoryConfiguration",
    ),
    (
        "lifecycle",
        "GetLifecycleConfiguration",
        "PutLifecycleConfiguration",
        "PutLifecycleConfiguration",
    ),
    ("location", "GetBucketLocation", "", ""),
    ("logging", "GetBucketLogging", "PutBucketLogging", ""),
    (
        "metrics",
        "GetMetricsConfiguration",
        "PutMetricsConfiguration",
        "PutMetricsConfiguration",
    ),
    (
        "notification",
        "GetBucketNotification",
        "PutBucketNotification",
        "",
    ),
    (
        "object-lock",
        "GetBucketObjectLockConfiguration",
        "PutBucketObjectLockConfiguration",
        "",
    ),
    (
        "ownershipControls",
        "GetBucketOwnershipControls",
        "PutBucketOwnershipControls",
        "PutBucketOwnershipControls",
    ),
    (
        "policy",
        "GetBucketPolicy",
        "PutBucketPolicy",
        "DeleteBucketPolicy",
    ),
    ("policyStatus", "GetBucketPolicyStatus", "", ""),
    (
        "publicAccessBlock",
        "GetBucketPublicAccessBlock",
        "PutBucketPublicAccessBlock",
        "PutBucketPublicAccessBlock",
    ),
    (
        "replication",
        "GetReplicationConfiguration",
        "PutReplicationConfiguration",
        "PutReplicationConfiguration",
    ),
    (
        "requestPayment",
        "GetBucketRequestPayment",
        "PutBucketRequestPayment",
        "",
    ),
    (
        "tagging",
        "GetBucketTagging",
        "PutBucketTagging",
        "PutBucketTagging",
    ),
    (
        "versioning",
        "GetBucketVersioning",
        "PutBucketVersioning",
        "",
    ),
    ("versions", "ListBucketVersions", "", ""),
    ("uploads", "ListBucketMultipartUploads", "", ""),
    (
        "website",
        "GetBucketWebsite",
        "PutBucketWebsite",
        "DeleteBucketWebsite",
    ),
];

/// The same for an object.
const OBJECT_SUBRESOURCES: &[(&str, &str, &str, &str)] = &[
    ("acl", "GetObjectAcl", "PutObjectAcl", ""),
    ("attributes", "GetObjectAttributes", "", ""),
    ("legal-hold", "GetObjectLegalHold", "PutObjectLegalHold", ""),
    ("retention", "GetObjectRetention", "PutObjectRetention", ""),
    (
        "tagging",
        "GetObjectTagging",
        "PutObjectTagging",
        "DeleteObjectTagging",
    ),
    ("torrent", "GetObjectTorrent", "", ""),
    (
        "uploadId",
        "ListMultipartUploadParts",
        "PutObject",
        "AbortMultipartUpload",
    ),
];

/// The action and resource of a path-style request.
///
/// One action a request: a copy is judged by its destination here, and by its source where it is
/// read.
pub fn of(request: &Parts) -> Access {
    let path = percent_decode_str(request.uri.path()).decode_utf8_lossy();
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = request.uri.query().unwrap_or_default();
    let (action, resource) = match (bucket, key) {
        ("", _) => ("ListAllMyBuckets", "*".to_owned()),
        (bucket, "") => {
            let action = on_bucket(&request.method, query);
            let objects = if action == "DeleteObject" { "/*" } else { "" };
            (action, format!("arn:aws:s3:::{bucket}{objects}"))
        }
        (bucket, key) => (
            on_object(&request.method, query),
            format!("arn:aws:s3:::{bucket}/{key}"),
        ),
    };
    Access {
        action: format!("s3:{action}"),
        resource,
    }
}

fn on_bucket(method: &Method, query: &str) -> &'static str {
    if let Some(action) = of_subresource(BUCKET_SUBRESOURCES, method, query) {
        return action;
    }
    match *method {
        Method::PUT => "CreateBucket",
        Method::DELETE => "DeleteBucket",
        Method::POST if has(query, "delete") => "DeleteObject",
        Method::POST => "PutObject",
        _ => "ListBucket",
    }
}

fn on_object(method: &Method, query: &str) -> &'static str {
    if let Some(action) = of_subresource(OBJECT_SUBRESOURCES, method, query) {
        return action;
    }
    match *method {
        Method::POST if has(query, "restore") => "RestoreObject",
        Method::POST if has(query, "select") => "GetObject",
        Method::PUT | Method::POST => "PutObject",
        Method::DELETE if has(query, "versionId") => "DeleteObjectVersion",
        Method::DELETE => "DeleteObject",
        _ if has(query, "versionId") => "GetObjectVersion",
        _ => "GetObject",
    }
}

fn of_subresource(
    table: &[(&str, &'static str, &'static str, &'static str)],
    method: &Method,
    query: &str,
) -> Option<&'static str> {
    let (_, get, put, delete) = table.iter().find(|(name, ..)| has(query, name))?;
    let action = match *method {
        Method::GET => get,
        Method::PUT => put,
        Method::DELETE => delete,
        _ => return None,
    };
    (!action.is_empty()).then_some(*action)
}

fn has(query: &str, name: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair.split('=').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(method: &str, uri: &str) -> (String, String) {
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        let access = of(&request.into_parts().0);
        (access.action, access.resource)
    }

    #[test]
    fn actions_and_resources() {
        for (method, uri, action, resource) in [
            ("GET", "/", "s3:ListAllMyBuckets", "*"),
            ("PUT", "/b", "s3:CreateBucket", "arn:aws:s3:::b"),
            ("HEAD", "/b", "s3:ListBucket", "arn:aws:s3:::b"),
            (
                "GET",
                "/b/?list-type=2&prefix=acl",
                "s3:ListBucket",
                "arn:aws:s3:::b",
            ),
            (
                "PUT",
                "/b?notification",
                "s3:PutBucketNotification",
                "arn:aws:s3:::b",
            ),
            ("POST", "/b?delete", "s3:DeleteObject", "arn:aws:s3:::b/*"),
            ("DELETE", "/b", "s3:DeleteBucket", "arn:aws:s3:::b"),
            ("GET", "/b/k%20y/x", "s3:GetObject", "arn:aws:s3:::b/k y/x"),
            ("HEAD", "/b/k", "s3:GetObject", "arn:aws:s3:::b/k"),
            ("PUT", "/b/k", "s3:PutObject", "arn:aws:s3:::b/k"),
            (
                "PUT",
                "/b/k?partNumber=1&uploadId=u",
                "s3:PutObject",
                "arn:aws:s3:::b/k",
            ),
            ("POST", "/b/k?uploads", "s3:PutObject", "arn:aws:s3:::b/k"),
            (
                "POST",
                "/b/k?uploadId=u",
                "s3:PutObject",
                "arn:aws:s3:::b/k",
            ),
            (
                "GET",
                "/b/k?uploadId=u",
                "s3:ListMultipartUploadParts",
                "arn:aws:s3:::b/k",
            ),
            (
                "DELETE",
                "/b/k?uploadId=u",
                "s3:AbortMultipartUpload",
                "arn:aws:s3:::b/k",
            ),
            ("DELETE", "/b/k", "s3:DeleteObject", "arn:aws:s3:::b/k"),
            (
                "GET",
                "/b/k?tagging",
                "s3:GetObjectTagging",
                "arn:aws:s3:::b/k",
            ),
        ] {
            let expected = (action.to_owned(), resource.to_owned());
            assert_eq!(access(method, uri), expected, "{method} {uri}");
        }
    }
}
