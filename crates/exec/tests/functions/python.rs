//! Python functions: what they receive, what they answer, and how they fail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{World, event_for, json as document};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_in_and_the_result_comes_out() {
    let code = "
def handler(event, context):
    return {'statusCode': 200, 'body': 'hello ' + event['name'], 'é': [1, 2.5, None, True]}
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(first) = world.run(&function, &json!({"name": "ü"})).await else {
        return;
    };
    let expected = json!({"statusCode": 200, "body": "hello ü", "é": [1, 2.5, null, true]});
    assert_eq!(document(&first), expected);
    assert!(first.function_error.is_none());
    assert_eq!(first.executed_version, "$LATEST");
    assert!(first.cold());
    let phases = first.phases;
    for phase in [phases.environment, phases.runtime, phases.handler] {
        assert!(phase > Duration::ZERO, "{phases:?}");
    }
    let second = world.run(&function, &json!({"name": "ü"})).await.unwrap();
    assert!(!second.cold() && second.init_duration.is_none());
    let usage = world.recorded.usage();
    assert_eq!(usage.len(), 2);
    assert!(usage[0].cold && usage[0].succeeded && !usage[1].cold);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_kept_and_its_globals_with_it() {
    let code = "
count = 0
def handler(event, context):
    global count
    count += 1
    return {'invocation_count': count, 'is_cold_start': count == 1}
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    for count in 1..=3 {
        let Some(outcome) = world.run(&function, &json!({})).await else {
            return;
        };
        let expected = json!({"invocation_count": count, "is_cold_start": count == 1});
        assert_eq!(document(&outcome), expected);
    }
    assert_eq!(world.recorded.streams().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_zone_is_utc_or_the_functions_own() {
    let code = "
import os, time
def handler(event, context):
    return [os.environ['TZ'], time.localtime(0).tm_hour, time.tzname[0]]
";
    let world = World::new();
    let files = [("app.py", code)];
    let utc = Arc::new(world.function("python3.12", "app.handler", &files));
    let mut other = world.function("python3.12", "app.handler", &files);
    "other".clone_into(&mut other.key.name);
    // Without a database of zones.
    other.environment.insert("TZ".into(), "EST5".into());
    for (function, expected) in [
        (utc, json!([":UTC", 0, "UTC"])),
        (Arc::new(other), json!(["EST5", 19, "EST"])),
    ] {
        let Some(outcome) = world.run(&function, &json!({})).await else {
            return;
        };
        assert_eq!(document(&outcome), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_and_the_variables_are_lambdas() {
    let code = "
import os, sys
def handler(event, context):
    return {
        'context': {name: getattr(context, name) for name in (
            'function_name', 'function_version', 'invoked_function_arn', 'memory_limit_in_mb',
            'aws_request_id', 'log_group_name', 'log_stream_name', 'tenant_id')},
        'remaining': context.get_remaining_time_in_millis(),
        'client': context.client_context.custom['k'],
        'app': context.client_context.client.app_title,
        'identity': context.identity.cognito_identity_id,
        'environment': dict(os.environ),
        'path': sys.path,
        'cwd': os.getcwd(),
        'repr': repr(context),
    }
";
    let world = World::new();
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function
        .environment
        .insert("OWN".to_owned(), "value".to_owned());
    function
        .environment
        .insert("AWS_REGION".to_owned(), "not-for-functions".to_owned());
    let function = Arc::new(function);
    let mut event = event_for(&function, "{}");
    event.client_context = Some(r#"{"custom":{"k":"v"},"client":{"app_title":"t"}}"#.to_owned());
    event.cognito_identity = Some(r#"{"cognitoIdentityId":"id"}"#.to_owned());
    event.trace = Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned());
    let id = event.request_id.to_string();
    let Ok(outcome) = world.exec.invoke(&function, event).await else {
        return;
    };
    let document = document(&outcome);
    let context = &document["context"];
    assert_eq!(context["function_name"], function.key.name.as_str());
    assert_eq!(context["function_version"], "$LATEST");
    assert_eq!(context["invoked_function_arn"], function.arn.to_string());
    assert_eq!(context["memory_limit_in_mb"], "256");
    assert_eq!(context["aws_request_id"], id.as_str());
    assert_eq!(context["log_group_name"], function.log_group.as_str());
    assert_eq!(
        context["log_stream_name"],
        world.recorded.streams()[0].as_str()
    );
    let remaining = document["remaining"].as_i64().unwrap();
    assert!((15_000..=20_000).contains(&remaining), "{remaining}");
    assert_eq!(document["client"], "v");
    assert_eq!(document["app"], "t");
    assert_eq!(document["identity"], "id");
    assert_eq!(document["cwd"], "/var/task");
    assert_eq!(document["path"][0], "/var/task");
    assert!(
        document["repr"]
            .as_str()
            .unwrap()
            .starts_with("LambdaContext([")
    );
    let environment = &document["environment"];
    for (name, value) in [
        ("OWN", "value"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("_HANDLER", "app.handler"),
        ("TZ", ":UTC"),
        (
            "_X_AMZN_TRACE_ID",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
        ),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    assert!(
        environment.get("CARGO").is_none(),
        "the server's own variables must not be seen"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_in_packages_and_folders_are_found() {
    let code = "def handler(event, context): return __name__";
    let files = [
        ("pkg/__init__.py", ""),
        ("pkg/sub.py", code),
        ("folder/module.py", code),
    ];
    let world = World::new();
    for (handler, name) in [
        ("pkg.sub.handler", "pkg.sub"),
        ("folder/module.handler", "folder.module"),
    ] {
        let function = Arc::new(world.function("python3.12", handler, &files));
        let Some(outcome) = world.run(&function, &json!({})).await else {
            return;
        };
        assert_eq!(document(&outcome), name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_is_an_error_document_and_the_environment_lives_on() {
    let code = "
def inner(): raise ValueError('bad é')
def handler(event, context):
    if event['fail']:
        inner()
    return 'fine'
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(failed) = world.run(&function, &json!({"fail": true})).await else {
        return;
    };
    assert_eq!(failed.function_error.unwrap().as_str(), "Unhandled");
    let error = document(&failed);
    assert_eq!(error["errorType"], "ValueError");
    assert_eq!(error["errorMessage"], "bad é");
    let trace = error["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 2, "{trace:?}");
    assert_eq!(
        trace[0],
        "  File \"/var/task/app.py\", line 5, in handler\n    inner()\n"
    );
    let log = world.recorded.log();
    let logged = log
        .iter()
        .find(|line| line.starts_with("[ERROR] ValueError: bad é\nTraceback"));
    assert!(
        logged.is_some_and(|line| line.contains("in inner")),
        "{log:?}"
    );
    let fine = world.run(&function, &json!({"fail": false})).await.unwrap();
    assert!(!fine.cold());
    assert_eq!(document(&fine), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_encoded_as_lambdas_runtime_encodes_them() {
    let code = "
import collections, decimal
Point = collections.namedtuple('Point', 'x y')
def handler(event, context):
    if event == 'bad name':
        open(b'/tmp/\\xff')
    circular = []
    circular.append(circular)
    return {
        'decimal': {'a': decimal.Decimal('1.10'), 'b': [decimal.Decimal('3')]},
        'bytes': b'{\"raw\": true}',
        'nothing': None,
        'set': {1},
        'mark': ['kagero-decimal-0', decimal.Decimal('2.50')],
        'named': [Point(1, {'p': Point(2, 'é')}), (3, [4])],
        'text': {b'k\\xc3\\xa9y': [b'v', {'a': b'\\xc3\\xa9'}]},
        'no text': [b'\\xff'],
        'circular': circular,
    }[event]
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(decimal) = world.run(&function, &json!("decimal")).await else {
        return;
    };
    assert_eq!(decimal.payload, r#"{"a": 1.10, "b": [3]}"#);
    for (event, expected) in [
        ("bytes", r#"{"raw": true}"#),
        ("nothing", "null"),
        ("mark", r#"["kagero-decimal-0", 2.50]"#),
        (
            "named",
            r#"[{"x": 1, "y": {"p": {"x": 2, "y": "é"}}}, [3, [4]]]"#,
        ),
        ("text", r#"{"kéy": ["v", {"a": "é"}]}"#),
    ] {
        assert_eq!(
            world.run(&function, &json!(event)).await.unwrap().payload,
            expected
        );
    }
    for (event, reason) in [
        ("set", "Object of type set is not JSON serializable"),
        (
            "no text",
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        ("circular", "Circular reference detected"),
    ] {
        let unserialisable = document(&world.run(&function, &json!(event)).await.unwrap());
        assert_eq!(unserialisable["errorType"], "Runtime.MarshalError");
        let message = format!("Unable to marshal response: {reason}");
        assert_eq!(unserialisable["errorMessage"], message);
    }
    let error = world.run(&function, &json!("bad name")).await.unwrap();
    let document = String::from_utf8(error.payload.to_vec()).unwrap();
    assert!(
        document.contains(r#""errorType": "FileNotFoundError""#),
        "{document}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_cannot_be_loaded_say_why() {
    let cases: [(&str, &str, &str, &str); 6] = [
        (
            "gone.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'gone': No module named 'gone'",
        ),
        (
            "app.handler",
            "import nowhere",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        (
            "app.other",
            "def handler(e, c): pass",
            "Runtime.HandlerNotFound",
            "Handler 'other' missing on module 'app'",
        ),
        (
            "app.handler",
            "def handler(:",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': ",
        ),
        (
            "handler",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        ("app.handler", "raise KeyError('top')", "KeyError", "'top'"),
    ];
    let world = World::new();
    for (handler, code, error_type, message) in cases {
        let function = Arc::new(world.function("python3.12", handler, &[("app.py", code)]));
        let Some(outcome) = world.run(&function, &json!({})).await else {
            return;
        };
        assert_eq!(outcome.function_error.unwrap().as_str(), "Unhandled");
        let error = document(&outcome);
        assert_eq!(error["errorType"], error_type);
        assert!(
            error["errorMessage"].as_str().unwrap().starts_with(message),
            "{error}"
        );
        let log = world.recorded.log().concat();
        assert!(log.contains(&format!("[ERROR] {error_type}: ")), "{log}");
        assert!(log.contains(&format!(
            "\tPhase: init\tStatus: error\tError Type: {error_type}"
        )));
        assert!(log.contains(&format!(
            "\tPhase: invoke\tStatus: error\tError Type: {error_type}"
        )));
        assert!(
            outcome
                .log_tail
                .unwrap()
                .contains(&format!("[ERROR] {error_type}: "))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_python_of_this_host_runs_a_function() {
    let code = "
import sys
def handler(event, context):
    return {'version': '%d.%d' % sys.version_info[:2], 'event': event, 'repr': repr(context) != ''}
";
    let world = World::new();
    for runtime in exec::Runtime::all().filter(|one| one.family() == exec::Family::Python) {
        let runtime = runtime.identifier();
        let function = Arc::new(world.function(runtime, "app.handler", &[("app.py", code)]));
        let Some(outcome) = world.run(&function, &json!({"é": 1})).await else {
            return;
        };
        let answer = document(&outcome);
        assert_eq!(answer["event"], json!({"é": 1}), "{runtime}");
        let warned =
            world.recorded.log().iter().any(|line| {
                line.starts_with(&format!("[kagero] warning: {runtime} runs on Python"))
            });
        let exact = format!("python{}", answer["version"].as_str().unwrap()) == runtime;
        assert_eq!(warned, !exact, "{runtime}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn six_megabytes_go_both_ways_and_one_more_does_not_come_out() {
    let code = "
def handler(event, context):
    return 'x' * event if isinstance(event, int) else event
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let large = Value::String("y".repeat(exec::MAX_PAYLOAD_BYTES - 2));
    let Some(echoed) = world.run(&function, &large).await else {
        return;
    };
    assert_eq!(echoed.payload.len(), exec::MAX_PAYLOAD_BYTES);
    // Two quotes; the limit has a hundred bytes more than 6 MB.
    let limit = exec::MAX_PAYLOAD_BYTES + 100;
    let fits = world.run(&function, &json!(limit - 2)).await.unwrap();
    assert_eq!((fits.payload.len(), fits.function_error), (limit, None));
    let refused = world.run(&function, &json!(limit - 1)).await.unwrap();
    assert_eq!(
        document(&refused),
        json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": "Response payload size (6291557 bytes) exceeded maximum allowed \
                             payload size (6291556 bytes).",
        })
    );
    assert!(!world.run(&function, &json!(1)).await.unwrap().cold());
}
