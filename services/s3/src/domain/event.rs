//! The JSON of an event.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html> and,
//! for EventBridge, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>.

use base::{AccountId, Region, Timestamp};
use serde::Serialize;

use super::notification::EventKind;
use super::url_encoding;

/// What happened, to which object.
#[derive(Clone, Debug)]
pub struct Happening {
    pub kind: EventKind,
    pub key: String,
    /// Of a created object, in bytes.
    pub size: Option<u64>,
    /// Of an object that is still there, without quotes.
    pub etag: Option<String>,
    /// None for the version `null`.
    pub version_id: Option<String>,
}

impl Happening {
    /// Of which no more is known.
    pub fn new(kind: EventKind, key: &str) -> Self {
        Self {
            kind,
            key: key.to_owned(),
            size: None,
            etag: None,
            version_id: None,
        }
    }
}

/// The request that made it happen.
#[derive(Clone, Debug)]
pub struct Cause {
    pub at: Timestamp,
    pub principal_id: String,
    /// The account that made the request, or the service.
    pub requester: String,
    pub source_ip: String,
    pub request_id: String,
    pub host_id: String,
    /// `X-Amzn-Trace-Id`, which goes with the event.
    pub trace: Option<String>,
}

/// The bucket it happened in.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub bucket: &'a str,
    pub owner: AccountId,
    pub region: &'a Region,
}

/// Orders the events of one key: compare as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequencer(pub u64);

impl std::fmt::Display for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:018X}", self.0)
    }
}

/// The event as functions and queues get it: one record.
pub fn message(
    happening: &Happening,
    cause: &Cause,
    place: Place<'_>,
    configuration_id: &str,
    sequencer: Sequencer,
) -> String {
    let record = Record {
        event_version: version(happening.kind),
        event_source: "aws:s3",
        aws_region: place.region.as_str(),
        event_time: cause.at.iso8601_millis(),
        event_name: happening.kind.name(),
        user_identity: Identity {
            principal_id: &cause.principal_id,
        },
        request_parameters: RequestParameters {
            source_ip_address: &cause.source_ip,
        },
        response_elements: ResponseElements {
            request_id: &cause.request_id,
            host_id: &cause.host_id,
        },
        s3: S3 {
            schema_version: "1.0",
            configuration_id,
            bucket: Bucket {
                name: place.bucket,
                owner_identity: Identity {
                    principal_id: place.owner.as_str(),
                },
                arn: format!("arn:{}:s3:::{}", place.region.partition(), place.bucket),
            },
            object: Object {
                key: url_encoding::in_event(&happening.key),
                size: happening.size,
                e_tag: happening.etag.as_deref(),
                version_id: happening.version_id.as_deref(),
                sequencer: has_sequencer(happening.kind).then(|| sequencer.to_string()),
            },
        },
    };
    json(&Message { records: [record] })
}

/// Events that S3 had from the beginning are of version 2.1, the later ones of 2.3.
const fn version(kind: EventKind) -> &'static str {
    match kind {
        EventKind::TaggingPut
        | EventKind::TaggingDelete
        | EventKind::AclPut
        | EventKind::Expired
        | EventKind::ExpiredMarker => "2.3",
        _ => "2.1",
    }
}

/// Only what creates or deletes an object has one.
const fn has_sequencer(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::TaggingPut | EventKind::TaggingDelete | EventKind::AclPut
    )
}

/// The message that tells a queue it has been configured as a destination.
pub fn test_message(bucket: &str, cause: &Cause) -> String {
    json(&TestMessage {
        service: "Amazon S3",
        event: "s3:TestEvent",
        time: cause.at.iso8601_millis(),
        bucket,
        request_id: &cause.request_id,
        host_id: &cause.host_id,
    })
}

/// EventBridge's `detail-type`.
pub const fn detail_type(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Put | EventKind::Post | EventKind::Copy | EventKind::CompleteMultipartUpload => {
            "Object Created"
        }
        EventKind::Delete
        | EventKind::DeleteMarkerCreated
        | EventKind::Expired
        | EventKind::ExpiredMarker => "Object Deleted",
        EventKind::AclPut => "Object ACL Updated",
        EventKind::TaggingPut => "Object Tags Added",
        EventKind::TaggingDelete => "Object Tags Deleted",
    }
}

const PERMANENTLY: &str = "Permanently Deleted";
const BY_MARKER: &str = "Delete Marker Created";

