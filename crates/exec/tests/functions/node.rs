//! Node.js functions: module kinds, handler kinds, the console, and how they fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{World, event_for, json as document};

const RUNTIME: &str = "nodejs20.x";

async fn answer(
    world: &World,
    handler: &str,
    files: &[(&str, &str)],
    event: Value,
) -> Option<Value> {
    let mut function = world.function(RUNTIME, handler, files);
    function.memory_mb = 512;
    let outcome = world.run(&Arc::new(function), &event).await?;
    Some(document(&outcome))
}

#[tokio::test(flavor = "multi_thread")]
async fn commonjs_and_es_modules_async_and_callback_handlers() {
    let world = World::new();
    let cases: [(&str, &[(&str, &str)]); 7] = [
        (
            "index.handler",
            &[("index.js", "exports.handler = async (e) => ({ got: e.n });")],
        ),
        (
            "index.handler",
            &[(
                "index.mjs",
                "export const handler = async (e) => ({ got: e.n });",
            )],
        ),
        (
            "index.handler",
            &[
                ("package.json", r#"{"type": "module"}"#),
                (
                    "index.js",
                    "await 0; export const handler = async (e) => ({ got: e.n });",
                ),
            ],
        ),
        (
            "index.handler",
            &[(
                "index.cjs",
                "exports.handler = async (e) => ({ got: e.n });",
            )],
        ),
        (
            "index.handler",
            &[(
                "index.js",
                "exports.handler = (e, c, done) => done(null, { got: e.n });",
            )],
        ),
        (
            "src/deep/app.api.get.handler",
            &[(
                "src/deep/app.js",
                "exports.api = { get: { handler: async (e) => ({ got: e.n }) } };",
            )],
        ),
        (
            "index.handler",
            &[(
                "index.js",
                "exports.handler = (e, c) => { setTimeout(() => c.succeed({ got: e.n }), 5); };",
            )],
        ),
    ];
    for (handler, files) in cases {
        let Some(got) = answer(&world, handler, files, json!({"n": 7})).await else {
            return;
        };
        assert_eq!(got, json!({"got": 7}), "{files:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_is_lambdas() {
    let code = "
exports.handler = async (event, context) => ({
    ...context,
    remaining: context.getRemainingTimeInMillis(),
    region: process.env.AWS_REGION,
    cwd: process.cwd(),
});
";
    let world = World::new();
    let mut function = world.function(RUNTIME, "index.handler", &[("index.js", code)]);
    function.memory_mb = 512;
    let function = Arc::new(function);
    let mut event = event_for(&function, "{}");
    event.client_context = Some(r#"{"custom":{"k":"v"}}"#.to_owned());
    let id = event.request_id.to_string();
    let Ok(outcome) = world.exec.invoke(&function, event).await else {
        return;
    };
    let context = document(&outcome);
    for (name, value) in [
        ("functionName", json!(function.key.name)),
        ("functionVersion", json!("$LATEST")),
        ("memoryLimitInMB", json!("512")),
        ("awsRequestId", json!(id)),
        ("invokedFunctionArn", json!(function.arn.to_string())),
        ("logGroupName", json!(function.log_group)),
        ("logStreamName", json!(world.recorded.streams()[0])),
        ("clientContext", json!({"custom": {"k": "v"}})),
        ("callbackWaitsForEmptyEventLoop", json!(true)),
        ("region", json!("us-east-1")),
        ("cwd", json!("/var/task")),
    ] {
        assert_eq!(context[name], value, "{name}");
    }
    assert!(context["remaining"].as_i64().unwrap() > 15_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_loop_is_waited_for_unless_told_otherwise() {
    let world = World::new();
    let code = "
exports.handler = (event, context, callback) => {
    context.callbackWaitsForEmptyEventLoop = event.wait;
    setTimeout(() => {}, 400);
    callback(null, 'called back');
};
exports.silent = () => {};
";
    let mut function = world.function(RUNTIME, "index.handler", &[("index.js", code)]);
    function.memory_mb = 512;
    let function = Arc::new(function);
    if world
        .run(&function, &json!({"wait": false}))
        .await
        .is_none()
    {
        return;
    }
    for wait in [true, false] {
        // What is left of an earlier timer would be waited for as well.
        tokio::time::sleep(Duration::from_millis(450)).await;
        let started = Instant::now();
        let outcome = world
            .run(&function, &json!({ "wait": wait }))
            .await
            .unwrap();
        assert_eq!(document(&outcome), "called back");
        assert_eq!(
            started.elapsed() > Duration::from_millis(300),
            wait,
            "{:?}",
            started.elapsed()
        );
    }
    let silent = answer(&world, "index.silent", &[("index.js", code)], json!({})).await;
    assert_eq!(silent, Some(Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_every_kind() {
    let world = World::new();
    let code = "
class Own extends Error { constructor() { super('mine'); this.name = 'Own'; this.extra = 1; } }
exports.handler = async (event, context) => {
    if (event === 'throw') throw new Own();
    if (event === 'string') throw 'just text';
    if (event === 'circular') { const a = {}; a.a = a; return a; }
    return 'fine';
};
exports.callback = (event, context, callback) => callback(new Own());
exports.rejects = () => new Promise(() => { Promise.reject(new Own()); });
exports.uncaught = () => new Promise(() => { setTimeout(() => { throw new Own(); }, 1); });
exports.exits = async () => process.exit(4);
";
    let files: [(&str, &str); 1] = [("index.js", code)];
    let cases: [(&str, Value, &str, &str); 8] = [
        ("index.handler", json!("throw"), "Own", "mine"),
        ("index.handler", json!("string"), "string", "just text"),
        (
            "index.handler",
            json!("circular"),
            "Error",
            "Unable to stringify response body",
        ),
        ("index.callback", json!({}), "Own", "mine"),
        (
            "index.rejects",
            json!({}),
            "Runtime.UnhandledPromiseRejection",
            "Own: mine",
        ),
        ("index.uncaught", json!({}), "Own", "mine"),
        ("index.exits", json!({}), "Runtime.ExitError", ""),
        ("index.handler", json!(""), "", ""),
    ];
    for (handler, event, error_type, message) in cases {
        let mut function = world.function(RUNTIME, handler, &files);
        function.memory_mb = 512;
        let function = Arc::new(function);
        for _ in 0..2 {
            let Some(outcome) = world.run(&function, &event).await else {
                return;
            };
            let error = document(&outcome);
            if error_type.is_empty() {
                assert_eq!(error, "fine");
                continue;
            }
            assert_eq!(error["errorType"], error_type, "{handler} {event}: {error}");
            if !message.is_empty() {
                assert_eq!(error["errorMessage"], message, "{handler} {event}");
                assert!(error["trace"].is_array());
            }
        }
    }
    let log = world.recorded.log().concat();
    assert!(log.contains("\tERROR\tInvoke Error \t{\"errorType\":\"Own\",\"errorMessage\":\"mine\",\"name\":\"Own\",\"extra\":1,\"stack\":["), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_that_cannot_be_read_are_still_answered_and_the_environment_lives() {
    let code = "
exports.handler = async (event) => {
    if (event === 'count') return count;
    count += 1;
    if (event === 'bare') throw Object.create(null);
    throw new Proxy({}, { get() { throw new Error('trap'); } });
};
let count = 0;
";
    let world = World::new();
    let mut function = world.function(RUNTIME, "index.handler", &[("index.js", code)]);
    function.memory_mb = 512;
    let function = Arc::new(function);
    for event in ["bare", "proxy"] {
        let Some(outcome) = world.run(&function, &json!(event)).await else {
            return;
        };
        assert_eq!(document(&outcome)["errorType"], "handled");
    }
    let count = world.run(&function, &json!("count")).await.unwrap();
    assert_eq!(document(&count), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_cannot_be_loaded_say_why() {
    let world = World::new();
    let cases: [(&str, &str, &str, &str); 7] = [
        (
            "index.handler",
            "Promise.reject(new Error('left alone')); exports.handler = async () => {};",
            "Runtime.UnhandledPromiseRejection",
            "Error: left alone",
        ),
        (
            "gone.handler",
            "",
            "Runtime.ImportModuleError",
            "Error: Cannot find module",
        ),
        (
            "index.handler",
            "require('nowhere');",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'nowhere'",
        ),
        (
            "index.other",
            "exports.handler = 1;",
            "Runtime.HandlerNotFound",
            "index.other is undefined or not exported",
        ),
        (
            "index.handler",
            "exports.handler = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        ),
        (
            "index.handler",
            "exports.handler = (;",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected token ';'",
        ),
        (
            "index.handler",
            "throw new RangeError('top');",
            "RangeError",
            "top",
        ),
    ];
    for (handler, code, error_type, message) in cases {
        let files = [("index.js", code)];
        let Some(error) = answer(&world, handler, &files, json!({})).await else {
            return;
        };
        assert_eq!(error["errorType"], error_type, "{error}");
        let text = error["errorMessage"].as_str().unwrap();
        assert!(text.starts_with(message), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_awaits_what_never_comes_ends_the_runtime_at_once() {
    const NEVER: &str = "await new Promise(() => {}); export const handler = async () => 1;";
    const LATE: &str = "
await new Promise((done) => setTimeout(done, 300));
export const handler = async () => 'late';
";
    let world = World::new();
    let files = [("index.mjs", LATE)];
    let Some(late) = answer(&world, "index.handler", &files, json!({})).await else {
        return;
    };
    assert_eq!(late, "late");
    for (runtime, reason) in [
        (RUNTIME, "Runtime exited with error: exit status 13"),
        ("nodejs24.x", "Runtime exited without providing a reason"),
    ] {
        let mut function = world.function(runtime, "index.handler", &[("index.mjs", NEVER)]);
        function.memory_mb = 512;
        let started = Instant::now();
        let outcome = world.run(&Arc::new(function), &json!({})).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(9));
        let error = document(&outcome);
        assert_eq!(error["errorType"], "Runtime.ExitError");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.ends_with(reason), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_console_call_is_one_event_with_its_level() {
    let code = "
exports.handler = async () => {
    console.log('two\\nlines', { a: 1 });
    console.warn('careful');
    console.error(new Error('seen'));
    process.stdout.write('raw one\\nraw two\\n');
};
";
    let world = World::new();
    let mut function = world.function(RUNTIME, "index.handler", &[("index.js", code)]);
    function.memory_mb = 512;
    let function = Arc::new(function);
    let event = event_for(&function, "{}");
    let id = event.request_id;
    let Ok(_) = world.exec.invoke(&function, event).await else {
        return;
    };
    let log = world.recorded.log();
    for end in [
        format!("Z\t{id}\tINFO\ttwo\nlines {{ a: 1 }}\n"),
        format!("Z\t{id}\tWARN\tcareful\n"),
    ] {
        assert!(
            log.iter().any(|line| line.ends_with(&end)),
            "{end} in {log:?}"
        );
    }
    let error = log
        .iter()
        .find(|line| line.contains("\tERROR\tError: seen\n    at "));
    assert!(error.is_some(), "{log:?}");
    assert!(log.contains(&"raw one\n".to_owned()) && log.contains(&"raw two\n".to_owned()));
    assert!(log.last().unwrap().starts_with("REPORT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn six_megabytes_go_both_ways() {
    let world = World::new();
    let large = Value::String("y".repeat(exec::MAX_PAYLOAD_BYTES - 2));
    let files = [("index.js", "exports.handler = async (event) => event;")];
    let Some(echoed) = answer(&world, "index.handler", &files, large.clone()).await else {
        return;
    };
    assert!(echoed == large);
}
