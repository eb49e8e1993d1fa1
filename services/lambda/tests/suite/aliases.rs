//! Aliases: their life, where they lead, and what depends on them.

use std::collections::BTreeSet;

use base::{AccountId, Clock, Region};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use service::ports::{InvokeRequest, Invoker as _};
use service::{Principal, RequestContext};

use crate::support::{ECHO, Settings, World, blob, eventually, new_function, package, payload};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";

/// Versions 1 to 3, each of which returns its number.
async fn three_versions() -> World {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    for number in 1..=3 {
        let source = format!("def handler(event, context):\n    return '{number}'\n");
        let zip = package(&[("index.py", &source)]);
        let update = json!({"FunctionName": "hello", "ZipFile": blob(zip), "Publish": true});
        world.ok("UpdateFunctionCode", update).await;
    }
    world
}

fn alias(name: &str, version: &str, weights: Json) -> Json {
    let mut input = json!({"FunctionName": "hello", "Name": name, "FunctionVersion": version});
    input["RoutingConfig"]["AdditionalVersionWeights"] = weights;
    input
}

#[tokio::test]
async fn an_alias_is_created_read_changed_and_deleted() {
    let world = three_versions().await;
    let named = || json!({"FunctionName": "hello", "Name": "live"});
    let input = json!({"FunctionName": "hello", "Name": "live", "FunctionVersion": "1"});
    let created = world.ok("CreateAlias", input.clone()).await;
    assert_eq!(created["AliasArn"], format!("{ARN}:live"));
    assert_eq!(
        (&created["FunctionVersion"], &created["Description"]),
        (&json!("1"), &json!(""))
    );
    assert!(created.get("RoutingConfig").is_none());
    assert_eq!(world.ok("GetAlias", named()).await, created);
    assert_eq!(
        world.refused("CreateAlias", input).await,
        (
            "ResourceConflictException".to_owned(),
            format!("Alias already exists: {ARN}:live")
        )
    );

    let mut change = named();
    change["Description"] = json!("for users");
    change["RoutingConfig"] = json!({"AdditionalVersionWeights": {"2": 1}});
    change["RevisionId"] = created["RevisionId"].clone();
    let updated = world.ok("UpdateAlias", change.clone()).await;
    assert_eq!(
        (&updated["FunctionVersion"], &updated["Description"]),
        (&json!("1"), &json!("for users"))
    );
    assert_eq!(
        updated["RoutingConfig"]["AdditionalVersionWeights"],
        json!({"2": 1.0})
    );
    assert_ne!(updated["RevisionId"], created["RevisionId"]);
    assert_eq!(world.error("UpdateAlias", change).await.status, 412);
    let mut clash = named();
    clash["FunctionVersion"] = json!("2");
    assert_eq!(
        world.refused("UpdateAlias", clash.clone()).await.1,
        "Invalid function version 2. Function version 2 is already included in routing \
         configuration."
    );
    clash["RoutingConfig"] = json!({});
    let moved = world.ok("UpdateAlias", clash).await;
    assert_eq!(moved["FunctionVersion"], "2");
    assert!(moved.get("RoutingConfig").is_none());

    for _ in 0..2 {
        world.ok("DeleteAlias", named()).await;
    }
    assert_eq!(
        world.refused("GetAlias", named()).await.1,
        format!("Cannot find alias arn: {ARN}:live")
    );
    assert_eq!(
        world.refused("UpdateAlias", named()).await.1,
        format!("Alias not found: {ARN}:live")
    );
}

