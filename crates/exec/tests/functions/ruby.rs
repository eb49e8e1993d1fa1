//! Ruby functions, on this host's Ruby.

use std::sync::Arc;
use std::time::Duration;

use exec::{FunctionSpec, StartTier};
use serde_json::{Value, json};

use crate::support::{World, event_for, json as document, package};

const APP: &str = r#"
require "json"
LOADED = Process.pid

def handler(event:, context:)
  case event["do"]
  when "context"
    [context.function_name, context.function_version, context.memory_limit_in_mb,
     context.log_group_name, context.invoked_function_arn, context.client_context,
     context.identity, (1..20_000).cover?(context.get_remaining_time_in_millis),
     context.aws_request_id == ENV.fetch("NOTHING", context.aws_request_id)]
  when "raise" then raise ArgumentError, "no \xff good"
  when "name" then nowhere
  when "exit" then exit 3
  when "print"
    puts "one", "two"
    warn "three"
    $stdout.write "four"
    nil
  when "log"
    require "logger"
    Logger.new($stdout).info("first\nsecond")
    Logger.new($stderr, formatter: ->(*, message) { "own #{message}" }).warn("words")
    file = Logger.new("/tmp/log")
    file.error("elsewhere")
    [context.aws_request_id, File.read("/tmp/log").include?("elsewhere")]
  when "io" then require "stringio"; StringIO.new("plain text")
  when "paths" then [$LOAD_PATH.first(3), Gem.path.first(2), ENV["GEM_PATH"], Dir.pwd, __FILE__]
  when "fork"
    Process.wait(fork { exit!(0) })
    "parent"
  else { "event" => event, "same" => LOADED == Process.pid, "unicode" => "é" }
  end
end

module Outer
  class Own
    def self.call(event:, context:) = ["own", event, context.class.name.nil?]
  end
end
"#;

fn function(world: &World, handler: &str) -> FunctionSpec {
    let files = [
        ("app.rb", APP),
        ("lib/deep.rb", "def deep(event:, context:) = 1\n"),
    ];
    world.function("ruby3.3", handler, &files)
}

