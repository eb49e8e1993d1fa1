//! HTTP in front of functions: APIs, routes, streams and WebSockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::{counted, timed, unix_nanos};
use crate::functions::{Package, create};
use crate::http::Connection;
use crate::server::{MANY_INVOCATIONS, Server};
use crate::statistics::{Samples, ms};
use crate::{Row, Tools};

/// Answers a request of an HTTP API.
const ANSWERING: &str =
    "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n";
/// Writes the time in microseconds, and waits a moment before the end.
const STREAMING: &str =
    "export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write(String(Math.round((performance.timeOrigin + performance.now()) * 1000)) + ';');
  await new Promise((resolve) => setTimeout(resolve, 20));
  stream.end();
});
";
const JSON: &str = "content-type: application/json\r\n";

fn v2(connection: &mut Connection, path: &str, body: &Value) -> anyhow::Result<Value> {
    let path = format!("/v2{path}");
    let body = body.to_string();
    let answer = connection.expect("apigateway", "POST", &path, JSON, body.as_bytes())?;
    Ok(serde_json::from_slice(&answer)?)
}

/// An HTTP API with a function behind `$default`; its path.
fn api(connection: &mut Connection, function: &str) -> anyhow::Result<String> {
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
    let input = json!({"name": "bench", "protocolType": "HTTP", "target": arn});
    let made = v2(connection, "/apis", &input)?;
    let id = made["apiId"].as_str().context("an API has an id")?;
    Ok(format!("/_aws/execute-api/{id}/$default/"))
}

fn call(connection: &mut Connection, path: &str) -> anyhow::Result<()> {
    connection
        .expect("execute-api", "GET", path, "", b"")
        .map(drop)
}

/// A server on plain hyper that answers at once, on a thread of its own.
fn echo() -> anyhow::Result<u16> {
    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;

    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    listener.set_nonblocking(true)?;
    std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(async move {
                    let answer = service_fn(async |_: Request<Incoming>| {
                        let body = Full::new(Bytes::from_static(b"ok"));
                        Ok::<_, std::convert::Infallible>(Response::new(body))
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    connection
                        .serve_connection(TokioIo::new(stream), answer)
                        .await
                });
            }
        })
    });
    Ok(port)
}

pub(super) fn request(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CALLS: usize = 3_000;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(&mut connection, "http", &Package::python(tools, ANSWERING)?)?;
    let path = api(&mut connection, "http")?;
    let mut plain = Connection::open(echo()?)?;
    for _ in 0..200 {
        call(&mut connection, &path)?;
        call(&mut plain, "/")?;
    }
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.extend(timed(CALLS, || call(&mut connection, &path))?);
        floor.extend(timed(CALLS, || call(&mut plain, "/"))?);
    }
    let (ours, floor) = (Samples::new(ours), Samples::new(floor));
    Ok(vec![Row {
        what: "HTTP API → warm Python → response, 1 connection",
        measured: ours.summary(),
        floor: format!("a plain hyper echo: p50 {}", ms(floor.p50())),
        promise: "p50 ≤ 0.6 ms",
        kept: ours.p50() <= Duration::from_micros(600),
    }])
}

pub(super) fn throughput(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = Server::start_with(&tools.kagero, MANY_INVOCATIONS)?;
    let mut connection = server.connect()?;
    create(&mut connection, "http", &Package::python(tools, ANSWERING)?)?;
    let path = api(&mut connection, "http")?;
    load(server.port, &path, 200)?;
    let ours = load(server.port, &path, 2_000)?;
    let floor = load(echo()?, "/", 2_000)?;
    Ok(vec![Row {
        what: "HTTP API → warm Python, 8 connections",
        measured: format!("{ours:.0}/s"),
        floor: format!("a plain hyper echo, the same client: {floor:.0}/s"),
        promise: "≥ 6,000/s",
        kept: ours >= 6_000.0,
    }])
}

/// Requests a second over eight connections.
fn load(port: u16, path: &str, each: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let done = counted(8, |_| {
        let mut connection = Connection::open(port)?;
        timed(each, || call(&mut connection, path))
    })?;
    Ok(done.len() as f64 / began.elapsed().as_secs_f64())
}

