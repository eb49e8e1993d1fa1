//! The four exercises of the article that Kagero comes from: its own shell blocks, unmodified.
//!
//! The article stands beside a maintainer's checkout, not in the repository; elsewhere this test
//! says that it did nothing, and `examples.rs` runs our own version of the same exercises.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use conformance::{Script, Server, Transcript};
use serde_json::Value;

fn article() -> Option<String> {
    let path = conformance::root().join("../shared/seed/article.txt");
    fs::read_to_string(path).ok()
}

/// The shell blocks of the hands-on section, in order.
fn shell_blocks(article: &str) -> Vec<&str> {
    let hands_on = article
        .split("\n## 6.")
        .nth(1)
        .expect("the article has a section 6");
    hands_on
        .split("```bash\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap_or_default())
        .collect()
}

/// A folder for PATH with a `docker` that does nothing, the real `aws`, a `zip` where there is none,
/// and a `sleep` that does not wait for LocalStack to start. Sleeps of the exercises are real.
fn programs(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let write = |name: &str, text: String| {
        let path = bin.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("docker", "#!/bin/sh\nexit 0\n".to_owned());
    write(
        "aws",
        format!(
            "#!/bin/sh\nexec '{}' \"$@\"\n",
            conformance::aws_cli().display()
        ),
    );
    write(
        "sleep",
        "#!/bin/sh\n[ \"$1\" = 15 ] || exec /bin/sleep \"$@\"\n".to_owned(),
    );
    bin
}

/// Runs all blocks in one shell, as a reader would, and returns what each printed.
///
/// The first block sets `AWS_ENDPOINT_URL` to port 4566, which another server may hold here. Not a
/// character of the blocks is changed: the shell keeps ours by a read-only variable.
fn run_blocks(server: &Server, blocks: &[&str]) -> (Vec<String>, Transcript) {
    const MARK: &str = "=====end-of-block=====";
    let home = tempfile::tempdir().unwrap();
    let bin = programs(home.path());
    let mut script = format!("readonly AWS_ENDPOINT_URL={}\n", server.url());
    for block in blocks {
        script.extend([block, "\necho ", MARK, "\n"]);
    }
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let file = home.path().join("blocks.sh");
    fs::write(&file, script).unwrap();
    let transcript = Script::new("bash", server)
        .args(&[file.to_str().unwrap()])
        .env("HOME", home.path())
        .env("PATH", path)
        .in_folder(home.path())
        .run();
    let printed = transcript.stdout.split(MARK).map(str::to_owned).collect();
    (printed, transcript)
}

fn log_messages(server: &Server, group: &str) -> Vec<String> {
    let events = Script::aws(
        server,
        &["logs", "filter-log-events", "--log-group-name", group],
    )
    .run()
    .expect_success()
    .json();
    let messages = events["events"].as_array().unwrap();
    messages
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Every JSON object that a block printed.
fn json_objects(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\n{") {
        rest = &rest[at + 1..];
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(value)) = stream.next() {
            rest = &rest[stream.byte_offset()..];
            found.push(value);
        } else {
            rest = &rest[1..];
        }
    }
    found
}

#[test]
fn the_articles_own_blocks_do_what_it_says() {
    let Some(article) = article() else {
        eprintln!("the article is not beside this checkout: nothing to run here");
        return;
    };
    let blocks = shell_blocks(&article);
    assert_eq!(blocks.len(), 4, "the hands-on section has four exercises");
    let server = Server::start();
    let (printed, transcript) = run_blocks(&server, &blocks);
    assert_eq!(
        printed.len(),
        5,
        "all blocks ran to their end: {transcript:?}"
    );

    // 1: the answer is 200, greets, and echoes the event.
    let answers = json_objects(&printed[0]);
    let answer = answers
        .iter()
        .find(|one| one.get("body").is_some())
        .expect("an answer");
    assert_eq!(answer["statusCode"], 200);
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["message"], "Hello from Lambda!");
    assert_eq!(
        body["event"],
        serde_json::json!({"name": "serverless", "action": "test"})
    );

    // 2: the function logged the object's bucket, key and size.
    assert!(
        printed[1].contains("/aws/lambda/s3-handler"),
        "{}",
        printed[1]
    );
    let messages = log_messages(&server, "/aws/lambda/s3-handler").concat();
    for line in [
        "Bucket: my-upload-bucket",
        "Key:    test.txt",
        "Size:   19 bytes",
    ] {
        assert!(messages.contains(line), "{line} in {messages}");
    }

    // 3: all ten messages, in batches of at most five.
    let messages = log_messages(&server, "/aws/lambda/sqs-handler");
    for task in 1..=10 {
        let body = format!("\"task_id\": {task},");
        assert_eq!(
            messages.iter().filter(|line| line.contains(&body)).count(),
            1,
            "{body}"
        );
    }
    let batches: Vec<u32> = messages
        .iter()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("Total processed: ")?
                .split(' ')
                .next()
        })
        .map(|count| count.parse().unwrap())
        .collect();
    assert_eq!(batches.iter().sum::<u32>(), 10, "{batches:?}");
    assert!(batches.iter().all(|batch| *batch <= 5), "{batches:?}");

    // 4: one cold start, then the same environment again.
    let calls: Vec<Value> = json_objects(&printed[3])
        .iter()
        .filter_map(|one| serde_json::from_str(one.get("body")?.as_str()?).ok())
        .collect();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call["invocation_count"].clone(),
                call["is_cold_start"].clone(),
            )
        })
        .collect();
    let expected = [(1, true), (2, false), (3, false)];
    assert_eq!(
        seen,
        expected.map(|(count, cold)| (Value::from(count), Value::from(cold)))
    );
}
