//! Responses in pieces: of Node.js functions and over the Runtime API.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exec::{
    FunctionError, FunctionSpec, InvokeError, InvokeOutcome, MAX_STREAMED_BYTES, ResponseSink,
};
use serde_json::{Value, json};

use crate::support::{World, event_for, json as document};

/// Invokes with a sink; what came through it, piece by piece, and the outcome. `None` if this host
/// has no interpreter.
async fn stream(
    world: &World,
    function: &Arc<FunctionSpec>,
    event: Value,
    limit: usize,
) -> Option<(Vec<Bytes>, InvokeOutcome)> {
    let (sink, mut receiver) = ResponseSink::new(limit);
    let mut event = event_for(function, event.to_string());
    event.sink = Some(sink);
    let invocation = world.exec.invoke(function, event);
    let received = async {
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.recv().await {
            pieces.push(piece);
        }
        pieces
    };
    match futures::join!(invocation, received) {
        (Ok(outcome), pieces) => Some((pieces, outcome)),
        (Err(InvokeError::RuntimeUnavailable { message, .. }), _) => {
            eprintln!("skipped: {message}");
            None
        }
        (Err(error), _) => panic!("{error}"),
    }
}

fn node(world: &World, body: &str) -> Arc<FunctionSpec> {
    let code = format!(
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }});"
    );
    let mut function = world.function("nodejs20.x", "index.handler", &[("index.js", &code)]);
    function.memory_mb = 512;
    Arc::new(function)
}

fn together(pieces: &[Bytes]) -> Bytes {
    let mut whole = BytesMut::new();
    for piece in pieces {
        whole.extend_from_slice(piece);
    }
    whole.freeze()
}

const TALK: &str = "
    stream.write('one ');
    stream.write(Buffer.from('two '));
    stream.write({ three: event.n });
    stream.end();