#[tokio::test]
async fn what_an_alias_cannot_be_is_refused_in_lambdas_words() {
    let world = three_versions().await;
    let role = json!({
        "FunctionName": "hello", "Role": "arn:aws:iam::000000000000:role/another-role",
    });
    world.ok("UpdateFunctionConfiguration", role).await;
    world
        .ok("PublishVersion", json!({"FunctionName": "hello"}))
        .await;
    for (input, code, message) in [
        (
            alias("live", "9", json!({})),
            "ResourceNotFoundException",
            format!("Function not found: {ARN}:9"),
        ),
        (
            alias("live", "1", json!({"9": 0})),
            "ResourceNotFoundException",
            format!("Function not found: {ARN}:9"),
        ),
        (
            alias("live", "1", json!({"2": 0, "3": 0})),
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1".to_owned(),
        ),
        (
            alias("live", "$LATEST", json!({"1": 0})),
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version".to_owned(),
        ),
        (
            alias("live", "1", json!({"4": 0})),
            "InvalidParameterValueException",
            "Specified versions must be associated with the same execution role".to_owned(),
        ),
    ] {
        let refused = world.refused("CreateAlias", input).await;
        assert_eq!(refused, (code.to_owned(), message));
    }
    for (input, part) in [
        (
            alias("live", "1", json!({"2": 2})),
            "additionalVersionWeights",
        ),
        (
            alias("live", "1", json!({"$LATEST": 0})),
            "additionalVersionWeights",
        ),
        (alias("12", "1", json!({})), "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
        (alias("a:b", "1", json!({})), "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
        (alias("live", "one", json!({})), "functionVersion"),
    ] {
        let (code, message) = world.refused("CreateAlias", input).await;
        assert_eq!(code, "ValidationException");
        assert!(message.contains(part), "{message}");
    }
    let mut gone = alias("live", "1", json!({}));
    gone["FunctionName"] = json!("gone");
    assert_eq!(
        world.refused("CreateAlias", gone).await.0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn aliases_are_listed_by_name_and_by_version() {
    let world = three_versions().await;
    for (name, version, weights) in [
        ("c", "1", json!({})),
        ("a", "2", json!({"1": 0})),
        ("b", "3", json!({})),
    ] {
        world.ok("CreateAlias", alias(name, version, weights)).await;
    }
    let names = |page: &Json| -> Vec<String> {
        let aliases = page["Aliases"].as_array().unwrap().iter();
        aliases
            .map(|alias| alias["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = world
        .ok(
            "ListAliases",
            json!({"FunctionName": "hello", "MaxItems": 2}),
        )
        .await;
    assert_eq!(names(&all), ["a", "b"]);
    let rest = json!({"FunctionName": "hello", "MaxItems": 2, "Marker": all["NextMarker"]});
    let rest = world.ok("ListAliases", rest).await;
    assert_eq!(names(&rest), ["c"]);
    assert!(rest.get("NextMarker").is_none());
    let first = json!({"FunctionName": "hello", "FunctionVersion": "1"});
    assert_eq!(names(&world.ok("ListAliases", first).await), ["a", "c"]);
    let none = json!({"FunctionName": "hello", "FunctionVersion": "9"});
    let none = world.ok("ListAliases", none).await;
    assert_eq!(none["Aliases"], json!([]));
}

#[tokio::test]
async fn a_version_that_an_alias_leads_to_is_not_deleted() {
    let world = three_versions().await;
    world
        .ok("CreateAlias", alias("live", "1", json!({"2": 0})))
        .await;
    world.ok("CreateAlias", alias("beta", "2", json!({}))).await;
    let delete = |qualifier: &str| json!({"FunctionName": "hello", "Qualifier": qualifier});
    for (version, aliases) in [("1", "live"), ("2", "beta, live")] {
        assert_eq!(
            world.refused("DeleteFunction", delete(version)).await,
            (
                "ResourceConflictException".to_owned(),
                format!(
                    "Unable to delete version because the following aliases reference it: \
                     [{aliases}]"
                )
            )
        );
    }
    world.ok("DeleteFunction", delete("3")).await;
    assert_eq!(
        world.refused("DeleteFunction", delete("live")).await.1,
        "Deletion of aliases is not currently supported."
    );
    world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    world.create("hello", ECHO).await;
    let listed = world
        .ok("ListAliases", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(listed["Aliases"], json!([]));
}

#[tokio::test]
async fn an_alias_shows_and_runs_what_it_leads_to() {
    let world = three_versions().await;
    world.ok("CreateAlias", alias("live", "1", json!({}))).await;
    let named = json!({"FunctionName": "hello:live"});
    let got = world.ok("GetFunction", named).await;
    assert_eq!(got["Configuration"]["FunctionArn"], format!("{ARN}:live"));
    assert_eq!(got["Configuration"]["Version"], "1");
    let mut executed = BTreeSet::new();
    for routing in [json!({}), json!({"2": 0}), json!({"2": 1})] {
        let change = alias("live", "1", routing);
        world.ok("UpdateAlias", change).await;
        let Some(answer) = world.invoke("hello:live", json!({})).await else {
            return;
        };
        assert_eq!(payload(&answer), answer["ExecutedVersion"]);
        executed.insert(answer["ExecutedVersion"].as_str().unwrap().to_owned());
    }
    assert_eq!(executed, BTreeSet::from(["1".to_owned(), "2".to_owned()]));
    let missing = json!({"FunctionName": "hello", "Qualifier": "none"});
    assert_eq!(
        world.refused("Invoke", missing).await.1,
        format!("Function not found: {ARN}:none")
    );
}

#[tokio::test]
async fn both_versions_of_an_alias_get_their_part() {
    let world = three_versions().await;
    world
        .ok("CreateAlias", alias("live", "1", json!({"2": 0.5})))
        .await;
    let mut executed = BTreeSet::new();
    // That all go to one is as likely as 200 equal tosses of a coin.
    for _ in 0..200 {
        let Some(answer) = world.invoke("hello:live", json!({})).await else {
            return;
        };
        executed.insert(payload(&answer).as_str().unwrap().to_owned());
        if executed.len() == 2 {
            return;
        }
    }
    panic!("only {executed:?}");
}

#[tokio::test]
async fn events_and_queues_reach_the_version_behind_an_alias() {
    let world = World::new().await;
    let queue = world
        .queue("feed", json!({"VisibilityTimeout": "120"}))
        .await;
    let mut input = new_function("hello", ECHO);
    input["Publish"] = json!(true);
    world.ok("CreateFunction", input).await;
    world.ok("CreateAlias", alias("live", "1", json!({}))).await;
    let mapping = json!({"EventSourceArn": queue, "FunctionName": "hello:live"});
    let created = world.ok("CreateEventSourceMapping", mapping).await;
    assert_eq!(created["FunctionArn"], format!("{ARN}:live"));
    let missing = json!({"EventSourceArn": queue, "FunctionName": "hello:none"});
    assert_eq!(
        world.refused("CreateEventSourceMapping", missing).await.1,
        "Function does not exist"
    );
    let event = json!({
        "FunctionName": "hello", "Qualifier": "live", "InvocationType": "Event",
        "Payload": blob("{}"),
    });
    assert_eq!(world.ok("Invoke", event).await["StatusCode"], 202);
    if world.invoke("hello:live", json!({})).await.is_none() {
        return;
    }
    let url = "http://localhost/000000000000/feed";
    let message = json!({"QueueUrl": url, "MessageBody": "m"});
    world
        .call_service("sqs", "SendMessage", message)
        .await
        .unwrap();
    eventually(async || {
        let names = json!([
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible"
        ]);
        let asked = json!({"QueueUrl": url, "AttributeNames": names});
        let answer = world
            .call_service("sqs", "GetQueueAttributes", asked)
            .await
            .unwrap();
        let left = answer["Attributes"].as_object().unwrap().values();
        left.clone().all(|count| count == "0").then_some(())
    })
    .await;
}

#[tokio::test]
async fn policies_are_of_exactly_what_they_were_added_to() {
    let world = World::with(Settings {
        is_permissive: false,
        ..Settings::default()
    })
    .await;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }],
    });
    let role = json!({"RoleName": "lambda-role", "AssumeRolePolicyDocument": trust.to_string()});
    world.call_service("iam", "CreateRole", role).await.unwrap();
    let mut input = new_function("hello", ECHO);
    input["Publish"] = json!(true);
    world.ok("CreateFunction", input).await;
    let made = world.ok("CreateAlias", alias("live", "1", json!({}))).await;
    let permission = |qualifier: &str| {
        json!({
            "FunctionName": "hello", "Qualifier": qualifier, "StatementId": "s3",
            "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
        })
    };
    let from_s3 = async |resource: &str| {
        let principal = Principal::Service {
            name: "s3.amazonaws.com",
            source_arn: None,
            source_account: Some(AccountId::DEFAULT),
        };
        let now = Clock::system().now();
        let request = InvokeRequest {
            function: resource.parse().unwrap(),
            payload: Bytes::from_static(b"{}"),
            context: RequestContext::internal(
                principal,
                AccountId::DEFAULT,
                Region::us_east_1(),
                now,
            ),
        };
        world.lambda.invoke_async(request).await.is_ok()
    };
    let (live, first) = (format!("{ARN}:live"), format!("{ARN}:1"));
    let added = world.ok("AddPermission", permission("live")).await;
    let statement: Json = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(statement["Resource"], live);
    assert!(from_s3(&live).await);
    assert!(!from_s3(&first).await && !from_s3(ARN).await);
    world.ok("AddPermission", permission("1")).await;
    assert!(from_s3(&first).await && !from_s3(ARN).await);
    let got = |qualifier: &str| json!({"FunctionName": "hello", "Qualifier": qualifier});
    let policy = world.ok("GetPolicy", got("live")).await;
    assert_ne!(policy["RevisionId"], made["RevisionId"]);
    let alias = world
        .ok("GetAlias", json!({"FunctionName": "hello", "Name": "live"}))
        .await;
    assert_eq!(policy["RevisionId"], alias["RevisionId"]);
    assert_eq!(
        world
            .refused("GetPolicy", json!({"FunctionName": "hello"}))
            .await
            .1,
        "The resource you requested does not exist."
    );
    let remove = json!({"FunctionName": "hello", "Qualifier": "live", "StatementId": "s3"});
    world.ok("RemovePermission", remove).await;
    assert!(!from_s3(&live).await && from_s3(&first).await);
    world.ok("GetPolicy", got("1")).await;
}
