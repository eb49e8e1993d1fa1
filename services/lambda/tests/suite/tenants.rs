//! Functions with tenants: who may be invoked for whom.

use serde_json::{Value as Json, json};

use crate::support::{World, eventually, new_function, payload, with};

const SOURCE: &str = "
import os
SEEN = []
def handler(event, context):
    SEEN.append(context.tenant_id)
    return SEEN
";

fn isolated(name: &str) -> Json {
    let config = json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}});
    with(new_function(name, SOURCE), config)
}

const MISSING: &str = "The invoked function is enabled with tenancy configuration. Add a valid \
                       tenant ID in your request and try again.";

#[tokio::test]
async fn a_tenant_is_named_where_there_are_tenants_and_nowhere_else() {
    let world = World::new().await;
    let created = world.ok("CreateFunction", isolated("many")).await;
    let config = json!({"TenantIsolationMode": "PER_TENANT"});
    assert_eq!(created["TenancyConfig"], config);
    world.create("one", SOURCE).await;
    let (code, message) = world
        .refused("Invoke", json!({"FunctionName": "many"}))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(message, MISSING);
    let event = json!({"FunctionName": "many", "InvocationType": "Event"});
    assert_eq!(world.refused("Invoke", event).await.1, MISSING);
    let strange = json!({"FunctionName": "one", "TenantId": "blue"});
    let (code, message) = world.refused("Invoke", strange).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("not enabled with tenancy"), "{message}");

    let call = |tenant: &str| {
        let input = json!({"FunctionName": "many", "TenantId": tenant});
        world.call("Invoke", input)
    };
    let Ok(first) = call("blue").await else {
        return;
    };
    assert_eq!(payload(&first), json!(["blue"]));
    assert_eq!(payload(&call("green").await.unwrap()), json!(["green"]));
    let event = json!({"FunctionName": "many", "InvocationType": "Event", "TenantId": "blue"});
    assert_eq!(world.ok("Invoke", event).await["StatusCode"], 202);
    let seen = eventually(async || {
        let seen = payload(&call("blue").await.unwrap());
        (seen.as_array().unwrap().len() >= 3).then_some(seen)
    });
    let seen = seen.await;
    let all: Vec<_> = seen.as_array().unwrap().iter().collect();
    assert!(all.iter().all(|tenant| **tenant == "blue"), "{seen}");
}

#[tokio::test]
async fn what_is_made_ahead_or_has_no_tenant_is_refused() {
    let world = World::new().await;
    let snapped = with(
        isolated("snapped"),
        json!({"SnapStart": {"ApplyOn": "PublishedVersions"}}),
    );
    let refused = world.refused("CreateFunction", snapped).await;
    assert_eq!(refused.0, "InvalidParameterValueException");
    let created = world.ok(
        "CreateFunction",
        with(isolated("many"), json!({"Publish": true})),
    );
    assert_eq!(
        created.await["TenancyConfig"]["TenantIsolationMode"],
        "PER_TENANT"
    );
    let url = json!({"FunctionName": "many", "AuthType": "NONE"});
    world.error("CreateFunctionUrlConfig", url).await;
    let provisioned = json!({
        "FunctionName": "many", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1,
    });
    world
        .error("PutProvisionedConcurrencyConfig", provisioned)
        .await;
}
