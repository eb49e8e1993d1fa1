//! S3 through boto3, the AWS CLI, the AWS SDK for JavaScript, s3cmd and rclone; and what it is
//! where signatures are checked, and over `kill -9`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use conformance::{Script, Server, javascript_folder, missing, python, root, until};

fn python_client(server: &Server, script: &str) -> String {
    let script = root().join("conformance/clients").join(script);
    let run = Script::new(python(), server).args(&[script.to_str().unwrap()]);
    run.run().expect_success().stdout
}

#[test]
fn boto3() {
    let server = Server::start();
    let stdout = python_client(&server, "s3.py");
    assert!(stdout.ends_with("events ok\n"), "{stdout}");
}

#[test]
fn javascript() {
    let server = Server::start_in_region("us-east-1");
    let script = root().join("conformance/clients/s3.mjs");
    let transcript = Script::new("node", &server)
        .args(&["--input-type=module", "-e"])
        .args(&[&std::fs::read_to_string(script).unwrap()])
        .in_folder(javascript_folder())
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("configurations ok\n"),
        "{}",
        transcript.stdout
    );
}

/// The high-level commands, which upload in parts, and the others by their names.
#[test]
fn aws_cli() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let aws = |arguments: &[&str]| Script::aws(&server, arguments).in_folder(&folder).run();
    let large: Vec<u8> = (0..12_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(folder.path().join("large"), &large).unwrap();
    aws(&["s3", "mb", "s3://cli"]).expect_success();
    aws(&["s3", "cp", "large", "s3://cli/dir/large"]).expect_success();
    aws(&["s3", "cp", "s3://cli/dir/large", "back"]).expect_success();
    assert!(std::fs::read(folder.path().join("back")).unwrap() == large);
    aws(&["s3", "sync", ".", "s3://cli/sync", "--exclude", "back"]).expect_success();
    let listed = aws(&["s3", "ls", "s3://cli", "--recursive"]).expect_success();
    assert!(listed.stdout.contains("sync/large"), "{}", listed.stdout);
    let versioning = "Status=Enabled";
    let bucket = ["--bucket", "cli"];
    let api = |operation: &str, more: &[&str]| {
        let arguments = [&["s3api", operation], &bucket[..], more].concat();
        aws(&arguments)
    };
    api(
        "put-bucket-versioning",
        &["--versioning-configuration", versioning],
    )
    .expect_success();
    api("put-object", &["--key", "k", "--body", "large"]).expect_success();
    api("delete-object", &["--key", "k"]).expect_success();
    let all = api("list-object-versions", &["--prefix", "k"]).expect_success();
    assert!(all.stdout.contains("DeleteMarkers"), "{}", all.stdout);
    let refused = api("get-object", &["--key", "k", "out"]);
    assert!(refused.stderr.contains("NoSuchKey"), "{}", refused.stderr);
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] {
        let field = format!("Checksum{algorithm}");
        let put = [
            "--key",
            "sum",
            "--body",
            "large",
            "--checksum-algorithm",
            algorithm,
        ];
        let put = api("put-object", &put).expect_success();
        assert!(put.stdout.contains(&field), "{}", put.stdout);
        let get = ["--key", "sum", "--checksum-mode", "ENABLED", "out"];
        let got = api("get-object", &get).expect_success();
        assert!(got.stdout.contains(&field), "{}", got.stdout);
    }
    let lock = api(
        "put-object-lock-configuration",
        &[
            "--object-lock-configuration",
            "ObjectLockEnabled=Enabled,Rule={DefaultRetention={Mode=GOVERNANCE,Days=1}}",
        ],
    );
    lock.expect_success();
    let status = api("get-object-lock-configuration", &[]).expect_success();
    assert!(status.stdout.contains("GOVERNANCE"), "{}", status.stdout);
    let absent = api(
        "select-object-content",
        &[
            "--key",
            "k",
            "--expression",
            "select 1",
            "--expression-type",
            "SQL",
            "--input-serialization",
            "{\"CSV\":{}}",
            "--output-serialization",
            "{\"CSV\":{}}",
            "out",
        ],
    );
    assert!(
        absent.stderr.contains("SelectObjectContent"),
        "{}",
        absent.stderr
    );
}

