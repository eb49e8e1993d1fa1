//! Capacity providers, and functions whose published versions run on them.

use serde_json::{Value as Json, json};

use crate::support::{Folder, Settings, World, blob, eventually, new_function, payload};

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:mine";
const LATEST: &str = "$LATEST.PUBLISHED";
const INVALID: &str = "InvalidParameterValueException";
const CONFLICT: &str = "ResourceConflictException";

const SOURCE: &str = "import os, time\n\ndef handler(event, context):\n    \
     time.sleep(event.get('sleep', 0))\n    \
     return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.environ['AWS_LAMBDA_FUNCTION_VERSION'],\n    \
             os.environ['AWS_LAMBDA_MAX_CONCURRENCY'], os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]\n";

fn provider(name: &str) -> Json {
    json!({
        "CapacityProviderName": name,
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "PermissionsConfig": {
            "CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/operator"
        },
    })
}

fn named(name: &str) -> Json {
    json!({"CapacityProviderName": name})
}

fn of(qualifier: &str) -> Json {
    json!({"FunctionName": "hello", "Qualifier": qualifier})
}

fn scaling(qualifier: &str, config: Json) -> Json {
    let mut input = of(qualifier);
    input["FunctionScalingConfig"] = config;
    input
}

/// A function on the provider, of which nothing is published.
fn function(source: &str) -> Json {
    let mut input = new_function("hello", source);
    input["Runtime"] = json!("python3.13");
    input["CapacityProviderConfig"] = json!({"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": ARN, "PerExecutionEnvironmentMaxConcurrency": 2,
    }});
    input
}

async fn world() -> World {
    let world = World::new().await;
    world.ok("CreateCapacityProvider", provider("mine")).await;
    world
}

async fn state(world: &World, qualifier: &str) -> Json {
    let config = world.ok("GetFunctionConfiguration", of(qualifier)).await;
    config["State"].clone()
}

async fn becomes(world: &World, qualifier: &str, wanted: &str) {
    eventually(async || (state(world, qualifier).await == wanted).then_some(())).await;
}

/// Whether this host has a Python; says so if not.
async fn is_there(world: &World) -> bool {
    let config = world.ok("GetFunctionConfiguration", of("$LATEST")).await;
    let note = config["StateReason"].as_str().unwrap_or_default();
    let there = !note.contains("unavailable");
    if !there {
        eprintln!("skipped: {note}");
    }
    there
}

#[tokio::test]
async fn a_provider_is_made_shown_changed_and_deleted() {
    let world = World::new().await;
    let mut input = provider("mine");
    input["InstanceRequirements"] = json!({"AllowedInstanceTypes": ["m7i.large"]});
    input["KmsKeyArn"] = json!("arn:aws:kms:us-east-1:000000000000:key/k");
    input["Tags"] = json!({"team": "a"});
    input["PropagateTags"] = json!({"Mode": "Explicit", "ExplicitTags": {"x": "y"}});
    let made = world.ok("CreateCapacityProvider", input.clone()).await;
    let made = &made["CapacityProvider"];
    assert_eq!(
        (&made["State"], &made["CapacityProviderArn"]),
        (&json!("Pending"), &json!(ARN))
    );
    let shown = world.ok("GetCapacityProvider", named("mine")).await;
    let shown = &shown["CapacityProvider"];
    assert_eq!(shown["State"], "Active");
    assert_eq!(shown["VpcConfig"], input["VpcConfig"]);
    assert_eq!(shown["PermissionsConfig"], input["PermissionsConfig"]);
    assert_eq!(
        shown["InstanceRequirements"],
        json!({"Architectures": ["x86_64"], "AllowedInstanceTypes": ["m7i.large"]})
    );
    assert_eq!(
        shown["CapacityProviderScalingConfig"],
        json!({"ScalingMode": "Auto"})
    );
    assert_eq!(shown["KmsKeyArn"], input["KmsKeyArn"]);
    assert_eq!(shown["PropagateTags"], input["PropagateTags"]);
    assert_eq!(shown["LastModified"], made["LastModified"]);
    assert_eq!(
        world.refused("CreateCapacityProvider", input).await,
        (
            CONFLICT.to_owned(),
            "Capacity provider already exist: mine".to_owned()
        )
    );

    let manual = json!({
        "ScalingMode": "Manual", "MaxVCpuCount": 30,
        "ScalingPolicies": [{
            "PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization",
            "TargetValue": 50.0,
        }],
    });
    let mut change = named(ARN);
    change["CapacityProviderScalingConfig"] = manual.clone();
    change["TelemetryConfig"] = json!({"LoggingConfig": {"SystemLogLevel": "WARN"}});
    let changed = world.ok("UpdateCapacityProvider", change).await;
    let changed = &changed["CapacityProvider"];
    assert_eq!(changed["CapacityProviderScalingConfig"], manual);
    assert_eq!(
        changed["TelemetryConfig"]["LoggingConfig"],
        json!({"SystemLogLevel": "WARN", "LogGroup": "/aws/lambda/capacity-provider/mine"})
    );
    assert_eq!(changed["PropagateTags"], shown["PropagateTags"]);

    let tagged = json!({"Resource": ARN, "Tags": {"more": "b"}});
    world.ok("TagResource", tagged).await;
    let untagged = json!({"Resource": ARN, "TagKeys": ["team"]});
    world.ok("UntagResource", untagged).await;
    let tags = world.ok("ListTags", json!({"Resource": ARN})).await;
    assert_eq!(tags["Tags"], json!({"more": "b"}));

    let gone = world.ok("DeleteCapacityProvider", named("mine")).await;
    assert_eq!(gone["CapacityProvider"]["State"], "Deleting");
    for operation in [
        "GetCapacityProvider",
        "DeleteCapacityProvider",
        "UpdateCapacityProvider",
    ] {
        assert_eq!(
            world.refused(operation, named("mine")).await,
            (
                "ResourceNotFoundException".to_owned(),
                format!("Capacity provider not found: {ARN}")
            )
        );
    }
}

