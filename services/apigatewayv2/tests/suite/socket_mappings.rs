//! Templates, parameters and responses of WebSocket APIs' integrations.

use serde_json::{Value as Json, json};

use crate::sockets::{Client, ask, dial};
use crate::world::{FUNCTION, World};

/// An API whose `$default` leads to this integration and answers; the integration's id as well.
async fn api(world: &World, integration: Json) -> (String, String) {
    let create = json!({"Name": "ws", "ProtocolType": "WEBSOCKET",
        "RouteSelectionExpression": "$request.body.action"});
    let made = world.ok("CreateApi", create).await;
    let id = made["ApiId"].as_str().unwrap().to_owned();
    let mut input = integration;
    input["ApiId"] = json!(id);
    let made = world.ok("CreateIntegration", input).await;
    let integration = made["IntegrationId"].as_str().unwrap().to_owned();
    let route = json!({"ApiId": id, "RouteKey": "$default",
        "Target": format!("integrations/{integration}"),
        "RouteResponseSelectionExpression": "$default"});
    let route = world.ok("CreateRoute", route).await;
    let response =
        json!({"ApiId": id, "RouteId": route["RouteId"], "RouteResponseKey": "$default"});
    world.ok("CreateRouteResponse", response).await;
    let stage = json!({"ApiId": id, "StageName": "s", "AutoDeploy": true,
        "StageVariables": {"where": "here"}});
    world.ok("CreateStage", stage).await;
    (id, integration)
}

async fn respond(world: &World, api: &str, integration: &str, key: &str, template: &str) {
    let input = json!({"ApiId": api, "IntegrationId": integration,
        "IntegrationResponseKey": key, "ResponseTemplates": {"$default": template}});
    world.ok("CreateIntegrationResponse", input).await;
}

async fn answer(client: &mut Client, message: &Json) -> Json {
    serde_json::from_str(&ask(client, &message.to_string()).await).unwrap()
}

#[tokio::test]
async fn a_function_gets_what_its_template_makes_and_the_client_what_the_responses_does() {
    let world = World::new().await;
    let (id, integration) = api(
        &world,
        json!({"IntegrationType": "AWS", "IntegrationUri": FUNCTION,
        "TemplateSelectionExpression": "${request.body.form}",
        "RequestTemplates": {
            "short": "{\"text\": $input.json('$.text'), \"at\": \"$stageVariables.where\"}",
            "$default": "{\"route\": \"$context.routeKey\"}",
        }}),
    )
    .await;
    let mut client = dial(&world, &id).await;
    // The function answers with what it got.
    let said = answer(&mut client, &json!({"form": "short", "text": "hi"})).await;
    assert_eq!(said, json!({"text": "hi", "at": "here"}));
    let said = answer(&mut client, &json!({"form": "long", "text": "hi"})).await;
    assert_eq!(said, json!({"route": "$default"}));

    respond(
        &world,
        &id,
        &integration,
        "$default",
        "{\"reply\": $input.json('$.text')}",
    )
    .await;
    let said = answer(&mut client, &json!({"form": "short", "text": "hi"})).await;
    assert_eq!(said, json!({"reply": "hi"}));
}

#[tokio::test]
async fn a_mocks_status_selects_its_response() {
    let world = World::new().await;
    let (id, integration) = api(
        &world,
        json!({"IntegrationType": "MOCK", "TemplateSelectionExpression": "\\$default",
            "RequestTemplates": {"$default": "{\"statusCode\": $input.path('$.status')}"}}),
    )
    .await;
    for (key, template) in [
        ("201", "\"made\""),
        ("/2\\d\\d/", "\"well\""),
        ("$default", "\"else\""),
    ] {
        respond(&world, &id, &integration, key, template).await;
    }
    let mut client = dial(&world, &id).await;
    for (status, said) in [(201, "made"), (204, "well"), (404, "else")] {
        let answer = answer(&mut client, &json!({ "status": status })).await;
        assert_eq!(answer, json!(said));
    }
}

#[tokio::test]
async fn another_services_api_is_called_in_the_roles_name() {
    let world = World::new().await;
    let role = "arn:aws:iam::000000000000:role/r";
    let uri = "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem";
    let (id, _) = api(
        &world,
        json!({"IntegrationType": "AWS", "IntegrationUri": uri, "CredentialsArn": role,
        "RequestTemplates": {"$default": "{\"Item\": $input.json('$.item')}"},
        "RequestParameters": {
            "integration.request.header.x-from": "context.connectionId",
            "integration.request.querystring.q": "route.request.body.q",
            "integration.request.header.content-type": "'text/plain'",
        }}),
    )
    .await;
    let mut client = dial(&world, &id).await;
    let said = answer(&mut client, &json!({"item": {"id": 7}, "q": "a b"})).await;
    assert_eq!(said["service"], "dynamodb");
    assert_eq!(said["action"], "PutItem");
    assert_eq!(said["uri"], "/?q=a%20b");
    assert_eq!(said["body"], "{\"Item\": {\"id\":7}}");
    assert_eq!(said["kind"], "text/plain");
    assert!(!said["x"].as_str().unwrap().is_empty());
    let session = "arn:aws:sts::000000000000:assumed-role/r/BackplaneAssumeRoleSession";
    assert_eq!(said["who"], session);

    for refused in [
        json!({"IntegrationUri": "arn:aws:apigateway:us-east-1:dynamodb:other", "CredentialsArn": role}),
        json!({"IntegrationUri": uri}),
    ] {
        let mut input = refused;
        input["ApiId"] = json!(id);
        input["IntegrationType"] = json!("AWS");
        let error = world.error("CreateIntegration", input).await;
        assert_eq!(error.code, "BadRequestException");
    }
}

#[tokio::test]
async fn what_no_template_takes_is_refused_where_it_may_not_pass() {
    let world = World::new().await;
    for (behavior, passes) in [
        ("WHEN_NO_MATCH", true),
        ("WHEN_NO_TEMPLATES", false),
        ("NEVER", false),
    ] {
        let (id, _) = api(
            &world,
            json!({"IntegrationType": "AWS", "IntegrationUri": FUNCTION,
                "PassthroughBehavior": behavior, "TemplateSelectionExpression": "$request.body.form",
                "RequestTemplates": {"short": "{}"}}),
        )
        .await;
        let mut client = dial(&world, &id).await;
        let message = json!({"form": "long"});
        let said = answer(&mut client, &message).await;
        if passes {
            assert_eq!(said, message);
        } else {
            assert_eq!(said["message"], "Internal server error", "{said}");
        }
    }
}

#[tokio::test]
async fn a_template_that_loops_or_is_none_is_stopped() {
    let world = World::new().await;
    let endless = "#set($all = [1..1000])#foreach($a in $all)#foreach($b in $all)\
        #foreach($c in $all)$a$b$c#end#end#end";
    let growing = "#set($x = \"0123456789\")#foreach($i in [1..1000])#set($x = \"$x$x\")#end$x";
    for template in [endless, growing, "#if(", "#macro(m)#m()#end#m()"] {
        let (id, _) = api(
            &world,
            json!({"IntegrationType": "AWS", "IntegrationUri": FUNCTION,
                "RequestTemplates": {"$default": template}}),
        )
        .await;
        let mut client = dial(&world, &id).await;
        let said = answer(&mut client, &json!({})).await;
        assert_eq!(said["message"], "Internal server error", "{template}");
    }
    assert_eq!(world.outside.calls.lock().len(), 0);
}