pub(super) fn routes(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUTES: usize = 10_000;
    const CALLS: usize = 3_000;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let mut with_routes = |count: usize| -> anyhow::Result<String> {
        let operation = json!({"x-amazon-apigateway-auth": {"type": "NONE"}});
        let mut paths = serde_json::Map::new();
        for number in 0..count {
            let path = format!("/group{}/{{id}}/item{number}", number % 100);
            paths.insert(path, json!({ "get": operation }));
        }
        let document =
            json!({"openapi": "3.0.1", "info": {"title": "r", "version": "1"}, "paths": paths});
        let input = json!({"body": document.to_string()}).to_string();
        let made = connection.expect("apigateway", "PUT", "/v2/apis", JSON, input.as_bytes())?;
        let made: Value = serde_json::from_slice(&made)?;
        let id = made["apiId"].as_str().context("an API has an id")?;
        let stage = json!({"stageName": "$default", "autoDeploy": true});
        v2(&mut connection, &format!("/apis/{id}/stages"), &stage)?;
        // It has a segment more than every route, so all of the way is gone, and nothing is called.
        Ok(format!(
            "/_aws/execute-api/{id}/$default/group7/x/item7/none"
        ))
    };
    let (few, many) = (with_routes(1)?, with_routes(ROUTES)?);
    let mut miss = |path: &str| {
        let answer = connection.send("execute-api", "GET", path, "", b"")?;
        ensure!(answer.status == 404, "a route was found: {}", answer.status);
        Ok(())
    };
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        one.extend(timed(CALLS, || miss(&few))?);
        all.extend(timed(CALLS, || miss(&many))?);
    }
    let (one, all) = (Samples::new(one).p50(), Samples::new(all).p50());
    let more = all.saturating_sub(one);
    Ok(vec![Row {
        what: "10,000 routes of an HTTP API beside one, a request that none takes",
        measured: format!("{:.1} µs more", more.as_secs_f64() * 1e6),
        floor: format!("one route: p50 {}", ms(one)),
        promise: "≤ 5 µs",
        kept: more <= Duration::from_micros(5),
    }])
}

pub(super) fn first_byte(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CALLS: usize = 200;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(
        &mut connection,
        "streams",
        &Package::node(tools, "nodejs20.x", STREAMING)?,
    )?;
    let path = "/2021-10-31/functions/streams/url";
    let input = json!({"AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM"}).to_string();
    let made = connection.expect("lambda", "POST", path, JSON, input.as_bytes())?;
    let made: Value = serde_json::from_slice(&made)?;
    let url = made["FunctionUrl"].as_str().context("a URL")?;
    let id = url
        .trim_start_matches("http://")
        .split('.')
        .next()
        .unwrap_or_default();
    let request = format!(
        "GET /_aws/lambda-url/{id}/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    );
    let mut spans = Vec::new();
    for number in 0..CALLS + 10 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.write_all(request.as_bytes())?;
        let (mut came, mut buffer) = (Vec::new(), [0; 4_096]);
        let written = loop {
            let read = stream.read(&mut buffer)?;
            ensure!(read > 0, "the stream ended early");
            came.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&came);
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            if let Some((line, _)) = body.split_once(';') {
                let digits = line.rsplit("\r\n").next().unwrap_or_default();
                break digits.parse::<u64>().context("a time")?;
            }
        };
        let now = unix_nanos() / 1_000;
        stream.read_to_end(&mut came)?;
        if number >= 10 {
            spans.push(Duration::from_micros(now.saturating_sub(written)));
        }
    }
    let samples = Samples::new(spans);
    Ok(vec![Row {
        what: "a streamed byte: function writes it → client of its URL has it",
        measured: samples.summary(),
        floor: String::new(),
        promise: "p50 ≤ 2 ms",
        kept: samples.p50() <= Duration::from_millis(2),
    }])
}

pub(super) fn idle_websockets(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const SOCKETS: usize = 10_000;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let input = json!({"name": "ws", "protocolType": "WEBSOCKET",
        "routeSelectionExpression": "$request.body.action"});
    let made = v2(&mut connection, "/apis", &input)?;
    let id = made["apiId"]
        .as_str()
        .context("an API has an id")?
        .to_owned();
    let input = json!({"integrationType": "MOCK"});
    let integration = v2(&mut connection, &format!("/apis/{id}/integrations"), &input)?;
    let target = format!(
        "integrations/{}",
        integration["integrationId"].as_str().unwrap_or_default()
    );
    let input = json!({"routeKey": "$default", "target": target});
    v2(&mut connection, &format!("/apis/{id}/routes"), &input)?;
    v2(
        &mut connection,
        &format!("/apis/{id}/stages"),
        &json!({"stageName": "s", "autoDeploy": true}),
    )?;
    let before = server.resident_kib()?;
    let request = format!(
        "GET /_aws/execute-api/{id}/s HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let mut open = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.write_all(request.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        ensure!(
            status.ends_with(b"101"),
            "{}",
            String::from_utf8_lossy(&status)
        );
        open.push(stream);
    }
    let grown = server.resident_kib()?.saturating_sub(before);
    drop(open);
    let megabytes = grown as f64 / 1_024.0;
    Ok(vec![Row {
        what: "10,000 idle WebSockets, resident",
        measured: format!(
            "{megabytes:.0} MB, {:.1} KB each",
            grown as f64 / SOCKETS as f64
        ),
        floor: String::new(),
        promise: "≤ 150 MB",
        kept: megabytes <= 150.0,
    }])
}
