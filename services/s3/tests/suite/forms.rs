//! Uploads by a browser's form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::world::{Answer, World};

const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");

fn form(fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    body.extend(
        b"--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\photos\\a b.jpg\"\r\n\
          Content-Type: image/jpeg\r\n\r\n",
    );
    body.extend(file);
    body.extend(b"\r\n--XX--\r\n");
    body
}

fn policy(expiration: &str, conditions: &str) -> String {
    BASE64.encode(format!(
        "{{\"expiration\": \"{expiration}\", \"conditions\": {conditions}}}"
    ))
}

async fn post(world: &World, fields: &[(&str, &str)], file: &[u8]) -> Answer {
    world
        .send("POST", "/b-1", &[TYPE], form(fields, file))
        .await
}

#[tokio::test]
async fn a_form_becomes_an_object() {
    let world = World::with_bucket().await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>";
    let fields = [
        ("Key", "up/${filename}"),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-who", "me"),
        ("tagging", tags),
        ("acl", "private"),
    ];
    let large: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let done = post(&world, &fields, &large).await.ok();
    assert_eq!(done.status, 204);
    let location = "http://localhost:4566/b-1/up/a%20b.jpg";
    assert_eq!(done.header("location"), Some(location));
    let got = world.get("/b-1/up/a%20b.jpg").await.ok();
    assert!(got.body == large);
    assert_eq!(got.etag(), done.etag());
    assert_eq!(got.header("content-type"), Some("image/jpeg"));
    assert_eq!(got.header("x-amz-meta-who"), Some("me"));
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
}

#[tokio::test]
async fn how_a_form_is_answered() {
    let world = World::with_bucket().await;
    let with = |name: &'static str, value: &'static str| [("key", "k"), (name, value)];
    let shown = post(&world, &with("success_action_status", "201"), b"x").await;
    assert_eq!(
        (shown.status.as_u16(), shown.element("Key")),
        (201, Some("k"))
    );
    assert_eq!(shown.element("Bucket"), Some("b-1"));
    let plain = post(&world, &with("success_action_status", "200"), b"x").await;
    assert_eq!(plain.status, 200);
    let odd = post(&world, &with("success_action_status", "418"), b"x").await;
    assert_eq!(odd.status, 204);
    let page = "http://example.com/done?a=1";
    let led = post(&world, &with("success_action_redirect", page), b"x").await;
    assert_eq!(led.status, 303);
    let to = led.header("location").unwrap();
    assert!(
        to.starts_with("http://example.com/done?a=1&bucket=b-1&key=k&etag=%22"),
        "{to}"
    );
    let nowhere = post(&world, &with("success_action_redirect", "nowhere"), b"x").await;
    assert_eq!(nowhere.status, 204);
}

#[tokio::test]
async fn policies_bind() {
    let world = World::with_bucket().await;
    let later = "2026-11-24T00:00:00.000Z";
    let conditions = r#"[{"bucket": "b-1"}, ["starts-with", "$key", "user/"],
        ["content-length-range", 3, 10]]"#;
    let good = policy(later, conditions);
    let with =
        |key: &'static str, policy: &str| [("key", key.to_owned()), ("policy", policy.to_owned())];
    for (key, policy, file, expected) in [
        ("user/k", good.clone(), &b"12345"[..], Ok(204)),
        ("other", good.clone(), b"12345", Err((403, "AccessDenied"))),
        ("user/k", good.clone(), b"12", Err((400, "EntityTooSmall"))),
        (
            "user/k",
            good.clone(),
            b"12345678901",
            Err((400, "EntityTooLarge")),
        ),
        (
            "user/k",
            policy("2026-11-01T00:00:00Z", "[]"),
            b"12345",
            Err((403, "AccessDenied")),
        ),
        (
            "user/k",
            policy(later, "[]"),
            b"12345",
            Err((403, "AccessDenied")),
        ),
        (
            "user/k",
            "!".to_owned(),
            b"12345",
            Err((400, "InvalidPolicyDocument")),
        ),
    ] {
        let fields = with(key, &policy);
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = post(&world, &fields, file).await;
        match expected {
            Ok(status) => assert_eq!(answer.status, status, "{}", answer.text()),
            Err((status, code)) => drop(answer.fails(status, code)),
        }
    }
    assert_eq!(world.get("/b-1").await.ok().elements("Key"), ["user/k"]);
    assert_eq!(world.records("s3.blob").await, 0);
}

#[tokio::test]
async fn forms_that_cannot_be() {
    let world = World::with_bucket().await;
    post(&world, &[("x", "y")], b"x")
        .await
        .fails(400, "InvalidArgument");
    let long = "k".repeat(1025);
    post(&world, &[("key", &long)], b"x")
        .await
        .fails(400, "KeyTooLongError");
    world
        .send("POST", "/none-1", &[TYPE], form(&[("key", "k")], b"x"))
        .await
        .fails(404, "NoSuchBucket");
    world
        .send("POST", "/b-1", &[TYPE], "nonsense")
        .await
        .fails(400, "MalformedPOSTRequest");
    world
        .send("POST", "/b-1/k", &[TYPE], form(&[("key", "k")], b"x"))
        .await
        .fails(405, "MethodNotAllowed");
    post(&world, &[("key", "k"), ("acl", "public-read")], b"x")
        .await
        .fails(400, "AccessControlListNotSupported");
}
