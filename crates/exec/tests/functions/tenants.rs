//! Tenants of one function, which share no environment.

use std::sync::Arc;

use exec::FunctionSpec;
use serde_json::{Value, json};

use crate::support::{World, event_for, json as document};

async fn call(world: &World, function: &Arc<FunctionSpec>, tenant: &str) -> Option<Value> {
    let mut event = event_for(function, "{}");
    event.tenant = Some(tenant.to_owned());
    let answered = world.exec.invoke(function, event).await;
    answered.ok().map(|outcome| document(&outcome))
}

const PYTHON: &str = "
import os
SEEN = []
def handler(event, context):
    if os.path.exists('/tmp/tenant'):
        SEEN.append(open('/tmp/tenant').read())
    open('/tmp/tenant', 'w').write(context.tenant_id)
    SEEN.append(context.tenant_id)
    return SEEN
";

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_serves_one_tenant() {
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", PYTHON)]));
    let Some(first) = call(&world, &function, "blue").await else {
        return;
    };
    assert_eq!(first, json!(["blue"]));
    assert_eq!(
        call(&world, &function, "green").await,
        Some(json!(["green"]))
    );
    let again = call(&world, &function, "blue").await;
    assert_eq!(again, Some(json!(["blue", "blue", "blue"])));
    assert_eq!(world.exec.environments().len(), 2);
    world.exec.retire(&function.key);
    assert_eq!(call(&world, &function, "blue").await, Some(json!(["blue"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_and_custom_runtimes_are_told_the_tenant() {
    let world = World::new();
    let code = "exports.handler = async (event, context) => context.tenantId ?? null;";
    let mut node = world.function("nodejs20.x", "index.handler", &[("index.js", code)]);
    node.memory_mb = 512;
    let node = Arc::new(node);
    if let Some(answer) = call(&world, &node, "blue").await {
        assert_eq!(answer, "blue");
        let none = world.run(&node, &json!({})).await.unwrap();
        assert_eq!(document(&none), Value::Null);
    }
    let bootstrap = r#"#!/usr/bin/python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    event.read()
    tenant = event.headers["Lambda-Runtime-Aws-Tenant-Id"]
    path = "/2018-06-01/runtime/invocation/%s/response"
    api.request("POST", path % event.headers["Lambda-Runtime-Aws-Request-Id"], '"%s"' % tenant)
    api.getresponse().read()
"#;
    let custom = world.function("provided.al2023", "x", &[("bootstrap", bootstrap)]);
    assert_eq!(
        call(&world, &Arc::new(custom), "blue").await,
        Some(json!("blue"))
    );
}
