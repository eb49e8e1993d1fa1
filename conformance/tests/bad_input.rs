//! Input that no well-meaning client sends: AWS's error, nothing half-written, the server unmoved.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use conformance::{Answer, Api, Request, Server, add, until, zip, zip_with};
use serde_json::{Value, json};
use zip::ZipArchive;
use zip::write::SimpleFileOptions;

const ECHO: &str = "def handler(event, context):\n    return event\n";

fn started() -> (Server, Api) {
    let server = Server::start();
    let api = server.api();
    (server, api)
}

/// Panics unless the answer is this error. A text that ends with … is the beginning.
fn refused(answer: Answer, status: u16, code: &str, message: &str) {
    let answer = answer.expect(status);
    assert_eq!(
        answer.error_code(),
        code,
        "{:?} {}",
        answer.headers,
        answer.text()
    );
    let found = answer.error_message();
    match message.strip_suffix('…') {
        Some(beginning) => assert!(found.starts_with(beginning), "{found}"),
        None => assert_eq!(found, message),
    }
    let id = answer
        .header("x-amzn-requestid")
        .or(answer.header("x-amz-request-id"));
    assert!(
        id.is_some(),
        "an error has a request id: {:?}",
        answer.headers
    );
}

/// After bad input: it answers, and knows no function.
fn unmoved(server: &Server, api: &mut Api) {
    assert!(server.is_healthy());
    let functions = api
        .lambda("GET", "/2015-03-31/functions", &Value::Null)
        .expect(200)
        .json();
    assert_eq!(functions["Functions"], json!([]));
}

