//! Destinations on this machine, for those on it and for functions.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use wire::Value;

use crate::world::{World, structure, text};

/// A server on this machine; the paths that it is asked for.
async fn server() -> (u16, UnboundedReceiver<String>) {
    let (asked, paths) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4_096];
            let count = stream.read(&mut bytes).await.unwrap();
            let head = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let _ = asked.send(head.split(' ').nth(1).unwrap().to_owned());
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, paths)
}

const ROLE: &str = "arn:aws:iam::000000000000:role/r";

fn arn_of(made: &Value, member: &str) -> String {
    made.get(member).and_then(Value::as_str).unwrap().to_owned()
}

async fn connection(world: &World) -> String {
    let key = structure(&[
        ("ApiKeyName", text("x-kagero-command")),
        ("ApiKeyValue", text("1")),
    ]);
    let members = [
        ("Name", text("c")),
        ("AuthorizationType", text("API_KEY")),
        (
            "AuthParameters",
            structure(&[("ApiKeyAuthParameters", key)]),
        ),
    ];
    arn_of(
        &world.ok("CreateConnection", &members).await,
        "ConnectionArn",
    )
}

#[tokio::test]
async fn functions_have_nothing_sent_to_this_machine() {
    let world = World::new().await;
    let (port, mut paths) = server().await;
    let connection = connection(&world).await;
    let destination = |name: &str| {
        [
            ("Name", text(name)),
            ("ConnectionArn", text(&connection)),
            (
                "InvocationEndpoint",
                text(&format!("http://localhost:{port}/{name}")),
            ),
            ("HttpMethod", text("POST")),
        ]
    };
    let made = world
        .call_of_a_function("CreateApiDestination", &destination("function"))
        .await;
    let member = "ApiDestinationArn";
    let mut destinations = vec![arn_of(&made, member)];
    for name in ["changed", "host"] {
        let made = world.ok("CreateApiDestination", &destination(name)).await;
        destinations.push(arn_of(&made, member));
    }
    world
        .call_of_a_function("UpdateApiDestination", &destination("changed"))
        .await;
    // An update by others does not change whose it was.
    for name in ["function", "changed"] {
        world.ok("UpdateApiDestination", &destination(name)).await;
    }
    let world = world.restart().await;
    let rule = [
        ("Name", text("r")),
        ("EventPattern", text(r#"{"source":["s"]}"#)),
    ];
    world.ok("PutRule", &rule).await;
    let targets = destinations.iter().enumerate().map(|(id, arn)| {
        let id = text(&id.to_string());
        structure(&[("Id", id), ("Arn", text(arn)), ("RoleArn", text(ROLE))])
    });
    let targets = [
        ("Rule", text("r")),
        ("Targets", Value::List(targets.collect())),
    ];
    world.ok("PutTargets", &targets).await;
    let event = structure(&[
        ("Source", text("s")),
        ("DetailType", text("d")),
        ("Detail", text("{}")),
    ]);
    let events = [("Entries", Value::List(vec![event]))];
    world.ok("PutEvents", &events).await;
    assert_eq!(paths.recv().await.as_deref(), Some("/host"));
    let more = tokio::time::timeout(Duration::from_millis(200), paths.recv()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn functions_have_no_tokens_asked_for_on_this_machine() {
    let world = World::new().await;
    let (port, mut paths) = server().await;
    let members = |name: &str| {
        let client = structure(&[("ClientID", text("i")), ("ClientSecret", text("s"))]);
        let oauth = structure(&[
            ("ClientParameters", client),
            (
                "AuthorizationEndpoint",
                text(&format!("http://127.0.0.1:{port}/{name}")),
            ),
            ("HttpMethod", text("POST")),
        ]);
        [
            ("Name", text(name)),
            ("AuthorizationType", text("OAUTH_CLIENT_CREDENTIALS")),
            ("AuthParameters", structure(&[("OAuthParameters", oauth)])),
        ]
    };
    world
        .call_of_a_function("CreateConnection", &members("function"))
        .await;
    world.ok("CreateConnection", &members("host")).await;
    assert_eq!(paths.recv().await.as_deref(), Some("/host"));
    let more = tokio::time::timeout(Duration::from_millis(200), paths.recv()).await;
    assert!(more.is_err(), "{more:?}");
}
