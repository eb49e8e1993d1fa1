//! Requests to functions' addresses.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value as Json, json};
use service::{Body, RequestContext};

use crate::support::{ECHO, World, context, with};

async fn address(world: &World, more: Json) -> String {
    world.create("echo", ECHO).await;
    let create = with(json!({"FunctionName": "echo", "AuthType": "NONE"}), more);
    let created = world.ok("CreateFunctionUrlConfig", create).await;
    let url = created["FunctionUrl"].as_str().unwrap();
    let host = url.strip_prefix("http://").unwrap();
    host.trim_end_matches('/').to_owned()
}

async fn send(
    world: &World,
    is_permissive: bool,
    request: http::request::Builder,
    body: &'static [u8],
) -> (Response<()>, Bytes) {
    let body: Body = Full::new(Bytes::from_static(body))
        .map_err(|never| match never {})
        .boxed_unsync();
    let request: Request<Body> = request.body(body).unwrap();
    let urls = lambda::urls_endpoint(&world.lambda, is_permissive);
    let context: RequestContext = context();
    let (parts, body) = urls.handle(context, request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), body)
}

#[tokio::test]
async fn a_request_is_an_event_by_host_and_by_path() {
    let world = World::new().await;
    let host = address(&world, json!({})).await;
    let id = host.split('.').next().unwrap();
    let by_host = Request::post("/a/b?x=1&x=2").header("host", &host);
    let by_host = by_host
        .header("content-type", "application/octet-stream")
        .header("cookie", "c=1; d=2");
    let (response, body) = send(&world, true, by_host, b"\xff\0").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let event: Json = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/a/b");
    assert_eq!(event["queryStringParameters"], json!({"x": "1,2"}));
    assert_eq!(event["cookies"], json!(["c=1", "d=2"]));
    assert_eq!(event["body"], "/wA=");
    assert_eq!(event["isBase64Encoded"], true);
    assert_eq!(event["requestContext"]["apiId"], id);
    assert_eq!(event["requestContext"]["accountId"], "anonymous");
    assert_eq!(event["requestContext"]["http"]["method"], "POST");

    let by_path = Request::get(format!("/_aws/lambda-url/{id}/a")).header("host", "localhost:1");
    let (response, body) = send(&world, true, by_path, b"").await;
    assert_eq!(response.status(), 200);
    let event: Json = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["rawPath"], "/a");
    assert_eq!(event.get("body"), None);

    let unknown = Request::get("/_aws/lambda-url/nobody/").header("host", "localhost:1");
    let (response, _) = send(&world, true, unknown, b"").await;
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn rules_answer_a_preflight() {
    let world = World::new().await;
    let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]});
    let host = address(&world, json!({ "Cors": cors })).await;
    let preflight = Request::options("/")
        .header("host", &host)
        .header("origin", "https://a.example")
        .header("access-control-request-method", "GET");
    let (response, body) = send(&world, true, preflight, b"").await;
    assert_eq!(response.status(), 200);
    assert!(body.is_empty());
    let allowed = &response.headers()["access-control-allow-origin"];
    assert_eq!(allowed, "https://a.example");
    assert_eq!(response.headers()["access-control-allow-methods"], "GET");
}

#[tokio::test]
async fn where_policies_count_the_functions_own_must_let_everyone_in() {
    let world = World::new().await;
    let host = address(&world, json!({})).await;
    let request = || Request::get("/").header("host", &host);
    let (response, body) = send(&world, false, request(), b"").await;
    assert_eq!(response.status(), 403);
    assert_eq!(body, r#"{"Message":"Forbidden"}"#);
    let url = json!({
        "FunctionName": "echo", "StatementId": "url", "Principal": "*",
        "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE",
    });
    world.ok("AddPermission", url).await;
    let (response, _) = send(&world, false, request(), b"").await;
    assert_eq!(response.status(), 403);
    let invoke = json!({
        "FunctionName": "echo", "StatementId": "invoke", "Principal": "*",
        "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": true,
    });
    world.ok("AddPermission", invoke).await;
    let (response, _) = send(&world, false, request(), b"").await;
    assert_eq!(response.status(), 200);
}
