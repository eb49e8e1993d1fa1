//! Logs in the JSON format: Lambda's events, the function's own, and their levels.

use std::sync::Arc;

use exec::{FunctionSpec, LogFormat, LogLevel, Logging};
use serde_json::{Value, json};

use crate::support::{World, event_for};

fn logged(
    mut function: FunctionSpec,
    application: LogLevel,
    system: LogLevel,
) -> Arc<FunctionSpec> {
    function.logging = Logging {
        format: LogFormat::Json,
        application,
        system,
    };
    Arc::new(function)
}

/// Every event of the log that is an object, without those of this server about its interpreters.
fn events(world: &World) -> Vec<Value> {
    let log = world.recorded.log();
    let objects = log.iter().filter_map(|line| {
        let object: Value = serde_json::from_str(line).ok()?;
        let message = object["message"].as_str().unwrap_or_default();
        (!message.starts_with("[kagero] ")).then_some(object)
    });
    objects.collect()
}

/// The types of Lambda's events, and the levels of the function's.
fn shape(events: &[Value]) -> Vec<&str> {
    let named = |event: &Value| event.get("type").is_some();
    events
        .iter()
        .map(|event| &event[if named(event) { "type" } else { "level" }])
        .filter_map(Value::as_str)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn python_logs_with_the_fields_of_awss_client() {
    let code = "
import logging
logger = logging.getLogger('mine')
def handler(event, context):
    logger.debug('fine')
    logger.info('hello %s', 'you', extra={'order': 7})
    print('plain')
    try:
        raise KeyError('lost')
    except KeyError:
        logger.exception('caught')
    if event.get('fail'):
        raise ValueError('bad')
    return 1
";
    let world = World::new();
    let function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    let function = logged(function, LogLevel::Debug, LogLevel::Debug);
    let event = event_for(&function, "{}");
    let id = event.request_id.to_string();
    let Ok(outcome) = world.exec.invoke(&function, event).await else {
        return;
    };
    assert!(outcome.function_error.is_none(), "{:?}", outcome.payload);
    let log = events(&world);
    assert_eq!(
        shape(&log),
        [
            "platform.initStart",
            "platform.initRuntimeDone",
            "platform.initReport",
            "platform.start",
            "DEBUG",
            "INFO",
            "ERROR",
            "platform.runtimeDone",
            "platform.report",
        ]
    );
    assert!(world.recorded.log().contains(&"plain\n".to_owned()));
    assert_eq!(log[0]["record"]["initializationType"], "on-demand");
    assert_eq!(log[0]["record"]["functionName"], function.key.name.as_str());
    assert_eq!(log[2]["record"]["status"], "success");
    assert_eq!(log[3]["record"]["requestId"], id.as_str());
    let info = &log[5];
    let mut fields: Vec<_> = info.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "level",
            "logger",
            "message",
            "order",
            "requestId",
            "timestamp"
        ]
    );
    assert_eq!(info["message"], "hello you");
    assert_eq!(info["logger"], "mine");
    assert_eq!(info["requestId"], id.as_str());
    let caught = &log[6];
    assert_eq!(caught["errorType"], "KeyError");
    assert_eq!(caught["errorMessage"], "'lost'");
    assert!(caught["stackTrace"][0].as_str().unwrap().contains("app.py"));
    assert!(
        caught["location"]
            .as_str()
            .unwrap()
            .contains("app.py:handler:")
    );
    assert_eq!(log[7]["record"]["metrics"]["producedBytes"], 1);
    let report = &log[8]["record"];
    assert_eq!(report["metrics"]["memorySizeMB"], 256);
    assert!(report["metrics"]["initDurationMs"].as_f64().unwrap() > 0.0);
    let tail = outcome.log_tail.unwrap();
    assert!(tail.contains("\"type\":\"platform.report\",\"record\":{\"requestId\":\""));

    world.recorded.clear();
    let failed = world.run(&function, &json!({"fail": true})).await.unwrap();
    assert!(failed.function_error.is_some());
    let log = events(&world);
    let error = log.iter().find(|event| event["errorType"] == "ValueError");
    let error = error.unwrap_or_else(|| panic!("{log:?}"));
    assert_eq!(error["level"], "ERROR");
    assert_eq!(error["errorMessage"], "bad");
    assert!(error["stackTrace"].is_array() && error["timestamp"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_keep_out_what_is_less_important() {
    let code = "
import json, logging, sys
def handler(event, context):
    logging.info('unimportant')
    logging.warning('careful')
    print('unleveled')
    print(json.dumps({'level': 'error', 'timestamp': '2026-01-01T00:00:00Z', 'msg': 'own'}))
    print(json.dumps({'level': 'debug', 'timestamp': '2026-01-01T00:00:00Z', 'msg': 'own'}))
    if event.get('exit'):
        sys.exit(3)
";
    let world = World::new();
    let function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    let function = logged(function, LogLevel::Warn, LogLevel::Warn);
    if world.run(&function, &json!({})).await.is_none() {
        return;
    }
    assert_eq!(shape(&events(&world)), ["WARNING", "error"]);
    assert!(!world.recorded.log().contains(&"unleveled\n".to_owned()));

    world.recorded.clear();
    world.run(&function, &json!({"exit": true})).await.unwrap();
    let log = events(&world);
    assert_eq!(
        shape(&log),
        [
            "WARNING",
            "error",
            "platform.fault",
            "platform.runtimeDone",
            "platform.report"
        ]
    );
    assert_eq!(log[4]["record"]["status"], "error");
    assert_eq!(log[4]["record"]["errorType"], "Runtime.ExitError");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_logs_with_the_fields_of_awss_client() {
    let code = "
exports.handler = async (event) => {
  console.debug('fine');
  console.log('hello %s', 'you');
  console.warn({ order: 7 });
  console.error('caught', new TypeError('lost'));
  console.error(new RangeError('far'));
  if (event.fail) throw new Error('bad');
  return 1;
};
";
    let world = World::new();
    let mut function = world.function("nodejs20.x", "index.handler", &[("index.js", code)]);
    function.memory_mb = 512;
    let function = logged(function, LogLevel::Info, LogLevel::Warn);
    let event = event_for(&function, r#"{"fail":true}"#);
    let id = event.request_id.to_string();
    let Ok(_) = world.exec.invoke(&function, event).await else {
        return;
    };
    let log = events(&world);
    assert_eq!(shape(&log), ["INFO", "WARN", "ERROR", "ERROR", "ERROR"]);
    assert!(log.iter().all(|event| event["requestId"] == id.as_str()));
    assert_eq!(log[0]["message"], "hello you");
    assert_eq!(log[1]["message"], json!({"order": 7}));
    assert_eq!(log[2]["errorType"], "TypeError");
    assert_eq!(log[2]["errorMessage"], "lost");
    assert!(log[2]["stackTrace"].is_array());
    assert_eq!(log[3]["message"]["errorType"], "RangeError");
    assert_eq!(log[4]["message"]["errorMessage"], "bad");
}
