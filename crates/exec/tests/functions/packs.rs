//! Packs, as functions see them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exec::packs::{Pack, install};
use serde_json::json;

use crate::support::{World, json as document};

/// Where packs are kept between runs.
pub fn kept() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/packs");
    std::path::absolute(tools).unwrap()
}

/// A world with this pack; `None` where it cannot be had, which is said.
fn world_with(pack: Pack) -> Option<World> {
    if let Err(error) = install(pack, &kept()) {
        eprintln!("skipped: {}", base::with_causes(&error));
        return None;
    }
    let packs = Some(kept());
    Some(World::with(base::Clock::system(), |config| {
        config.interpreters.packs = packs;
        config.parking.most = 1;
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn python_functions_find_boto3_after_all_of_their_own() {
    let Some(world) = world_with(Pack::Python) else {
        return;
    };
    let code = "
import boto3
def handler(event, context):
    return [boto3.__file__, boto3.client('sqs', 'us-east-1').meta.service_model.service_name]
";
    let function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    let Some(outcome) = world.run(&Arc::new(function), &json!({})).await else {
        return;
    };
    let file = "/var/runtime/packages/boto3/__init__.py";
    assert_eq!(document(&outcome), json!([file, "sqs"]));
    let code = "
import boto3
def handler(event, context):
    return boto3.__file__
";
    let files = [("app.py", code), ("boto3.py", "")];
    let own = Arc::new(world.function("python3.12", "app.handler", &files));
    let outcome = world.run(&own, &json!({})).await.unwrap();
    assert_eq!(document(&outcome), "/var/task/boto3.py");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_functions_find_the_sdk() {
    let Some(world) = world_with(Pack::NodeSdk) else {
        return;
    };
    let code = "
const { SQSClient } = require('@aws-sdk/client-sqs');
exports.handler = async () =>
    [require.resolve('@aws-sdk/client-sqs'), typeof new SQSClient({ region: 'us-east-1' }).send];
";
    let function = world.function("nodejs20.x", "app.handler", &[("app.js", code)]);
    let function = Arc::new(function);
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    let answer = document(&outcome);
    let file = answer[0].as_str().unwrap_or_default();
    assert!(
        file.starts_with("/var/runtime/node_modules/@aws-sdk/client-sqs/"),
        "{answer}"
    );
    assert_eq!(answer[1], "function");
    let module = "
import { SQSClient } from '@aws-sdk/client-sqs';
export const handler = async () => typeof new SQSClient({ region: 'us-east-1' }).send;
";
    let module = world.function("nodejs20.x", "app.handler", &[("app.mjs", module)]);
    let outcome = world.run(&Arc::new(module), &json!({})).await.unwrap();
    assert_eq!(document(&outcome), "function");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_node_runs_what_asks_for_it() {
    if kept().starts_with("/tmp") {
        eprintln!("skipped: functions have a /tmp of their own, which hides an interpreter there");
        return;
    }
    let Some(world) = world_with(Pack::Node(22)) else {
        return;
    };
    let code = "exports.handler = async () => [process.version, process.execPath];";
    let function = Arc::new(world.function("nodejs22.x", "app.handler", &[("app.js", code)]));
    let outcome = world.run(&function, &json!({})).await.unwrap();
    let answer = document(&outcome);
    assert!(answer[0].as_str().unwrap().starts_with("v22."), "{answer}");
}
