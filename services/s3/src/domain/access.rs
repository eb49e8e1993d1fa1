//! What a request asks for, in IAM's terms.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use service::Access;

use super::control;

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
    if control::is_meant(request) {
        return control::access(request);
    }
    let path = percent_decode_str(request.uri.path()).decode_utf8_lossy();
    if let Some(page) = path.strip_prefix("/_aws/s3-website/") {
        return Access {
            action: "s3:GetObject".to_owned(),
            resource: format!("arn:aws:s3:::{page}"),
        };
    }
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

/// What a request asks for beside [`of`], by its headers: to read what it copies, to give its object
/// an ACL, tags or a lock, to get around a retention.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_RequestSyntax>
pub fn also(request: &Parts) -> Vec<Access> {
    const HEADERS: [(&str, &str); 4] = [
        ("x-amz-tagging", "PutObjectTagging"),
        ("x-amz-object-lock-mode", "PutObjectRetention"),
        ("x-amz-object-lock-legal-hold", "PutObjectLegalHold"),
        (
            "x-amz-bypass-governance-retention",
            "BypassGovernanceRetention",
        ),
    ];
    let main = of(request);
    let text = |name: &str| request.headers.get(name)?.to_str().ok();
    let mut also: Vec<Access> = HEADERS
        .iter()
        .filter(|(header, _)| text(header).is_some_and(|value| value != "false"))
        .map(|(_, action)| Access {
            action: format!("s3:{action}"),
            resource: main.resource.clone(),
        })
        .collect();
    let has_acl = request
        .headers
        .keys()
        .any(|name| name == "x-amz-acl" || name.as_str().starts_with("x-amz-grant-"));
    if has_acl && main.action == "s3:PutObject" {
        also.push(Access {
            action: "s3:PutObjectAcl".to_owned(),
            resource: main.resource,
        });
    }
    also.extend(text("x-amz-copy-source").map(of_source));
    also
}

fn of_source(source: &str) -> Access {
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let action = if has(query, "versionId") {
        "s3:GetObjectVersion"
    } else {
        "s3:GetObject"
    };
    Access {
        action: action.to_owned(),
        resource: format!("arn:aws:s3:::{}", path.trim_start_matches('/')),
    }
}

/// The condition keys that a request has of S3's own.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>
pub fn condition_keys(request: &Parts) -> Vec<(&'static str, String)> {
    const PARAMETERS: [(&str, &str); 4] = [
        ("prefix", "s3:prefix"),
        ("delimiter", "s3:delimiter"),
        ("max-keys", "s3:max-keys"),
        ("versionId", "s3:VersionId"),
    ];
    const HEADERS: [&str; 7] = [
        "s3:x-amz-acl",
        "s3:x-amz-copy-source",
        "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "s3:x-amz-storage-class",
        "s3:x-amz-content-sha256",
    ];
    let query = request.uri.query().unwrap_or_default();
    let parameters = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let (_, key) = PARAMETERS
            .iter()
            .find(|(parameter, _)| *parameter == name)?;
        let value = percent_decode_str(&value.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned();
        Some((*key, value))
    });
    let headers = HEADERS.iter().filter_map(|key| {
        let name = key.strip_prefix("s3:")?;
        let value = request.headers.get(name)?.to_str().ok()?;
        Some((*key, value.to_owned()))
    });
    parameters.chain(headers).collect()
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

/// The actions on one version of an object that have names of their own.
const OF_VERSIONS: [(&str, &str); 6] = [
    ("GetObjectAcl", "GetObjectVersionAcl"),
    ("PutObjectAcl", "PutObjectVersionAcl"),
    ("GetObjectTagging", "GetObjectVersionTagging"),
    ("PutObjectTagging", "PutObjectVersionTagging"),
    ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    ("GetObjectAttributes", "GetObjectVersionAttributes"),
];

fn on_object(method: &Method, query: &str) -> &'static str {
    let action = on_current(method, query);
    let of_version = OF_VERSIONS.iter().find(|(plain, _)| *plain == action);
    match of_version.filter(|_| has(query, "versionId")) {
        Some((_, of_version)) => of_version,
        None => action,
    }
}

fn on_current(method: &Method, query: &str) -> &'static str {
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
    fn headers_ask_for_more() {
        let request = http::Request::builder().method("PUT").uri("/b/k");
        let request = request
            .header("x-amz-acl", "private")
            .header("x-amz-tagging", "a=b")
            .header("x-amz-bypass-governance-retention", "false")
            .header("x-amz-copy-source", "/other/a%20b?versionId=v");
        let asked = also(&request.body(()).unwrap().into_parts().0);
        let asked: Vec<_> = asked
            .iter()
            .map(|access| (access.action.as_str(), access.resource.as_str()))
            .collect();
        assert_eq!(
            asked,
            [
                ("s3:PutObjectTagging", "arn:aws:s3:::b/k"),
                ("s3:PutObjectAcl", "arn:aws:s3:::b/k"),
                ("s3:GetObjectVersion", "arn:aws:s3:::other/a b"),
            ]
        );
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
            (
                "PUT",
                "/b/k?tagging&versionId=v",
                "s3:PutObjectVersionTagging",
                "arn:aws:s3:::b/k",
            ),
            (
                "DELETE",
                "/b/k?versionId=v",
                "s3:DeleteObjectVersion",
                "arn:aws:s3:::b/k",
            ),
        ] {
            let expected = (action.to_owned(), resource.to_owned());
            assert_eq!(access(method, uri), expected, "{method} {uri}");
        }
    }
}
