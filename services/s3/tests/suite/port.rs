//! The operations other services reach by port.

use bytes::Bytes;
use service::HttpService as _;
use wire::Value;

use crate::objects::content;
use crate::world::{REGION, World, context};

fn input(pairs: &[(&str, &str)]) -> Value {
    let text = |&(name, value): &(&str, &str)| (name.to_owned(), Value::Str(value.to_owned()));
    Value::Map(pairs.iter().map(text).collect())
}

#[tokio::test]
async fn other_services_reach_objects() {
    let world = World::with_bucket().await;
    let call = async |operation: &str, input: Value| {
        world
            .s3
            .call(operation, context(REGION, "000000000000"), input)
            .await
    };
    let at = [("Bucket", "b-1"), ("Key", "code.zip")];
    let body = Bytes::from(content(200_000));
    let Value::Map(mut members) = input(&at) else {
        unreachable!()
    };
    members.push(("Body".to_owned(), Value::Blob(body.clone())));
    let put = call("PutObject", Value::Map(members)).await.unwrap();
    let got = call("GetObject", input(&at)).await.unwrap();
    assert_eq!(got.get("Body"), Some(&Value::Blob(body)));
    assert_eq!(got.get("ContentLength"), Some(&Value::Int(200_000)));
    assert_eq!(got.get("ETag"), put.get("ETag"));
    let head = call("HeadObject", input(&at)).await.unwrap();
    assert_eq!(head.get("ContentLength"), Some(&Value::Int(200_000)));
    assert_eq!(world.get("/b-1/code.zip").await.ok().body.len(), 200_000);

    let code = async |operation: &str, pairs: &[(&str, &str)]| {
        call(operation, input(pairs)).await.unwrap_err().code
    };
    assert_eq!(
        code("GetObject", &[("Bucket", "b-1"), ("Key", "x")]).await,
        "NoSuchKey"
    );
    assert_eq!(
        code("GetObject", &[("Bucket", "none"), ("Key", "x")]).await,
        "NoSuchBucket"
    );
    assert_eq!(
        code("GetObject", &[("Bucket", "b-1")]).await,
        "InvalidRequest"
    );
    assert_eq!(code("ListBuckets", &[]).await, "NotImplementedException");
    let other = context(REGION, "111111111111");
    let denied = world
        .s3
        .call("GetObject", other, input(&at))
        .await
        .unwrap_err();
    assert_eq!(denied.code, "AccessDenied");
    call("DeleteObject", input(&at)).await.unwrap();
    assert_eq!(code("GetObject", &at).await, "NoSuchKey");
}

#[tokio::test]
async fn errors_of_the_gateway_are_written_as_s3_writes_them() {
    let world = World::new();
    let context = context(REGION, "000000000000");
    let error = service::ServiceError::new(
        "SignatureDoesNotMatch",
        http::StatusCode::FORBIDDEN,
        "The request signature we calculated <does> not match.",
    );
    let answer = world.s3.error_response(&context, &error);
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "application/xml");
    let body = http_body_util::BodyExt::collect(answer.into_body())
        .await
        .unwrap()
        .to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let start =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SignatureDoesNotMatch</Code>";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("&lt;does&gt;"));
    assert!(text.contains(&format!("<RequestId>{}</RequestId>", context.request_id)));
}
