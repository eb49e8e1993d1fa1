//! Function URL configurations.

use serde_json::json;

use crate::support::{ECHO, World, with};

#[tokio::test]
async fn a_function_and_its_alias_have_an_address_each() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    world
        .ok("PublishVersion", json!({"FunctionName": "echo"}))
        .await;
    let alias = json!({"FunctionName": "echo", "Name": "live", "FunctionVersion": "1"});
    world.ok("CreateAlias", alias).await;
    let whole = json!({"FunctionName": "echo"});
    let live = json!({"FunctionName": "echo", "Qualifier": "live"});
    let create = with(whole.clone(), json!({"AuthType": "NONE"}));
    let first = world.ok("CreateFunctionUrlConfig", create.clone()).await;
    let url = first["FunctionUrl"].as_str().unwrap();
    assert!(
        url.starts_with("http://") && url.ends_with(".lambda-url.us-east-1.localhost:4599/"),
        "{url}"
    );
    assert_eq!(first["InvokeMode"], "BUFFERED");
    assert_eq!(
        first["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:echo"
    );
    let create = with(
        live.clone(),
        json!({"AuthType": "AWS_IAM", "Cors": {"MaxAge": 5}}),
    );
    let second = world.ok("CreateFunctionUrlConfig", create.clone()).await;
    assert_ne!(second["FunctionUrl"], first["FunctionUrl"]);
    assert_eq!(second["Cors"], json!({"MaxAge": 5}));
    let (code, message) = world.refused("CreateFunctionUrlConfig", create).await;
    assert_eq!(code, "ResourceConflictException");
    assert!(
        message.ends_with("FunctionUrlConfig exists for this Lambda function"),
        "{message}"
    );

    let update = with(live.clone(), json!({"InvokeMode": "RESPONSE_STREAM"}));
    let updated = world.ok("UpdateFunctionUrlConfig", update).await;
    assert_eq!(updated["FunctionUrl"], second["FunctionUrl"]);
    assert_eq!(updated["InvokeMode"], "RESPONSE_STREAM");
    assert_eq!(updated["AuthType"], "AWS_IAM");
    let all = world.ok("ListFunctionUrlConfigs", whole.clone()).await;
    assert_eq!(all["FunctionUrlConfigs"].as_array().unwrap().len(), 2);
    let page = world
        .ok(
            "ListFunctionUrlConfigs",
            with(whole.clone(), json!({"MaxItems": 1})),
        )
        .await;
    let rest = with(whole.clone(), json!({"Marker": page["NextMarker"]}));
    let rest = world.ok("ListFunctionUrlConfigs", rest).await;
    assert_eq!(
        rest["FunctionUrlConfigs"][0]["FunctionUrl"],
        second["FunctionUrl"]
    );

    world.ok("DeleteFunctionUrlConfig", whole.clone()).await;
    let (code, message) = world.refused("GetFunctionUrlConfig", whole.clone()).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "The resource you requested does not exist.");
    world.refused("DeleteFunctionUrlConfig", whole).await;
    let alias = json!({"FunctionName": "echo", "Name": "live"});
    world.ok("DeleteAlias", alias).await;
    world.refused("GetFunctionUrlConfig", live).await;
}

#[tokio::test]
async fn what_is_not_there_has_no_address() {
    let world = World::new().await;
    let nobody = json!({"FunctionName": "nobody", "AuthType": "NONE"});
    let (code, message) = world.refused("CreateFunctionUrlConfig", nobody).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ResourceNotFoundException", "Function does not exist")
    );
    world.create("echo", ECHO).await;
    for qualifier in ["other", "1", "$LATEST"] {
        let input = json!({"FunctionName": "echo", "Qualifier": qualifier, "AuthType": "NONE"});
        world.refused("CreateFunctionUrlConfig", input).await;
    }
    let update = json!({"FunctionName": "echo", "AuthType": "NONE"});
    world.refused("UpdateFunctionUrlConfig", update).await;
}