/// Everything that content was written to: code, objects, uploads on their way.
fn contents(server: &Server) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![
        server.data_dir().join("blobs"),
        server.data_dir().join("images"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

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

#[test]
fn archives_that_are_not_honest() {
    let (server, mut api) = started();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("slipped");
    let absolute = target.to_str().unwrap();
    let climbing = format!("{}{absolute}", "../".repeat(24).trim_end_matches('/'));
    let whole = zip(&[("function.py", ECHO)]);
    let corrupt = [&b"PK\x03\x04"[..], &[7; 300]].concat();
    let link_out = zip_with(|archive| {
        archive
            .add_symlink(
                "door",
                outside.path().to_str().unwrap(),
                SimpleFileOptions::default(),
            )
            .unwrap();
        add(archive, "door/slipped", b"through a link");
    });
    let twice = zip_with(|archive| {
        add(archive, "function.py", ECHO.as_bytes());
        archive
            .add_symlink("dir", "../..", SimpleFileOptions::default())
            .unwrap();
        add(archive, "dir/slipped", b"through a link");
    });
    for (what, archive) in [
        ("empty", Vec::new()),
        ("text", b"this is not a zip".to_vec()),
        ("corrupt", corrupt),
        ("cut short", whole[..whole.len() - 9].to_vec()),
        ("damaged", damaged(&whole)),
        (
            "absolute",
            zip(&[("function.py", ECHO), (absolute, "slip")]),
        ),
        (
            "climbing",
            zip(&[("function.py", ECHO), (&climbing, "slip")]),
        ),
        (
            "inner climbing",
            zip(&[("function.py", ECHO), ("a/../../slipped", "slip")]),
        ),
        ("link", link_out),
        ("relative link", twice),
    ] {
        let before = contents(&server);
        let answer = api.create_function("dishonest", &archive, &json!({}));
        // A name that leaves the folder may be refused, or taken as one within it: never followed.
        if answer.status == 201 && what != "empty" && what != "text" {
            let _ = api.lambda("DELETE", "/2015-03-31/functions/dishonest", &Value::Null);
        } else {
            assert_eq!(answer.status, 400, "{what}: {}", answer.text());
            assert_eq!(
                answer.error_code(),
                "InvalidParameterValueException",
                "{what}"
            );
            until(&format!("nothing is left of what was {what}"), || {
                (contents(&server) == before).then_some(())
            });
        }
        assert!(!target.exists(), "{what} was written outside");
        assert!(
            std::fs::read_dir(outside.path()).unwrap().next().is_none(),
            "{what}"
        );
        unmoved(&server, &mut api);
    }
    let answer = api.create_function("dishonest", b"this is not a zip", &json!({}));
    refused(
        answer,
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    );
}

/// The content of the first entry changed, its checksum not.
fn damaged(archive: &[u8]) -> Vec<u8> {
    let mut bytes = archive.to_vec();
    let content = 30 + "function.py".len();
    bytes[content + 3] ^= 0xff;
    bytes
}

#[test]
fn an_archive_that_grows_without_end() {
    let (server, mut api) = started();
    let before = contents(&server);
    // 300 MB of zeros, more than the 250 MB that code may have, in 300 KB: one part packed, and
    // put in ten times.
    let part = zip_with(|archive| add(archive, "zeros", &vec![0; 30_000_000]));
    let mut part = ZipArchive::new(Cursor::new(part)).unwrap();
    let bomb = zip_with(|archive| {
        for number in 0..10 {
            let packed = part.by_index_raw(0).unwrap();
            archive
                .raw_copy_file_rename(packed, number.to_string())
                .unwrap();
        }
    });
    assert!(bomb.len() < 2_000_000);
    let answer = api.create_function("bomb", &bomb, &json!({}));
    refused(
        answer,
        400,
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    );
    until("nothing is left of the refused archives", || {
        (contents(&server) == before).then_some(())
    });
    // Many files: a table of contents alone can be a bomb.
    let crowd = zip_with(|archive| {
        for number in 0..70_000 {
            archive
                .start_file(format!("{number}"), SimpleFileOptions::default())
                .unwrap();
        }
    });
    let answer = api.create_function("crowd", &crowd, &json!({}));
    assert!(
        answer.status == 201 || answer.status == 400,
        "{}",
        answer.text()
    );
    if answer.status == 201 {
        let _ = api
            .lambda("DELETE", "/2015-03-31/functions/crowd", &Value::Null)
            .expect(204);
    }
    unmoved(&server, &mut api);
}

#[test]
fn payloads_too_large_or_not_json() {
    let (server, mut api) = started();
    api.python_function("echo", ECHO);
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    let most = api.invoke("echo", &payload(6_291_456 - 1_000)).expect(200);
    assert_eq!(
        most.header("x-amz-function-error"),
        None,
        "{:.300}",
        most.text()
    );
    assert_eq!(most.body.len(), 6_291_456 - 1_000);
    let answer = api.invoke("echo", &payload(6_291_456 + 1));
    // Lambda words it in two ways: the first of what its front door refuses unread.
    let words = match answer.error_message() {
        text if text.starts_with("Request ") => {
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
        }
        _ => {
            "6291457 byte payload is too large for the RequestResponse invocation type (limit \
             6291456 bytes)"
        }
    };
    refused(answer, 413, "RequestEntityTooLargeException", words);
    let huge = api.invoke("echo", &payload(40_000_000));
    assert_eq!(
        (huge.status, huge.error_code().as_str()),
        (413, "RequestEntityTooLargeException")
    );
    let body = payload(1_048_576 + 1);
    let request = Request::new("lambda", "POST", "/2015-03-31/functions/echo/invocations")
        .header("x-amz-invocation-type", "Event")
        .body(&body);
    let answer = api.send(&request);
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (413, "RequestEntityTooLargeException")
    );
    for bad in [
        &b"{\"a\": }"[..],
        b"not json",
        b"{\"a\": 1} trailing",
        b"\"\xff\xfe\"",
        b"{",
    ] {
        refused(
            api.invoke("echo", bad),
            400,
            "InvalidRequestContentException",
            "Could not parse request body into json: …",
        );
    }
    let request = Request::new("lambda", "POST", "/2015-03-31/functions/echo/invocations")
        .header("x-amz-invocation-type", "Sometimes")
        .body(b"{}");
    let answer = api.send(&request).expect(400);
    assert!(
        answer
            .error_message()
            .contains("Member must satisfy enum value set: ["),
        "{}",
        answer.text()
    );
    // Everything that is JSON is an event.
    for good in [
        "1",
        "null",
        "\"text\"",
        "[1, 2]",
        "{\"a\": {\"b\": [true]}}",
    ] {
        let event: Value = serde_json::from_str(good).unwrap();
        assert_eq!(api.answer("echo", &event), event);
    }
    assert!(server.is_healthy());
}

#[test]
fn answers_too_large_and_not_json() {
    let (server, mut api) = started();
    api.python_function(
        "long",
        "def handler(event, context):\n    return 'x' * event\n",
    );
    let answer = api.invoke("long", b"7000000").expect(200);
    assert_eq!(
        answer.header("x-amz-function-error"),
        Some("Unhandled"),
        "{:.300}",
        answer.text()
    );
    let error = answer.json();
    assert_eq!(
        error["errorType"], "Function.ResponseSizeTooLarge",
        "{error}"
    );
    let message = error["errorMessage"].as_str().unwrap();
    // The size it had is told since 2021.
    assert!(message.starts_with("Response payload size"), "{message}");
    let limit = "exceeded maximum allowed payload size (6291556 bytes).";
    assert!(message.ends_with(limit), "{message}");
    assert_eq!(api.answer("long", &json!(3)), "xxx");
    assert!(server.is_healthy());
}

#[test]
fn queues_that_do_not_exist_in_both_protocols() {
    let (server, mut api) = started();
    let url = format!("{}/000000000000/missing", server.url());
    for (operation, input) in [
        ("GetQueueUrl", json!({"QueueName": "missing"})),
        ("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"})),
        ("ReceiveMessage", json!({"QueueUrl": url})),
        ("DeleteQueue", json!({"QueueUrl": url})),
    ] {
        let answer = api.json("sqs", operation, &input);
        assert_eq!(
            answer.header("x-amzn-query-error"),
            Some("AWS.SimpleQueueService.NonExistentQueue;Sender"),
            "{operation}"
        );
        assert_eq!(
            answer.json()["__type"],
            "com.amazonaws.sqs#QueueDoesNotExist"
        );
        refused(
            answer,
            400,
            "QueueDoesNotExist",
            "The specified queue does not exist.",
        );
    }
    let answer = api.query(
        "sqs",
        "Action=GetQueueUrl&Version=2012-11-05&QueueName=missing",
    );
    assert!(
        answer.text().contains("<ErrorResponse"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.element("Type"), "Sender");
    refused(
        answer,
        400,
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    );
    let queue = api.queue("real");
    let answer = api.json("sqs", "SendMessage", &json!({"QueueUrl": queue}));
    refused(
        answer,
        400,
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageBody.",
    );
    let body = json!({"QueueUrl": queue, "MessageBody": "x".repeat(1_048_577)});
    refused(
        api.json("sqs", "SendMessage", &body),
        400,
        "InvalidParameterValueException",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    );
    let body = json!({"QueueUrl": queue, "MessageBody": "\u{1}"});
    let answer = api.json("sqs", "SendMessage", &body).expect(400);
    assert_eq!(
        answer.error_code(),
        "InvalidMessageContents",
        "{}",
        answer.text()
    );
    let name = json!({"QueueName": "x".repeat(81)});
    refused(
        api.json("sqs", "CreateQueue", &name),
        400,
        "InvalidParameterValueException",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    );
    let receive = json!({"QueueUrl": queue});
    assert_eq!(
        api.json("sqs", "ReceiveMessage", &receive)
            .expect(200)
            .json()
            .get("Messages"),
        None
    );
}

