//! The two programming models of Node.js functions: with callbacks, and since `nodejs24.x` without.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::managed::{managed, scaled_where_it_runs};
use crate::support::{World, event_for, json as document};

const OLD: &str = "nodejs22.x";
const NEW: &str = "nodejs24.x";

async fn answer(
    world: &World,
    runtime: &str,
    files: &[(&str, &str)],
    event: Value,
) -> Option<Value> {
    let mut function = world.function(runtime, "index.handler", files);
    function.memory_mb = 512;
    let outcome = world.run(&Arc::new(function), &event).await?;
    Some(document(&outcome))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_with_a_callback_is_refused_since_24() {
    let world = World::new();
    let takes_three = [(
        "index.js",
        "exports.handler = async (event, context, callback) => 'ran';",
    )];
    let Some(old) = answer(&world, OLD, &takes_three, json!({})).await else {
        return;
    };
    assert_eq!(old, "ran");
    let mut function = world.function(NEW, "index.handler", &takes_three);
    function.memory_mb = 512;
    let function = Arc::new(function);
    let refused = world.run(&function, &json!({})).await.unwrap();
    let error = document(&refused);
    assert_eq!(error["errorType"], "Runtime.CallbackHandlerDeprecated");
    assert_eq!(
        error["errorMessage"],
        "ERROR: AWS Lambda has removed support for callback-based function handlers starting with \
         Node.js 24. You need to modify this function to use a supported handler signature to use \
         Node.js 24 or later. For more information see \
         https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html."
    );
    let log = world.recorded.log().concat();
    assert!(
        log.contains("\tERROR\tInit Error \t{\"errorType\":\"Runtime.CallbackHandlerDeprecated\""),
        "{log}"
    );
    // The third parameter of a handler that streams was never a callback.
    let streams = [(
        "index.js",
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
            stream.end('\"streamed\"');
        });",
    )];
    let streamed = answer(&world, NEW, &streams, json!({})).await;
    assert_eq!(streamed, Some(json!("streamed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_returns_is_its_answer_since_24() {
    let world = World::new();
    let code = "
const told = ['callbackWaitsForEmptyEventLoop', 'done', 'succeed', 'fail'];
exports.handler = (event, context, ...rest) => {
    if (event === 'context') return told.filter((name) => name in context).concat(rest.length);
    if (event === 'promise') return new Promise((done) => setTimeout(() => done('later'), 5));
    if (event === 'circular') { const a = {}; a.a = a; return a; }
    if (event === 'throws') throw new TypeError('at once');
    if (event === 'timer') setTimeout(() => {}, 60000);
    return 5;
};
";
    let files = [("index.js", code)];
    let Some(old) = answer(&world, OLD, &files, json!("context")).await else {
        return;
    };
    // Nobody called back.
    assert_eq!(old, Value::Null);
    let mut function = world.function(NEW, "index.handler", &files);
    function.memory_mb = 512;
    let function = Arc::new(function);
    for (event, expected) in [
        ("context", json!([0])),
        ("promise", json!("later")),
        ("plain", json!(5)),
        ("timer", json!(5)),
    ] {
        let outcome = world.run(&function, &json!(event)).await.unwrap();
        assert_eq!(document(&outcome), expected, "{event}");
    }
    for (event, error_type, message) in [
        (
            "circular",
            "Runtime.JSONStringifyError",
            "Unable to stringify response body",
        ),
        ("throws", "TypeError", "at once"),
    ] {
        let outcome = world.run(&function, &json!(event)).await.unwrap();
        let error = document(&outcome);
        assert_eq!(
            (&error["errorType"], &error["errorMessage"]),
            (&json!(error_type), &json!(message))
        );
        assert!(!outcome.cold());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_never_settles_ends_the_runtime_since_24() {
    let world = World::new();
    let files = [("index.js", "exports.handler = () => new Promise(() => {});")];
    let Some(old) = answer(&world, OLD, &files, json!({})).await else {
        return;
    };
    assert_eq!(old, Value::Null);
    let new = answer(&world, NEW, &files, json!({})).await.unwrap();
    assert_eq!(new["errorType"], "Runtime.ExitError");
    let message = new["errorMessage"].as_str().unwrap();
    let expected = "Error: Runtime exited without providing a reason";
    assert!(message.ends_with(expected), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_several_events_at_once_there_are_no_callbacks() {
    let world = World::new();
    let returns = [(
        "index.js",
        "exports.handler = (event, context) => ['done', 'callbackWaitsForEmptyEventLoop'].some((name) => name in context);",
    )];
    let function = managed(world.function(OLD, "index.handler", &returns), 2);
    let Some(function) = scaled_where_it_runs(&world, function).await else {
        return;
    };
    let event = event_for(&function, "{}");
    let outcome = world.exec.invoke(&function, event).await.unwrap();
    assert_eq!(document(&outcome), false);
    let takes_three = [(
        "index.js",
        "exports.handler = async (event, context, callback) => 1;",
    )];
    for (runtime, words) in [
        (
            OLD,
            "does not support callback-based function handlers when using Node.js 22",
        ),
        (
            NEW,
            "has removed support for callback-based function handlers",
        ),
    ] {
        let function = managed(world.function(runtime, "index.handler", &takes_three), 2);
        world
            .exec
            .scale(&Arc::new(function.clone()), 1, 1)
            .await
            .unwrap();
        let why = world.exec.scaled_up(&function.key).await.unwrap_err();
        assert!(
            why.starts_with("Runtime.CallbackHandlerDeprecated"),
            "{why}"
        );
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_thrown_is_told_as_each_model_tells_it() {
    let world = World::new();
    let code = "
exports.handler = async (event) => {
    if (event === 'reject') return Promise.reject(undefined);
    if (event === 'undefined') throw undefined;
    throw null;
};
";
    let plain = "exports.handler = () => { throw null; };";
    let streams = "
exports.handler = awslambda.streamifyResponse(async () => { throw null; });
";
    let handled = json!({"errorType": "string", "errorMessage": "handled", "trace": []});
    for event in ["null", "undefined", "reject"] {
        let files = [("index.js", code)];
        let Some(old) = answer(&world, "nodejs20.x", &files, json!(event)).await else {
            return;
        };
        assert_eq!(old, handled, "{event}");
        let new = answer(&world, NEW, &files, json!(event)).await;
        let (kind, text) = match event {
            "null" => ("object", "null"),
            _ => ("undefined", "undefined"),
        };
        let expected = json!({"errorType": kind, "errorMessage": text, "trace": []});
        assert_eq!(new, Some(expected), "{event}");
    }
    // Not by a promise, it is the callback that is told: of no error.
    let old = answer(&world, OLD, &[("index.js", plain)], json!({})).await;
    assert_eq!(old, Some(Value::Null));
    let old = answer(&world, OLD, &[("index.js", streams)], json!({})).await;
    assert_eq!(old.unwrap()["errorType"], "handled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_several_answers_counts() {
    let world = World::new();
    let code = "
exports.handler = (event, context, callback) => {
    if (event === 'done') { setTimeout(() => {}, 60000); context.done(null, 'done'); return; }
    if (event === 'error') { setTimeout(() => {}, 60000); callback(new Error('told')); return; }
    callback(null, 'first');
    context.succeed('second');
    callback(null, 'third');
    return Promise.resolve('fourth');
};
";
    let files = [("index.js", code)];
    for (event, expected) in [("done", json!("done")), ("several", json!("first"))] {
        let Some(old) = answer(&world, OLD, &files, json!(event)).await else {
            return;
        };
        assert_eq!(old, expected, "{event}");
    }
    // An error waits for nothing.
    let told = answer(&world, OLD, &files, json!("error")).await.unwrap();
    assert_eq!(told["errorMessage"], "told");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_imported_since_24() {
    let world = World::new();
    let by_default = [(
        "index.mjs",
        "export default { handler: async () => 'default' };",
    )];
    let Some(old) = answer(&world, OLD, &by_default, json!({})).await else {
        return;
    };
    assert_eq!(old["errorType"], "Runtime.HandlerNotFound");
    let new = answer(&world, NEW, &by_default, json!({})).await;
    assert_eq!(new, Some(json!("default")));
    let has_detection = "exports.handler = async () => process.features.require_module === true;";
    let has_detection = [("index.js", has_detection)];
    if answer(&world, NEW, &has_detection, json!({})).await != Some(json!(true)) {
        eprintln!("skipped: this Node.js does not require ES modules");
        return;
    }
    let unmarked = [(
        "index.js",
        "const word = await 'awaited'; export const handler = async () => word;",
    )];
    let old = answer(&world, OLD, &unmarked, json!({})).await.unwrap();
    assert_eq!(old["errorType"], "Runtime.UserCodeSyntaxError");
    let new = answer(&world, NEW, &unmarked, json!({})).await;
    assert_eq!(new, Some(json!("awaited")));
}
