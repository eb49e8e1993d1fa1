//! What an account has and may have: concurrency, code storage, totals.

use lambda::Limits;
use serde_json::json;
use wire::Value;

use crate::support::{ECHO, Settings, World, context, new_function, package};

#[tokio::test]
async fn totals_are_counted() {
    let world = World::new().await;
    let size = package(&[("index.py", ECHO)]).len();
    world.create("one", ECHO).await;
    world.create("two", ECHO).await;
    let reserve = json!({"FunctionName": "one", "ReservedConcurrentExecutions": 25});
    let answer = world.ok("PutFunctionConcurrency", reserve).await;
    assert_eq!(answer["ReservedConcurrentExecutions"], 25);
    let settings = world.ok("GetAccountSettings", json!({})).await;
    assert_eq!(
        settings["AccountUsage"],
        json!({"FunctionCount": 2, "TotalCodeSize": 2 * size})
    );
    assert_eq!(
        settings["AccountLimit"],
        json!({
            "TotalCodeSize": 80_530_636_800_u64,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": 1_000,
            "UnreservedConcurrentExecutions": 975,
        })
    );
    world
        .ok("DeleteFunction", json!({"FunctionName": "one"}))
        .await;
    let settings = world.ok("GetAccountSettings", json!({})).await;
    assert_eq!(settings["AccountUsage"]["FunctionCount"], 1);
    assert_eq!(
        settings["AccountLimit"]["UnreservedConcurrentExecutions"],
        1_000
    );
}

#[tokio::test]
async fn a_hundred_are_always_left_unreserved() {
    let world = World::new().await;
    world.create("one", ECHO).await;
    world.create("two", ECHO).await;
    let reserve = |name: &str, count: u32| json!({"FunctionName": name, "ReservedConcurrentExecutions": count});
    world
        .ok("PutFunctionConcurrency", reserve("one", 500))
        .await;
    world
        .ok("PutFunctionConcurrency", reserve("two", 400))
        .await;
    let (code, message) = world
        .refused("PutFunctionConcurrency", reserve("two", 401))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(
        message,
        "Specified ReservedConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    let got = world
        .ok("GetFunctionConcurrency", json!({"FunctionName": "two"}))
        .await;
    assert_eq!(got["ReservedConcurrentExecutions"], 400);
    world
        .ok("DeleteFunctionConcurrency", json!({"FunctionName": "two"}))
        .await;
    let got = world
        .ok("GetFunctionConcurrency", json!({"FunctionName": "two"}))
        .await;
    assert!(got.get("ReservedConcurrentExecutions").is_none());
}

#[tokio::test]
async fn concurrency_is_reserved_for_whole_functions() {
    let world = World::new().await;
    world.create("one", ECHO).await;
    let reserve = json!({"FunctionName": "one:$LATEST", "ReservedConcurrentExecutions": 5});
    let (code, message) = world.refused("PutFunctionConcurrency", reserve).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.starts_with("This operation is permitted on Lambda functions only."));
}

#[tokio::test]
async fn code_storage_has_an_end() {
    let size = package(&[("index.py", ECHO)]).len() as u64;
    let limits = Limits {
        code_storage: size + 10,
        ..Limits::default()
    };
    let world = World::with(Settings {
        limits,
        ..Settings::default()
    })
    .await;
    world.create("one", ECHO).await;
    let (code, _) = world
        .refused("CreateFunction", new_function("two", ECHO))
        .await;
    assert_eq!(code, "CodeStorageExceededException");
    let update =
        json!({"FunctionName": "one", "ZipFile": new_function("one", ECHO)["Code"]["ZipFile"]});
    world.ok("UpdateFunctionCode", update).await;
}

#[tokio::test]
async fn every_modelled_operation_is_implemented() {
    let world = World::new().await;
    let service = lambda::endpoint(&world.lambda);
    for operation in service.schema().operations {
        let mut input = Value::Map(Vec::new());
        let streamed = service.stream(operation.name, &context(), &mut input).await;
        if streamed.is_some() {
            continue;
        }
        if let Err(error) = service.call(operation.name, context(), input).await {
            assert_ne!(error.code, "NotImplementedException", "{}", operation.name);
        }
    }
    let error = world.error("CreateMachine", json!({})).await;
    assert_eq!(error.status, 501);
    assert!(error.message.contains("CreateMachine"), "{error}");
}