#[test]
fn a_notification_to_nothing_is_refused() {
    let (_server, mut api) = started();
    let _ = api.send(&Request::new("s3", "PUT", "/notes")).expect(200);
    let to = |kind: &str, tag: &str, arn: &str| {
        format!(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <{kind}><{tag}>{arn}</{tag}><Event>s3:ObjectCreated:*</Event></{kind}>\
             </NotificationConfiguration>"
        )
    };
    for body in [
        to(
            "CloudFunctionConfiguration",
            "CloudFunction",
            "arn:aws:lambda:us-east-1:000000000000:function:missing",
        ),
        to(
            "QueueConfiguration",
            "Queue",
            "arn:aws:sqs:us-east-1:000000000000:missing",
        ),
    ] {
        let request = Request::new("s3", "PUT", "/notes?notification").body(body.as_bytes());
        refused(
            api.send(&request),
            400,
            "InvalidArgument",
            "Unable to validate the following destination configurations",
        );
    }
    let stored = api
        .send(&Request::new("s3", "GET", "/notes?notification"))
        .expect(200)
        .text();
    assert!(!stored.contains("missing"), "{stored}");
    let _ = api
        .send(&Request::new("s3", "PUT", "/notes/key").body(b"x"))
        .expect(200);
}

#[test]
fn operations_nobody_knows() {
    let (server, mut api) = started();
    let answer = api.json("sqs", "Frobnicate", &json!({})).expect(400);
    assert_eq!(
        answer.error_code(),
        "UnknownOperationException",
        "{}",
        answer.text()
    );
    let answer = api.json("logs", "Frobnicate", &json!({})).expect(400);
    assert_eq!(
        answer.error_code(),
        "UnknownOperationException",
        "{}",
        answer.text()
    );
    refused(
        api.query("sqs", "Action=Frobnicate&Version=2012-11-05"),
        400,
        "InvalidAction",
        "The action Frobnicate is not valid for this endpoint.",
    );
    refused(
        api.query("iam", "Action=Frobnicate&Version=2010-05-08"),
        400,
        "InvalidAction",
        "Could not find operation Frobnicate for version 2010-05-08",
    );
    let answer = api.query("iam", "Version=2010-05-08").expect(400);
    assert_eq!(answer.error_code(), "MissingAction", "{}", answer.text());
    let answer = api.lambda("POST", "/2015-03-31/frobnicate", &json!({}));
    assert!(
        matches!(answer.status, 403 | 404),
        "{} {}",
        answer.status,
        answer.text()
    );
    let answer = api.send(&Request::new("s3", "PATCH", "/bucket/key"));
    let code = answer.error_code();
    assert!(
        matches!(
            (answer.status, code.as_str()),
            (405, "MethodNotAllowed") | (501, "NotImplemented")
        ),
        "{} {code}",
        answer.status
    );
    // An operation of AWS's that is not here says so by name.
    let answer = api.query("iam", "Action=CreateVirtualMFADevice&Version=2010-05-08");
    assert_eq!(answer.status, 501);
    assert!(
        answer.text().contains("CreateVirtualMFADevice"),
        "{}",
        answer.text()
    );
    let answer = api.send(&Request::new("dynamodb", "POST", "/").body(b"{}"));
    assert!(
        answer.status >= 400 && answer.text().contains("dynamodb"),
        "{}",
        answer.text()
    );
    unmoved(&server, &mut api);
}

