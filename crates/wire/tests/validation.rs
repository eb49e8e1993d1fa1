//! Requests that break the model, in the words of each service.
#![allow(
    clippy::unwrap_used,
    reason = "the functions beside the tests are tests too"
)]

mod support;

use serde_json::json;
use support::{decode, head, iam, lambda, logs, sqs};
use wire::{ServiceSchema, Value, WireError};

fn post_function(body: &serde_json::Value) -> WireError {
    let head = head(
        "POST",
        "/2015-03-31/functions",
        &[("content-type", "application/json")],
    );
    decode(&lambda::SCHEMA, &head, body.to_string().as_bytes()).unwrap_err()
}

fn get(service: &'static ServiceSchema, uri: &str) -> WireError {
    decode(service, &head("GET", uri, &[]), b"").unwrap_err()
}

fn target(
    service: &'static ServiceSchema,
    operation: &str,
    body: &str,
) -> Result<Value, WireError> {
    let target = format!("{}.{operation}", service.target_prefix.unwrap());
    let head = head("POST", "/", &[("x-amz-target", &target)]);
    decode(service, &head, body.as_bytes()).map(|(_, input, _)| input)
}

fn form(service: &'static ServiceSchema, body: &str) -> Result<Value, WireError> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    decode(service, &head("POST", "/", &[form]), body.as_bytes()).map(|(_, input, _)| input)
}

#[test]
fn lambda_lists_every_broken_constraint() {
    let error = post_function(&json!({
        "FunctionName": "a".repeat(200),
        "Code": {},
        "Timeout": 0,
        "PackageType": "zip",
    }));
    assert_eq!(error.code, "ValidationException");
    assert_eq!(error.status, 400);
    let name = "a".repeat(200);
    assert_eq!(
        error.message,
        format!(
            "4 validation errors detected: Value '{name}' at 'functionName' failed to satisfy \
             constraint: Member must have length less than or equal to 140; Value null at 'role' \
             failed to satisfy constraint: Member must not be null; Value '0' at 'timeout' failed \
             to satisfy constraint: Member must have value greater than or equal to 1; Value 'zip' \
             at 'packageType' failed to satisfy constraint: Member must satisfy enum value set: \
             [Zip, Image]"
        )
    );
}

#[test]
fn a_label_is_checked_like_any_member() {
    let error = get(&lambda::SCHEMA, "/2015-03-31/functions/hello%20world");
    assert!(
        error.message.starts_with(
            "1 validation error detected: Value 'hello world' at 'functionName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:"
        ),
        "{error}"
    );
}

#[test]
fn scalars_of_a_list_are_their_lists_fault() {
    let error = post_function(&json!({
        "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {},
        "Architectures": ["x86_63"],
    }));
    assert_eq!(
        error.message,
        "1 validation error detected: Value '[x86_63]' at 'architectures' failed to satisfy \
         constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, \
         arm64], Member must not be null]"
    );
    let error = post_function(&json!({
        "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {},
        "Architectures": [null],
    }));
    assert!(
        error.message.contains("Value '[null]' at 'architectures'"),
        "{error}"
    );
}

#[test]
fn keys_and_values_of_a_map_are_their_maps_fault_and_secrets_stay_hidden() {
    let error = post_function(&json!({
        "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {},
        "Environment": {"Variables": {"1A": "secret"}},
    }));
    assert_eq!(
        error.message,
        "1 validation error detected: Value at 'environment.variables' failed to satisfy \
         constraint: Map keys must satisfy constraint: [Member must satisfy regular expression \
         pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]"
    );
}

#[test]
fn parts_of_listed_structures_are_named_by_number() {
    let body = json!({
        "logGroupName": "g", "logStreamName": "s",
        "logEvents": [{"timestamp": 1, "message": "a"}, {"timestamp": 2, "message": ""}, {}],
    });
    let error = target(&logs::SCHEMA, "PutLogEvents", &body.to_string()).unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(
        error.message,
        "3 validation errors detected: Value '' at 'logEvents.2.member.message' failed to satisfy \
         constraint: Member must have length greater than or equal to 1; Value null at \
         'logEvents.3.member.timestamp' failed to satisfy constraint: Member must not be null; \
         Value null at 'logEvents.3.member.message' failed to satisfy constraint: Member must not \
         be null"
    );
}

#[test]
fn iam_says_validation_error() {
    let error = form(
        &iam::SCHEMA,
        "Action=TagRole&Version=2010-05-08&RoleName=a+b&Tags.member.1.Key=&Tags.member.1.Value=x",
    )
    .unwrap_err();
    assert_eq!(error.code, "ValidationError");
    assert_eq!(
        error.message,
        "3 validation errors detected: Value 'a b' at 'roleName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [\\w+=,.@-]+; Value '' at \
         'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression \
         pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+; Value '' at 'tags.1.member.key' failed to \
         satisfy constraint: Member must have length greater than or equal to 1"
    );
}

