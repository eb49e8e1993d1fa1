//! Bytes that are no request, and clients that hang up or hold on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use conformance::{Request, Server, until};
use serde_json::{Value, json};

use crate::{contents, started, unmoved};

/// Sends bytes, ends the sending side, and returns what came back.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&server.raw(bytes)).into_owned()
}

#[test]
fn bytes_that_are_not_http() {
    let (server, mut api) = started();
    let noise: Vec<u8> = (0..60_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for bytes in [
        &noise[..],
        tls_hello,
        b"\r\n\r\n\r\n",
        b"GET",
        b"\0\0\0\0",
        b"SSH-2.0-x\r\n",
        b"HELO there\r\n\r\n",
    ] {
        let answer = exchange(&server, bytes);
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.1 501"),
            "{answer:.200}"
        );
        assert!(server.is_healthy());
    }
    let head = "POST / HTTP/1.1\r\nhost: x\r\n";
    for rest in [
        "content-length: nonsense\r\n\r\n".to_owned(),
        "content-length: -5\r\n\r\n".to_owned(),
        "content-length: 99999999999999999999999\r\n\r\n".to_owned(),
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!".to_owned(),
        "host: y\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        "transfer-encoding: identity\r\n\r\n".to_owned(),
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "x-folded: 1\r\n 2\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nnot a size\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_owned(),
        format!("x-large: {}\r\n\r\n", "y".repeat(2_000_000)),
        format!("{}\r\n", "x-many: y\r\n".repeat(5_000)),
    ] {
        let answer = exchange(&server, format!("{head}{rest}").as_bytes());
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.1 501"),
            "{rest:.40}: {answer:.200}"
        );
        assert!(server.is_healthy());
    }
    for method in ["CONNECT x:1", "TRACE /"] {
        let head = format!("{method} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = exchange(&server, head.as_bytes());
        assert!(
            answer.starts_with("HTTP/1.1 405"),
            "{method}: {answer:.200}"
        );
    }
    let target = format!(
        "GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "p".repeat(300_000)
    );
    let answer = exchange(&server, target.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 501"),
        "{answer:.200}"
    );
    unmoved(&server, &mut api);
}

#[test]
fn clients_that_hang_up_or_hold_on() {
    let (server, mut api) = started();
    let _ = api.send(&Request::new("s3", "PUT", "/patient")).expect(200);
    let connect = || TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    // A body that never ends, given up on by its sender: nothing of it is there.
    let promised = "PUT /patient/cut HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    for _ in 0..20 {
        let mut stream = connect();
        stream.write_all(promised.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        drop(stream);
    }
    // Heads that trickle in and never end, each on a connection of its own.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"POST / HT").unwrap();
    }
    assert!(server.is_healthy(), "slow clients do not stop the others");
    let answer = api.send(&Request::new("s3", "HEAD", "/patient/cut"));
    assert_eq!(answer.status, 404, "a body cut short is no object");
    let list = api
        .send(&Request::new("s3", "GET", "/patient?list-type=2"))
        .expect(200);
    assert_eq!(list.element("KeyCount"), "0");
    // A caller that leaves does not take its function with it.
    api.python_function(
        "leaves",
        "import time\ndef handler(e, c):\n    time.sleep(0.3)\n    print('finished')\n",
    );
    let mut stream = connect();
    stream
        .write_all(
            b"POST /2015-03-31/functions/leaves/invocations HTTP/1.1\r\nhost: x\r\n\
            content-length: 2\r\n\r\n{}",
        )
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop(stream);
    assert!(server.is_healthy());
    assert_eq!(api.answer("leaves", &json!({})), Value::Null);
    // A caller that never reads its answer does not stop the others either.
    let mut deaf = connect();
    let _ = api
        .send(&Request::new("s3", "PUT", "/patient/large").body(&vec![7; 8_000_000]))
        .expect(200);
    for _ in 0..4 {
        deaf.write_all(b"GET /patient/large HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
    }
    assert!(server.is_healthy());
    let whole = api
        .send(&Request::new("s3", "GET", "/patient/large"))
        .expect(200);
    assert_eq!(whole.body.len(), 8_000_000);
    drop((slow, deaf));
    until("nothing is left of uploads cut short", || {
        let sizes = contents(&server)
            .into_iter()
            .filter_map(|file| Some(file.metadata().ok()?.len()));
        let left = sizes
            .filter(|size| (1..1_000_000).contains(size) && *size > 10_000)
            .count();
        (left == 0).then_some(())
    });
}

#[test]
fn continue_is_asked_for_and_given() {
    let (server, mut api) = started();
    let _ = api.send(&Request::new("s3", "PUT", "/asks")).expect(200);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(
            b"PUT /asks/key HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\
            expect: 100-continue\r\nconnection: close\r\n\r\n",
        )
        .unwrap();
    let mut interim = [0; 12];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");
    stream.write_all(b"yes").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 200"), "{rest}");
    assert_eq!(
        api.send(&Request::new("s3", "GET", "/asks/key"))
            .expect(200)
            .text(),
        "yes"
    );
}

#[test]
fn http2_without_tls() {
    let Ok(version) = Command::new("curl").arg("--version").output() else {
        println!("skipped: there is no curl");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        println!("skipped: this curl speaks no HTTP/2");
        return;
    }
    let (server, _api) = started();
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-sS",
                "--http2-prior-knowledge",
                "-w",
                "\n%{http_version} %{http_code}",
            ])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let health = curl(&[&format!("{}/_kagero/health", server.url())]);
    assert!(health.ends_with("\n2 200"), "{health}");
    let bucket = format!("{}/by-h2", server.url());
    assert!(curl(&["-X", "PUT", &bucket]).ends_with("\n2 200"));
    let object = format!("{bucket}/key");
    assert!(curl(&["-X", "PUT", "--data-binary", "two", &object]).ends_with("\n2 200"));
    assert_eq!(curl(&[&object]), "two\n2 200");
    assert!(curl(&[&format!("{bucket}/missing")]).ends_with("\n2 404"));
}