#[test]
fn bodies_that_cannot_be_read() {
    let (server, mut api) = started();
    let target = |body: &'static [u8]| {
        Request::new("sqs", "POST", "/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "AmazonSQS.CreateQueue")
            .body(body)
    };
    for body in [
        &b"{"[..],
        b"[]",
        b"{\"QueueName\": 7}",
        b"{\"QueueName\": \"\xff\"}",
        b"nonsense",
    ] {
        let answer = api.send(&target(body)).expect(400);
        assert_eq!(
            answer.error_code(),
            "SerializationException",
            "{}",
            answer.text()
        );
    }
    let deep = "[".repeat(100_000);
    let request = Request::new("sqs", "POST", "/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSQS.CreateQueue")
        .body(deep.as_bytes());
    let answer = api.send(&request).expect(400);
    assert_eq!(
        answer.error_code(),
        "SerializationException",
        "{}",
        answer.text()
    );

    let create = Request::new("lambda", "POST", "/2015-03-31/functions");
    let answer = api.send(
        &create
            .header("content-type", "application/json")
            .body(b"{\"FunctionName\": "),
    );
    assert_eq!(answer.status, 400, "{}", answer.text());
    let code = answer.error_code();
    assert!(
        ["SerializationException", "InvalidRequestContentException"].contains(&code.as_str()),
        "{code}"
    );

    let _ = api.send(&Request::new("s3", "PUT", "/bodies")).expect(200);
    for body in [
        &b"<unclosed>"[..],
        b"",
        b"<?xml",
        b"<Other/>",
        b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    ] {
        let request = Request::new("s3", "POST", "/bodies?delete").body(body);
        let answer = api.send(&request).expect(400);
        let code = answer.error_code();
        assert!(
            ["MalformedXML", "MissingRequestBodyError", "InvalidRequest"].contains(&code.as_str()),
            "{}",
            answer.text()
        );
    }
    refused(
        api.query(
            "iam",
            "Action=CreateRole&Version=2010-05-08&RoleName=%ff%zz&=&&%",
        ),
        404,
        "MalformedQueryString",
        "The query string contains a syntax error.",
    );
    unmoved(&server, &mut api);
}

/// Sends bytes, ends the sending side, and returns what came back.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&server.raw(bytes)).into_owned()
}

#[test]
fn bytes_that_are_not_http() {
    let (server, mut api) = started();
    let noise: Vec<u8> = (0..60_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for bytes in [
        &noise[..],
        tls_hello,
        b"\r\n\r\n\r\n",
        b"GET",
        b"\0\0\0\0",
        b"SSH-2.0-x\r\n",
        b"HELO there\r\n\r\n",
    ] {
        let answer = exchange(&server, bytes);
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.1 501"),
            "{answer:.200}"
        );
        assert!(server.is_healthy());
    }
    let head = "POST / HTTP/1.1\r\nhost: x\r\n";
    for rest in [
        "content-length: nonsense\r\n\r\n".to_owned(),
        "content-length: -5\r\n\r\n".to_owned(),
        "content-length: 99999999999999999999999\r\n\r\n".to_owned(),
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
        "transfer-encoding: chunked\r\n\r\nnot a size\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_owned(),
        format!("x-large: {}\r\n\r\n", "y".repeat(2_000_000)),
        format!("{}\r\n", "x-many: y\r\n".repeat(5_000)),
    ] {
        let answer = exchange(&server, format!("{head}{rest}").as_bytes());
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.1 501"),
            "{rest:.40}: {answer:.200}"
        );
        assert!(server.is_healthy());
    }
    let target = format!(
        "GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "p".repeat(300_000)
    );
    let answer = exchange(&server, target.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 501"),
        "{answer:.200}"
    );
    unmoved(&server, &mut api);
}

