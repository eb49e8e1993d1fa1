//! Operations that the wire layer does not know, told by their sub-resource.
//!
//! It would take each for the operation without the sub-resource, which creates, overwrites or
//! deletes something else: DeleteObjectAnnotation is not DeleteObject.

use http::Method;
use http::request::Parts;

/// Of buckets, by method and sub-resource.
const OF_BUCKETS: [(Method, &str, &str); 8] = [
    (Method::GET, "abac", "GetBucketAbac"),
    (Method::PUT, "abac", "PutBucketAbac"),
    (
        Method::POST,
        "metadataConfiguration",
        "CreateBucketMetadataConfiguration",
    ),
    (
        Method::GET,
        "metadataConfiguration",
        "GetBucketMetadataConfiguration",
    ),
    (
        Method::DELETE,
        "metadataConfiguration",
        "DeleteBucketMetadataConfiguration",
    ),
    (
        Method::PUT,
        "metadataAnnotationTable",
        "UpdateBucketMetadataAnnotationTableConfiguration",
    ),
    (
        Method::PUT,
        "metadataInventoryTable",
        "UpdateBucketMetadataInventoryTableConfiguration",
    ),
    (
        Method::PUT,
        "metadataJournalTable",
        "UpdateBucketMetadataJournalTableConfiguration",
    ),
];

const OF_OBJECTS: [(Method, &str, &str); 5] = [
    (Method::GET, "annotation", "GetObjectAnnotation"),
    (Method::PUT, "annotation", "PutObjectAnnotation"),
    (Method::DELETE, "annotation", "DeleteObjectAnnotation"),
    (Method::PUT, "encryption", "UpdateObjectEncryption"),
    (Method::PUT, "renameObject", "RenameObject"),
];

/// The operation's name, if a request asks for one of these.
pub fn operation(request: &Parts) -> Option<&'static str> {
    let query = request.uri.query()?;
    let key = request.uri.path().strip_prefix('/')?.split_once('/');
    let has_key = key.is_some_and(|(_, key)| !key.is_empty());
    let known: &[_] = if has_key { &OF_OBJECTS } else { &OF_BUCKETS };
    let mut asked = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    asked.find_map(|asked| {
        let found = known
            .iter()
            .find(|(method, name, _)| *method == request.method && *name == asked);
        found.map(|(_, _, operation)| *operation)
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_sub_resource_says_what_is_asked_for() {
        let of = |method: &str, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(());
            operation(&request.unwrap().into_parts().0)
        };
        assert_eq!(of("PUT", "/b/k?renameObject"), Some("RenameObject"));
        assert_eq!(
            of("DELETE", "/b/a/k?x-id=a&annotation=n"),
            Some("DeleteObjectAnnotation")
        );
        assert_eq!(of("PUT", "/b/k?encryption"), Some("UpdateObjectEncryption"));
        assert_eq!(
            of("DELETE", "/b/?metadataConfiguration"),
            Some("DeleteBucketMetadataConfiguration")
        );
        // A bucket's encryption is known, and a key may be called anything.
        assert_eq!(of("PUT", "/b?encryption"), None);
        assert_eq!(of("PUT", "/b/annotation?tagging"), None);
        assert_eq!(of("DELETE", "/b/k?nonsense"), None);
        assert_eq!(of("DELETE", "/b/k"), None);
    }
}