#[tokio::test]
async fn what_excludes_itself_is_refused() {
    let world = World::new().await;
    let refused = async |member: &str, value: Json| {
        let mut input = provider("mine");
        input[member] = value;
        world.refused("CreateCapacityProvider", input).await
    };
    let policies = json!([{
        "PredefinedMetricType": "LambdaCapacityProviderAverageCPUUtilization", "TargetValue": 1.0,
    }]);
    let auto = json!({"ScalingMode": "Auto", "ScalingPolicies": policies});
    let message = "A scaling policy can't be specified when the scalingMode is set to Auto";
    assert_eq!(
        refused("CapacityProviderScalingConfig", auto).await,
        (INVALID.to_owned(), message.to_owned())
    );
    let manual = json!({"ScalingMode": "Manual"});
    assert_eq!(
        refused("CapacityProviderScalingConfig", manual).await.0,
        INVALID
    );
    let both = json!({"AllowedInstanceTypes": ["a"], "ExcludedInstanceTypes": ["b"]});
    assert_eq!(refused("InstanceRequirements", both).await.0, INVALID);
    let tags = json!({"Mode": "None", "ExplicitTags": {"x": "y"}});
    assert_eq!(refused("PropagateTags", tags).await.0, INVALID);
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:capacity-provider:mine";
    assert_eq!(
        refused("CapacityProviderName", json!(elsewhere)).await.0,
        INVALID
    );
    let few = json!({"SubnetIds": [], "SecurityGroupIds": []});
    assert_eq!(refused("VpcConfig", few).await.0, "ValidationException");
    let vcpus = json!({"MaxVCpuCount": 1});
    let (code, _) = refused("CapacityProviderScalingConfig", vcpus).await;
    assert_eq!(code, "ValidationException");
}

#[tokio::test]
async fn providers_are_listed_page_by_page() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.ok("CreateCapacityProvider", provider(name)).await;
    }
    let names = |page: &Json| -> Vec<String> {
        let providers = page["CapacityProviders"].as_array().unwrap();
        let arn = |it: &Json| it["CapacityProviderArn"].as_str().unwrap().to_owned();
        let names = providers.iter().map(arn);
        names
            .map(|arn| arn.rsplit(':').next().unwrap().to_owned())
            .collect()
    };
    let first = world
        .ok("ListCapacityProviders", json!({"MaxItems": 2}))
        .await;
    assert_eq!(names(&first), ["a", "b"]);
    let rest = json!({"MaxItems": 2, "Marker": first["NextMarker"]});
    let rest = world.ok("ListCapacityProviders", rest).await;
    assert_eq!(names(&rest), ["c"]);
    assert!(rest.get("NextMarker").is_none());
    let active = world
        .ok("ListCapacityProviders", json!({"State": "Active"}))
        .await;
    assert_eq!(names(&active).len(), 3);
    let failed = world
        .ok("ListCapacityProviders", json!({"State": "Failed"}))
        .await;
    assert!(names(&failed).is_empty());
}

