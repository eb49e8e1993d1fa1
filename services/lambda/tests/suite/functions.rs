//! The life of a function: create, look up, list, delete.

use serde_json::json;

use crate::support::{ECHO, World, blob, new_function, package};

#[tokio::test]
async fn a_new_function_is_pending_in_the_answer_and_active_right_after() {
    let world = World::new().await;
    let created = world.create("hello", ECHO).await;
    assert_eq!(created["State"], "Pending");
    assert_eq!(created["StateReasonCode"], "Creating");
    assert_eq!(created["Version"], "$LATEST");
    assert_eq!(created["PackageType"], "Zip");
    assert_eq!(created["MemorySize"], 128);
    assert_eq!(created["EphemeralStorage"]["Size"], 512);
    assert_eq!(created["TracingConfig"]["Mode"], "PassThrough");
    assert_eq!(
        created["SnapStart"],
        json!({"ApplyOn": "None", "OptimizationStatus": "Off"})
    );
    assert_eq!(
        created["LoggingConfig"],
        json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"})
    );
    assert!(created.get("Environment").is_none());
    assert!(created.get("LastUpdateStatus").is_none());
    let modified = created["LastModified"].as_str().unwrap();
    assert!(
        modified.ends_with("+0000") && modified.len() == 28,
        "{modified}"
    );

    let got = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    let configuration = &got["Configuration"];
    assert_eq!(configuration["State"], "Active");
    assert_eq!(configuration["LastUpdateStatus"], "Successful");
    assert_eq!(configuration["RevisionId"], created["RevisionId"]);
    assert_eq!(configuration["CodeSha256"], created["CodeSha256"]);
    assert!(got.get("Tags").is_none() && got.get("Concurrency").is_none());
    let alone = world
        .ok("GetFunctionConfiguration", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(&alone, configuration);
}

#[tokio::test]
async fn the_code_can_be_fetched_where_get_function_says() {
    let world = World::new().await;
    let zip = package(&[("index.py", ECHO)]);
    let created = world.create("hello", ECHO).await;
    assert_eq!(created["CodeSize"], zip.len());
    let got = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(got["Code"]["RepositoryType"], "S3");
    let location = got["Code"]["Location"].as_str().unwrap();
    let sha256 = location
        .strip_prefix("http://127.0.0.1:4599/_kagero/lambda/code/")
        .unwrap();
    assert_eq!(world.lambda.code_zip(sha256).await.unwrap(), zip);
    assert!(world.lambda.code_zip(&"0".repeat(64)).await.is_none());
    assert!(world.lambda.code_zip("../../etc/passwd").await.is_none());
    world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    assert!(world.lambda.code_zip(sha256).await.is_none());
}

#[tokio::test]
async fn a_function_answers_to_every_form_of_its_name() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:hello";
    for form in ["hello", "000000000000:function:hello", arn] {
        let got = world.ok("GetFunction", json!({"FunctionName": form})).await;
        assert_eq!(got["Configuration"]["FunctionArn"], arn, "{form}");
    }
    let latest = json!({"FunctionName": "hello", "Qualifier": "$LATEST"});
    let got = world.ok("GetFunction", latest).await;
    assert_eq!(
        got["Configuration"]["FunctionArn"],
        format!("{arn}:$LATEST")
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_the_arn_that_was_meant() {
    let world = World::new().await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:gone";
    for (operation, input) in [
        ("GetFunction", json!({"FunctionName": "gone"})),
        ("GetFunctionConfiguration", json!({"FunctionName": "gone"})),
        ("DeleteFunction", json!({"FunctionName": "gone"})),
        ("Invoke", json!({"FunctionName": "gone"})),
        ("GetFunctionConcurrency", json!({"FunctionName": "gone"})),
        (
            "GetFunctionCodeSigningConfig",
            json!({"FunctionName": "gone"}),
        ),
        ("GetPolicy", json!({"FunctionName": "gone"})),
        ("ListVersionsByFunction", json!({"FunctionName": "gone"})),
        ("ListTags", json!({"Resource": arn})),
        (
            "UpdateFunctionConfiguration",
            json!({"FunctionName": "gone", "Timeout": 4}),
        ),
    ] {
        let error = world.error(operation, input).await;
        assert_eq!(error.code, "ResourceNotFoundException", "{operation}");
        assert_eq!(error.status, 404);
        assert_eq!(
            error.message,
            format!("Function not found: {arn}"),
            "{operation}"
        );
        assert!(
            error.members.iter().any(|(name, _)| *name == "Type"),
            "{operation}"
        );
    }
    world.create("hello", ECHO).await;
    let version = json!({"FunctionName": "hello", "Qualifier": "1221"});
    assert_eq!(
        world.refused("GetFunction", version).await.1,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:hello:1221"
    );
    let mismatch = json!({"FunctionName": "hello:1", "Qualifier": "2"});
    assert_eq!(
        world.refused("GetFunction", mismatch).await.0,
        "InvalidParameterValueException"
    );
}

#[tokio::test]
async fn a_name_is_used_once_until_its_function_is_deleted() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let (code, message) = world
        .refused("CreateFunction", new_function("hello", ECHO))
        .await;
    assert_eq!(code, "ResourceConflictException");
    assert_eq!(message, "Function already exist: hello");
    let deleted = world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(deleted["StatusCode"], 204);
    world.create("hello", ECHO).await;
    let latest = json!({"FunctionName": "hello", "Qualifier": "$LATEST"});
    assert_eq!(
        world.refused("DeleteFunction", latest).await.1,
        "$LATEST version cannot be deleted without deleting the function."
    );
}

#[tokio::test]
async fn two_creations_at_once_make_one_function() {
    let world = World::new().await;
    let create = || world.call("CreateFunction", new_function("hello", ECHO));
    let (one, other) = tokio::join!(create(), create());
    assert_eq!(
        [one.is_ok(), other.is_ok()]
            .iter()
            .filter(|ok| **ok)
            .count(),
        1
    );
    let got = world
        .ok("GetFunction", json!({"FunctionName": "hello"}))
        .await;
    let location = got["Code"]["Location"].as_str().unwrap();
    let sha256 = location.rsplit('/').next().unwrap();
    assert!(world.lambda.code_zip(sha256).await.is_some());
}

#[tokio::test]
async fn functions_are_listed_by_name_page_by_page() {
    let world = World::new().await;
    for name in ["delta", "alpha", "charlie", "bravo", "echo"] {
        world.create(name, ECHO).await;
    }
    let (mut names, mut marker) = (Vec::new(), json!(null));
    loop {
        let mut input = json!({"MaxItems": 2});
        if !marker.is_null() {
            input["Marker"] = marker.clone();
        }
        let page = world.ok("ListFunctions", input).await;
        for function in page["Functions"].as_array().unwrap() {
            names.push(function["FunctionName"].as_str().unwrap().to_owned());
            assert!(function.get("State").is_none());
        }
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(names, ["alpha", "bravo", "charlie", "delta", "echo"]);
    let all = world
        .ok(
            "ListFunctions",
            json!({"FunctionVersion": "ALL", "MaxItems": 1}),
        )
        .await;
    let arn = all["Functions"][0]["FunctionArn"].as_str().unwrap();
    assert!(arn.ends_with(":function:alpha:$LATEST"), "{arn}");
    let versions = world
        .ok("ListVersionsByFunction", json!({"FunctionName": "echo"}))
        .await;
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 1);
    assert_eq!(versions["Versions"][0]["Version"], "$LATEST");
}

#[tokio::test]
async fn bad_functions_are_refused_in_lambdas_words() {
    let world = World::new().await;
    let with = |member: &str, value: serde_json::Value| {
        let mut input = new_function("bad", ECHO);
        input[member] = value;
        input
    };
    for (input, message) in [
        (
            with("Runtime", json!("python9.9")),
            "Value python9.9 at 'runtime' failed to satisfy",
        ),
        (with("Timeout", json!(901)), "less than or equal to 900"),
        (
            with("MemorySize", json!(10_241)),
            "less than or equal to 10240",
        ),
        (
            with("Code", json!({})),
            "Please provide a source for function code.",
        ),
        (
            with("Code", json!({"ZipFile": blob("no zip")})),
            "Could not unzip uploaded file.",
        ),
        (
            with("Code", json!({"ZipFile": blob(package(&[]))})),
            "must be a non-empty zip",
        ),
        (
            with("Code", json!({"ZipFile": blob("")})),
            "must be a non-empty zip",
        ),
        (with("Role", json!("r1")), "failed to satisfy constraint"),
        (with("PackageType", json!("Image")), "container images"),
        (
            with("Environment", json!({"Variables": {"AWS_REGION": "x"}})),
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            with(
                "Environment",
                json!({"Variables": {"BIG": "x".repeat(5_000)}}),
            ),
            "exceeded the 4KB limit",
        ),
        (
            with(
                "Layers",
                json!(["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]),
            ),
            "Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:1 does not exist.",
        ),
    ] {
        let (_, refusal) = world.refused("CreateFunction", input).await;
        assert!(refusal.contains(message), "{refusal:?} lacks {message:?}");
    }
    let mut unnamed = new_function("bad", ECHO);
    unnamed.as_object_mut().unwrap().remove("Handler");
    let (_, refusal) = world.refused("CreateFunction", unnamed).await;
    assert!(
        refusal.starts_with("Runtime and Handler are mandatory"),
        "{refusal}"
    );
    let listed = world.ok("ListFunctions", json!({})).await;
    assert_eq!(listed["Functions"], json!([]));
}
