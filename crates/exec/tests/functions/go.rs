//! Functions in Go, with AWS's library, on `provided.al2023`.

use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{World, event_for, function_of, json as document, package};

const MODULE: &str = "module function\n\ngo 1.18\n\nrequire github.com/aws/aws-lambda-go v1.49.0\n";

/// What Go compares the module with.
const SUMS: &str = "\
github.com/aws/aws-lambda-go v1.49.0 h1:z4VhTqkFZPM3xpEtTqWqRqsRH4TZBMJqTkRiBPYLqIQ=
github.com/aws/aws-lambda-go v1.49.0/go.mod h1:dpMpZgvWx5vuQJfBt0zqBha60q7Dd7RfgJv23DymV8A=
";

const APP: &str = r#"
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type Event struct {
	Do string `json:"do"`
	N  int    `json:"n"`
}

type own struct{}

func (own) Error() string { return "of its own" }

func handle(ctx context.Context, event Event) (any, error) {
	told, _ := lambdacontext.FromContext(ctx)
	switch event.Do {
	case "raise":
		return nil, errors.New("no good")
	case "own":
		return nil, own{}
	case "panic":
		panic("out of order")
	case "print":
		fmt.Println("printed")
		return nil, nil
	case "context":
		_, bounded := ctx.Deadline()
		return []any{told.AwsRequestID, told.InvokedFunctionArn, lambdacontext.FunctionName,
			lambdacontext.MemoryLimitInMB, told.ClientContext.Custom["a"], bounded,
			os.Getenv("_HANDLER")}, nil
	}
	return map[string]int{"n": event.N}, nil
}

func main() { lambda.Start(handle) }
"#;

/// The function's program; `None` where it cannot be built, which is said.
fn program() -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, text) in [("go.mod", MODULE), ("go.sum", SUMS), ("main.go", APP)] {
        std::fs::write(path.join(name), text).unwrap();
    }
    let go = |arguments: &[&str]| {
        let mut go = Command::new("go");
        go.args(arguments).current_dir(path);
        go.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
        go.env("GOFLAGS", "-mod=mod -buildvcs=false").output()
    };
    match go(&["mod", "download"]) {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: aws-lambda-go cannot be had: {why}");
            return None;
        }
        Err(error) => {
            eprintln!("skipped: there is no Go: {error}");
            return None;
        }
    }
    let built = go(&["build", "-tags", "lambda.norpc", "-o", "bootstrap", "."]).unwrap();
    let told = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{told}");
    Some(std::fs::read(path.join("bootstrap")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_awss_library_runs_unchanged() {
    let Some(program) = program() else { return };
    let world = World::new();
    let image = world.images.import_zip(&package(&[("bootstrap", program)]));
    let code = exec::Code::Image(image.unwrap());
    let function = Arc::new(function_of("provided.al2023", "any", code));
    for n in 1..=3 {
        let outcome = world.run(&function, &json!({"n": n})).await.unwrap();
        assert_eq!(document(&outcome), json!({"n": n}));
        assert_eq!(outcome.cold(), n == 1);
    }
    let mut event = event_for(&function, r#"{"do": "context"}"#);
    event.client_context = Some(r#"{"custom":{"a":"b"}}"#.to_owned());
    let id = event.request_id.to_string();
    let told = document(&world.exec.invoke(&function, event).await.unwrap());
    let arn = function.arn.to_string();
    assert_eq!(
        told,
        json!([id, arn, function.key.name, 256, "b", true, "any"])
    );
    let fail = async |deed: &str| -> Value {
        document(&world.run(&function, &json!({"do": deed})).await.unwrap())
    };
    let raised = fail("raise").await;
    assert_eq!(
        raised,
        json!({"errorMessage": "no good", "errorType": "errorString"})
    );
    assert_eq!(fail("own").await["errorType"], "own");
    // A panic ends the program, after its stack has been told.
    let panicked = fail("panic").await;
    assert_eq!(panicked["errorMessage"], "out of order");
    assert_eq!(panicked["errorType"], "string");
    let trace = panicked["stackTrace"].as_array().unwrap();
    let is_own = |frame: &Value| frame["label"] == "handle";
    assert!(trace.iter().any(is_own), "{panicked}");
    let printed = world.run(&function, &json!({"do": "print"})).await.unwrap();
    assert!(printed.cold());
    assert!(printed.log_tail.unwrap().contains("printed\n"));
}