async fn answer(world: &World, function: &Arc<FunctionSpec>, event: Value) -> Option<Value> {
    Some(document(&world.run(function, &event).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_takes_events_and_answers() {
    let world = World::new();
    let function = Arc::new(function(&world, "app.handler"));
    let run = async |event: Value| answer(&world, &function, event).await;
    let Some(first) = run(json!({"n": [1, 2.5, null]})).await else {
        return;
    };
    let expected = json!({"event": {"n": [1, 2.5, null]}, "same": true, "unicode": "é"});
    assert_eq!(first, expected);
    assert_eq!(run(json!({"do": "fork"})).await.unwrap(), "parent");
    let plain = world.run(&function, &json!({"do": "io"})).await.unwrap();
    assert_eq!(plain.payload, "plain text");
    let mut event = event_for(&function, r#"{"do": "context"}"#);
    event.client_context = Some(r#"{"custom":{"a":1}}"#.to_owned());
    let told = document(&world.exec.invoke(&function, event).await.unwrap());
    let expected = json!([
        function.key.name, "$LATEST", "256", function.log_group, function.arn.to_string(),
        {"custom": {"a": 1}}, null, true, true,
    ]);
    assert_eq!(told, expected);
    let paths = run(json!({"do": "paths"})).await.unwrap();
    let folders = ["/var/task", "/var/runtime/lib", "/opt/ruby/lib"];
    assert_eq!(paths[0], json!(folders));
    let gems = ["/var/task/vendor/bundle/ruby/3.3.0", "/opt/ruby/gems/3.3.0"];
    assert!(
        paths[1].as_array().unwrap().contains(&json!(gems[0])),
        "{paths}"
    );
    assert_eq!(paths[2], gems.join(":"));
    assert_eq!(
        (&paths[3], &paths[4]),
        (&json!("/var/task"), &json!("/var/task/app.rb"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_classes_and_in_folders() {
    let world = World::new();
    let own = Arc::new(function(&world, "app.Outer::Own.call"));
    let Some(own) = answer(&world, &own, json!(7)).await else {
        return;
    };
    assert_eq!(own, json!(["own", 7, false]));
    let deep = Arc::new(function(&world, "lib/deep.deep"));
    assert_eq!(answer(&world, &deep, json!(7)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_as_on_lambda() {
    let world = World::new();
    let function = Arc::new(function(&world, "app.handler"));
    let raised = json!({"do": "raise"});
    let Some(outcome) = world.run(&function, &raised).await else {
        return;
    };
    let error = document(&outcome);
    assert_eq!(error["errorType"], "Function<ArgumentError>");
    assert_eq!(error["errorMessage"], "no \u{fffd} good");
    let trace = error["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 1, "{error}");
    assert!(
        trace[0].as_str().unwrap().starts_with("/var/task/app.rb:"),
        "{error}"
    );
    // An error ends nothing; what is no StandardError, or names nothing, ends the environment.
    let next = world.run(&function, &json!({})).await.unwrap();
    assert!(!next.cold());
    for (deed, kind) in [
        ("name", "Function<NameError>"),
        ("exit", "Function<SystemExit>"),
    ] {
        let error = answer(&world, &function, json!({"do": deed}))
            .await
            .unwrap();
        assert_eq!(error["errorType"], kind);
        let next = world.run(&function, &json!({})).await.unwrap();
        assert!(next.cold(), "after {deed}");
    }
    let log = world.recorded.log();
    let told = log
        .iter()
        .find(|event| event.starts_with("Error raised from handler method"));
    assert!(
        told.unwrap()
            .contains("\"errorType\": \"Function<ArgumentError>\"")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_is_the_inits_error() {
    let world = World::new();
    let files = [
        ("bad.rb", "def handler(\n"),
        ("fails.rb", "raise 'at load'\n"),
    ];
    for (handler, kind, message) in [
        (
            "none.handler",
            "Init<LoadError>",
            "cannot load such file -- none",
        ),
        ("bad.handler", "Init<SyntaxError>", "/var/task/bad.rb:"),
        ("fails.handler", "Init<RuntimeError>", "at load"),
        (
            "nothing",
            "Init<ArgumentError>",
            "Invalid handler [\"nothing\"], must be of form",
        ),
    ] {
        let function = Arc::new(world.function("ruby3.3", handler, &files));
        let Some(error) = answer(&world, &function, json!({})).await else {
            return;
        };
        assert_eq!(error["errorType"], kind, "{error}");
        let said = error["errorMessage"].as_str().unwrap();
        assert!(said.contains(message), "{said}");
    }
    let function = Arc::new(world.function("ruby3.3", "fails.handler", &files));
    let error = answer(&world, &function, json!({})).await.unwrap();
    assert_eq!(error["errorType"], "Init<RuntimeError>");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_is_logged_by_line() {
    let world = World::new();
    let function = Arc::new(function(&world, "app.handler"));
    let printed = answer(&world, &function, json!({"do": "print"})).await;
    if printed.is_none() {
        return;
    }
    for line in ["one", "two", "three", "four"] {
        let logged = || {
            world
                .recorded
                .log()
                .iter()
                .any(|event| event.trim_end() == line)
        };
        for _ in 0..500 {
            if logged() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(logged(), "{line}: {:?}", world.recorded.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loggers_of_the_standard_streams_write_an_event_a_call() {
    let world = World::new();
    let function = Arc::new(function(&world, "app.handler"));
    let Some(answer) = answer(&world, &function, json!({"do": "log"})).await else {
        return;
    };
    assert_eq!(answer[1], true);
    let id = answer[0].as_str().unwrap();
    let log = world.recorded.log();
    let wanted = format!("]  INFO {id} -- : first\nsecond");
    assert!(
        log.iter().any(|event| event.trim_end().ends_with(&wanted)),
        "{log:?}"
    );
    assert!(
        log.iter().any(|event| event.trim_end() == "own words"),
        "{log:?}"
    );
    assert!(!log.concat().contains("elsewhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_process_becomes_a_function_with_layers() {
    let world = World::with(base::Clock::system(), |config| config.parking.most = 2);
    let code = "require 'tools'\ndef handler(event:, context:) = [Tools::SAYS, ENV['WHOSE']]\n";
    let layer = package(&[("ruby/lib/tools.rb", "module Tools\n  SAYS = 'layer'\nend\n")]);
    let layer = world.images.import_zip(&layer).unwrap();
    let mut function = world.function("ruby3.3", "app.handler", &[("app.rb", code)]);
    function.layers = Some(layer);
    let first = function.clone();
    let Some(outcome) = world.run(&Arc::new(first), &json!({})).await else {
        return;
    };
    assert_eq!(document(&outcome), json!(["layer", null]));
    for _ in 0..2_000 {
        if !world.exec.spares().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    function.key.name.push_str("-next");
    function.environment.insert("WHOSE".into(), "mine".into());
    let parked = world
        .run(&Arc::new(function.clone()), &json!({}))
        .await
        .unwrap();
    assert_eq!(parked.start, StartTier::Parked);
    assert_eq!(document(&parked), json!(["layer", "mine"]));
    function.key.name.push_str("-own");
    function.environment.insert("RUBYOPT".into(), "-W0".into());
    let own = world.run(&Arc::new(function), &json!({})).await.unwrap();
    assert_eq!(own.start, StartTier::Exec);
    assert_eq!(document(&own), json!(["layer", "mine"]));
}
