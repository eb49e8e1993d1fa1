//! `patchOperations`: what they refuse, they do not do by half.

use proptest::prelude::{Strategy as _, any};
use proptest::{collection, option, sample};
use wire::Value;

use crate::world::{World, patch, proxy, text};

async fn update(
    world: &World,
    id: &str,
    operations: Vec<Value>,
) -> Result<Value, service::ServiceError> {
    let input = [
        ("restApiId", text(id)),
        ("patchOperations", Value::List(operations)),
    ];
    world.call("UpdateRestApi", &input).await
}

#[tokio::test]
async fn one_that_fails_undoes_those_before_it() {
    let world = World::new().await;
    let id = world.deployed(&proxy("echo")).await;
    let operations = vec![
        patch("replace", "/name", Some("new")),
        patch("replace", "/nothing", Some("x")),
    ];
    let error = update(&world, &id, operations).await.unwrap_err();
    assert_eq!(error.code, "BadRequestException");
    let words = "Invalid patch path  '/nothing' specified for op 'replace'. Must be one of: [";
    assert!(error.message.starts_with(words), "{}", error.message);
    let shown = world
        .call("GetRestApi", &[("restApiId", text(&id))])
        .await
        .unwrap();
    assert_eq!(shown.get("name").and_then(Value::as_str), Some("api"));
}

#[tokio::test]
async fn lists_are_changed_by_naming_their_items() {
    let world = World::new().await;
    let id = world.deployed(&proxy("echo")).await;
    let types = |value: &Value| match value.get("binaryMediaTypes") {
        Some(Value::List(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let add = |kind: &str| patch("add", &format!("/binaryMediaTypes/{kind}"), None);
    let after = update(&world, &id, vec![add("a~1b"), add("*~1*"), add("a~1b")])
        .await
        .unwrap();
    assert_eq!(types(&after), ["a/b", "*/*"]);
    let swap = patch("replace", "/binaryMediaTypes/a~1b", Some("c/d"));
    let after = update(&world, &id, vec![swap]).await.unwrap();
    assert_eq!(types(&after), ["*/*", "c/d"]);
    let remove = |kind: &str| patch("remove", &format!("/binaryMediaTypes/{kind}"), None);
    let after = update(&world, &id, vec![remove("*~1*"), remove("c~1d")])
        .await
        .unwrap();
    assert_eq!(types(&after), Vec::<String>::new());
    assert!(update(&world, &id, vec![remove("c~1d")]).await.is_err());
}

#[tokio::test]
async fn values_must_be_of_their_kind() {
    let world = World::new().await;
    let id = world.deployed(&proxy("echo")).await;
    for (path, value) in [
        ("/minimumCompressionSize", "many"),
        ("/disableExecuteApiEndpoint", "perhaps"),
        ("/apiKeySource", "NOWHERE"),
        ("/policy", "{"),
        ("/name", " "),
    ] {
        let error = update(&world, &id, vec![patch("replace", path, Some(value))]).await;
        assert_eq!(error.unwrap_err().code, "BadRequestException", "{path}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn any_operations_leave_an_api_that_can_be_read(
        operations in collection::vec(
            (
                sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]),
                sample::select(vec![
                    "/name", "/policy", "/binaryMediaTypes/a", "/binaryMediaTypes", "/endpointConfiguration/types/EDGE",
                    "/endpointConfiguration/vpcEndpointIds", "", "/", "//", "/name/x", "/tags/a", "/minimumCompressionSize",
                ]).prop_union_any(),
                option::of("[a-zA-Z0-9/~{}]{0,6}"),
            ),
            0..5,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let id = world.deployed(&proxy("echo")).await;
            let operations = operations.iter();
            let operations = operations.map(|(op, path, value)| patch(op, path, value.as_deref()));
            let _ = update(&world, &id, operations.collect()).await;
            let world = world.restart().await;
            world.call("GetRestApi", &[("restApiId", text(&id))]).await.unwrap();
        });
    }
}

trait PropUnionAny {
    fn prop_union_any(self) -> proptest::strategy::BoxedStrategy<String>;
}

impl PropUnionAny for sample::Select<&'static str> {
    fn prop_union_any(self) -> proptest::strategy::BoxedStrategy<String> {
        (self, any::<bool>(), "(/[a-z~*]{0,5}){0,4}")
            .prop_map(|(known, is_known, other)| if is_known { known.to_owned() } else { other })
            .boxed()
    }
}