#[test]
fn s3cmd() {
    if let Some(missing) = missing(&["s3cmd"]) {
        println!("skipped: there is no {missing}");
        return;
    }
    let server = Server::start_in_region("us-east-1");
    let folder = tempfile::tempdir().unwrap();
    let host = format!("localhost:{}", server.port());
    let s3cmd = |arguments: &[&str]| {
        let output = Command::new("s3cmd")
            .args([
                "--access_key=test",
                "--secret_key=test",
                "--no-ssl",
                "--no-check-md5",
            ])
            .args([&format!("--host={host}"), &format!("--host-bucket={host}")])
            .args(["--config=/dev/null", "--region=us-east-1"])
            .args(arguments)
            .env_remove("AWS_CA_BUNDLE")
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "s3cmd {arguments:?}: {text}{errors}"
        );
        text
    };
    let large: Vec<u8> = (0..16_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(folder.path().join("large"), &large).unwrap();
    s3cmd(&["mb", "s3://cmd"]);
    s3cmd(&[
        "put",
        "large",
        "s3://cmd/dir/large",
        "--multipart-chunk-size-mb=5",
    ]);
    s3cmd(&["get", "s3://cmd/dir/large", "back"]);
    assert!(std::fs::read(folder.path().join("back")).unwrap() == large);
    s3cmd(&["cp", "s3://cmd/dir/large", "s3://cmd/copy"]);
    assert!(s3cmd(&["ls", "--recursive", "s3://cmd"]).contains("s3://cmd/copy"));
    assert!(s3cmd(&["info", "s3://cmd/copy"]).contains("16000000"));
    s3cmd(&["del", "--recursive", "--force", "s3://cmd"]);
    s3cmd(&["rb", "s3://cmd"]);
}

