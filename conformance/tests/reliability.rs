//! What was acknowledged arrives, whatever happens to the server: all event sources at once through
//! SIGKILLs, and a disk that is full for a while.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::time::Duration;

use conformance::{Script, Server, python, root, until};
use serde_json::json;

/// How long the server lives between two kills.
const ROUNDS: [Duration; 3] = [
    Duration::from_millis(2_500),
    Duration::from_secs(4),
    Duration::from_millis(3_300),
];

#[test]
fn no_acknowledged_event_is_lost_to_sigkill() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let script = root().join("conformance/clients/reliability.py");
    let driver = Script::new(python(), &server)
        .env("TEST_FOLDER", folder.path())
        .args(&[script.to_str().unwrap()]);
    let driver = std::thread::spawn(move || driver.run());
    until("the sources are driven", || {
        (file("started").exists() || driver.is_finished()).then_some(())
    });
    for time in ROUNDS {
        std::thread::sleep(time);
        server.kill_and_restart(&[]);
    }
    std::thread::sleep(Duration::from_secs(2));
    std::fs::write(file("stop"), "").unwrap();
    let transcript = driver.join().unwrap().expect_success();
    println!("{}", transcript.stdout);
    assert!(transcript.stdout.ends_with("end ok\n"));
}

/// A file system of its own, unmounted when dropped.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(place: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"])
            .arg(place)
            .output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(place.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .output();
    }
}

#[test]
fn a_full_disk_is_said_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_small) = Small::mount(folder.path()) else {
        eprintln!("skipped: only root can mount a small file system");
        return;
    };
    let place = folder.path().join("data");
    let server = Server::start_with(&["--data-dir", place.to_str().unwrap()]);
    let mut api = server.api();
    let url = api.queue("q");
    let send = |api: &mut conformance::Api, body: &str| {
        let input = json!({"QueueUrl": url, "MessageBody": body});
        api.json("sqs", "SendMessage", &input)
    };
    assert_eq!(send(&mut api, "before").status, 200);
    // All that is left is taken away, and then given back.
    let ballast = folder.path().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    let block = vec![0_u8; 1 << 16];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    let large = "x".repeat(500_000);
    let mut accepted = 0;
    let refused = until("the disk is full", || {
        let answer = send(&mut api, &large);
        if answer.status == 200 {
            accepted += 1;
            return None;
        }
        Some(answer)
    });
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused.text().contains("ServiceUnavailable"),
        "{}",
        refused.text()
    );
    let item = json!({
        "TableName": "table", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "Tags": [{"Key": "k", "Value": "v".repeat(200)}],
    });
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    until("the server writes again", || {
        (send(&mut api, "after").status == 200).then_some(())
    });
    let made = api.json("dynamodb", "CreateTable", &item);
    assert_eq!(made.status, 200, "{}", made.text());
    let counted = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]});
    let counted = api
        .json("sqs", "GetQueueAttributes", &counted)
        .expect(200)
        .json();
    let count = counted["Attributes"]["ApproximateNumberOfMessages"].clone();
    assert_eq!(
        count,
        (accepted + 2).to_string(),
        "nothing refused is there"
    );
}
