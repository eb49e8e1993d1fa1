//! Layers: published, listed, shared, given to functions, and taken away.

use base::AccountId;
use serde_json::{Value as Json, json};

use crate::support::{Settings, World, blob, eventually, new_function, package, payload};

/// A layer with one Python module.
async fn publish(world: &World, name: &str, says: &str) -> Json {
    world.ok("PublishLayerVersion", layer(name, says)).await
}

fn layer(name: &str, says: &str) -> Json {
    let zip = package(&[(&format!("python/{name}.py"), &format!("SAYS = {says:?}\n"))]);
    json!({"LayerName": name, "Content": {"ZipFile": blob(zip)}})
}

fn arn(published: &Json) -> &str {
    published["LayerVersionArn"].as_str().unwrap()
}

const IMPORTS: &str = "import tools\ndef handler(event, context):\n    return tools.SAYS\n";

fn using(name: &str, layers: &[&str]) -> Json {
    let mut input = new_function(name, IMPORTS);
    input["Layers"] = json!(layers);
    input
}

/// What the function returns; `None` if this host has no Python.
async fn says(world: &World, name: &str) -> Option<Json> {
    Some(payload(&world.invoke(name, json!({})).await?))
}

#[tokio::test]
async fn a_version_is_published_found_and_deleted() {
    let world = World::new().await;
    let zip = package(&[("python/tools.py", "")]);
    let input = json!({
        "LayerName": "tools",
        "Description": "what it is",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.12", "python2.7"],
        "CompatibleArchitectures": ["x86_64", "arm64"],
        "Content": {"ZipFile": blob(&zip)},
    });
    let published = world.ok("PublishLayerVersion", input).await;
    let layer = "arn:aws:lambda:us-east-1:000000000000:layer:tools";
    assert_eq!(published["LayerArn"], layer);
    assert_eq!(published["LayerVersionArn"], format!("{layer}:1"));
    assert_eq!(published["Version"], 1);
    assert_eq!(published["Description"], "what it is");
    assert_eq!(published["LicenseInfo"], "MIT");
    assert_eq!(
        published["CompatibleRuntimes"],
        json!(["python3.12", "python2.7"])
    );
    assert_eq!(
        published["CompatibleArchitectures"],
        json!(["x86_64", "arm64"])
    );
    assert_eq!(published["Content"]["CodeSize"], zip.len());
    let location = published["Content"]["Location"].as_str().unwrap();
    let sha256 = location.rsplit('/').next().unwrap();
    assert_eq!(world.lambda.code_zip(sha256).await.unwrap(), zip);
    for name in ["tools", layer] {
        let one = json!({"LayerName": name, "VersionNumber": 1});
        assert_eq!(world.ok("GetLayerVersion", one).await, published);
    }
    let by_arn = json!({"Arn": arn(&published)});
    assert_eq!(
        world.ok("GetLayerVersionByArn", by_arn.clone()).await,
        published
    );

    let second = publish(&world, "tools", "two").await;
    assert_eq!(second["Version"], 2);
    assert_eq!(second["Description"], "");
    let listed = world
        .ok("ListLayerVersions", json!({"LayerName": "tools"}))
        .await;
    let versions = listed["LayerVersions"].as_array().unwrap();
    let described = versions.iter().map(|one| one.get("Description"));
    assert_eq!(
        described.collect::<Vec<_>>(),
        [None, Some(&json!("what it is"))]
    );
    let delete = json!({"LayerName": "tools", "VersionNumber": 2});
    world.ok("DeleteLayerVersion", delete.clone()).await;
    // What is not there is deleted.
    world.ok("DeleteLayerVersion", delete).await;
    world
        .ok(
            "DeleteLayerVersion",
            json!({"LayerName": "none", "VersionNumber": 1}),
        )
        .await;
    let gone = json!({"LayerName": "tools", "VersionNumber": 2});
    let (code, message) = world.refused("GetLayerVersion", gone).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "The resource you requested does not exist.");
    // No number is given twice.
    assert_eq!(publish(&world, "tools", "three").await["Version"], 3);
    let images = world.path().join("images");
    world
        .ok(
            "DeleteLayerVersion",
            json!({"LayerName": "tools", "VersionNumber": 1}),
        )
        .await;
    eventually(async || (!images.join(sha256).exists()).then_some(())).await;
    assert!(world.lambda.code_zip(sha256).await.is_none());
    assert_eq!(
        world.refused("GetLayerVersionByArn", by_arn).await.0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn lists_are_filtered_and_come_in_pages() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        publish(&world, name, "one").await;
    }
    for runtime in ["python3.11", "python3.12"] {
        let mut input = layer("b", runtime);
        input["CompatibleRuntimes"] = json!([runtime]);
        input["CompatibleArchitectures"] = json!(["arm64"]);
        world.ok("PublishLayerVersion", input).await;
    }
    let all = world.ok("ListLayers", json!({})).await;
    let latest = |listed: &Json| -> Vec<String> {
        let layers = listed["Layers"].as_array().unwrap().iter();
        layers
            .map(|layer| {
                format!(
                    "{}:{}",
                    layer["LayerName"], layer["LatestMatchingVersion"]["Version"]
                )
            })
            .collect()
    };
    assert_eq!(latest(&all), ["\"a\":1", "\"b\":3", "\"c\":1"]);
    assert_eq!(all.get("NextMarker"), None);
    let newest = &all["Layers"][1]["LatestMatchingVersion"];
    assert!(
        newest["LayerVersionArn"]
            .as_str()
            .unwrap()
            .ends_with(":layer:b:3")
    );
    assert_eq!(newest["CompatibleRuntimes"], json!(["python3.12"]));
    let filtered = json!({"CompatibleRuntime": "python3.11", "CompatibleArchitecture": "arm64"});
    assert_eq!(latest(&world.ok("ListLayers", filtered).await), ["\"b\":2"]);
    let other = json!({"CompatibleRuntime": "python3.11", "CompatibleArchitecture": "x86_64"});
    assert!(latest(&world.ok("ListLayers", other).await).is_empty());

    let (mut seen, mut marker) = (Vec::new(), Json::Null);
    loop {
        let mut input = json!({"MaxItems": 1});
        if !marker.is_null() {
            input["Marker"] = marker;
        }
        let page = world.ok("ListLayers", input).await;
        seen.extend(latest(&page));
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(seen, latest(&all));

    let numbers = |listed: &Json| -> Vec<i64> {
        let versions = listed["LayerVersions"].as_array().unwrap().iter();
        versions
            .map(|version| version["Version"].as_i64().unwrap())
            .collect()
    };
    let first = world
        .ok(
            "ListLayerVersions",
            json!({"LayerName": "b", "MaxItems": 2}),
        )
        .await;
    assert_eq!(numbers(&first), [3, 2]);
    let rest = json!({"LayerName": "b", "Marker": first["NextMarker"]});
    assert_eq!(numbers(&world.ok("ListLayerVersions", rest).await), [1]);
    let filtered = json!({"LayerName": "b", "CompatibleRuntime": "python3.11"});
    assert_eq!(numbers(&world.ok("ListLayerVersions", filtered).await), [2]);
    let none = world
        .ok("ListLayerVersions", json!({"LayerName": "none"}))
        .await;
    assert_eq!(numbers(&none), [0_i64; 0]);
}

