//! Where code comes from, and what replaces it.

use serde_json::json;
use service::{Origin, Reach};

use crate::support::{
    ECHO, ROLE, World, blob, context, eventually, new_function, package, payload,
};

fn returns(value: &str) -> String {
    format!("def handler(event, context):\n    return {value:?}\n")
}

#[tokio::test]
async fn new_code_runs_at_the_next_invocation_and_the_old_is_gone() {
    let world = World::new().await;
    let created = world.create("hello", &returns("one")).await;
    let Some(before) = world.invoke("hello", json!({})).await else {
        return;
    };
    assert_eq!(payload(&before), "one");
    let zip = package(&[("index.py", &returns("two"))]);
    let update = json!({"FunctionName": "hello", "ZipFile": blob(&zip)});
    let updated = world.ok("UpdateFunctionCode", update).await;
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    assert_ne!(updated["CodeSha256"], created["CodeSha256"]);
    assert_ne!(updated["RevisionId"], created["RevisionId"]);
    let after = world.invoke("hello", json!({})).await.unwrap();
    assert_eq!(payload(&after), "two");
    let images = world.path().join("images");
    // Of the packages, and of the bytecode beside them.
    let count = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with('.')).count()
    };
    let compiled = images.join(".compiled");
    eventually(async || (count(&images) == 1 && count(&compiled) <= 1).then_some(())).await;
}

#[tokio::test]
async fn a_dry_run_checks_the_code_and_changes_nothing() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let before = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    let zip = package(&[("index.py", &returns("two"))]);
    let dry = json!({"FunctionName": "hello", "ZipFile": blob(&zip), "DryRun": true});
    let answer = world.ok("UpdateFunctionCode", dry).await;
    assert_ne!(answer["CodeSha256"], before["Configuration"]["CodeSha256"]);
    assert_eq!(answer["CodeSize"], zip.len());
    let bad = json!({"FunctionName": "hello", "ZipFile": blob("no zip"), "DryRun": true});
    assert_eq!(
        world.refused("UpdateFunctionCode", bad).await.1,
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    );
    let after = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn code_comes_from_s3() {
    let world = World::new().await;
    world.bucket("packages").await;
    let zip = package(&[("index.py", &returns("stored"))]);
    let object = json!({"Bucket": "packages", "Key": "code.zip", "Body": blob(&zip)});
    world.call_service("s3", "PutObject", object).await.unwrap();
    let from = |bucket: &str, key: &str| {
        let mut input = new_function("hello", ECHO);
        input["Code"] = json!({"S3Bucket": bucket, "S3Key": key});
        input
    };
    for (bucket, code, message) in [
        (
            "no-bucket",
            "NoSuchBucket",
            "The specified bucket does not exist",
        ),
        ("packages", "NoSuchKey", "The specified key does not exist."),
    ] {
        let refused = world
            .refused("CreateFunction", from(bucket, "none.zip"))
            .await;
        assert_eq!(refused.0, "InvalidParameterValueException");
        let expected = format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
        );
        assert!(refused.1.starts_with(&expected), "{}", refused.1);
    }
    let created = world
        .ok("CreateFunction", from("packages", "code.zip"))
        .await;
    assert_eq!(created["CodeSize"], zip.len());
    if let Some(answer) = world.invoke("hello", json!({})).await {
        assert_eq!(payload(&answer), "stored");
    }
}

#[tokio::test]
async fn a_folder_of_this_machine_is_seen_live() {
    let world = World::new().await;
    let folder = world.path().join("source");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("index.py"), returns("one")).unwrap();
    let mut input = new_function("hello", ECHO);
    input["Code"] = json!({"S3Bucket": "hot-reload", "S3Key": folder});
    let created = world.ok("CreateFunction", input).await;
    assert_eq!(created["CodeSize"], 0);
    let got = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(
        got["Code"]["Location"],
        format!("file://{}", folder.display())
    );
    let Some(before) = world.invoke("hello", json!({})).await else {
        return;
    };
    assert_eq!(payload(&before), "one");
    std::fs::write(folder.join("index.py"), returns("two")).unwrap();
    eventually(async || {
        let answer = world.invoke("hello", json!({})).await.unwrap();
        (payload(&answer) == "two").then_some(())
    })
    .await;
    let missing = json!({
        "FunctionName": "other",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "index.handler",
        "Code": {"S3Bucket": "hot-reload", "S3Key": "/no/such/folder"},
    });
    let (_, message) = world.refused("CreateFunction", missing).await;
    assert!(message.contains("/no/such/folder"), "{message}");
}

#[tokio::test]
async fn functions_and_what_acts_for_a_resource_make_no_functions_of_what_is_on_this_machine() {
    let world = World::new().await;
    let mut for_a_resource = context();
    for_a_resource.origin = Origin::Internal;
    for context in [context().within(Reach::Function), for_a_resource] {
        let mut input = new_function("hello", ECHO);
        for (kind, code) in [
            ("Zip", json!({"S3Bucket": "hot-reload", "S3Key": "/etc"})),
            ("Image", json!({"ImageUri": "oci:/etc:latest"})),
            ("Image", json!({"ImageUri": "localhost:1/app:latest"})),
        ] {
            input["PackageType"] = json!(kind);
            input["Code"] = code;
            if kind == "Image" {
                input
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name != "Runtime" && name != "Handler");
            }
            let call = world.call_in(context.clone(), "CreateFunction", input.clone());
            let message = call.await.unwrap_err().message;
            assert!(message.contains("this machine"), "{message}");
        }
    }
}

#[tokio::test]
async fn functions_with_one_package_do_not_lose_it_with_one_of_them() {
    let world = World::new().await;
    world.create("one", ECHO).await;
    world.create("other", ECHO).await;
    world
        .ok("DeleteFunction", json!({"FunctionName": "one"}))
        .await;
    if let Some(answer) = world.invoke("other", json!(7)).await {
        assert_eq!(payload(&answer), 7);
    }
    let got = world
        .ok("GetFunction", json!({"FunctionName": "other"}))
        .await;
    let location = got["Code"]["Location"].as_str().unwrap();
    let sha256 = location.rsplit('/').next().unwrap();
    assert!(world.lambda.code_zip(sha256).await.is_some());
}
