//! What was acknowledged is there after a restart.

use wire::Value;

use crate::world::{World, proxy, structure, text};

#[tokio::test]
async fn apis_and_all_around_them_come_back() {
    let world = World::new().await;
    let id = world.deployed(&proxy("echo")).await;
    let key = [("name", text("k")), ("enabled", Value::Bool(true))];
    world.call("CreateApiKey", &key).await.unwrap();
    let stage = structure(&[("apiId", text(&id)), ("stage", text("s"))]);
    let plan = [("name", text("p")), ("apiStages", Value::List(vec![stage]))];
    world.call("CreateUsagePlan", &plan).await.unwrap();
    let domain = [("domainName", text("mine.example"))];
    world.call("CreateDomainName", &domain).await.unwrap();
    let mapping = [
        ("domainName", text("mine.example")),
        ("restApiId", text(&id)),
    ];
    world.call("CreateBasePathMapping", &mapping).await.unwrap();
    let of_api = [("restApiId", text(&id))];
    let lists = [
        ("GetRestApis", &[][..]),
        ("GetResources", &of_api[..]),
        ("GetModels", &of_api[..]),
        ("GetDeployments", &of_api[..]),
        ("GetStages", &of_api[..]),
        ("GetApiKeys", &[][..]),
        ("GetUsagePlans", &[][..]),
        ("GetDomainNames", &[][..]),
        ("GetBasePathMappings", &domain[..]),
    ];
    let mut before = Vec::new();
    for (operation, members) in lists {
        before.push(world.call(operation, members).await.unwrap());
    }
    let path = format!("/_aws/execute-api/{id}/s/7");
    assert_eq!(world.get(&path).await.0, 200);
    let world = world.restart().await;
    for ((operation, members), before) in lists.iter().zip(before) {
        let after = world.call(operation, members).await.unwrap();
        assert_eq!(sorted(after), sorted(before), "{operation}");
    }
    let (status, event) = world.get(&path).await;
    assert_eq!(status, 200);
    assert!(event.contains(r#""pathParameters":{"id":"7"}"#), "{event}");
    // What is deleted stays so.
    let mapping = [
        ("domainName", text("mine.example")),
        ("basePath", text("(none)")),
    ];
    world.call("DeleteBasePathMapping", &mapping).await.unwrap();
    world.call("DeleteRestApi", &of_api).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.get(&path).await.0, 404);
    assert!(world.call("GetRestApi", &of_api).await.is_err());
}

/// The order of members means nothing.
fn sorted(value: Value) -> Value {
    match value {
        Value::Map(members) => {
            let mut members: Vec<_> = members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(members)
        }
        Value::List(items) => Value::List(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
