//! Java functions, on this host's Java with AWS's runtime interface client.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use exec::FunctionSpec;
use exec::packs::{Pack, install};
use serde_json::{Value, json};

use crate::gates::until;
use crate::managed::{at_once, managed};
use crate::packs::kept;
use crate::support::{World, event_for, function_of, json as document, package};

const APP: &str = r#"
package app;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.*;
import java.util.*;

public class Main implements RequestHandler<Map<String, Object>, Object> {
    private static final java.util.concurrent.CountDownLatch MET =
        new java.util.concurrent.CountDownLatch(3);
    private int calls = 0;

    public Object handleRequest(Map<String, Object> event, Context context) {
        calls++;
        String deed = String.valueOf(event.get("do"));
        switch (deed) {
            case "raise":
                throw new IllegalStateException("no good");
            case "context":
                int left = context.getRemainingTimeInMillis();
                return Arrays.asList(
                    context.getFunctionName(), context.getFunctionVersion(),
                    context.getMemoryLimitInMB(), context.getLogGroupName(),
                    context.getInvokedFunctionArn(), context.getAwsRequestId(),
                    context.getClientContext().getCustom().get("a"),
                    left > 1000 && left <= 20000);
            case "log":
                context.getLogger().log("first\nsecond");
                System.out.println("printed");
                return null;
            case "sleep":
                try { Thread.sleep(600000); } catch (InterruptedException e) { }
                return null;
            case "meet":
                MET.countDown();
                try {
                    return MET.await(10, java.util.concurrent.TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    return false;
                }
            case "exit":
                System.exit(3);
                return null;
            case "where":
                return Arrays.asList(
                    System.getProperty("user.dir"), System.getProperty("told", "nothing"),
                    Layered.says(), System.getenv("AWS_EXECUTION_ENV"),
                    Runtime.getRuntime().maxMemory() >> 20);
            default:
                event.put("calls", calls);
                return event;
        }
    }

    public static String plain(String name) { return "hello " + name + " é"; }

    public static class Streams implements RequestStreamHandler {
        public void handleRequest(InputStream in, OutputStream out, Context context)
                throws IOException {
            out.write(new byte[] {'['});
            in.transferTo(out);
            out.write(new byte[] {']'});
        }
    }

    public static class Fails {
        static { if (true) throw new RuntimeException("at load"); }
        public String handle(String event) { return event; }
    }
}
"#;

/// What a layer brings.
const LAYERED: &str = r#"
package app;
public class Layered { public static String says() { return "layer"; } }
"#;

/// What the tests of this file need, made once.
struct Built {
    packs: PathBuf,
    /// The class files of the function, by their names in the package.
    classes: Vec<(String, Vec<u8>)>,
    /// A jar of the layer's class.
    layered: Vec<u8>,
}

/// `None` where there is no Java, no compiler or no client to be had, which is said.
fn build() -> Option<&'static Built> {
    static BUILT: std::sync::OnceLock<Option<Built>> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| match try_build() {
            Ok(built) => Some(built),
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
        })
        .as_ref()
}

fn try_build() -> Result<Built, String> {
    let packs = kept();
    let lib = install(Pack::Java, &packs).map_err(|error| base::with_causes(&error))?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("Main.java"), APP).unwrap();
    std::fs::write(path.join("Layered.java"), LAYERED).unwrap();
    let compiled = Command::new("javac")
        .args(["--release", "11", "-d", "out", "-cp"])
        .arg(lib.join("*"))
        .args(["Main.java", "Layered.java"])
        .current_dir(path)
        .output()
        .map_err(|error| format!("there is no javac: {error}"))?;
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let mut classes = Vec::new();
    for entry in std::fs::read_dir(path.join("out/app")).unwrap().flatten() {
        let name = format!("app/{}", entry.file_name().into_string().unwrap());
        classes.push((name, std::fs::read(entry.path()).unwrap()));
    }
    let is_layered = |(name, _): &(String, Vec<u8>)| name == "app/Layered.class";
    let at = classes.iter().position(is_layered).unwrap();
    let (name, layered) = classes.swap_remove(at);
    Ok(Built {
        packs,
        classes,
        layered: package(&[(name.as_str(), layered)]).to_vec(),
    })
}

