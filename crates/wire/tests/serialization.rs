//! Bodies that cannot be read, as AWS's front end says it (measured on Athena and Kinesis, which
//! share it with Logs and SQS).
#![allow(
    clippy::unwrap_used,
    reason = "the functions beside the tests are tests too"
)]

mod support;

use support::{decode, head, lambda, logs, sqs};
use wire::{ServiceSchema, Value, WireError};

fn target(
    service: &'static ServiceSchema,
    operation: &str,
    body: &str,
) -> Result<Value, WireError> {
    let target = format!("{}.{operation}", service.target_prefix.unwrap());
    let head = head("POST", "/", &[("x-amz-target", &target)]);
    decode(service, &head, body.as_bytes()).map(|(_, input, _)| input)
}

#[test]
fn wrong_types_are_named() {
    for (body, message) in [
        (
            r#"{"logGroupName": 1}"#,
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            r#"{"logGroupName": 1.5}"#,
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            r#"{"logGroupName": true}"#,
            "TRUE_VALUE can not be converted to a String",
        ),
        (
            r#"{"logGroupName": []}"#,
            "Start of list found where not expected",
        ),
        (
            r#"{"logGroupName": {}}"#,
            "Start of structure or map found where not expected.",
        ),
        (
            r#"{"limit": "1"}"#,
            "STRING_VALUE can not be converted to an Integer",
        ),
        (
            r#"{"limit": false}"#,
            "FALSE_VALUE can not be converted to an Integer",
        ),
        (
            r#"{"startTime": "1"}"#,
            "STRING_VALUE can not be converted to a Long",
        ),
        (
            r#"{"interleaved": 1}"#,
            "NUMBER_VALUE can not be converted to a Boolean",
        ),
        (r#"{"logStreamNames": "a"}"#, "Expected list or null"),
        (
            r#"{"logStreamNames": {}}"#,
            "Start of structure or map found where not expected.",
        ),
        ("[]", "Start of list found where not expected"),
        ("[1", "Start of list found where not expected"),
        ("null", ""),
        ("\"a\"", ""),
        ("", ""),
        ("{", ""),
        (r#"{"a":1,}"#, ""),
        ("{} {}", ""),
        ("hello", ""),
    ] {
        let error = target(&logs::SCHEMA, "FilterLogEvents", body).unwrap_err();
        assert_eq!(error.code, "SerializationException", "{body}");
        assert_eq!(error.message, message, "{body}");
        assert_eq!(error.status, 400);
    }
}

#[test]
fn maps_structures_and_blobs_have_their_own_words() {
    for (body, message) in [
        (
            r#"{"QueueName":"q","Attributes":"a"}"#,
            "Expected map or null",
        ),
        (
            r#"{"QueueName":"q","Attributes":["a"]}"#,
            "Start of list found where not expected",
        ),
    ] {
        assert_eq!(
            target(&sqs::SCHEMA, "CreateQueue", body)
                .unwrap_err()
                .message,
            message
        );
    }
    let attribute = |json: &str| {
        let body =
            format!(r#"{{"QueueUrl":"u","MessageBody":"b","MessageAttributes":{{"a":{json}}}}}"#);
        target(&sqs::SCHEMA, "SendMessage", &body)
            .unwrap_err()
            .message
    };
    assert_eq!(attribute("1"), "Expected null");
    assert_eq!(
        attribute(r#"{"DataType":"Binary","BinaryValue":"23456"}"#),
        "'23456' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 \
         bytes but found: 5"
    );
}

#[test]
fn what_aws_forgives_is_forgiven() {
    let read = |body: &str| target(&logs::SCHEMA, "FilterLogEvents", body).unwrap();
    let unknown = read(r#"{"logGroupName":"g","unknown":{"a":[1,{"b":null}]},"limit":null}"#);
    assert_eq!(
        unknown,
        Value::Map(vec![("logGroupName".into(), Value::Str("g".into()))])
    );
    assert_eq!(read(r#"{"limit": 1.9}"#).get("limit"), Some(&Value::Int(1)));
    assert_eq!(
        read(r#"{"limit": 1, "limit": 2}"#).get("limit"),
        Some(&Value::Int(2))
    );
    assert_eq!(
        read(r#"{"nextToken": "\u00e9\n"}"#)
            .get("nextToken")
            .unwrap()
            .as_str(),
        Some("é\n")
    );
    let error = target(&logs::SCHEMA, "FilterLogEvents", r#"{"limit": 4294967296}"#).unwrap_err();
    assert!(
        error
            .message
            .contains("Member must have value less than or equal to"),
        "{error}"
    );
}

#[test]
fn deep_nesting_does_no_harm() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let unknown = target(
        &logs::SCHEMA,
        "FilterLogEvents",
        &format!(r#"{{"x":{deep}}}"#),
    );
    assert_eq!(
        unknown,
        Ok(Value::Map(vec![])),
        "what nobody knows is skipped"
    );
    let error = target(
        &logs::SCHEMA,
        "FilterLogEvents",
        &format!(r#"{{"limit":{deep}}}"#),
    );
    assert_eq!(
        error.unwrap_err().message,
        "Start of list found where not expected"
    );
    assert!(wire_document(&deep).is_err());
}

/// A document member is any JSON; none of the services here has one, so it is read by itself.
fn wire_document(json: &str) -> Result<Value, WireError> {
    use wire::schema::{MemberSchema, OperationSchema, Schema, StructureSchema};
    static INPUT: StructureSchema = StructureSchema {
        name: "Input",
        members: &[MemberSchema::new("d", Schema::Document)],
        payload: None,
    };
    static OPERATION: OperationSchema = OperationSchema {
        name: "Op",
        method: "POST",
        uri: "/",
        status: 200,
        input: &INPUT,
        output: &INPUT,
        result_wrapper: None,
        errors: &[],
    };
    let body = bytes::Bytes::from(format!(r#"{{"d":{json}}}"#));
    let head = head("POST", "/", &[]);
    let protocol = wire::Protocol::AwsJson11;
    wire::decode(&logs::SCHEMA, &OPERATION, protocol, &[], &head, &body)
}

#[test]
fn documents_are_any_json() {
    let input = wire_document(r#"{"a":[1,-2.5,"x",null,true,18446744073709551615]}"#).unwrap();
    let Some(Value::Map(members)) = input.get("d") else {
        panic!()
    };
    let expected = vec![
        Value::Int(1),
        Value::Float(-2.5),
        Value::Str("x".into()),
        Value::Null,
        Value::Bool(true),
        Value::Float(18_446_744_073_709_551_615.0),
    ];
    assert_eq!(members[0], ("a".to_owned(), Value::List(expected)));
}

#[test]
fn rest_bodies_and_parameters() {
    let mapping = |body: &str| {
        let head = head("POST", "/2015-03-31/event-source-mappings", &[]);
        decode(&lambda::SCHEMA, &head, body.as_bytes()).map(|(_, input, _)| input)
    };
    let error = mapping(r#"{"FunctionName":"f","BatchSize":"5"}"#).unwrap_err();
    assert_eq!(
        error.message,
        "STRING_VALUE can not be converted to an Integer"
    );
    assert_eq!(mapping("{").unwrap_err().code, "SerializationException");
    let input = mapping(r#"{"FunctionName":"f","StartingPositionTimestamp":1795466144.123}"#);
    let at = base::Timestamp::from_millis(1_795_466_144_123);
    assert_eq!(
        input.unwrap().get("StartingPositionTimestamp"),
        Some(&Value::Time(at))
    );

    let list = head("GET", "/2015-03-31/functions?MaxItems=ten", &[]);
    let error = decode(&lambda::SCHEMA, &list, b"").unwrap_err();
    assert_eq!(
        error.message,
        "STRING_VALUE can not be converted to an Integer"
    );
    let list = head("GET", "/2015-03-31/functions?Marker=%ff", &[]);
    assert_eq!(
        decode(&lambda::SCHEMA, &list, b"").unwrap_err().code,
        "MalformedQueryString"
    );
}

#[test]
fn a_blob_payload_shares_the_bodys_memory() {
    let head = head("POST", "/2015-03-31/functions/f/invocations", &[]);
    let body = bytes::Bytes::from(vec![b' '; 1 << 20]);
    let routed = wire::route(&lambda::SCHEMA, &head, &body).unwrap();
    let wire::RoutedOperation::Known { schema, labels } = routed.operation else {
        panic!()
    };
    let input = wire::decode(
        &lambda::SCHEMA,
        schema,
        routed.protocol,
        &labels,
        &head,
        &body,
    )
    .unwrap();
    let Some(Value::Blob(payload)) = input.get("Payload") else {
        panic!()
    };
    assert_eq!(payload.as_ptr(), body.as_ptr());
}