#[test]
fn clients_that_hang_up_or_hold_on() {
    let (server, mut api) = started();
    let _ = api.send(&Request::new("s3", "PUT", "/patient")).expect(200);
    let connect = || TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    // A body that never ends, given up on by its sender: nothing of it is there.
    let promised = "PUT /patient/cut HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    for _ in 0..20 {
        let mut stream = connect();
        stream.write_all(promised.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        drop(stream);
    }
    // Heads that trickle in and never end, each on a connection of its own.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"POST / HT").unwrap();
    }
    assert!(server.is_healthy(), "slow clients do not stop the others");
    let answer = api.send(&Request::new("s3", "HEAD", "/patient/cut"));
    assert_eq!(answer.status, 404, "a body cut short is no object");
    let list = api
        .send(&Request::new("s3", "GET", "/patient?list-type=2"))
        .expect(200);
    assert_eq!(list.element("KeyCount"), "0");
    // A caller that leaves does not take its function with it.
    api.python_function(
        "leaves",
        "import time\ndef handler(e, c):\n    time.sleep(0.3)\n    print('finished')\n",
    );
    let mut stream = connect();
    stream
        .write_all(
            b"POST /2015-03-31/functions/leaves/invocations HTTP/1.1\r\nhost: x\r\n\
            content-length: 2\r\n\r\n{}",
        )
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop(stream);
    assert!(server.is_healthy());
    assert_eq!(api.answer("leaves", &json!({})), Value::Null);
    // A caller that never reads its answer does not stop the others either.
    let mut deaf = connect();
    let _ = api
        .send(&Request::new("s3", "PUT", "/patient/large").body(&vec![7; 8_000_000]))
        .expect(200);
    for _ in 0..4 {
        deaf.write_all(b"GET /patient/large HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
    }
    assert!(server.is_healthy());
    let whole = api
        .send(&Request::new("s3", "GET", "/patient/large"))
        .expect(200);
    assert_eq!(whole.body.len(), 8_000_000);
    drop((slow, deaf));
    until("nothing is left of uploads cut short", || {
        let sizes = contents(&server)
            .into_iter()
            .filter_map(|file| Some(file.metadata().ok()?.len()));
        let left = sizes
            .filter(|size| (1..1_000_000).contains(size) && *size > 10_000)
            .count();
        (left == 0).then_some(())
    });
}

#[test]
fn continue_is_asked_for_and_given() {
    let (server, mut api) = started();
    let _ = api.send(&Request::new("s3", "PUT", "/asks")).expect(200);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(
            b"PUT /asks/key HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\
            expect: 100-continue\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    stream.write_all(b"yes").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 200"), "{rest}");
    assert_eq!(
        api.send(&Request::new("s3", "GET", "/asks/key"))
            .expect(200)
            .text(),
        "yes"
    );
}

#[test]
fn http2_without_tls() {
    let Ok(version) = Command::new("curl").arg("--version").output() else {
        println!("skipped: there is no curl");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        println!("skipped: this curl speaks no HTTP/2");
        return;
    }
    let (server, _api) = started();
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-sS",
                "--http2-prior-knowledge",
                "-w",
                "\n%{http_version} %{http_code}",
            ])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let health = curl(&[&format!("{}/_kagero/health", server.url())]);
    assert!(health.ends_with("\n2 200"), "{health}");
    let bucket = format!("{}/by-h2", server.url());
    assert!(curl(&["-X", "PUT", &bucket]).ends_with("\n2 200"));
    let object = format!("{bucket}/key");
    assert!(curl(&["-X", "PUT", "--data-binary", "two", &object]).ends_with("\n2 200"));
    assert_eq!(curl(&[&object]), "two\n2 200");
    assert!(curl(&[&format!("{bucket}/missing")]).ends_with("\n2 404"));
}
