//! How Node.js is started: the size of its heap, and the features that Lambda turns off.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{World, json as document};

async fn answer(
    world: &World,
    runtime: &str,
    options: Option<&str>,
    files: &[(&str, &str)],
) -> Option<Value> {
    let mut function = world.function(runtime, "index.handler", files);
    function.memory_mb = 512;
    let options = options.map(|options| ("NODE_OPTIONS".to_owned(), options.to_owned()));
    function.environment.extend(options);
    let outcome = world.run(&Arc::new(function), &json!({})).await?;
    Some(document(&outcome))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_heap_is_nine_tenths_unless_the_function_sizes_it() {
    const CODE: &str = "
const v8 = require('node:v8');
exports.handler = async () => ({
    mb: Math.round(v8.getHeapStatistics().heap_size_limit / 1048576),
    sized: process.execArgv.filter((option) => option.includes('space-size')),
});
";
    let world = World::new();
    let files = [("index.js", CODE)];
    let Some(plain) = answer(&world, "nodejs20.x", None, &files).await else {
        return;
    };
    let sized = json!(["--max-old-space-size=460"]);
    assert_eq!(plain["sized"], sized);
    let standard = plain["mb"].as_u64().unwrap();
    assert!((460..560).contains(&standard), "{plain}");
    let other = answer(&world, "nodejs20.x", Some("--enable-source-maps"), &files).await;
    assert_eq!(other, Some(plain));
    for option in ["--max-old-space-size=200", "--max_old_space_size=200"] {
        let own = answer(&world, "nodejs20.x", Some(option), &files).await;
        let own = own.unwrap();
        assert_eq!(own["sized"], json!([]), "{option}");
        let own = own["mb"].as_u64().unwrap();
        assert_eq!(standard - own, 260, "{option}: {own}");
    }
    let young = answer(
        &world,
        "nodejs20.x",
        Some("--max-semi-space-size=8"),
        &files,
    )
    .await;
    assert_eq!(young.unwrap()["sized"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn features_that_lambda_turns_off_are_off_until_they_are_asked_for() {
    const REQUIRES: &str = "
exports.handler = async () => {
    try {
        return require('./lib.mjs').word;
    } catch (error) {
        return error.code;
    }
};
";
    const UNMARKED: &str = "export const handler = async () => 'detected';";
    const BY_DEFAULT: &str = "
exports.handler = async () => process.features.require_module === true;
";
    let world = World::new();
    let by_default = [("index.js", BY_DEFAULT)];
    match answer(&world, "nodejs24.x", None, &by_default).await {
        Some(Value::Bool(true)) => {}
        Some(_) => return eprintln!("skipped: this Node.js has nothing that would be turned off"),
        None => return,
    }
    let requires = [
        ("index.js", REQUIRES),
        ("lib.mjs", "export const word = 'required';"),
    ];
    let on = Some("--experimental-require-module");
    for (runtime, options, expected) in [
        ("nodejs20.x", None, "ERR_REQUIRE_ESM"),
        ("nodejs20.x", on, "required"),
        ("nodejs22.x", None, "ERR_REQUIRE_ESM"),
        ("nodejs22.x", on, "required"),
        ("nodejs24.x", None, "required"),
    ] {
        let got = answer(&world, runtime, options, &requires).await;
        assert_eq!(got, Some(json!(expected)), "{runtime} {options:?}");
    }
    let unmarked = [("index.js", UNMARKED)];
    let both = Some("--experimental-require-module --experimental-detect-module");
    let off = answer(&world, "nodejs22.x", None, &unmarked).await.unwrap();
    assert_eq!(off["errorType"], "Runtime.UserCodeSyntaxError");
    let detected = answer(&world, "nodejs22.x", both, &unmarked).await;
    assert_eq!(detected, Some(json!("detected")));
}
