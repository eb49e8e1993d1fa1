//! Published versions: what they keep, how they are numbered, listed, run and deleted.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, Settings, World, blob, new_function, package, payload};
use lambda::Limits;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:hello";

pub fn returns(value: &str) -> String {
    format!("def handler(event, context):\n    return {value:?}\n")
}

pub async fn update(world: &World, value: &str) -> Json {
    let zip = package(&[("index.py", &returns(value))]);
    let update = json!({"FunctionName": "hello", "ZipFile": blob(&zip)});
    world.ok("UpdateFunctionCode", update).await
}

pub async fn publish(world: &World) -> Json {
    world
        .ok("PublishVersion", json!({"FunctionName": "hello"}))
        .await
}

pub async fn get(world: &World, qualifier: &str) -> Json {
    let input = json!({"FunctionName": "hello", "Qualifier": qualifier});
    world.ok("GetFunctionConfiguration", input).await
}

fn members(answer: &Json, list: &str, member: &str) -> Vec<String> {
    let items = answer[list].as_array().unwrap().iter();
    items
        .map(|item| item[member].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_version_keeps_the_code_and_the_settings_it_was_published_with() {
    let world = World::new().await;
    let created = world.create("hello", &returns("one")).await;
    let first = publish(&world).await;
    assert_eq!(first["Version"], "1");
    assert_eq!(first["FunctionArn"], format!("{ARN}:1"));
    assert_eq!(first["State"], "Pending");
    assert_eq!(first["CodeSha256"], created["CodeSha256"]);
    let latest = get(&world, "$LATEST").await;
    assert_ne!(latest["RevisionId"], created["RevisionId"]);
    assert_ne!(latest["RevisionId"], first["RevisionId"]);

    update(&world, "two").await;
    let change = json!({"FunctionName": "hello", "MemorySize": 256, "Description": "changed"});
    world.ok("UpdateFunctionConfiguration", change).await;
    let kept = get(&world, "1").await;
    assert_eq!(
        (&kept["State"], &kept["MemorySize"]),
        (&json!("Active"), &json!(128))
    );
    assert_eq!(kept["CodeSha256"], created["CodeSha256"]);
    assert_eq!(kept["RevisionId"], first["RevisionId"]);
    let second = publish(&world).await;
    assert_eq!(
        (&second["Version"], &second["Description"]),
        (&json!("2"), &json!("changed"))
    );

    for (qualifier, value) in [("1", "one"), ("2", "two"), ("$LATEST", "two")] {
        let Some(answer) = world.invoke(&format!("hello:{qualifier}"), json!({})).await else {
            return;
        };
        assert_eq!(payload(&answer), value);
        assert_eq!(answer["ExecutedVersion"], qualifier);
    }
}

#[tokio::test]
async fn a_function_sees_which_version_it_is_and_how_it_was_called() {
    let world = World::new().await;
    let source = "import os\ndef handler(event, context):\n    return [\
                  os.environ['AWS_LAMBDA_FUNCTION_VERSION'], context.function_version, \
                  context.invoked_function_arn, os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]\n";
    world.create("hello", source).await;
    publish(&world).await;
    let alias = json!({"FunctionName": "hello", "Name": "live", "FunctionVersion": "1"});
    world.ok("CreateAlias", alias).await;
    for (name, version, arn) in [
        ("hello:1".to_owned(), "1", format!("{ARN}:1")),
        (format!("{ARN}:live"), "1", format!("{ARN}:live")),
        ("hello".to_owned(), "$LATEST", ARN.to_owned()),
    ] {
        let Some(answer) = world.invoke(&name, json!({})).await else {
            return;
        };
        let seen = payload(&answer);
        assert_eq!(
            (&seen[0], &seen[1], &seen[2]),
            (&json!(version), &json!(version), &json!(arn))
        );
        let stream = seen[3].as_str().unwrap();
        assert!(stream.contains(&format!("[{version}]")), "{stream}");
    }
}

#[tokio::test]
async fn publishing_what_has_not_changed_gives_the_version_there_is() {
    let world = World::new().await;
    world.create("hello", &returns("one")).await;
    let first = publish(&world).await;
    let again = json!({"FunctionName": "hello", "Description": "another"});
    let again = world.ok("PublishVersion", again).await;
    assert_eq!(again["Version"], "1");
    assert_eq!(again["RevisionId"], first["RevisionId"]);
    assert_eq!(again["Description"], "");
    update(&world, "one").await;
    assert_eq!(publish(&world).await["Version"], "1");
    update(&world, "two").await;
    let described = json!({"FunctionName": "hello", "Description": "the second"});
    let second = world.ok("PublishVersion", described).await;
    assert_eq!(second["Version"], "2");
    assert_eq!(second["Description"], "the second");
    assert_eq!(get(&world, "$LATEST").await["Description"], "");
    assert_eq!(publish(&world).await["Version"], "2");
}

#[tokio::test]
async fn a_version_is_published_only_of_what_was_meant() {
    let world = World::new().await;
    let created = world.create("hello", ECHO).await;
    let sha = created["CodeSha256"].as_str().unwrap();
    let with = |member: &str, value: &str| {
        let mut input = json!({"FunctionName": "hello"});
        input[member] = json!(value);
        input
    };
    assert_eq!(
        world
            .refused("PublishVersion", with("CodeSha256", "other"))
            .await,
        (
            "InvalidParameterValueException".to_owned(),
            format!(
                "CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({sha}). \
                 Please try again with the CodeSHA256 in $LATEST."
            )
        )
    );
    let stale = world
        .error("PublishVersion", with("RevisionId", "other"))
        .await;
    assert_eq!(
        (stale.code.as_ref(), stale.status.as_u16()),
        ("PreconditionFailedException", 412)
    );
    world.ok("PublishVersion", with("CodeSha256", sha)).await;
    assert_eq!(
        world
            .refused("PublishVersion", json!({"FunctionName": "hello:1"}))
            .await
            .0,
        "InvalidParameterValueException"
    );
    assert_eq!(
        world
            .refused("PublishVersion", json!({"FunctionName": "gone"}))
            .await
            .0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn publish_in_create_and_update_gives_the_new_version() {
    let world = World::new().await;
    let mut input = new_function("hello", &returns("one"));
    input["Publish"] = json!(true);
    let created = world.ok("CreateFunction", input).await;
    assert_eq!(created["Version"], "1");
    assert_eq!(created["FunctionArn"], ARN);
    let zip = package(&[("index.py", &returns("two"))]);
    let update = json!({"FunctionName": "hello", "ZipFile": blob(&zip), "Publish": true});
    let updated = world.ok("UpdateFunctionCode", update.clone()).await;
    assert_eq!(updated["Version"], "2");
    assert_eq!(updated["FunctionArn"], format!("{ARN}:2"));
    assert_eq!(world.ok("UpdateFunctionCode", update).await["Version"], "2");
    let listed = world
        .ok("ListVersionsByFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(
        members(&listed, "Versions", "Version"),
        ["$LATEST", "1", "2"]
    );
}

#[tokio::test]
async fn versions_are_listed_in_order_page_by_page() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    world.create("other", ECHO).await;
    for number in 1..=11 {
        update(&world, &number.to_string()).await;
        publish(&world).await;
    }
    let pages = async |operation: &str, list: &str, input: Json| {
        let (mut seen, mut marker) = (Vec::new(), json!(null));
        loop {
            let mut input = input.clone();
            input["MaxItems"] = json!(3);
            if !marker.is_null() {
                input["Marker"] = marker;
            }
            let page = world.ok(operation, input).await;
            seen.extend(members(&page, list, "FunctionArn"));
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                return seen;
            }
        }
    };
    let mut expected: Vec<String> = vec![format!("{ARN}:$LATEST")];
    expected.extend((1..=11).map(|number| format!("{ARN}:{number}")));
    let versions = json!({"FunctionName": "hello"});
    assert_eq!(
        pages("ListVersionsByFunction", "Versions", versions).await,
        expected
    );
    let other = ARN.replace("hello", "other");
    expected.push(format!("{other}:$LATEST"));
    let all = json!({"FunctionVersion": "ALL"});
    assert_eq!(pages("ListFunctions", "Functions", all).await, expected);
    assert_eq!(
        pages("ListFunctions", "Functions", json!({})).await,
        [ARN, &other]
    );
    let bad = json!({"FunctionName": "hello", "Marker": "bm90IGEgdmVyc2lvbg"});
    assert_eq!(
        world.refused("ListVersionsByFunction", bad).await.0,
        "InvalidParameterValueException"
    );
}

#[tokio::test]
async fn a_deleted_version_is_gone_and_its_number_is_not_given_again() {
    let world = World::new().await;
    world.create("hello", &returns("one")).await;
    publish(&world).await;
    update(&world, "two").await;
    publish(&world).await;
    let delete = |qualifier: &str| json!({"FunctionName": "hello", "Qualifier": qualifier});
    world.ok("DeleteFunction", delete("2")).await;
    let gone = format!("Function not found: {ARN}:2");
    for operation in [
        "GetFunction",
        "GetFunctionConfiguration",
        "Invoke",
        "DeleteFunction",
    ] {
        let (code, message) = world.refused(operation, delete("2")).await;
        assert_eq!(
            (code.as_str(), &message),
            ("ResourceNotFoundException", &gone),
            "{operation}"
        );
    }
    assert_eq!(publish(&world).await["Version"], "3");
    if let Some(answer) = world.invoke("hello:1", json!({})).await {
        assert_eq!(payload(&answer), "one");
    }
    world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(
        world.refused("GetFunction", delete("1")).await.0,
        "ResourceNotFoundException"
    );
    world.create("hello", &returns("anew")).await;
    assert_eq!(
        world.refused("GetFunction", delete("1")).await.0,
        "ResourceNotFoundException"
    );
    assert_eq!(publish(&world).await["Version"], "1");
    if let Some(answer) = world.invoke("hello:1", json!({})).await {
        assert_eq!(payload(&answer), "anew");
    }
}

#[tokio::test]
async fn a_package_stays_while_a_version_has_it() {
    let world = World::new().await;
    world.create("hello", &returns("one")).await;
    publish(&world).await;
    let first = world
        .ok(
            "GetFunction",
            json!({"FunctionName": "hello", "Qualifier": "1"}),
        )
        .await;
    update(&world, "two").await;
    let location = first["Code"]["Location"].as_str().unwrap();
    let sha256 = location.rsplit('/').next().unwrap();
    let package = world.lambda.code_zip(sha256).await.unwrap();
    assert_eq!(first["Configuration"]["CodeSize"], package.len());
    world
        .ok(
            "DeleteFunction",
            json!({"FunctionName": "hello", "Qualifier": "1"}),
        )
        .await;
    assert!(world.lambda.code_zip(sha256).await.is_none());
    if let Some(answer) = world.invoke("hello", json!({})).await {
        assert_eq!(payload(&answer), "two");
    }
}

#[tokio::test]
async fn every_version_counts_its_package() {
    let size = package(&[("index.py", ECHO)]).len() as u64;
    let world = World::with(Settings {
        limits: Limits {
            code_storage: 2 * size,
            ..Limits::default()
        },
        ..Settings::default()
    })
    .await;
    world.create("hello", ECHO).await;
    publish(&world).await;
    let usage = world.ok("GetAccountSettings", json!({})).await;
    assert_eq!(
        usage["AccountUsage"],
        json!({"TotalCodeSize": 2 * size, "FunctionCount": 1})
    );
    let change = json!({"FunctionName": "hello", "Timeout": 7});
    world.ok("UpdateFunctionConfiguration", change).await;
    let (code, _) = world
        .refused("PublishVersion", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(code, "CodeStorageExceededException");
    world
        .ok(
            "DeleteFunction",
            json!({"FunctionName": "hello", "Qualifier": "1"}),
        )
        .await;
    assert_eq!(publish(&world).await["Version"], "2");
}

#[tokio::test]
async fn reserved_concurrency_holds_for_every_version() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    publish(&world).await;
    if world.invoke("hello:1", json!({})).await.is_none() {
        return;
    }
    let none = json!({"FunctionName": "hello", "ReservedConcurrentExecutions": 0});
    world.ok("PutFunctionConcurrency", none).await;
    let (code, _) = world
        .refused("Invoke", json!({"FunctionName": "hello:1"}))
        .await;
    assert_eq!(code, "TooManyRequestsException");
    world
        .ok(
            "DeleteFunctionConcurrency",
            json!({"FunctionName": "hello"}),
        )
        .await;
    world.invoke("hello:1", json!({})).await.unwrap();
}
