//! Requests as botocore writes them (`golden/requests.json`: SQS by query from 1.31, the rest from
//! 1.44), decoded.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use support::{decode, head, service, to_json};
use wire::Protocol;

#[test]
fn requests_of_botocore_decode_to_their_parameters() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("golden/requests.json")).unwrap();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    for case in cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let headers: Vec<(&str, &str)> = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = match case["body_base64"].as_str() {
            Some(encoded) => STANDARD.decode(encoded).unwrap(),
            None => text("body").as_bytes().to_vec(),
        };
        let what = format!(
            "{} {} by {}",
            text("service"),
            text("operation"),
            text("protocol")
        );
        let head = head(text("method"), text("path"), &headers);
        let (operation, input, protocol) = decode(service(text("service")), &head, &body)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(operation, text("operation"), "{what}");
        assert_eq!(to_json(&input), case["input"], "{what}");
        let expected = match text("protocol") {
            "query" => vec![Protocol::Query],
            "rest-json" => vec![Protocol::RestJson],
            _ => vec![Protocol::AwsJson10, Protocol::AwsJson11],
        };
        assert!(expected.contains(&protocol), "{what}: {protocol:?}");
    }
}
