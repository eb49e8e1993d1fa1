//! Queues and notifications that lead nowhere.

use conformance::Request;
use serde_json::json;

use crate::{refused, started};

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
