//! What is created, changed, listed and deleted.

use serde_json::json;

use crate::world::{FUNCTION, World};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    world
        .ok(
            "CreateModel",
            json!({"ApiId": id, "Name": "m", "Schema": "{}"}),
        )
        .await;
    let domain = json!({"DomainName": "api.example.org"});
    world.ok("CreateDomainName", domain).await;
    let mapping = json!({"DomainName": "api.example.org", "ApiId": id, "Stage": "$default"});
    world.ok("CreateApiMapping", mapping).await;
    let link = json!({"Name": "l", "SubnetIds": ["s"]});
    world.ok("CreateVpcLink", link).await;
    let before = world.ok("GetApi", json!({ "ApiId": id })).await;
    let world = world.restart().await;
    assert_eq!(world.ok("GetApi", json!({ "ApiId": id })).await, before);
    assert_eq!(world.status(&id, "/a").await, 200);
    for (operation, input, count) in [
        ("GetRoutes", json!({ "ApiId": id }), 1),
        ("GetIntegrations", json!({ "ApiId": id }), 1),
        ("GetModels", json!({ "ApiId": id }), 1),
        ("GetStages", json!({ "ApiId": id }), 1),
        ("GetDeployments", json!({ "ApiId": id }), 1),
        ("GetDomainNames", json!({}), 1),
        (
            "GetApiMappings",
            json!({"DomainName": "api.example.org"}),
            1,
        ),
        ("GetVpcLinks", json!({}), 1),
        ("GetApis", json!({}), 1),
    ] {
        let listed = world.ok(operation, input).await;
        assert_eq!(
            listed["Items"].as_array().unwrap().len(),
            count,
            "{operation}"
        );
    }
    world
        .ok("DeleteDomainName", json!({"DomainName": "api.example.org"}))
        .await;
    world.ok("DeleteApi", json!({ "ApiId": id })).await;
    let world = world.restart().await;
    let error = world.error("GetApi", json!({ "ApiId": id })).await;
    assert_eq!(error.code, "NotFoundException");
    let nothing = world.ok("GetApis", json!({})).await;
    assert_eq!(nothing["Items"], json!([]));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let before = world.ok("GetDeployments", json!({ "ApiId": id })).await;
    for (operation, input, code) in [
        (
            "CreateApi",
            json!({"Name": "x", "ProtocolType": "FTP"}),
            "BadRequestException",
        ),
        (
            "CreateApi",
            json!({"Name": "x", "ProtocolType": "WEBSOCKET"}),
            "BadRequestException",
        ),
        (
            "CreateApi",
            json!({"Name": "x", "ProtocolType": "HTTP", "Tags": {"_custom_id_": id}}),
            "ConflictException",
        ),
        (
            "CreateApi",
            json!({"Name": "x", "ProtocolType": "HTTP", "Tags": {"_custom_id_": "A.b"}}),
            "BadRequestException",
        ),
        (
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": "GET /b", "ApiKeyRequired": true}),
            "BadRequestException",
        ),
        (
            "CreateApi",
            json!({"Name": "x", "ProtocolType": "HTTP", "CorsConfiguration": {
                "AllowCredentials": true, "AllowOrigins": ["*"]}}),
            "BadRequestException",
        ),
        (
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": "GET /a"}),
            "ConflictException",
        ),
        (
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": "nonsense"}),
            "BadRequestException",
        ),
        (
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": "GET /b", "Target": "integrations/none"}),
            "BadRequestException",
        ),
        (
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": "GET /b", "AuthorizationType": "JWT"}),
            "BadRequestException",
        ),
        (
            "CreateIntegration",
            json!({"ApiId": id, "IntegrationType": "MOCK"}),
            "BadRequestException",
        ),
        (
            "CreateIntegration",
            json!({"ApiId": id, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION}),
            "BadRequestException",
        ),
        (
            "CreateIntegration",
            json!({"ApiId": id, "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "GET",
                "IntegrationUri": "ftp://example.org"}),
            "BadRequestException",
        ),
        (
            "CreateIntegration",
            json!({"ApiId": id, "IntegrationType": "AWS_PROXY", "CredentialsArn": FUNCTION,
                "IntegrationSubtype": "Kinesis-PutRecord", "PayloadFormatVersion": "1.0"}),
            "NotImplementedException",
        ),
        (
            "CreateStage",
            json!({"ApiId": id, "StageName": "a b"}),
            "BadRequestException",
        ),
        (
            "CreateStage",
            json!({"ApiId": id, "StageName": "$default"}),
            "ConflictException",
        ),
        (
            "CreateStage",
            json!({"ApiId": id, "StageName": "x", "DeploymentId": "none"}),
            "BadRequestException",
        ),
        (
            "CreateRouteResponse",
            json!({"ApiId": id, "RouteId": "x", "RouteResponseKey": "$default"}),
            "BadRequestException",
        ),
        (
            "CreateAuthorizer",
            json!({"ApiId": id, "Name": "j", "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"]}),
            "BadRequestException",
        ),
        (
            "CreateDomainName",
            json!({"DomainName": "localhost"}),
            "BadRequestException",
        ),
        (
            "CreateDomainName",
            json!({"DomainName": "x.execute-api.us-east-1.amazonaws.com"}),
            "BadRequestException",
        ),
        (
            "GetRoutes",
            json!({"ApiId": id, "MaxResults": "many"}),
            "BadRequestException",
        ),
        (
            "GetRoutes",
            json!({"ApiId": id, "NextToken": "?"}),
            "BadRequestException",
        ),
        (
            "GetTags",
            json!({"ResourceArn": "x"}),
            "BadRequestException",
        ),
    ] {
        let error = world.error(operation, input.clone()).await;
        assert_eq!(error.code, code, "{operation} {input}: {error}");
    }
    let after = world.ok("GetDeployments", json!({ "ApiId": id })).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn stages_serve_their_deployments() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let stage = json!({"ApiId": id, "StageName": "v1"});
    world.ok("CreateStage", stage.clone()).await;
    let stages = world.ok("GetStages", json!({ "ApiId": id })).await;
    for stage in stages["Items"].as_array().unwrap() {
        let settings = &stage["DefaultRouteSettings"];
        assert_eq!(settings["DetailedMetricsEnabled"], false);
    }
    assert_eq!(world.status(&id, "/v1/a").await, 404);
    world.ok("CreateDeployment", stage).await;
    assert_eq!(world.status(&id, "/v1/a").await, 200);
    let routes = world.ok("GetRoutes", json!({ "ApiId": id })).await;
    let route = &routes["Items"][0];
    let update = json!({"ApiId": id, "RouteId": route["RouteId"], "RouteKey": "GET /b"});
    world.ok("UpdateRoute", update).await;
    // One stands still, the other follows.
    assert_eq!(world.status(&id, "/v1/a").await, 200);
    assert_eq!(world.status(&id, "/v1/b").await, 404);
    assert_eq!(world.status(&id, "/a").await, 404);
    assert_eq!(world.status(&id, "/b").await, 200);
    // One that no longer deploys by itself keeps what it had.
    let update = json!({"ApiId": id, "StageName": "$default", "AutoDeploy": false});
    world.ok("UpdateStage", update).await;
    let update = json!({"ApiId": id, "RouteId": route["RouteId"], "RouteKey": "GET /c"});
    world.ok("UpdateRoute", update).await;
    let world = world.restart().await;
    assert_eq!(world.status(&id, "/b").await, 200);
    assert_eq!(world.status(&id, "/c").await, 404);
    let deployments = world.ok("GetDeployments", json!({ "ApiId": id })).await;
    assert_eq!(
        deployments["Items"].as_array().unwrap().len(),
        2,
        "{deployments}"
    );
}

