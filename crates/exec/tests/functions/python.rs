//! Python functions: what they receive, what they answer, and how they fail.

use std::sync::Arc;

use serde_json::json;

use crate::support::{World, json as document};

const HELLO: &str = "
import json
def handler(event, context):
    print('Event received: ' + json.dumps(event))
    return {'statusCode': 200, 'body': 'hello ' + event['name']}
";

#[tokio::test(flavor = "multi_thread")]
async fn hello() {
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "hello.handler", &[("hello.py", HELLO)]));
    let Some(first) = world.run(&function, &json!({"name": "once"})).await else {
        return;
    };
    assert_eq!(
        document(&first),
        json!({"statusCode": 200, "body": "hello once"})
    );
    assert!(first.cold() && first.init_duration.is_some());
    let second = world
        .run(&function, &json!({"name": "twice"}))
        .await
        .unwrap();
    assert_eq!(
        document(&second),
        json!({"statusCode": 200, "body": "hello twice"})
    );
    assert!(!second.cold());
    eprintln!(
        "{:#?}\n{:#?}\n{}",
        first,
        second.phases,
        world.recorded.log().concat()
    );
}
