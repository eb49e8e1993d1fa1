//! Which operation a request means, and what is said to one that means none.

mod support;

use std::fmt::Write as _;

use support::{apigatewayv2, decode, head, iam, lambda, logs, sqs, sts};
use wire::{Protocol, RoutedOperation, ServiceSchema, Value};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The operation's name with its protocol, or the error's status, code and message.
fn route(
    service: &'static ServiceSchema,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<(String, Protocol), (u16, String, String)> {
    match wire::route(service, &head(method, uri, headers), body.as_bytes()) {
        Ok(routed) => {
            let name = match routed.operation {
                RoutedOperation::Known { schema, .. } => schema.name.to_owned(),
                RoutedOperation::Absent(name) => format!("absent {name}"),
            };
            Ok((name, routed.protocol))
        }
        Err(error) => Err((
            error.status.as_u16(),
            error.code.into_owned(),
            error.message,
        )),
    }
}

fn name(routed: Result<(String, Protocol), (u16, String, String)>) -> String {
    routed.expect("the operation is known").0
}

#[test]
fn json_by_target() {
    let by = |target: &str| {
        route(
            &logs::SCHEMA,
            "POST",
            "/",
            &[("x-amz-target", target)],
            "{}",
        )
    };
    assert_eq!(name(by("Logs_20140328.PutLogEvents")), "PutLogEvents");
    assert_eq!(name(by("Logs_20140328.StartQuery")), "absent StartQuery");
    let unknown = (400, "UnknownOperationException".to_owned(), String::new());
    for wrong in [
        "Logs_20140328.Nope",
        "AmazonSQS.SendMessage",
        "PutLogEvents",
        "",
        "a.b.c",
    ] {
        assert_eq!(by(wrong).unwrap_err(), unknown, "{wrong}");
    }
    assert_eq!(
        route(&logs::SCHEMA, "GET", "/", &[], "").unwrap_err(),
        unknown
    );
}