#[tokio::test]
async fn what_is_no_layer_is_refused() {
    let world = World::new().await;
    let mut bad = layer("tools", "x");
    bad["Content"] = json!({"ZipFile": blob("no zip")});
    let (code, message) = world.refused("PublishLayerVersion", bad).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(
        message.starts_with("Could not unzip uploaded file."),
        "{message}"
    );
    let mut bad = layer("tools", "x");
    bad["CompatibleRuntimes"] = json!(["cobol"]);
    let (code, message) = world.refused("PublishLayerVersion", bad).await;
    assert_eq!(code, "ValidationException");
    let expected = "1 validation error detected: Value '[cobol]' at 'compatibleRuntimes' failed to \
                    satisfy constraint: Member must satisfy constraint: [Member must satisfy enum \
                    value set: [";
    assert!(message.starts_with(expected), "{message}");
    let (_, message) = world
        .refused("ListLayers", json!({"CompatibleRuntime": "cobol"}))
        .await;
    assert!(
        message.contains("Value 'cobol' at 'compatibleRuntime'"),
        "{message}"
    );
    for operation in ["GetLayerVersion", "DeleteLayerVersion"] {
        let zero = json!({"LayerName": "tools", "VersionNumber": 0});
        let (code, message) = world.refused(operation, zero).await;
        assert_eq!(code, "InvalidParameterValueException");
        assert_eq!(message, "Layer Version Cannot be less than 1");
    }
    assert_eq!(world.ok("ListLayers", json!({})).await["Layers"], json!([]));
}