#[test]
fn rclone() {
    if let Some(missing) = missing(&["rclone"]) {
        println!("skipped: there is no {missing}");
        return;
    }
    let server = Server::start_in_region("us-east-1");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir_all(source.join("犬")).unwrap();
    for (name, size) in [("a b.txt", 10), ("犬/c", 0), ("large", 12_000_000)] {
        std::fs::write(source.join(name), vec![7_u8; size]).unwrap();
    }
    let rclone = |arguments: &[&str]| {
        let output = Command::new("rclone")
            .env("RCLONE_CONFIG", "/dev/null")
            .env("RCLONE_CONFIG_K_TYPE", "s3")
            .env("RCLONE_CONFIG_K_PROVIDER", "Other")
            .env("RCLONE_CONFIG_K_ACCESS_KEY_ID", "test")
            .env("RCLONE_CONFIG_K_SECRET_ACCESS_KEY", "test")
            .env("RCLONE_CONFIG_K_REGION", "us-east-1")
            .env("RCLONE_CONFIG_K_ENDPOINT", server.url())
            .env("RCLONE_CONFIG_K_FORCE_PATH_STYLE", "true")
            .env("RCLONE_S3_UPLOAD_CUTOFF", "6M")
            .args(arguments)
            .env_remove("AWS_CA_BUNDLE")
            .current_dir(&folder)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "rclone {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    rclone(&["mkdir", "k:clone"]);
    rclone(&["sync", "source", "k:clone/dir"]);
    rclone(&["check", "source", "k:clone/dir"]);
    let listed = rclone(&["lsf", "--recursive", "k:clone"]);
    assert!(listed.contains("dir/犬/c"), "{listed}");
    rclone(&["copy", "k:clone/dir", "back"]);
    assert_eq!(
        std::fs::read(folder.path().join("back/large"))
            .unwrap()
            .len(),
        12_000_000
    );
    rclone(&["purge", "k:clone"]);
}

/// Half an object and half a part are on the disk when the server dies.
#[test]
fn torn_uploads_leave_nothing_over_kill_9() {
    let mut server = Server::start();
    let aws = |server: &Server, arguments: &[&str]| {
        let run = Script::aws(server, &[&["s3api"], arguments].concat()).run();
        run.expect_success().stdout
    };
    let region = "LocationConstraint=ap-northeast-1";
    let configuration = ["--create-bucket-configuration", region];
    aws(
        &server,
        &[&["create-bucket", "--bucket", "torn"], &configuration[..]].concat(),
    );
    let begun = aws(
        &server,
        &[
            "create-multipart-upload",
            "--bucket",
            "torn",
            "--key",
            "parts",
        ],
    );
    let begun: serde_json::Value = serde_json::from_str(&begun).unwrap();
    let id = begun["UploadId"].as_str().unwrap().to_owned();
    let part = format!("/torn/parts?partNumber=1&uploadId={id}");
    let mut torn = Vec::new();
    for path in ["/torn/whole", &part] {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        write!(
            socket,
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 64000000\r\n\r\n"
        )
        .unwrap();
        socket.write_all(&vec![7; 16_000_000]).unwrap();
        torn.push(socket);
    }
    let blobs = server.data_dir().join("blobs");
    until("half of each is on the disk", || {
        (files(&blobs) >= 2 + 2).then_some(())
    });
    server.kill_and_restart(&[]);
    drop(torn);
    let listed = aws(&server, &["list-objects-v2", "--bucket", "torn"]);
    assert!(!listed.contains("whole"), "{listed}");
    let upload = ["--bucket", "torn", "--key", "parts", "--upload-id", &id];
    let parts = aws(&server, &[&["list-parts"], &upload[..]].concat());
    assert!(!parts.contains("PartNumber\": 1"), "{parts}");
    until("only the store's own files are left", || {
        (files(&blobs) == 2).then_some(())
    });
}

/// With the operator's key nothing of an object's content is on the disk as it is.
#[test]
fn contents_are_encrypted_at_rest() {
    const SECRET: &str = "a secret of the test of encryption at rest";
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let flags = ["--encryption-key-file", key.to_str().unwrap()];
    let mut server = Server::start_with(&flags);
    let (small, large) = (SECRET.to_owned(), SECRET.repeat(10_000));
    let aws = |server: &Server, arguments: &[&str]| {
        Script::aws(server, arguments)
            .in_folder(&folder)
            .run()
            .expect_success()
    };
    aws(&server, &["s3", "mb", "s3://sealed"]);
    for (name, content) in [("small", &small), ("large", &large)] {
        std::fs::write(folder.path().join(name), content).unwrap();
        aws(&server, &["s3", "cp", name, "s3://sealed"]);
    }
    assert!(!holds(&server.data_dir(), SECRET.as_bytes()));
    server.kill_and_restart(&flags);
    for (name, content) in [("small", &small), ("large", &large)] {
        aws(
            &server,
            &["s3", "cp", &format!("s3://sealed/{name}"), "back"],
        );
        assert!(std::fs::read_to_string(folder.path().join("back")).unwrap() == *content);
    }
}

/// Whether a file below a folder has these bytes.
fn holds(folder: &Path, text: &[u8]) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => holds(&entry.path(), text),
        Ok(kind) if kind.is_file() => {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text)
        }
        _ => false,
    })
}

/// What an object weighs is not what the server holds of it.
#[test]
fn large_objects_pass_through_little_memory() {
    const BYTES: usize = 256 << 20;
    const CHUNK: usize = 1 << 20;
    /// Of buffers at both ends, allocators and a busy machine.
    const MAY_GROW_KIB: u64 = 96 * 1024;
    let server = Server::start_in_region("us-east-1");
    Script::aws(&server, &["s3", "mb", "s3://large"])
        .run()
        .expect_success();
    let before = peak_kib(&server);
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    write!(
        socket,
        "PUT /large/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: {BYTES}\r\n\r\n"
    )
    .unwrap();
    let chunk = vec![7; CHUNK];
    for _ in 0..BYTES / CHUNK {
        socket.write_all(&chunk).unwrap();
    }
    let mut head = [0; 15];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    write!(
        socket,
        "GET /large/k HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let got = std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
    assert!(got > BYTES as u64, "{got}");
    let grown = peak_kib(&server) - before;
    assert!(
        grown < MAY_GROW_KIB,
        "{grown} KiB more for an object of {BYTES} bytes"
    );
}

/// The most resident memory that the server ever had.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How many files are below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            _ => 1,
        })
        .sum()
}

/// Where signatures are checked, nobody may what a bucket does not give to all; a form proves by
/// its own signature who sent it.
#[test]
fn nobody_and_forms_where_signatures_are_checked() {
    let server = Server::start_enforcing();
    let script = root().join("conformance/clients/s3_enforced.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("enforced ok\n"),
        "{}",
        transcript.stdout
    );
}
