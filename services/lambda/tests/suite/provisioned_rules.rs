//! What may have provisioned concurrency, how much, and how it is listed.

use serde_json::{Value as Json, json};

use crate::provisioned::{INVALID, alias, of, publish, put};
use crate::support::{ECHO, World, new_function};

#[tokio::test]
async fn only_versions_and_aliases_have_it() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    publish(&world, "first").await;
    let refused = async |operation: &str, input: Json| {
        let (code, message) = world.refused(operation, input).await;
        format!("{code}: {message}")
    };
    let unpublished = format!(
        "{INVALID}: Provisioned Concurrency Configs cannot be applied to unpublished function \
         versions."
    );
    let operation = "PutProvisionedConcurrencyConfig";
    assert_eq!(refused(operation, put("$LATEST", 1)).await, unpublished);
    world.ok("CreateAlias", alias("$LATEST")).await;
    assert_eq!(refused(operation, put("live", 1)).await, unpublished);
    for operation in [
        "GetProvisionedConcurrencyConfig",
        "DeleteProvisionedConcurrencyConfig",
    ] {
        assert_eq!(
            refused(operation, of("$LATEST")).await,
            format!(
                "{INVALID}: The function resource provided must be an alias or a published version."
            )
        );
    }
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:hello";
    for operation in [
        "GetProvisionedConcurrencyConfig",
        "DeleteProvisionedConcurrencyConfig",
    ] {
        assert_eq!(
            refused(operation, of("other")).await,
            format!("ResourceNotFoundException: Cannot find alias arn: {arn}:other")
        );
        assert_eq!(
            refused(operation, of("7")).await,
            format!("ResourceNotFoundException: Function not found: {arn}:7")
        );
    }
    let operation = "PutProvisionedConcurrencyConfig";
    assert!(
        refused(operation, put("1", 0))
            .await
            .starts_with("ValidationException")
    );
    let snap_start = json!({
        "FunctionName": "hello", "SnapStart": {"ApplyOn": "PublishedVersions"},
    });
    world.ok("UpdateFunctionConfiguration", snap_start).await;
    publish(&world, "second").await;
    assert_eq!(
        refused(operation, put("2", 1)).await,
        format!(
            "{INVALID}: Provisioned Concurrency is not supported for SnapStart enabled functions."
        )
    );
}

#[tokio::test]
async fn a_version_has_one_configuration() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    publish(&world, "first").await;
    publish(&world, "second").await;
    world.ok("CreateAlias", alias("1")).await;
    let operation = "PutProvisionedConcurrencyConfig";
    let conflict = |message: &str| ("ResourceConflictException".to_owned(), message.to_owned());
    let taken = conflict(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned \
         version",
    );
    world.ok(operation, put("1", 1)).await;
    assert_eq!(world.refused(operation, put("live", 1)).await, taken);
    world
        .ok("DeleteProvisionedConcurrencyConfig", of("1"))
        .await;
    world.ok(operation, put("live", 1)).await;
    assert_eq!(
        world.refused(operation, put("1", 1)).await,
        conflict("Version is pointed by a Provisioned Concurrency alias")
    );
    world.ok(operation, put("2", 1)).await;
    assert_eq!(world.refused("UpdateAlias", alias("2")).await, taken);
    let (code, _) = world.refused("UpdateAlias", alias("$LATEST")).await;
    assert_eq!(code, INVALID);
    let other = json!({"FunctionName": "hello", "Name": "other", "FunctionVersion": "1"});
    world.ok("CreateAlias", other).await;
    assert_eq!(world.refused(operation, put("other", 1)).await, taken);
}

#[tokio::test]
async fn it_is_part_of_what_is_reserved_or_of_what_is_not() {
    let world = World::new().await;
    // Without a runtime of this name nothing begins, and counting is what this is about.
    let mut function = new_function("hello", ECHO);
    function["Runtime"] = json!("provided.al2023");
    world.ok("CreateFunction", function).await;
    publish(&world, "first").await;
    publish(&world, "second").await;
    let operation = "PutProvisionedConcurrencyConfig";
    let refused = async |operation: &str, input: Json| {
        let (code, message) = world.refused(operation, input).await;
        assert_eq!(code, INVALID);
        message
    };
    let unreserved = async || {
        let settings = world.ok("GetAccountSettings", json!({})).await;
        settings["AccountLimit"]["UnreservedConcurrentExecutions"].clone()
    };
    assert_eq!(
        refused(operation, put("1", 1_001)).await,
        "Specified ConcurrentExecutions for function is greater than account's unreserved \
         concurrency [1000]."
    );
    assert_eq!(
        refused(operation, put("1", 901)).await,
        "Specified ConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    world.ok(operation, put("1", 6)).await;
    world.ok(operation, put("2", 4)).await;
    assert_eq!(unreserved().await, 990);
    let reserve =
        |count: u32| json!({"FunctionName": "hello", "ReservedConcurrentExecutions": count});
    assert_eq!(
        refused("PutFunctionConcurrency", reserve(9)).await,
        " ReservedConcurrentExecutions  9 should not be lower than function's total provisioned \
         concurrency [10]."
    );
    world.ok("PutFunctionConcurrency", reserve(12)).await;
    assert_eq!(unreserved().await, 988);
    assert_eq!(
        refused(operation, put("2", 7)).await,
        "Requested Provisioned Concurrency should not be greater than the \
         reservedConcurrentExecution for function"
    );
    world.ok(operation, put("2", 6)).await;
    let function = json!({"FunctionName": "hello"});
    world
        .ok("DeleteFunctionConcurrency", function.clone())
        .await;
    assert_eq!(unreserved().await, 988);
    world.ok("DeleteFunction", function).await;
    assert_eq!(unreserved().await, 1_000);
}

#[tokio::test]
async fn they_are_listed_page_by_page() {
    let world = World::new().await;
    let mut function = new_function("hello", ECHO);
    function["Runtime"] = json!("provided.al2023");
    world.ok("CreateFunction", function).await;
    for version in ["1", "2", "3"] {
        publish(&world, version).await;
    }
    world.ok("CreateAlias", alias("3")).await;
    for qualifier in ["live", "2", "1"] {
        world
            .ok("PutProvisionedConcurrencyConfig", put(qualifier, 1))
            .await;
    }
    let (mut seen, mut marker) = (Vec::new(), Json::Null);
    loop {
        let mut input = json!({"FunctionName": "hello", "MaxItems": 2});
        if !marker.is_null() {
            input["Marker"] = marker;
        }
        let page = world.ok("ListProvisionedConcurrencyConfigs", input).await;
        let configs = page["ProvisionedConcurrencyConfigs"].as_array().unwrap();
        assert!(configs.len() <= 2);
        seen.extend(configs.iter().map(|config| {
            assert_eq!(config["RequestedProvisionedConcurrentExecutions"], 1);
            let arn = config["FunctionArn"].as_str().unwrap();
            arn.rsplit(':').next().unwrap().to_owned()
        }));
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["1", "2", "live"]);
}
