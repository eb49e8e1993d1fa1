//! What of an invocation AWS's SDK for JavaScript asks for: `awslambda.InvokeStore`, here by the
//! package that the SDK asks with.

use std::path::Path;
use std::sync::Arc;

use exec::FunctionSpec;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::managed::managed;
use crate::support::{World, event_for, json as document};

const CODE: &str = "
const { InvokeStore } = require('./invoke-store.js');
let here = 0;

exports.handler = async (event, context) => {
  const store = await InvokeStore.getInstanceAsync();
  store.set('number', event.number);
  here += 1;
  // All of them are under way at once, where they may be.
  for (let left = 500; here < event.together && left > 0; left--) {
    await new Promise((done) => setTimeout(done, 10));
  }
  let refused;
  try { store.set(Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'), 'mine'); }
  catch (error) { refused = error.message; }
  return {
    here, refused, number: store.get('number'),
    same: store === globalThis.awslambda.InvokeStore,
    id: [store.getRequestId(), context.awsRequestId],
    traces: [store.getXRayTraceId(), context.xRayTraceId],
    variable: process.env._X_AMZN_TRACE_ID,
  };
};
";

/// The function with AWS's package beside it; `None` if the package is not here, which is said.
fn function(world: &World) -> Option<FunctionSpec> {
    let package =
        "target/tools/node/node_modules/@aws/lambda-invoke-store/dist-cjs/invoke-store.js";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(package);
    let Ok(package) = std::fs::read_to_string(&path) else {
        eprintln!(
            "skipped: no {}; `cargo xtask tools` fetches it",
            path.display()
        );
        return None;
    };
    let files = [("index.js", CODE), ("invoke-store.js", package.as_str())];
    let mut function = world.function("nodejs22.x", "index.handler", &files);
    function.memory_mb = 512;
    Some(function)
}

fn trace(number: usize) -> String {
    format!("Root=1-5759e988-{number:024x};Parent=53995c3f42cd8ad8;Sampled=0")
}

/// What the invocations of these numbers, at once, return.
async fn answers(world: &World, function: &Arc<FunctionSpec>, numbers: &[usize]) -> Vec<Value> {
    let calls = numbers.iter().map(|number| {
        let event = json!({"number": number, "together": numbers.len()});
        let mut event = event_for(function, event.to_string());
        event.trace = Some(trace(*number));
        world.exec.invoke(function, event)
    });
    let outcomes = join_all(calls).await.into_iter();
    outcomes
        .map(|outcome| document(&outcome.unwrap()))
        .collect()
}

fn check(answer: &Value, number: usize) {
    assert_eq!(answer["same"], true, "{answer}");
    assert_eq!(answer["number"], number, "{answer}");
    assert_eq!(answer["id"][0], answer["id"][1], "{answer}");
    assert_eq!(answer["traces"], json!([trace(number), trace(number)]));
    let refused =
        "Cannot modify protected Lambda context field: Symbol(_AWS_LAMBDA_X_RAY_TRACE_ID)";
    assert_eq!(answer["refused"], refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_each_invocation_after_the_other() {
    let world = World::new();
    let Some(function) = function(&world) else {
        return;
    };
    if let Err(why) = world.exec.runtime_warning(function.runtime) {
        return eprintln!("skipped: {why}");
    }
    let function = Arc::new(function);
    for number in 1..3 {
        let answer = &answers(&world, &function, &[number]).await[0];
        check(answer, number);
        assert_eq!(answer["variable"], json!(trace(number)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_each_of_several_at_once() {
    let world = World::new();
    let Some(mut function) = function(&world) else {
        return;
    };
    let one = ("AWS_LAMBDA_NODEJS_WORKER_COUNT".to_owned(), "1".to_owned());
    function.environment.extend([one]);
    let function = Arc::new(managed(function, 4));
    world.exec.scale(&function, 1, 1).await.unwrap();
    if let Err(why) = world.exec.scaled_up(&function.key).await {
        assert!(why.contains("unavailable"), "{why}");
        return eprintln!("skipped: {why}");
    }
    let numbers = [1, 2, 3, 4];
    let answers = answers(&world, &function, &numbers).await;
    for (answer, number) in answers.iter().zip(numbers) {
        check(answer, number);
        // No variable of the process can have all of them.
        assert_eq!(answer["variable"], json!(null));
        assert_eq!(answer["here"], 4, "{answer}");
    }
}
