//! What requests of every shape are answered, and that none of them panics.

use bytes::Bytes;
use http::Request;

use crate::world::{World, function, proxy, structure, text};

#[tokio::test]
async fn requests_that_lead_nowhere() {
    let world = World::new().await;
    let id = world.deployed(&proxy("echo")).await;
    let at = |path: &str| format!("/_aws/execute-api/{id}{path}");
    for (path, status, words) in [
        (at("/s/7"), 200, "\"resource\":\"/{id}\""),
        (at("/s/a%2Fb"), 200, r#""id":"a/b""#),
        (at("/s/a/b"), 403, "Missing Authentication Token"),
        (at("/s"), 403, "Missing Authentication Token"),
        (at("/t/7"), 403, "Forbidden"),
        (at(""), 403, "Forbidden"),
        (
            "/_aws/execute-api/none/s/7".to_owned(),
            404,
            "does not correspond",
        ),
        (at("/s/%ff"), 200, "\"id\""),
        (at("/s/.."), 200, r#""id":"..""#),
    ] {
        let (found, body) = world.get(&path).await;
        assert_eq!(found, status, "{path}: {body}");
        assert!(body.contains(words), "{path}: {body}");
    }
}

#[tokio::test]
async fn functions_results_that_are_no_responses() {
    // This function answers with its event, which has members that no response has.
    let world = World::new().await;
    let id = world.deployed(&proxy("mirror")).await;
    let answer = world.get(&format!("/_aws/execute-api/{id}/s/7")).await;
    assert_eq!(
        answer,
        (
            502,
            r#"{"message": "Internal server error"}"#.replace(": ", ":")
        )
    );
}

#[tokio::test]
async fn templates_that_loop_cost_no_more_than_they_may() {
    let world = World::new().await;
    let template =
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])x#end#end#end";
    let integration = [
        ("type", text("AWS")),
        ("integrationHttpMethod", text("POST")),
        ("uri", function("mirror")),
        (
            "requestTemplates",
            structure(&[("application/json", text(template))]),
        ),
    ];
    let id = world.deployed(&integration).await;
    let answer = world.get(&format!("/_aws/execute-api/{id}/s/7")).await;
    assert_eq!(
        answer,
        (500, r#"{"message":"Internal server error"}"#.to_owned())
    );
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn any_request_gets_an_answer(
        path in "/[ -~]{0,40}",
        query in "[a-z%=&+0-9]{0,20}",
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        kind in "[ -~]{0,20}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let id = world.deployed(&proxy("echo")).await;
            let uri = format!("/_aws/execute-api/{id}/s{path}?{query}");
            let request = Request::get(uri).header("content-type", kind).body(Bytes::from(body));
            if let Ok(request) = request {
                let (status, _) = world.request(request).await;
                assert!((200..600).contains(&status));
            }
        });
    }
}