fn world() -> Option<(World, &'static Built)> {
    let built = build()?;
    let world = World::with(base::Clock::system(), |config| {
        config.interpreters.packs = Some(built.packs.clone());
    });
    Some((world, built))
}

/// A function whose classes are in its root, or in a jar of its `lib`.
fn function(world: &World, built: &Built, handler: &str, jar: bool) -> FunctionSpec {
    let classes = built.classes.iter();
    let classes: Vec<_> = classes
        .map(|(name, bytes)| (name.as_str(), bytes))
        .collect();
    let zip = package(&classes);
    let zip = if jar {
        package(&[("lib/function.jar", zip)])
    } else {
        zip
    };
    let image = world.images.import_zip(&zip).unwrap();
    let mut function = function_of("java17", handler, exec::Code::Image(image));
    let layer = package(&[("java/lib/layered.jar", &built.layered)]);
    function.layers = Some(world.images.import_zip(&layer).unwrap());
    function
}

async fn answer(world: &World, function: &Arc<FunctionSpec>, event: Value) -> Option<Value> {
    Some(document(&world.run(function, &event).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_takes_events_and_answers() {
    let Some((world, built)) = world() else {
        return;
    };
    let mut function = function(&world, built, "app.Main::handleRequest", false);
    let told = "-Dtold=mine -Xmx96m".to_owned();
    function
        .environment
        .insert("JAVA_TOOL_OPTIONS".to_owned(), told);
    let function = Arc::new(function);
    let run = async |event: Value| answer(&world, &function, event).await;
    let Some(first) = run(json!({"n": [1, 2.5, null]})).await else {
        return;
    };
    assert_eq!(first, json!({"n": [1, 2.5, null], "calls": 1}));
    let second = world.run(&function, &json!({})).await.unwrap();
    assert!(!second.cold());
    assert_eq!(document(&second), json!({"calls": 2}));
    let mut event = event_for(&function, r#"{"do": "context"}"#);
    event.client_context = Some(r#"{"custom":{"a":"b"}}"#.to_owned());
    let id = event.request_id.to_string();
    let told = document(&world.exec.invoke(&function, event).await.unwrap());
    let expected = json!([
        function.key.name,
        "$LATEST",
        256,
        function.log_group,
        function.arn.to_string(),
        id,
        "b",
        true,
    ]);
    assert_eq!(told, expected);
    let place = run(json!({"do": "where"})).await.unwrap();
    let (heap, place) = place.as_array().unwrap().split_last().unwrap();
    let expected = ["/var/task", "mine", "layer", "AWS_Lambda_java17"];
    assert_eq!(place, expected);
    assert!(heap.as_u64().unwrap() <= 96, "{heap}");
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_every_kind_from_jars() {
    let Some((world, built)) = world() else {
        return;
    };
    for (handler, event, expected) in [
        ("app.Main", json!({"a": 1}), json!({"a": 1, "calls": 1})),
        ("app.Main::plain", json!("you"), json!("hello you é")),
        ("app.Main$Streams", json!({"a": 1}), json!([{"a": 1}])),
    ] {
        let function = Arc::new(function(&world, built, handler, true));
        let Some(answer) = answer(&world, &function, event).await else {
            return;
        };
        assert_eq!(answer, expected, "{handler}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_with_their_stack() {
    let Some((world, built)) = world() else {
        return;
    };
    let raising = Arc::new(function(&world, built, "app.Main", false));
    let Some(error) = answer(&world, &raising, json!({"do": "raise"})).await else {
        return;
    };
    assert_eq!(error["errorType"], "java.lang.IllegalStateException");
    assert_eq!(error["errorMessage"], "no good");
    let trace = error["stackTrace"].as_array().unwrap();
    let first = trace[0].as_str().unwrap();
    assert!(
        first.starts_with("app.Main.handleRequest(Main.java:"),
        "{error}"
    );
    // It ends nothing; an exit does.
    assert!(!world.run(&raising, &json!({})).await.unwrap().cold());
    // AWS's client logs the error when it has answered with it.
    until(|| {
        let log = world.recorded.log();
        let told = log
            .iter()
            .find(|event| event.starts_with("no good: java.lang.IllegalState"));
        told.is_some_and(|event| event.contains("\tat app.Main.handleRequest"))
    })
    .await;
    let exit = answer(&world, &raising, json!({"do": "exit"}))
        .await
        .unwrap();
    assert_eq!(exit["errorType"], "Runtime.ExitError");
    assert!(world.run(&raising, &json!({})).await.unwrap().cold());
    for (handler, kind) in [
        ("app.None", "java.lang.ClassNotFoundException"),
        (
            "app.Main$Fails::handle",
            "java.lang.ExceptionInInitializerError",
        ),
    ] {
        let function = Arc::new(function(&world, built, handler, false));
        let error = answer(&world, &function, json!("x")).await.unwrap();
        let said = error["errorType"].as_str().unwrap();
        assert_eq!(said, kind, "{handler}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_logs_in_one_call_is_one_event() {
    let Some((world, built)) = world() else {
        return;
    };
    let function = Arc::new(function(&world, built, "app.Main", false));
    if answer(&world, &function, json!({"do": "log"}))
        .await
        .is_none()
    {
        return;
    }
    let logged = |text: &str| {
        let log = world.recorded.log();
        log.iter().any(|event| event.trim_end() == text)
    };
    for text in ["first\nsecond", "printed"] {
        for _ in 0..1_000 {
            if logged(text) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(logged(text), "{text}: {:?}", world.recorded.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_is_ended() {
    let Some((world, built)) = world() else {
        return;
    };
    let mut function = function(&world, built, "app.Main", false);
    function.timeout = Duration::from_secs(15);
    let function = Arc::new(function);
    if answer(&world, &function, json!({})).await.is_none() {
        return;
    }
    let mut short = (*function).clone();
    short.timeout = Duration::from_secs(1);
    short.revision_id.push('x');
    short.key.name.push_str("-short");
    let short = Arc::new(short);
    let error = answer(&world, &short, json!({"do": "sleep"}))
        .await
        .unwrap();
    assert_eq!(error["errorType"], "Sandbox.Timedout", "{error}");
    assert!(world.run(&function, &json!({})).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_client_the_way_to_it_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let world = World::with(base::Clock::system(), |config| {
        config.interpreters.packs = Some(empty.path().to_owned());
    });
    let function = Arc::new(world.function("java17", "app.Main", &[("a", "x")]));
    let event = event_for(&function, "{}");
    let told = world
        .exec
        .invoke(&function, event)
        .await
        .unwrap_err()
        .to_string();
    if told.contains("no Java was found") {
        eprintln!("skipped: {told}");
        return;
    }
    assert!(told.contains("kagero runtime install java"), "{told}");
}

/// On a capacity provider AWS's client has a thread for each.
#[tokio::test(flavor = "multi_thread")]
async fn one_environment_has_several_at_once() {
    let Some((world, built)) = world() else {
        return;
    };
    let function = function(&world, built, "app.Main", false);
    let function = Arc::new(managed(function, 3));
    world.exec.scale(&function, 1, 1).await.unwrap();
    if let Err(why) = world.exec.scaled_up(&function.key).await {
        assert!(why.contains("unavailable"), "{why}");
        eprintln!("skipped: {why}");
        return;
    }
    let event = json!({"do": "meet"});
    for outcome in at_once(&world, &function, &event, 3).await {
        assert_eq!(document(&outcome.unwrap()), true);
    }
}
