//! Functions that are not there, and settings that no function can have.

use conformance::{Answer, zip};
use serde_json::{Value, json};

use crate::{ECHO, refused, started, unmoved};

#[test]
fn functions_that_do_not_exist() {
    let (server, mut api) = started();
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:missing";
    let text = format!("Function not found: {arn}");
    let not_found = |answer: Answer| {
        assert_eq!(answer.json()["Type"], "User");
        refused(answer, 404, "ResourceNotFoundException", &text);
    };
    not_found(api.invoke("missing", b"{}"));
    not_found(api.invoke(arn, b"{}"));
    not_found(api.invoke("000000000000:function:missing", b"{}"));
    for path in [
        "/2015-03-31/functions/missing",
        "/2015-03-31/functions/missing/configuration",
    ] {
        not_found(api.lambda("GET", path, &Value::Null));
    }
    not_found(api.lambda("DELETE", "/2015-03-31/functions/missing", &Value::Null));
    let code = json!({"ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="});
    not_found(api.lambda("PUT", "/2015-03-31/functions/missing/code", &code));
    unmoved(&server, &mut api);
}

#[test]
fn names_and_arns_that_are_none() {
    let (server, mut api) = started();
    let pattern = "failed to satisfy constraint: Member must satisfy regular expression pattern:";
    for name in [
        "bad%20name",
        "arn:aws:s3:::bucket",
        "a:b:c:d:e:f:g:h",
        "%C3%BC",
    ] {
        let answer = api.invoke(name, b"{}").expect(400);
        assert_eq!(
            answer.error_code(),
            "ValidationException",
            "{name}: {}",
            answer.text()
        );
        let message = answer.error_message();
        assert!(
            message.starts_with("1 validation error detected: Value '"),
            "{message}"
        );
        assert!(
            message.contains("at 'functionName'") && message.contains(pattern),
            "{message}"
        );
    }
    let long = "x".repeat(171);
    let answer = api
        .create_function(&long, &zip(&[("function.py", ECHO)]), &json!({}))
        .expect(400);
    assert_eq!(answer.error_code(), "ValidationException");
    let message = answer.error_message();
    assert!(
        message.contains("Member must have length less than or equal to"),
        "{message}"
    );
    let answer = api.create_function(&"x".repeat(65), &zip(&[("function.py", ECHO)]), &json!({}));
    refused(
        answer,
        400,
        "ValidationException",
        &format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy \
             constraint: Member must have length less than or equal to 64",
            "x".repeat(65)
        ),
    );
    unmoved(&server, &mut api);
}

#[test]
fn functions_that_cannot_be() {
    let (server, mut api) = started();
    let code = zip(&[("function.py", ECHO)]);
    let mut create = |more: Value| api.create_function("wrong", &code, &more);
    let answer = create(json!({"Runtime": "python9.9"}));
    refused(
        answer,
        400,
        "InvalidParameterValueException",
        "Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value \
         set: […",
    );
    let answer = create(json!({"Runtime": "python9.9"}));
    assert!(
        answer.error_message().ends_with("] or be a valid ARN"),
        "{}",
        answer.text()
    );
    refused(
        create(json!({"Handler": "not a handler"})),
        400,
        "ValidationException",
        "1 validation error detected: Value 'not a handler' at 'handler' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: [^\\s]+",
    );
    let role = create(json!({"Role": "admin"}));
    refused(
        role,
        400,
        "ValidationException",
        "1 validation error detected: Value 'admin' at 'role'…",
    );
    for (more, limit) in [
        (
            json!({"Timeout": 901}),
            "Value '901' at 'timeout' failed to satisfy constraint: Member \
          must have value less than or equal to 900",
        ),
        (
            json!({"Timeout": 0}),
            "Value '0' at 'timeout' failed to satisfy constraint: Member must \
          have value greater than or equal to 1",
        ),
        (
            json!({"MemorySize": 127}),
            "Value '127' at 'memorySize' failed to satisfy constraint: \
          Member must have value greater than or equal to 128",
        ),
    ] {
        let answer = create(more);
        assert_eq!(answer.status, 400);
        let message = answer.error_message();
        assert!(message.ends_with(limit), "{message}");
    }
    let large = json!({"Environment": {"Variables": {"LARGE": "x".repeat(4_096)}}});
    refused(
        create(large),
        400,
        "InvalidParameterValueException",
        "Lambda was unable to configure your environment variables because the environment \
         variables you have provided exceeded the 4KB limit.…",
    );
    let reserved = json!({"Environment": {"Variables": {"AWS_REGION": "x"}}});
    refused(
        create(reserved),
        400,
        "InvalidParameterValueException",
        "Lambda was unable to configure your environment variables because the environment \
         variables you have provided contains reserved keys that are currently not supported for \
         modification. Reserved keys used in this request: AWS_REGION",
    );
    let missing = json!({"Code": {"S3Bucket": "nowhere", "S3Key": "code.zip"}});
    refused(
        create(missing),
        400,
        "InvalidParameterValueException",
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The \
         specified bucket does not exist",
    );
    unmoved(&server, &mut api);
}