#[tokio::test]
async fn a_layer_comes_from_s3() {
    let world = World::new().await;
    world.bucket("layers").await;
    let zip = package(&[("python/tools.py", "SAYS = 'from S3'\n")]);
    let object = json!({"Bucket": "layers", "Key": "l.zip", "Body": blob(&zip)});
    world.call_service("s3", "PutObject", object).await.unwrap();
    let content = json!({"S3Bucket": "layers", "S3Key": "l.zip"});
    let input = json!({"LayerName": "tools", "Content": content});
    let published = world.ok("PublishLayerVersion", input).await;
    assert_eq!(published["Content"]["CodeSize"], zip.len());
    world
        .ok("CreateFunction", using("f", &[arn(&published)]))
        .await;
    if let Some(answer) = says(&world, "f").await {
        assert_eq!(answer, "from S3");
    }
    let missing = json!({"LayerName": "tools", "Content": {"S3Bucket": "layers", "S3Key": "no"}});
    let (_, message) = world.refused("PublishLayerVersion", missing).await;
    assert!(message.contains("S3 Error Code: NoSuchKey"), "{message}");
}

#[tokio::test]
async fn functions_have_layers_until_they_are_given_others() {
    let world = World::new().await;
    let one = publish(&world, "tools", "one").await;
    let other = publish(&world, "other", "beside").await;
    let layers = [arn(&other), arn(&one)];
    let created = world.ok("CreateFunction", using("f", &layers)).await;
    let shown = json!([
        {"Arn": layers[0], "CodeSize": other["Content"]["CodeSize"]},
        {"Arn": layers[1], "CodeSize": one["Content"]["CodeSize"]},
    ]);
    assert_eq!(created["Layers"], shown);
    let listed = world.ok("ListFunctions", json!({})).await;
    assert_eq!(listed["Functions"][0]["Layers"], shown);
    let Some(answer) = says(&world, "f").await else {
        return;
    };
    assert_eq!(answer, "one");
    let version = json!({"FunctionName": "f"});
    assert_eq!(world.ok("PublishVersion", version).await["Version"], "1");

    // A newer version of the layer, and the old one deleted.
    let two = publish(&world, "tools", "two").await;
    world
        .ok(
            "DeleteLayerVersion",
            json!({"LayerName": "tools", "VersionNumber": 1}),
        )
        .await;
    assert_eq!(says(&world, "f").await.unwrap(), "one");
    let update = json!({"FunctionName": "f", "Timeout": 7});
    let updated = world.ok("UpdateFunctionConfiguration", update).await;
    assert_eq!(updated["Layers"], shown, "what is not named stays");
    assert_eq!(says(&world, "f").await.unwrap(), "one");
    let gone = json!({"FunctionName": "f", "Layers": layers});
    let (code, message) = world.refused("UpdateFunctionConfiguration", gone).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(
        message,
        format!("Layer version {} does not exist.", layers[1])
    );
    let update = json!({"FunctionName": "f", "Layers": [arn(&two)]});
    let updated = world.ok("UpdateFunctionConfiguration", update).await;
    assert_eq!(updated["Layers"].as_array().unwrap().len(), 1);
    assert_eq!(says(&world, "f").await.unwrap(), "two");
    // The published version keeps what it had.
    let kept = json!({"FunctionName": "f", "Qualifier": "1"});
    let kept = world.ok("GetFunctionConfiguration", kept).await;
    assert_eq!(kept["Layers"], shown);
    assert_eq!(says(&world, "f:1").await.unwrap(), "one");

    let update = json!({"FunctionName": "f", "Layers": []});
    let updated = world.ok("UpdateFunctionConfiguration", update).await;
    assert_eq!(updated.get("Layers"), None);
    let answer = says(&world, "f").await.unwrap();
    assert_eq!(answer["errorType"], "Runtime.ImportModuleError");
    world
        .ok("DeleteFunction", json!({"FunctionName": "f"}))
        .await;
    for (name, number) in [("tools", 2), ("other", 1)] {
        let delete = json!({"LayerName": name, "VersionNumber": number});
        world.ok("DeleteLayerVersion", delete).await;
    }
    // Nothing is left of any of it, nor of what was stacked.
    let images = world.path().join("images");
    eventually(async || {
        let names = std::fs::read_dir(&images).unwrap().flatten();
        let mut names = names.map(|entry| entry.file_name().into_string().unwrap());
        (!names.any(|name| !name.starts_with('.'))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn layers_that_a_function_cannot_have_are_refused() {
    let world = World::new().await;
    let mut arns = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        arns.push(arn(&publish(&world, name, name).await).to_owned());
    }
    let second = arn(&publish(&world, "a", "again").await).to_owned();
    let refused = async |layers: &[&str]| world.refused("CreateFunction", using("f", layers)).await;
    let all: Vec<&str> = arns.iter().map(String::as_str).collect();
    let invalid = |message: String| ("InvalidParameterValueException".to_owned(), message);
    assert_eq!(
        refused(&all).await,
        invalid("Cannot reference more than 5 layers.".to_owned())
    );
    assert_eq!(
        refused(&[&arns[0], &arns[1], &second]).await,
        invalid(format!(
            "Two different versions of the same layer are not allowed to be referenced in the same \
             function. {} and {second} are versions of the same layer.",
            arns[0]
        ))
    );
    let missing = "arn:aws:lambda:us-east-1:000000000000:layer:a:9";
    assert_eq!(
        refused(&[missing]).await,
        invalid(format!("Layer version {missing} does not exist."))
    );
    let (_, message) = refused(&["arn:aws:lambda:eu-west-1:000000000000:layer:a:1"]).await;
    assert_eq!(
        message,
        "Layers are not in the same region as the function. Layers are expected to be in region \
         us-east-1."
    );
    let (code, message) = refused(&["arn:aws:lambda:us-east-1:000000000000:layer:a"]).await;
    assert_eq!(code, "ValidationException");
    assert!(
        message.contains("at 'layers' failed to satisfy"),
        "{message}"
    );
    let found = world
        .refused("GetFunction", json!({"FunctionName": "f"}))
        .await;
    assert_eq!(found.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn code_and_layers_hold_250_mb_together() {
    let world = World::new().await;
    // A quarter of it and a little more, that packs well; it is unpacked once for all.
    let large = "x".repeat(63 << 20);
    let zip = blob(package(&[("index.py", IMPORTS), ("large.txt", &large)]));
    let mut arns = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let input = json!({"LayerName": name, "Content": {"ZipFile": zip}});
        arns.push(arn(&world.ok("PublishLayerVersion", input).await).to_owned());
    }
    let all: Vec<&str> = arns.iter().map(String::as_str).collect();
    let (_, message) = world.refused("CreateFunction", using("f", &all)).await;
    assert_eq!(
        message,
        "Layers consume more than the available size of 262144000 bytes"
    );
    let size = 4 * (large.len() + IMPORTS.len());
    let expected = format!(
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. \
         The actual size is {size} bytes."
    );
    let mut input = using("f", &all[..3]);
    input["Code"] = json!({"ZipFile": zip});
    assert_eq!(
        world.refused("CreateFunction", input.clone()).await.1,
        expected
    );
    input["Layers"] = json!(&all[..2]);
    world.ok("CreateFunction", input).await;
    let update = json!({"FunctionName": "f", "Layers": &all[..3]});
    assert_eq!(
        world.refused("UpdateFunctionConfiguration", update).await.1,
        expected
    );
    world.ok("CreateFunction", using("g", &all[..3])).await;
    let update = json!({"FunctionName": "g", "ZipFile": zip});
    assert_eq!(
        world.refused("UpdateFunctionCode", update).await.1,
        expected
    );
}

#[tokio::test]
async fn layers_and_what_is_stacked_of_them_outlive_a_restart() {
    let durable = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::with(durable()).await;
    let one = publish(&world, "tools", "kept").await;
    let other = publish(&world, "other", "beside").await;
    let layers = [arn(&one), arn(&other)];
    world.ok("CreateFunction", using("f", &layers)).await;
    let before = says(&world, "f").await;
    world
        .ok(
            "DeleteLayerVersion",
            json!({"LayerName": "tools", "VersionNumber": 1}),
        )
        .await;
    let folder = world.end().await;
    let world = World::on(folder, durable()).await;
    assert_eq!(says(&world, "f").await, before);
    let layers = world.ok("ListLayers", json!({})).await;
    assert_eq!(layers["Layers"].as_array().unwrap().len(), 1);
    assert_eq!(publish(&world, "tools", "new").await["Version"], 2);
    // Even if the images are lost: they are made again.
    let folder = world.end().await;
    for entry in std::fs::read_dir(folder.path().join("images")).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let world = World::on(folder, durable()).await;
    assert_eq!(says(&world, "f").await, before);
}

#[tokio::test]
async fn a_layer_is_shared_with_whom_its_policy_names() {
    let world = World::new().await;
    let published = publish(&world, "tools", "shared").await;
    let there: AccountId = "111122223333".parse().unwrap();
    let by_arn = json!({"Arn": arn(&published)});
    let get = async || {
        world
            .call_as(there, "GetLayerVersionByArn", by_arn.clone())
            .await
    };
    let create = async || {
        let mut input = using("theirs", &[arn(&published)]);
        input["Role"] = json!("arn:aws:iam::111122223333:role/r");
        world.call_as(there, "CreateFunction", input).await
    };
    let denied = format!(
        "User: arn:aws:iam::111122223333:root is not authorized to perform: lambda:GetLayerVersion \
         on resource: {} because no resource-based policy allows the lambda:GetLayerVersion action",
        arn(&published)
    );
    for refused in [get().await, create().await] {
        let error = refused.unwrap_err();
        assert_eq!(
            (error.code.as_ref(), &error.message),
            ("AccessDeniedException", &denied)
        );
    }
    let version = json!({"LayerName": "tools", "VersionNumber": 1});
    let with = |more: Json| {
        let mut input = version.clone();
        let more = more.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(more);
        input
    };
    let (code, message) = world
        .refused("GetLayerVersionPolicy", version.clone())
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "No policy is associated with the given resource.");
    let grant = |sid: &str, principal: &str| {
        let action = "lambda:GetLayerVersion";
        with(json!({"StatementId": sid, "Action": action, "Principal": principal}))
    };
    let add = "AddLayerVersionPermission";
    // An organization that nobody is in.
    let mut input = grant("org", "*");
    input["OrganizationId"] = json!("o-0123456789");
    let added = world.ok(add, input).await;
    let statement: Json = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        statement,
        json!({
            "Sid": "org", "Effect": "Allow", "Principal": "*", "Action": "lambda:GetLayerVersion",
            "Resource": arn(&published),
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-0123456789"}},
        })
    );
    assert!(get().await.is_err());
    world.ok(add, grant("them", "111122223333")).await;
    let policy = world.ok("GetLayerVersionPolicy", version.clone()).await;
    let document: Json = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(document["Id"], "default");
    let principal = json!({"AWS": "arn:aws:iam::111122223333:root"});
    assert_eq!(document["Statement"][1]["Principal"], principal);
    assert_eq!(
        world.refused(add, grant("them", "*")).await.0,
        "ResourceConflictException"
    );
    let mut stale = grant("more", "*");
    stale["RevisionId"] = added["RevisionId"].clone();
    let (code, message) = world.refused(add, stale).await;
    assert_eq!(code, "PreconditionFailedException");
    assert!(message.ends_with("Call the GetLayerPolicy API to retrieve the latest Revision Id"));

    assert_eq!(
        get().await.unwrap()["LayerVersionArn"],
        published["LayerVersionArn"]
    );
    create().await.unwrap();
    // Only its own account changes it.
    let theirs = json!({"LayerName": published["LayerArn"], "VersionNumber": 1});
    for operation in ["DeleteLayerVersion", "GetLayerVersionPolicy"] {
        let error = world
            .call_as(there, operation, theirs.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code, "AccessDeniedException", "{operation}");
    }

    let remove = "RemoveLayerVersionPermission";
    let mut current = with(json!({"StatementId": "them", "RevisionId": policy["RevisionId"]}));
    world.ok(remove, current.clone()).await;
    assert!(get().await.is_err());
    current.as_object_mut().unwrap().remove("RevisionId");
    let (code, message) = world.refused(remove, current).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "Statement them is not found in resource policy.");
    let none = json!({"LayerName": "tools", "VersionNumber": 9});
    let (_, message) = world.refused("GetLayerVersionPolicy", none).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:layer:tools:9";
    assert_eq!(message, format!("Layer version {arn} does not exist."));
}