#[tokio::test]
async fn updates_change_what_they_name() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let stage = |more: serde_json::Value| {
        let mut input = json!({"ApiId": id, "StageName": "$default"});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    world
        .ok(
            "UpdateStage",
            stage(json!({"StageVariables": {"x": "1", "y": "2"}, "Description": "d"})),
        )
        .await;
    let after = world
        .ok(
            "UpdateStage",
            stage(json!({"StageVariables": {"x": "", "z": "3"}})),
        )
        .await;
    assert_eq!(after["StageVariables"], json!({"y": "2", "z": "3"}));
    assert_eq!(after["Description"], "d");
    let settings = json!({"RouteSettings": {"GET /a": {"ThrottlingRateLimit": 1.5}}});
    let after = world.ok("UpdateStage", stage(settings)).await;
    assert_eq!(after["RouteSettings"]["GET /a"]["ThrottlingRateLimit"], 1.5);
    let key = json!({"RouteKey": "GET /a"});
    world.ok("DeleteRouteSettings", stage(key.clone())).await;
    let error = world.error("DeleteRouteSettings", stage(key)).await;
    assert_eq!(error.code, "NotFoundException");
    let cors = json!({"ApiId": id, "CorsConfiguration": {"AllowOrigins": ["*"]}});
    world.ok("UpdateApi", cors).await;
    let api = world.ok("GetApi", json!({ "ApiId": id })).await;
    assert_eq!(api["CorsConfiguration"]["AllowOrigins"], json!(["*"]));
    assert_eq!(api["Name"], "a");
}

#[tokio::test]
async fn another_account_sees_nothing_of_it() {
    let world = World::new().await;
    let id = world.api("GET /a", "2.0").await;
    let tags = format!("arn:aws:apigateway:us-east-1::/apis/{id}");
    world
        .ok(
            "TagResource",
            json!({"ResourceArn": tags, "Tags": {"a": "1", "b": "2"}}),
        )
        .await;
    world
        .ok(
            "UntagResource",
            json!({"ResourceArn": tags, "TagKeys": ["a"]}),
        )
        .await;
    let listed = world.ok("GetTags", json!({ "ResourceArn": tags })).await;
    assert_eq!(listed["Tags"], json!({"b": "2"}));
    let elsewhere = tags.replace("us-east-1", "eu-west-1");
    let error = world
        .error("GetTags", json!({ "ResourceArn": elsewhere }))
        .await;
    assert_eq!(error.code, "BadRequestException");
}