#[tokio::test]
async fn a_function_on_a_provider_has_its_bounds() {
    let world = world().await;
    let refused = async |change: &dyn Fn(&mut Json)| {
        let mut input = function(SOURCE);
        change(&mut input);
        world.refused("CreateFunction", input).await
    };
    let (code, message) = refused(&|it| it["MemorySize"] = json!(1_024)).await;
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "Lambda Managed Instance functions must have memory size greater than or equal to 2048"
    );
    let (code, message) = refused(&|it| it["Runtime"] = json!("python3.12")).await;
    assert_eq!(code, INVALID);
    assert!(
        message.starts_with("Runtime python3.12 isn't supported"),
        "{message}"
    );
    let text = json!({"LogFormat": "Text"});
    let (_, message) = refused(&|it| it["LoggingConfig"] = text.clone()).await;
    assert!(
        message.starts_with("LogLevel is not supported when LogFormat is set"),
        "{message}"
    );
    let snap_start = json!({"ApplyOn": "PublishedVersions"});
    assert_eq!(
        refused(&|it| it["SnapStart"] = snap_start.clone()).await.0,
        INVALID
    );
    let tenancy = json!({"TenantIsolationMode": "PER_TENANT"});
    assert_eq!(
        refused(&|it| it["TenancyConfig"] = tenancy.clone()).await.0,
        INVALID
    );
    let member = "LambdaManagedInstancesCapacityProviderConfig";
    let other = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:other";
    let (code, message) =
        refused(&|it| it["CapacityProviderConfig"][member]["CapacityProviderArn"] = json!(other))
            .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, format!("Capacity provider not found: {other}"));

    let mut arm = provider("arm");
    arm["InstanceRequirements"] = json!({"Architectures": ["arm64"]});
    world.ok("CreateCapacityProvider", arm).await;
    let theirs = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:arm";
    let (code, message) =
        refused(&|it| it["CapacityProviderConfig"][member]["CapacityProviderArn"] = json!(theirs))
            .await;
    if cfg!(target_arch = "x86_64") {
        assert_eq!(code, INVALID);
        assert!(message.contains("architecture arm64"), "{message}");
    }

    world.create("plain", SOURCE).await;
    let change = json!({
        "FunctionName": "plain", "CapacityProviderConfig": function("")["CapacityProviderConfig"],
    });
    assert_eq!(
        world.refused("UpdateFunctionConfiguration", change).await,
        (
            INVALID.to_owned(),
            "CapacityProviderConfig isn't supported for Lambda Default functions.".to_owned()
        )
    );
    for (operation, mut input) in [
        ("PublishVersion", json!({"FunctionName": "plain"})),
        (
            "UpdateFunctionCode",
            json!({"FunctionName": "plain", "ZipFile": function("x")["Code"]["ZipFile"]}),
        ),
        ("CreateFunction", new_function("new", SOURCE)),
    ] {
        input["PublishTo"] = json!("LATEST_PUBLISHED");
        assert_eq!(
            world.refused(operation, input).await,
            (
                INVALID.to_owned(),
                "PublishTo isn't supported for Lambda Default functions.".to_owned()
            ),
            "{operation}"
        );
    }
    assert_eq!(
        world
            .refused(
                "PutFunctionScalingConfig",
                json!({
                    "FunctionName": "plain", "Qualifier": LATEST,
                })
            )
            .await
            .0,
        "ResourceNotFoundException"
    );
    world
        .ok("PublishVersion", json!({"FunctionName": "plain"}))
        .await;
    let of_plain = json!({"FunctionName": "plain", "Qualifier": "1"});
    for operation in ["PutFunctionScalingConfig", "GetFunctionScalingConfig"] {
        assert_eq!(
            world.refused(operation, of_plain.clone()).await,
            (
                "AccessDeniedException".to_owned(),
                "The function provided by the arn does not contain a capacity provider \
                 configuration"
                    .to_owned()
            )
        );
    }
}

