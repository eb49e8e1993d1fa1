//! Answers and errors as bytes (`golden/responses.json`, `golden/errors.json`). Every committed body
//! has been read back by botocore 1.44 (SQS by query: 1.31) and gave the output it was made of.
//! `REWRITE_GOLDEN=1` writes the files anew; read them back with botocore before you commit.
#![allow(
    clippy::unwrap_used,
    reason = "the functions beside the tests are tests too"
)]

mod support;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value as Json, json};
use support::{from_json, service};
use wire::schema::Schema;
use wire::{ErrorParts, Protocol, Value};

const REQUEST_ID: &str = "7d1c3e0a-0000-4000-8000-00000000abcd";

#[test]
fn answers() {
    golden("responses.json", |case| {
        let service = service(case["service"].as_str().unwrap());
        let operation = service
            .operation(case["operation"].as_str().unwrap())
            .unwrap();
        let output = from_json(Schema::Structure(operation.output), &case["output"]);
        wire::encode_response(service, operation, protocol(case), output, REQUEST_ID)
    });
}

#[test]
fn errors() {
    golden("errors.json", |case| {
        let service = service(case["service"].as_str().unwrap());
        let code = case["code"].as_str().unwrap();
        let members: Vec<(&'static str, Value)> = case["members"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let member = service.error(code).unwrap().shape.member(name).unwrap();
                (member.name, Value::Str(value.as_str().unwrap().to_owned()))
            })
            .collect();
        let status = case["status"].as_u64().unwrap();
        let error = ErrorParts {
            code,
            query_code: case["query_code"].as_str(),
            message: case["message"].as_str().unwrap(),
            status: StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap(),
            members: &members,
            retry_after_seconds: None,
            request_id: REQUEST_ID,
        };
        wire::encode_error(service, protocol(case), &error)
    });
}

fn protocol(case: &Json) -> Protocol {
    match case["protocol"].as_str().unwrap() {
        "json-1.0" => Protocol::AwsJson10,
        "json-1.1" => Protocol::AwsJson11,
        "rest-json" => Protocol::RestJson,
        "query" => Protocol::Query,
        other => panic!("no protocol {other}"),
    }
}

fn golden(file: &str, encode: impl Fn(&Json) -> Response<Bytes>) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<Json> =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    let rewrite = std::env::var_os("REWRITE_GOLDEN").is_some();
    for case in &mut cases {
        let response = encode(case);
        let headers: serde_json::Map<String, Json> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
            .collect();
        let written = json!({
            "status": response.status().as_u16(),
            "headers": headers,
            "body": str::from_utf8(response.body()).unwrap(),
        });
        if rewrite {
            case["response"] = written;
        } else {
            assert_eq!(
                written, case["response"],
                "{} {}",
                case["service"], case["operation"]
            );
        }
    }
    if rewrite {
        std::fs::write(&path, serde_json::to_string_pretty(&cases).unwrap() + "\n").unwrap();
    }
}