";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_function_streams_and_the_next_event_finds_it_warm() {
    let world = World::new();
    let function = node(&world, TALK);
    for n in 0..2 {
        let event = json!({"n": n});
        let Some((pieces, outcome)) = stream(&world, &function, event, MAX_STREAMED_BYTES).await
        else {
            return;
        };
        assert_eq!(together(&pieces), format!("one two {{\"three\":{n}}}"));
        assert!(pieces.len() > 1, "{pieces:?}");
        assert_eq!((outcome.payload.len(), outcome.function_error), (0, None));
        assert_eq!(outcome.cold(), n == 0);
        let tail = outcome.log_tail.unwrap();
        assert!(tail.contains("REPORT RequestId"), "{tail}");
    }
    // Without a sink the same response is gathered.
    let outcome = world.run(&function, &json!({"n": 2})).await.unwrap();
    assert_eq!(outcome.payload, "one two {\"three\":2}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_streaming_handler_returns_is_warned_of() {
    let world = World::new();
    let body = "stream.end('streamed'); if (event.returns) return 'lost';";
    let function = node(&world, body);
    for returns in [false, true] {
        let event = json!({ "returns": returns });
        let Some((pieces, outcome)) = stream(&world, &function, event, MAX_STREAMED_BYTES).await
        else {
            return;
        };
        assert_eq!(together(&pieces), "streamed");
        let tail = outcome.log_tail.unwrap();
        let warning = "\tWARN\tStreaming handlers ignore return values.\n";
        assert_eq!(tail.contains(warning), returns, "{tail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_prelude_goes_ahead_of_the_body() {
    let world = World::new();
    let function = node(
        &world,
        "
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    stream.write('body');
    stream.end();",
    );
    let Some((pieces, _)) = stream(&world, &function, json!({}), MAX_STREAMED_BYTES).await else {
        return;
    };
    assert_eq!(
        together(&pieces),
        "{\"statusCode\":201}\0\0\0\0\0\0\0\0body"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_come_before_the_function_ends_and_its_time_runs_out() {
    let world = World::new();
    let code = "
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    stream.write('first');
    await new Promise((resolve) => setTimeout(resolve, 60000));
});";
    let mut function = world.function("nodejs20.x", "index.handler", &[("index.js", code)]);
    function.timeout = Duration::from_secs(2);
    let function = Arc::new(function);
    let Some((pieces, outcome)) = stream(&world, &function, json!({}), MAX_STREAMED_BYTES).await
    else {
        return;
    };
    assert_eq!(together(&pieces), "first");
    assert_eq!(outcome.function_error, Some(FunctionError::Unhandled));
    assert_eq!(document(&outcome)["errorType"], "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_in_the_middle_has_streamed_and_failed() {
    let world = World::new();
    for body in [
        "stream.write('some'); throw new RangeError('middle');",
        "stream.write('some'); process.nextTick(() => { throw new RangeError('middle'); }); \
         await new Promise(() => {});",
    ] {
        let function = node(&world, body);
        let streamed = stream(&world, &function, json!({}), MAX_STREAMED_BYTES).await;
        let Some((pieces, outcome)) = streamed else {
            return;
        };
        assert_eq!(together(&pieces), "some");
        let error = document(&outcome);
        assert_eq!(error["errorType"], "RangeError", "{error}");
        assert_eq!(error["errorMessage"], "middle");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_responses_are_whole_and_those_above_the_limit_are_errors() {
    let world = World::new();
    let function = node(
        &world,
        "
    for (let n = 0; n < event.mb; n++) {
        if (!stream.write(Buffer.alloc(1 << 20, n))) {
            await new Promise((resolve) => stream.once('drain', resolve));
        }
    }
    stream.end();",
    );
    let event = json!({"mb": 20});
    let Some((pieces, outcome)) = stream(&world, &function, event, 20 << 20).await else {
        return;
    };
    assert_eq!(outcome.function_error, None);
    let whole = together(&pieces);
    assert_eq!(whole.len(), 20 << 20);
    assert!((0..20).all(|n| whole[(n << 20) + 1] == n as u8));
    let (pieces, outcome) = stream(&world, &function, json!({"mb": 21}), 20 << 20)
        .await
        .unwrap();
    assert!(together(&pieces).len() <= 20 << 20);
    assert_eq!(
        document(&outcome)["errorType"],
        "Function.ResponseSizeTooLarge"
    );
    let gathered = world.run(&function, &json!({"mb": 7})).await.unwrap();
    assert_eq!(
        document(&gathered)["errorType"],
        "Function.ResponseSizeTooLarge"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_does_not_stop_the_function() {
    let world = World::new();
    let function = node(
        &world,
        "
    for (let n = 0; n < 40; n++) {
        if (!stream.write(Buffer.alloc(1 << 20))) {
            await new Promise((resolve) => stream.once('drain', resolve));
        }
    }
    stream.end();",
    );
    let (sink, mut receiver) = ResponseSink::new(MAX_STREAMED_BYTES);
    let mut event = event_for(&function, "{}");
    event.sink = Some(sink);
    let leaves = async {
        receiver.recv().await;
        drop(receiver);
    };
    match futures::join!(world.exec.invoke(&function, event), leaves).0 {
        Ok(outcome) => assert_eq!(outcome.function_error, None),
        Err(InvokeError::RuntimeUnavailable { message, .. }) => eprintln!("skipped: {message}"),
        Err(error) => panic!("{error}"),
    }
}

/// Streams over the Runtime API, and fails in its trailers if asked to.
const CLIENT: &str = r"#!/usr/bin/python3
import base64, http.client, json, os, socket

host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
BASE = '/2018-06-01/runtime/invocation/'
while True:
    api = http.client.HTTPConnection(host, int(port))
    api.request('GET', BASE + 'next')
    answer = api.getresponse()
    event, id = json.loads(answer.read()), answer.getheader('lambda-runtime-aws-request-id')
    head = (f'POST {BASE}{id}/response HTTP/1.1\r\nHost: {host}\r\n'
            'Lambda-Runtime-Function-Response-Mode: streaming\r\n'
            'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n'
            'Transfer-Encoding: chunked\r\n\r\n')
    with socket.create_connection((host, int(port))) as stream:
        stream.sendall(head.encode())
        for chunk in event['chunks']:
            stream.sendall(b'%x\r\n%s\r\n' % (len(chunk), chunk.encode()))
        if event.get('break'):
            continue
        stream.sendall(b'0\r\n')
        if 'error' in event:
            body = base64.b64encode(json.dumps(event['error']).encode()).decode()
            stream.sendall(f'Lambda-Runtime-Function-Error-Type: Own\r\n'
                           f'Lambda-Runtime-Function-Error-Body: {body}\r\n'.encode())
        stream.sendall(b'\r\n')
        stream.recv(1000)
";

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_runtime_streams_and_fails_in_trailers() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: the custom runtime of this test needs /usr/bin/python3");
        return;
    }
    let world = World::new();
    let function = world.function("provided.al2023", "any", &[("bootstrap", CLIENT)]);
    let function = Arc::new(function);
    let run = async |event| {
        let streamed = stream(&world, &function, event, MAX_STREAMED_BYTES).await;
        let (pieces, outcome) = streamed.unwrap();
        (together(&pieces), outcome)
    };
    let (whole, outcome) = run(json!({"chunks": ["a", "bc"]})).await;
    assert_eq!((whole, outcome.function_error), ("abc".into(), None));
    let error = json!({"errorType": "Own", "errorMessage": "middle"});
    let (whole, outcome) = run(json!({"chunks": ["a"], "error": error})).await;
    assert_eq!((whole, document(&outcome)), ("a".into(), error));
    let (whole, outcome) = run(json!({"chunks": ["a"], "break": true})).await;
    assert_eq!(whole, "a");
    assert_eq!(document(&outcome)["errorType"], "Runtime.TruncatedResponse");
    let gathered = world.run(&function, &json!({"chunks": ["d", "e"]})).await;
    assert_eq!(gathered.unwrap().payload, "de");
}