#[test]
fn sqs_names_the_missing_parameter_and_leaves_enums_to_the_service() {
    let error = target(&sqs::SCHEMA, "SendMessage", r#"{"QueueUrl":"u"}"#).unwrap_err();
    assert_eq!(error.code, "MissingRequiredParameterException");
    assert_eq!(error.query_code, Some("MissingParameter"));
    assert_eq!(
        error.message,
        "The request must contain the parameter MessageBody."
    );
    let error = form(
        &sqs::SCHEMA,
        "Action=SendMessageBatch&QueueUrl=u&SendMessageBatchRequestEntry.1.Id=a",
    )
    .unwrap_err();
    assert_eq!(
        error.message,
        "The request must contain the parameter SendMessageBatchRequestEntry.1.MessageBody."
    );
    let body = r#"{"QueueUrl":"u","AttributeNames":["Nope"]}"#;
    assert!(target(&sqs::SCHEMA, "GetQueueAttributes", body).is_ok());
}

#[test]
fn sqs_says_which_parameter_is_no_number() {
    let error = form(
        &sqs::SCHEMA,
        "Action=ReceiveMessage&QueueUrl=u&WaitTimeSeconds=long",
    )
    .unwrap_err();
    assert_eq!(error.query_code, Some("InvalidParameterValue"));
    assert_eq!(
        error.message,
        "Value long for parameter WaitTimeSeconds is invalid. Reason: Must be an integer."
    );
}

#[test]
fn lengths_count_as_java_counts() {
    let role = |description: &str| {
        form(
            &iam::SCHEMA,
            &format!(
                "Action=UpdateRole&Version=2010-05-08&RoleName=r&Description={}",
                percent_encoding::utf8_percent_encode(
                    description,
                    percent_encoding::NON_ALPHANUMERIC
                )
            ),
        )
    };
    assert!(
        role(&"é".repeat(1000)).is_ok(),
        "two bytes each, one unit each"
    );
    assert!(role(&"é".repeat(1001)).is_err());
}

#[test]
fn patterns_match_the_whole_text_and_ascii_classes_are_ascii() {
    let named = |name: &str| {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        form(
            &iam::SCHEMA,
            &format!("Action=GetRole&Version=2010-05-08&RoleName={name}"),
        )
    };
    assert!(named("a-b_c@d").is_ok());
    assert!(
        named("a\n").is_err(),
        "a newline at the end is not part of the pattern"
    );
    assert!(named("é").is_err(), "\\w is ASCII in Java");
}

#[test]
fn a_call_within_the_process_is_checked_the_same() {
    use lambda::Invoke;
    use wire::Operation as _;
    let check = |members: Vec<(&str, Value)>| {
        let members = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        wire::validate(&lambda::SCHEMA, Invoke::SCHEMA, &Value::Map(members))
    };
    let name = || ("FunctionName", Value::Str("hello".into()));
    assert_eq!(
        check(vec![name(), ("Payload", Value::Blob("{}".into()))]),
        Ok(())
    );
    assert_eq!(check(vec![]).unwrap_err().code, "ValidationException");
    let error = check(vec![name(), ("Payload", Value::Str("{}".into()))]).unwrap_err();
    assert_eq!(error.message, "a string found where not expected");
    let error = check(vec![name(), ("Paylod", Value::Null)]).unwrap_err();
    assert_eq!(error.message, "InvocationRequest has no member Paylod");
}

#[test]
fn look_around_has_an_equivalent() {
    let mapping = |collection: &str| {
        let body = json!({
            "FunctionName": "f",
            "DocumentDBEventSourceConfig": {"CollectionName": collection},
        });
        let head = head("POST", "/2015-03-31/event-source-mappings", &[]);
        decode(&lambda::SCHEMA, &head, body.to_string().as_bytes())
    };
    for fine in ["a", "system", "systems.x", "s.ystem", "_x", "syste.", "9"] {
        assert!(mapping(fine).is_ok(), "{fine}");
    }
    for wrong in ["system.", "system.users", "a$b", ".a"] {
        assert!(mapping(wrong).is_err(), "{wrong}");
    }
    let bucket = |bucket: &str| {
        let body = json!({"FunctionName": "f", "S3Bucket": bucket, "S3Key": "k"});
        let head = head("PUT", "/2015-03-31/functions/f/code", &[]);
        decode(&lambda::SCHEMA, &head, body.to_string().as_bytes())
    };
    assert!(bucket("my.bucket-1").is_ok());
    assert!(bucket("bucket.").is_err());
}