#[test]
fn sqs_speaks_both() {
    let json = [
        ("x-amz-target", "AmazonSQS.ListQueues"),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let routed = route(&sqs::SCHEMA, "POST", "/", &json, "{}").unwrap();
    assert_eq!(routed, ("ListQueues".to_owned(), Protocol::AwsJson10));
    let routed = route(&sqs::SCHEMA, "POST", "/", &[FORM], "Action=ListQueues").unwrap();
    assert_eq!(routed, ("ListQueues".to_owned(), Protocol::Query));
    let get = "/?Action=ListQueues&Version=2009-02-01";
    assert_eq!(name(route(&sqs::SCHEMA, "GET", get, &[], "")), "ListQueues");
    let only_type = route(&sqs::SCHEMA, "POST", "/", &json[1..], "{}").unwrap_err();
    assert_eq!(only_type.1, "UnknownOperationException");
}

#[test]
fn a_queues_path_stands_for_its_url() {
    let host = ("host", "localhost:4566");
    let head = head("POST", "/000000000000/jobs", &[FORM, host]);
    let (_, input, _) = decode(&sqs::SCHEMA, &head, b"Action=SendMessage&MessageBody=b").unwrap();
    let url = Value::Str("http://localhost:4566/000000000000/jobs".into());
    assert_eq!(input.get("QueueUrl"), Some(&url));
    let body = b"Action=SendMessage&MessageBody=b&QueueUrl=http%3A%2F%2Fother%2Fq";
    let (_, input, _) = decode(&sqs::SCHEMA, &head, body).unwrap();
    assert_eq!(
        input.get("QueueUrl"),
        Some(&Value::Str("http://other/q".into()))
    );
    let (_, input, _) = decode(&sqs::SCHEMA, &head, b"Action=ListQueues").unwrap();
    assert_eq!(input.get("QueueUrl"), None, "ListQueues is about no queue");
}

#[test]
fn lists_and_maps_of_one_need_no_number() {
    let head = head("POST", "/", &[FORM]);
    let body = b"Action=GetQueueAttributes&QueueUrl=u&AttributeName=All";
    let (_, input, _) = decode(&sqs::SCHEMA, &head, body).unwrap();
    let all = Value::List(vec![Value::Str("All".into())]);
    assert_eq!(input.get("AttributeNames"), Some(&all));
    let body =
        b"Action=SetQueueAttributes&QueueUrl=u&Attribute.Name=DelaySeconds&Attribute.Value=1";
    let (_, input, _) = decode(&sqs::SCHEMA, &head, body).unwrap();
    let delay = Value::Map(vec![("DelaySeconds".into(), Value::Str("1".into()))]);
    assert_eq!(input.get("Attributes"), Some(&delay));
}

#[test]
fn items_are_ordered_by_number_and_gaps_close() {
    let head = head("POST", "/", &[FORM]);
    let mut body = "Action=UntagRole&Version=2010-05-08&RoleName=r".to_owned();
    for number in [12, 2, 7, 1] {
        write!(body, "&TagKeys.member.{number}=k{number}").unwrap();
    }
    let (_, input, _) = decode(&iam::SCHEMA, &head, body.as_bytes()).unwrap();
    let keys: Vec<_> = input
        .get("TagKeys")
        .unwrap()
        .as_list()
        .unwrap()
        .iter()
        .collect();
    let expected = ["k1", "k2", "k7", "k12"].map(|key| Value::Str(key.into()));
    assert_eq!(keys, expected.iter().collect::<Vec<_>>());
}

#[test]
fn query_by_action_and_version() {
    let by = |body: &str| route(&iam::SCHEMA, "POST", "/", &[FORM], body);
    assert_eq!(name(by("Action=GetUser&Version=2010-05-08")), "GetUser");
    assert_eq!(
        name(by("Version=2010-05-08&Action=CreateGroup")),
        "absent CreateGroup"
    );
    for (body, message) in [
        (
            "Action=Nope&Version=2010-05-08",
            "Could not find operation Nope for version 2010-05-08",
        ),
        (
            "Action=GetUser&Version=1",
            "Could not find operation GetUser for version 1",
        ),
        (
            "Action=GetUser",
            "Could not find operation GetUser for version NO_VERSION_SPECIFIED",
        ),
    ] {
        assert_eq!(
            by(body).unwrap_err(),
            (400, "InvalidAction".into(), message.into())
        );
    }
    assert_eq!(by("Version=2010-05-08").unwrap_err().1, "MissingAction");
    assert_eq!(
        by("").unwrap_err(),
        (404, "UnknownOperationException".into(), String::new())
    );
    let routed = route(&sqs::SCHEMA, "POST", "/", &[FORM], "Action=Nope").unwrap_err();
    assert_eq!(routed.2, "The action Nope is not valid for this endpoint.");
    assert_eq!(
        name(route(
            &sts::SCHEMA,
            "GET",
            "/?Action=GetCallerIdentity&Version=2011-06-15",
            &[],
            ""
        )),
        "GetCallerIdentity"
    );
}

#[test]
fn rest_by_method_and_path() {
    let by = |method: &str, uri: &str| route(&lambda::SCHEMA, method, uri, &[], "");
    for (method, uri, expected) in [
        ("GET", "/2015-03-31/functions", "ListFunctions"),
        ("GET", "/2015-03-31/functions/?MaxItems=1", "ListFunctions"),
        ("POST", "/2015-03-31/functions", "CreateFunction"),
        ("GET", "/2015-03-31/functions/f", "GetFunction"),
        (
            "GET",
            "/2015-03-31/functions/f/configuration",
            "GetFunctionConfiguration",
        ),
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke"),
        (
            "POST",
            "/2014-11-13/functions/f/invoke-async",
            "InvokeAsync",
        ),
        (
            "DELETE",
            "/2015-03-31/functions/f/policy/s",
            "RemovePermission",
        ),
        (
            "GET",
            "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Af",
            "ListTags",
        ),
        ("GET", "/2018-10-31/layers", "ListLayers"),
        (
            "POST",
            "/2021-11-15/functions/f/response-streaming-invocations",
            "InvokeWithResponseStream",
        ),
        (
            "POST",
            "/2025-11-30/capacity-providers",
            "CreateCapacityProvider",
        ),
    ] {
        assert_eq!(name(by(method, uri)), expected, "{method} {uri}");
    }
    let portals = route(&apigatewayv2::SCHEMA, "GET", "/v2/portals", &[], "");
    assert_eq!(name(portals), "absent ListPortals");
    for (method, uri) in [
        ("PATCH", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/nope"),
        ("GET", "/2015-03-31/functions//configuration"),
        ("GET", "/2015-03-31/functions/%ff"),
        ("GET", "/"),
    ] {
        let error = by(method, uri).unwrap_err();
        assert_eq!(
            (error.0, error.1.as_str()),
            (404, "UnknownOperationException"),
            "{uri}"
        );
    }
}

#[test]
fn a_path_is_claimed_by_the_service_that_has_it() {
    let get = http::Method::GET;
    assert!(wire::serves_path(
        &lambda::SCHEMA,
        &get,
        "/2015-03-31/functions/f"
    ));
    assert!(wire::serves_path(
        &lambda::SCHEMA,
        &get,
        "/2018-10-31/layers"
    ));
    assert!(!wire::serves_path(&lambda::SCHEMA, &get, "/bucket/key"));
    assert!(
        !wire::serves_path(&sqs::SCHEMA, &get, "/"),
        "its operations are not told by path"
    );
}

#[test]
fn an_error_of_the_wire_answers_in_the_requests_protocol() {
    let head = head("POST", "/", &[FORM]);
    let error = wire::route(&sqs::SCHEMA, &head, b"Action=Nope").unwrap_err();
    let response = wire::encode_wire_error(&sqs::SCHEMA, Protocol::AwsJson10, &error, "id");
    assert_eq!(response.headers()["content-type"], "text/xml");
    assert!(response.body().starts_with(b"<ErrorResponse"));
}
