//! The examples, as the demo runs them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use conformance::{Script, Server, root};

/// Runs one example to its end and returns what it printed.
fn run(example: &str, server: &Server) -> String {
    let aws = conformance::aws_cli();
    let path = format!(
        "{}:{}",
        aws.parent().expect("a program lies in a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = root().join("examples").join(example).join("run.sh");
    Script::new("sh", server)
        .args(&[script.to_str().unwrap()])
        .env("PATH", path)
        .run()
        .expect_success()
        .stdout
}

#[test]
fn an_image_is_made_pushed_and_called() {
    if let Some(missing) = conformance::missing(&["cc", "umoci", "skopeo"]) {
        println!("skipped: there is no {missing}");
        return;
    }
    let server = Server::start();
    let hello = run("image-function", &server);
    assert!(
        hello.contains("\"Hello from a container image\""),
        "{hello}"
    );
}

#[test]
fn all_in_a_row() {
    let server = Server::start();
    let hello = run("1-hello", &server);
    assert!(hello.contains("Hello, Kagero!"), "{hello}");

    let object = run("2-object-to-function", &server);
    let line = "new object notes/note.txt of 23 bytes in example-uploads";
    assert!(object.contains(line), "{object}");

    let queue = run("3-queue-to-function", &server);
    for task in 1..=10 {
        let line = format!("finished task {task}\n");
        assert_eq!(queue.matches(&line).count(), 1, "{line} in {queue}");
    }

    let counter = run("4-cold-and-warm", &server);
    let calls: Vec<serde_json::Value> = counter
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let seen: Vec<_> = calls
        .iter()
        .map(|c| (c["call"].as_u64(), c["cold"].as_bool()))
        .collect();
    let expected = [(1, true), (2, false), (3, false)].map(|(n, cold)| (Some(n), Some(cold)));
    assert_eq!(seen, expected, "{counter}");

    let table = run("5-table-to-function", &server);
    for line in [
        "order-1 came to 10",
        "order-3 came to 30",
        "order-2 was cancelled",
    ] {
        assert!(table.contains(line), "{line} in {table}");
    }

    let diagram = run("6-whole-diagram", &server);
    for line in [
        "http\ta question\thttp.json\n",
        "s3\tletter.txt\ts3.json\n",
        "schedule\tthe rounds\tschedule.json\n",
        "sqs\tan errand\tsqs.json\n",
    ] {
        assert!(diagram.contains(line), "{line} in {diagram}");
    }
    for (source, told) in [
        ("http", "a question"),
        ("s3", "letter.txt"),
        ("schedule", "the rounds"),
        ("sqs", "an errand"),
    ] {
        let object = format!("{{\"source\": \"{source}\", \"told\": \"{told}\"");
        assert!(diagram.contains(&object), "{object} in {diagram}");
    }
}

#[test]
fn a_url_shortener_on_an_http_api() {
    let server = Server::start();
    let printed = run("http-api", &server);
    let line = "302 https://example.com/a-long-way\n";
    assert!(printed.contains(line), "{printed}");
    let address = printed
        .lines()
        .find_map(|line| line.strip_prefix("open http://"));
    let host = address.unwrap().trim_end_matches('/');
    let mut api = server.api();
    let request = conformance::Request::new("", "GET", "/").header("host", host);
    let page = api.send(&request).expect(200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        page.text().contains("https://example.com/a-long-way"),
        "{}",
        page.text()
    );
}

#[test]
fn a_url_shorteners_page_in_a_browser() {
    let Some(browser) = conformance::browser() else {
        println!("skipped: `cargo xtask tools` found no headless browser");
        return;
    };
    let server = Server::start();
    let printed = run("http-api", &server);
    let address = printed.lines().find_map(|line| line.strip_prefix("open "));
    let script = root().join("conformance/clients/browser.py");
    let transcript = Script::new(conformance::python(), &server)
        .args(&[
            script.to_str().unwrap(),
            browser.to_str().unwrap(),
            address.unwrap(),
        ])
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "the browser was led there\n");
}
