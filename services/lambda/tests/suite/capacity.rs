//! Capacity providers, and the functions that may run on them.

use serde_json::{Value as Json, json};

use crate::support::{World, eventually, new_function};

pub const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:mine";
pub const LATEST: &str = "$LATEST.PUBLISHED";
pub const INVALID: &str = "InvalidParameterValueException";
pub const CONFLICT: &str = "ResourceConflictException";

pub const SOURCE: &str = "import os, time\n\ndef handler(event, context):\n    \
     time.sleep(event.get('sleep', 0))\n    \
     return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.environ['AWS_LAMBDA_FUNCTION_VERSION'],\n    \
             os.environ['AWS_LAMBDA_MAX_CONCURRENCY'], os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]\n";

pub fn provider(name: &str) -> Json {
    json!({
        "CapacityProviderName": name,
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "PermissionsConfig": {
            "CapacityProviderOperatorRoleArn": "arn:aws:iam::000000000000:role/operator"
        },
    })
}

pub fn named(name: &str) -> Json {
    json!({"CapacityProviderName": name})
}

pub fn of(qualifier: &str) -> Json {
    json!({"FunctionName": "hello", "Qualifier": qualifier})
}

pub fn scaling(qualifier: &str, config: Json) -> Json {
    let mut input = of(qualifier);
    input["FunctionScalingConfig"] = config;
    input
}

/// A function on the provider, of which nothing is published.
pub fn function(source: &str) -> Json {
    let mut input = new_function("hello", source);
    input["Runtime"] = json!("python3.13");
    input["CapacityProviderConfig"] = json!({"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": ARN, "PerExecutionEnvironmentMaxConcurrency": 2,
    }});
    input
}

pub async fn world() -> World {
    let world = World::new().await;
    world.ok("CreateCapacityProvider", provider("mine")).await;
    world
}

pub async fn state(world: &World, qualifier: &str) -> Json {
    let config = world.ok("GetFunctionConfiguration", of(qualifier)).await;
    config["State"].clone()
}

pub async fn becomes(world: &World, qualifier: &str, wanted: &str) {
    eventually(async || (state(world, qualifier).await == wanted).then_some(())).await;
}

/// Whether this host has a Python; says so if not.
pub async fn is_there(world: &World) -> bool {
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