#[tokio::test]
async fn only_what_is_published_is_invoked() {
    let world = world().await;
    let made = world.ok("CreateFunction", function(SOURCE)).await;
    assert_eq!(made["MemorySize"], 2_048);
    assert!(made.get("SnapStart").is_none());
    assert_eq!(made["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(
        made["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"],
        json!({
            "CapacityProviderArn": ARN, "PerExecutionEnvironmentMaxConcurrency": 2,
            "ExecutionEnvironmentMemoryGiBPerVCpu": 2.0,
        })
    );
    assert_eq!(state(&world, "$LATEST").await, "ActiveNonInvocable");
    let invoke = json!({"FunctionName": "hello", "Payload": blob("{}")});
    assert_eq!(
        world.refused("Invoke", invoke.clone()).await,
        (
            "NoPublishedVersionException".to_owned(),
            "The function has no published versions available.".to_owned()
        )
    );
    let mut event = invoke.clone();
    event["InvocationType"] = json!("Event");
    assert_eq!(
        world.refused("Invoke", event).await.0,
        "NoPublishedVersionException"
    );
    let mut latest = invoke.clone();
    latest["Qualifier"] = json!("$LATEST");
    let (code, message) = world.refused("Invoke", latest).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: ActiveNonInvocable"), "{message}");
    if !is_there(&world).await {
        return;
    }

    let publish = json!({"FunctionName": "hello", "PublishTo": "LATEST_PUBLISHED"});
    let published = world.ok("PublishVersion", publish.clone()).await;
    assert_eq!(published["Version"], LATEST);
    assert!(
        published["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(":hello:$LATEST.PUBLISHED")
    );
    assert_eq!(published["State"], "Pending");
    becomes(&world, LATEST, "Active").await;
    assert_eq!(world.exec.environments().len(), 3);
    let answer = world.ok("Invoke", invoke.clone()).await;
    assert_eq!(answer["ExecutedVersion"], LATEST);
    let told = payload(&answer);
    assert_eq!(told[0], "lambda-managed-instances");
    assert_eq!((&told[1], &told[2]), (&json!(LATEST), &json!("2")));
    // $LATEST has not changed since.
    let same = world.ok("PublishVersion", publish.clone()).await;
    assert_eq!(
        same["RevisionId"],
        world.ok("GetFunctionConfiguration", of(LATEST)).await["RevisionId"]
    );
    assert_eq!(same["State"], "Active");

    // A number is another version, with environments of its own.
    let numbered = world
        .ok("PublishVersion", json!({"FunctionName": "hello"}))
        .await;
    assert_eq!(numbered["Version"], "1");
    becomes(&world, "1", "Active").await;
    let listed = world
        .ok("ListVersionsByFunction", json!({"FunctionName": "hello"}))
        .await;
    let versions: Vec<_> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["Version"])
        .collect();
    assert_eq!(versions, ["$LATEST", LATEST, "1"]);
    let on_provider = world
        .ok("ListFunctionVersionsByCapacityProvider", named("mine"))
        .await;
    assert_eq!(on_provider["CapacityProviderArn"], ARN);
    let items = on_provider["FunctionVersions"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        items[0],
        json!({"FunctionArn": published["FunctionArn"], "State": "Active"})
    );
    let mut page = named("mine");
    page["MaxItems"] = json!(1);
    let first = world
        .ok("ListFunctionVersionsByCapacityProvider", page.clone())
        .await;
    page["Marker"] = first["NextMarker"].clone();
    let second = world
        .ok("ListFunctionVersionsByCapacityProvider", page)
        .await;
    assert_eq!(second["FunctionVersions"][0], items[1]);
    assert!(second.get("NextMarker").is_none());

    // An alias may lead there.
    let alias = json!({"FunctionName": "hello", "Name": "live", "FunctionVersion": LATEST});
    world.ok("CreateAlias", alias).await;
    let live = world.invoke("hello:live", json!({})).await.unwrap();
    assert_eq!(live["ExecutedVersion"], LATEST);
    let provisioned = json!({
        "FunctionName": "hello", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1,
    });
    let (code, message) = world
        .refused("PutProvisionedConcurrencyConfig", provisioned)
        .await;
    assert_eq!(code, INVALID);
    assert!(
        message.starts_with("Provisioned Concurrency isn't supported"),
        "{message}"
    );
    assert_eq!(
        world
            .refused("DeleteCapacityProvider", named("mine"))
            .await
            .0,
        CONFLICT
    );

    world
        .ok("DeleteFunction", json!({"FunctionName": "hello"}))
        .await;
    eventually(async || world.exec.environments().is_empty().then_some(())).await;
    world.ok("DeleteCapacityProvider", named("mine")).await;
}

#[tokio::test]
async fn what_is_published_again_takes_the_place_of_what_was() {
    let world = world().await;
    let mut input = function(SOURCE);
    (input["Publish"], input["PublishTo"]) = (json!(true), json!("LATEST_PUBLISHED"));
    world.ok("CreateFunction", input).await;
    if !is_there(&world).await {
        return;
    }
    becomes(&world, LATEST, "Active").await;
    world
        .ok(
            "PutFunctionScalingConfig",
            scaling(
                LATEST,
                json!({
                    "MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1,
                }),
            ),
        )
        .await;
    let code = "def handler(event, context):\n    return 'second'\n";
    let update = json!({
        "FunctionName": "hello", "ZipFile": function(code)["Code"]["ZipFile"],
        "PublishTo": "LATEST_PUBLISHED",
    });
    let updated = world.ok("UpdateFunctionCode", update).await;
    assert_eq!(updated["Version"], LATEST);
    // It is invoked without a pause.
    let answer = world.invoke("hello", json!({})).await.unwrap();
    assert_eq!(payload(&answer), "second");
    let kept = world.ok("GetFunctionScalingConfig", of(LATEST)).await;
    assert_eq!(
        kept["RequestedFunctionScalingConfig"]["MinExecutionEnvironments"],
        1
    );
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;

    let broken = "import nothing_like_it\n";
    let update = json!({
        "FunctionName": "hello", "ZipFile": function(broken)["Code"]["ZipFile"],
        "Publish": true,
    });
    world.ok("UpdateFunctionCode", update).await;
    becomes(&world, "1", "Failed").await;
    let failed = world.ok("GetFunctionConfiguration", of("1")).await;
    assert_eq!(failed["StateReasonCode"], "FunctionError");
    let reason = failed["StateReason"].as_str().unwrap();
    assert!(reason.starts_with("Runtime.ImportModuleError"), "{reason}");
    let invoke = json!({"FunctionName": "hello:1", "Payload": blob("{}")});
    let (code, message) = world.refused("Invoke", invoke).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: Failed"), "{message}");
    world.ok("DeleteFunction", of(LATEST)).await;
    let invoke = json!({"FunctionName": "hello", "Payload": blob("{}")});
    assert_eq!(
        world.refused("Invoke", invoke).await.0,
        "NoPublishedVersionException"
    );
}

#[tokio::test]
async fn a_version_has_as_many_environments_as_it_is_told() {
    let folder = Folder::new();
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(folder, settings()).await;
    world.ok("CreateCapacityProvider", provider("mine")).await;
    let mut input = function(SOURCE);
    input["Publish"] = json!(true);
    world.ok("CreateFunction", input).await;
    if !is_there(&world).await {
        return;
    }
    becomes(&world, "1", "Active").await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    let three = json!({"MinExecutionEnvironments": 3});
    assert_eq!(config["RequestedFunctionScalingConfig"], three);
    assert_eq!(config["AppliedFunctionScalingConfig"], three);
    assert!(
        config["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(":hello:1")
    );
    let inverted = json!({"MinExecutionEnvironments": 2, "MaxExecutionEnvironments": 1});
    let refused = world
        .refused("PutFunctionScalingConfig", scaling("1", inverted))
        .await;
    assert_eq!(refused.0, INVALID);

    let one = json!({"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 1});
    let put = world
        .ok("PutFunctionScalingConfig", scaling("1", one.clone()))
        .await;
    assert_eq!(put["FunctionState"], "Active");
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    assert_eq!(config["AppliedFunctionScalingConfig"], one);

    // As many at once as it takes, and no more.
    let call = async || {
        let event = json!({"sleep": 1});
        let input = json!({"FunctionName": "hello:1", "Payload": blob(event.to_string())});
        world.call("Invoke", input).await
    };
    let outcomes = futures::join!(call(), call(), call());
    let outcomes = [outcomes.0, outcomes.1, outcomes.2];
    let throttled = outcomes.iter().filter_map(|it| it.as_ref().err());
    let codes: Vec<_> = throttled.map(|error| error.code.as_ref()).collect();
    assert_eq!(codes, ["TooManyRequestsException"]);

    let folder = world.end().await;
    let world = World::on(folder, settings()).await;
    eventually(async || (world.exec.environments().len() == 1).then_some(())).await;
    let config = world.ok("GetFunctionScalingConfig", of("1")).await;
    assert_eq!(config["RequestedFunctionScalingConfig"], one);

    let none = json!({"MinExecutionEnvironments": 0, "MaxExecutionEnvironments": 0});
    let put = world
        .ok("PutFunctionScalingConfig", scaling("1", none))
        .await;
    assert_eq!(put["FunctionState"], "Deactivated");
    eventually(async || world.exec.environments().is_empty().then_some(())).await;
    let invoke = json!({"FunctionName": "hello:1", "Payload": blob("{}")});
    let (code, message) = world.refused("Invoke", invoke).await;
    assert_eq!(code, CONFLICT);
    assert!(message.ends_with("state: Deactivated"), "{message}");
    // What is not said is Lambda's default.
    world.ok("PutFunctionScalingConfig", of("1")).await;
    eventually(async || (world.exec.environments().len() == 3).then_some(())).await;
    assert!(world.invoke("hello:1", json!({})).await.is_some());
}
