//! Requests to HTTP APIs.

use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::{Value as Json, json};
use service::ServiceError;

use crate::world::{FUNCTION, World};

fn get(api: &str, path: &str) -> http::request::Builder {
    Request::get(path).header(
        "host",
        format!("{api}.execute-api.us-east-1.localhost:4566"),
    )
}

#[tokio::test]
async fn a_functions_permission_names_the_route() {
    let world = World::new().await;
    let id = world.api("ANY /pets/{id}", "2.0").await;
    let (response, body) = world.send(get(&id, "/pets/7?a=b"), "").await;
    assert_eq!(response.status(), 200);
    let event: Json = serde_json::from_str(&body).unwrap();
    assert_eq!(event["pathParameters"], json!({"id": "7"}));
    assert_eq!(event["requestContext"]["http"]["path"], "/pets/7");
    let calls = world.outside.calls.lock();
    let source = &calls[0].1;
    let expected = "arn:aws:execute-api:us-east-1:000000000000:";
    assert_eq!(*source, format!("{expected}{id}/$default/ANY/pets/{{id}}"));
}

#[tokio::test]
async fn what_a_function_does_wrong_is_500_and_in_the_log() {
    let world = World::new().await;
    let id = world.api("$default", "1.0").await;
    let settings = json!({"ApiId": id, "StageName": "$default", "AccessLogSettings": {
        "DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:g",
        "Format": "$context.status $context.integrationErrorMessage"}});
    world.ok("UpdateStage", settings).await;
    let throttled = ServiceError::new(
        "TooManyRequestsException",
        StatusCode::TOO_MANY_REQUESTS,
        "no",
    );
    for (answer, status, text) in [
        (Ok(json!({"statusCode": 99})), 500, "Internal Server Error"),
        (Ok(json!("text")), 500, "Internal Server Error"),
        (
            Ok(json!({"statusCode": 200, "body": "?", "isBase64Encoded": true})),
            500,
            "Internal Server Error",
        ),
        (
            Ok(json!({"errorMessage": "boom"})),
            500,
            "Internal Server Error",
        ),
        (Err(ServiceError::internal()), 500, "Internal Server Error"),
        (Err(throttled), 503, "Service Unavailable"),
    ] {
        *world.outside.answer.lock() = Some(answer);
        let (response, body) = world.send(get(&id, "/"), "").await;
        assert_eq!(response.status(), status);
        assert_eq!(body, format!("{{\"message\":\"{text}\"}}"));
    }
    let lines = world.outside.lines.lock();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(
        lines[0].starts_with("g 500 statusCode is 99"),
        "{}",
        lines[0]
    );
    assert!(lines[3].contains("boom"), "{}", lines[3]);
}

#[tokio::test]
async fn a_routes_rate_holds() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let settings = json!({"ApiId": id, "StageName": "$default", "DefaultRouteSettings": {
        "ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 2}});
    world.ok("UpdateStage", settings).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(world.status(&id, "/a").await);
    }
    assert_eq!(statuses, [200, 200, 429]);
    world.time.advance(Duration::from_secs(1));
    assert_eq!(world.status(&id, "/a").await, 200);
    assert_eq!(world.status(&id, "/a").await, 429);
}

#[tokio::test]
async fn what_an_authorizer_said_holds_for_its_time() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let authorizer = world
        .ok(
            "CreateAuthorizer",
            json!({
                "ApiId": id, "Name": "z", "AuthorizerType": "REQUEST",
                "AuthorizerUri": crate::world::FUNCTION, "AuthorizerPayloadFormatVersion": "2.0",
                "EnableSimpleResponses": true, "AuthorizerResultTtlInSeconds": 60,
                "IdentitySource": ["$request.querystring.who"],
            }),
        )
        .await;
    let routes = world.ok("GetRoutes", json!({ "ApiId": id })).await;
    let update = json!({
        "ApiId": id, "RouteId": routes["Items"][0]["RouteId"], "AuthorizationType": "CUSTOM",
        "AuthorizerId": authorizer["AuthorizerId"],
    });
    world.ok("UpdateRoute", update).await;
    let say = |allowed: bool| {
        *world.outside.answer.lock() = Some(Ok(json!({"isAuthorized": allowed})));
    };
    assert_eq!(world.status(&id, "/a").await, 401);
    say(true);
    assert_eq!(world.status(&id, "/a?who=me").await, 200);
    say(false);
    assert_eq!(world.status(&id, "/a?who=me").await, 200, "kept");
    assert_eq!(world.status(&id, "/a?who=you").await, 403);
    let reset = json!({"ApiId": id, "StageName": "$default"});
    world.ok("ResetAuthorizersCache", reset).await;
    assert_eq!(world.status(&id, "/a?who=me").await, 403);
    say(true);
    assert_eq!(
        world.status(&id, "/a?who=me").await,
        403,
        "a refusal is kept as well"
    );
    world.time.advance(Duration::from_secs(61));
    assert_eq!(world.status(&id, "/a?who=me").await, 200);
    *world.outside.answer.lock() = Some(Ok(json!({"isAuthorized": "yes"})));
    assert_eq!(world.status(&id, "/a?who=they").await, 500);
}

#[tokio::test]
async fn shapes_that_mean_harm_are_answered_like_any_other() {
    let world = World::new().await;
    let id = world.api("GET /files/{name}", "2.0").await;
    for (path, status) in [
        ("/files/..%2f..%2fetc", 404),
        ("/files/..%252f", 200),
        ("/files/../secret", 404),
        ("//files/x", 404),
        ("/files/%ff%00", 200),
        ("/%zz", 404),
    ] {
        let (response, _) = world.send(get(&id, path), "").await;
        assert_eq!(response.status(), status, "{path}");
    }
    let calls = world.outside.calls.lock();
    assert_eq!(calls[0].0["pathParameters"], json!({"name": "..%2f"}));
    assert_eq!(calls.len(), 2);
}

#[tokio::test]
async fn a_path_is_judged_as_it_is_matched() {
    let world = World::new().await;
    let id = world.api("GET /{proxy+}", "2.0").await;
    let policy = |effect: &str, path: &str| {
        json!({"Action": "execute-api:Invoke", "Effect": effect,
            "Resource": format!("arn:aws:execute-api:*:*:*/*/GET/{path}")})
    };
    let says = json!({"principalId": "me", "policyDocument": {"Version": "2012-10-17",
        "Statement": [policy("Allow", "*"), policy("Deny", "admin/*")]}});
    let uri = format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
    );
    let authorizer = json!({"ApiId": id, "Name": "a", "AuthorizerType": "REQUEST",
        "AuthorizerUri": uri, "AuthorizerPayloadFormatVersion": "1.0",
        "AuthorizerResultTtlInSeconds": 60, "IdentitySource": ["$request.header.who"]});
    let authorizer = world.ok("CreateAuthorizer", authorizer).await;
    let routes = world.ok("GetRoutes", json!({ "ApiId": id })).await;
    let input = json!({"ApiId": id, "RouteId": routes["Items"][0]["RouteId"],
        "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer["AuthorizerId"]});
    world.ok("UpdateRoute", input).await;
    *world.outside.answer.lock() = Some(Ok(says));
    for (path, status) in [
        ("/pets/1", 200),
        ("/admin/x", 403),
        ("/%61dmin/x", 403),
        ("/admin%2Fx", 403),
    ] {
        let (response, _) = world.send(get(&id, path).header("who", "me"), "").await;
        assert_eq!(response.status(), status, "{path}");
    }
}