/// EventBridge's `detail`. The key is not encoded there.
pub fn detail(
    happening: &Happening,
    cause: &Cause,
    place: Place<'_>,
    sequencer: Sequencer,
) -> String {
    let (reason, deletion_type) = match happening.kind {
        EventKind::Put => (Some("PutObject"), None),
        EventKind::Copy => (Some("CopyObject"), None),
        EventKind::CompleteMultipartUpload => (Some("CompleteMultipartUpload"), None),
        EventKind::Post => (Some("POST Object"), None),
        EventKind::Delete => (Some("DeleteObject"), Some(PERMANENTLY)),
        EventKind::DeleteMarkerCreated => (Some("DeleteObject"), Some(BY_MARKER)),
        EventKind::Expired => (Some("Lifecycle Expiration"), Some(PERMANENTLY)),
        EventKind::ExpiredMarker => (Some("Lifecycle Expiration"), Some(BY_MARKER)),
        EventKind::TaggingPut | EventKind::TaggingDelete | EventKind::AclPut => (None, None),
    };
    json(&Detail {
        version: "0",
        bucket: DetailBucket { name: place.bucket },
        object: DetailObject {
            key: &happening.key,
            size: happening.size,
            etag: happening.etag.as_deref(),
            version_id: happening.version_id.as_deref(),
            sequencer: has_sequencer(happening.kind).then(|| sequencer.to_string()),
        },
        request_id: &cause.request_id,
        requester: &cause.requester,
        source_ip_address: &cause.source_ip,
        reason,
        deletion_type,
    })
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text and numbers in structs always become JSON")
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'static str,
    user_identity: Identity<'a>,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: S3<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    principal_id: &'a str,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    host_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct S3<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'static str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Identity<'a>,
    arn: String,
}

#[derive(Serialize)]
struct Object<'a> {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(rename = "eTag", skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(rename = "versionId", skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TestMessage<'a> {
    service: &'static str,
    event: &'static str,
    time: String,
    bucket: &'a str,
    request_id: &'a str,
    host_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    version: &'static str,
    bucket: DetailBucket<'a>,
    object: DetailObject<'a>,
    request_id: &'a str,
    requester: &'a str,
    source_ip_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_type: Option<&'static str>,
}

#[derive(Serialize)]
struct DetailBucket<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct DetailObject<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(rename = "version-id", skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_reads_as_aws_writes_it() {
        let happening = Happening {
            kind: EventKind::Put,
            key: "a b/犬.txt".into(),
            size: Some(1024),
            etag: Some("d41d8cd98f00b204e9800998ecf8427e".into()),
            version_id: None,
        };
        let cause = Cause {
            at: Timestamp::from_millis(1_795_466_144_123),
            principal_id: "AWS:AIDA".into(),
            requester: AccountId::DEFAULT.to_string(),
            source_ip: "127.0.0.1".into(),
            request_id: "R".into(),
            host_id: "H".into(),
            trace: None,
        };
        let region: Region = "ap-northeast-1".parse().unwrap();
        let place = Place {
            bucket: "b",
            owner: AccountId::DEFAULT,
            region: &region,
        };
        assert_eq!(
            message(&happening, &cause, place, "rule", Sequencer(0x00AB)),
            concat!(
                r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","#,
                r#""awsRegion":"ap-northeast-1","eventTime":"2026-11-23T20:35:44.123Z","#,
                r#""eventName":"ObjectCreated:Put","userIdentity":{"principalId":"AWS:AIDA"},"#,
                r#""requestParameters":{"sourceIPAddress":"127.0.0.1"},"#,
                r#""responseElements":{"x-amz-request-id":"R","x-amz-id-2":"H"},"#,
                r#""s3":{"s3SchemaVersion":"1.0","configurationId":"rule","#,
                r#""bucket":{"name":"b","ownerIdentity":{"principalId":"000000000000"},"#,
                r#""arn":"arn:aws:s3:::b"},"object":{"key":"a+b/%E7%8A%AC.txt","size":1024,"#,
                r#""eTag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"0000000000000000AB"}}}]}"#,
            )
        );
        let detail = detail(&happening, &cause, place, Sequencer(1));
        assert!(
            detail.contains(r#""object":{"key":"a b/犬.txt","size":1024"#),
            "{detail}"
        );
        assert!(detail.contains(r#""source-ip-address":"127.0.0.1","reason":"PutObject""#));
    }
}
