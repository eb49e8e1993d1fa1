//! S3 by every way a client may name a bucket, sign, and send a body.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::Path;

use conformance::{Api, Request, Script, Server, python};

fn with_bucket(bucket: &str) -> (Server, Api) {
    let server = Server::start();
    let mut api = server.api();
    let _ = api
        .send(&Request::new("s3", "PUT", &format!("/{bucket}")))
        .expect(200);
    (server, api)
}

#[test]
fn the_host_names_the_bucket() {
    let (server, mut api) = with_bucket("by-host");
    let port = server.port();
    let hosts = [
        format!("by-host.s3.localhost:{port}"),
        format!("by-host.s3.us-east-1.localhost:{port}"),
        format!("by-host.s3.localhost.localstack.cloud:{port}"),
        format!("by-host.s3.us-east-1.localhost.localstack.cloud:{port}"),
        "by-host.s3.amazonaws.com".to_owned(),
        "by-host.s3.us-east-1.amazonaws.com".to_owned(),
    ];
    for (number, host) in hosts.iter().enumerate() {
        let key = format!("/folder/key%20{number}");
        let body = format!("content {number}");
        let put = Request::new("s3", "PUT", &key)
            .header("host", host)
            .body(body.as_bytes());
        let _ = api.send(&put).expect(200);
        // The same object by path, and by its host again.
        let by_path = api
            .send(&Request::new("s3", "GET", &format!("/by-host{key}")))
            .expect(200);
        assert_eq!(by_path.text(), body, "{host}");
        let by_host = api
            .send(&Request::new("s3", "GET", &key).header("host", host))
            .expect(200);
        assert_eq!(by_host.text(), body, "{host}");
        let list = Request::new("s3", "GET", "/?list-type=2&prefix=folder/").header("host", host);
        let count = api.send(&list).expect(200).element("KeyCount");
        assert_eq!(count, (number + 1).to_string(), "{host}");
    }
}

#[test]
fn the_host_names_the_service() {
    let (server, mut api) = with_bucket("unsigned");
    let port = server.port();
    api.queue("unsigned");
    // Nothing is signed here, so that the host alone decides.
    for host in [
        format!("sqs.us-east-1.localhost.localstack.cloud:{port}"),
        format!("us-east-1.queue.localhost.localstack.cloud:{port}"),
    ] {
        let form = b"Action=GetQueueUrl&Version=2012-11-05&QueueName=unsigned";
        let request = Request::new("", "POST", "/")
            .header("host", &host)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let url = api.send(&request).expect(200).element("QueueUrl");
        assert!(url.ends_with("/000000000000/unsigned"), "{host}: {url}");
    }
    let host = format!("s3.localhost.localstack.cloud:{port}");
    let list = api
        .send(&Request::new("", "GET", "/unsigned").header("host", &host))
        .expect(200);
    assert_eq!(list.element("Name"), "unsigned");
    let host = format!("lambda.us-east-1.localhost.localstack.cloud:{port}");
    let list = Request::new("", "GET", "/2015-03-31/functions/").header("host", &host);
    assert!(api.send(&list).expect(200).json()["Functions"].is_array());
}

/// boto3 with each way to sign and to check a body; it sends `aws-chunked` with a CRC trailer by
/// default.
const BOTO3: &str = r"
import boto3, hashlib, io, os, urllib.request, urllib.error
from botocore.config import Config
data = os.urandom(3_000_000)
for style in ('path', 'virtual'):
    # Virtual hosts need a name that resolves: 127.0.0.1 makes botocore fall back to paths.
    s3 = boto3.client('s3', config=Config(s3={'addressing_style': style}))
    bucket = 'boto3-' + style
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={'LocationConstraint': 'ap-northeast-1'})
    put = s3.put_object(Bucket=bucket, Key='stream', Body=io.BytesIO(data))
    assert put['ETag'].strip('\x22') == hashlib.md5(data).hexdigest(), put
    got = s3.get_object(Bucket=bucket, Key='stream', ChecksumMode='ENABLED')
    assert got['Body'].read() == data and got.get('ChecksumCRC32'), got
    for algorithm in ('SHA1', 'SHA256', 'CRC32C', 'CRC64NVME'):
        try:
            s3.put_object(Bucket=bucket, Key=algorithm, Body=b'checked', ChecksumAlgorithm=algorithm)
        except Exception as error:
            if type(error).__name__ != 'MissingDependencyException': raise
            continue
        head = s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode='ENABLED')
        assert head['Checksum' + algorithm], head
    try:
        s3.put_object(Bucket=bucket, Key='wrong', Body=b'x', ChecksumSHA256='A' * 43 + '=')
        raise SystemExit('a wrong checksum was accepted')
    except s3.exceptions.ClientError as error:
        assert error.response['Error']['Code'] == 'BadDigest', error.response
    for version in ('s3', 's3v4'):
        signer = boto3.client('s3', config=Config(signature_version=version, s3={'addressing_style': 'path'}))
        url = signer.generate_presigned_url('put_object', Params={'Bucket': bucket, 'Key': 'signed'})
        urllib.request.urlopen(urllib.request.Request(url, data=b'by URL', method='PUT',
                                                      headers={'content-type': ''})).read()
        url = signer.generate_presigned_url('get_object', Params={'Bucket': bucket, 'Key': 'signed'})
        assert urllib.request.urlopen(url).read() == b'by URL'
    s3.upload_fileobj(io.BytesIO(data * 6), bucket, 'multipart')
    head = s3.head_object(Bucket=bucket, Key='multipart')
    assert head['ContentLength'] == len(data) * 6 and head['ETag'].endswith('-3\x22'), head
    parts = s3.get_object(Bucket=bucket, Key='multipart', Range='bytes=8388600-8388620')
    assert parts['Body'].read() == (data * 6)[8388600:8388621]
old = boto3.client('s3', config=Config(signature_version='s3v4', s3={'payload_signing_enabled': True}))
old.put_object(Bucket='boto3-path', Key='signed payload', Body=b'hashed')
print('ok')
";

#[test]
fn boto3_by_path_and_host_with_every_checksum() {
    let server = Server::start();
    let done = Script::new(python(), &server)
        .args(&["-c", BOTO3])
        .run()
        .expect_success();
    assert_eq!(done.stdout, "ok\n");
}

#[test]
fn an_expired_url_is_refused() {
    let (_server, mut api) = with_bucket("expired");
    let target = "/expired/key?X-Amz-Algorithm=AWS4-HMAC-SHA256\
                  &X-Amz-Credential=test%2F20200101%2Fus-east-1%2Fs3%2Faws4_request\
                  &X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
                  &X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let answer = api.send(&Request::new("", "GET", target)).expect(403);
    assert_eq!(
        (answer.error_code(), answer.error_message()),
        ("AccessDenied".to_owned(), "Request has expired".to_owned())
    );
}

fn aws(server: &Server, arguments: &[&str]) -> String {
    Script::aws(server, arguments).run().expect_success().stdout
}

fn write(path: &Path, bytes: usize) -> Vec<u8> {
    // Not periodic in any part size, so that swapped parts would show.
    let content: Vec<u8> = (0..bytes as u64)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8)
        .collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &content).unwrap();
    content
}

#[test]
fn the_cli_copies_30_mb_both_ways() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    let content = write(&there, 30_000_000);
    aws(&server, &["s3", "mb", "s3://copies"]);
    aws(
        &server,
        &[
            "s3",
            "cp",
            "--no-progress",
            there.to_str().unwrap(),
            "s3://copies/big",
        ],
    );
    aws(
        &server,
        &[
            "s3",
            "cp",
            "--no-progress",
            "s3://copies/big",
            back.to_str().unwrap(),
        ],
    );
    assert!(
        std::fs::read(&back).unwrap() == content,
        "30 MB came back changed"
    );
    let uploads = aws(
        &server,
        &["s3api", "list-multipart-uploads", "--bucket", "copies"],
    );
    assert!(!uploads.contains("UploadId"), "{uploads}");
    aws(
        &server,
        &[
            "s3",
            "cp",
            "--no-progress",
            "s3://copies/big",
            "s3://copies/copy",
        ],
    );
    aws(&server, &["s3", "rb", "--force", "s3://copies"]);
}

#[test]
fn the_cli_syncs_a_tree() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let names = [
        "plain",
        "a b/c+d",
        "ü/日本語.txt",
        "deep/er/still",
        "percent%20",
    ];
    for (number, name) in names.iter().enumerate() {
        write(&from.join(name), 1_000 * number);
    }
    aws(&server, &["s3", "mb", "s3://tree"]);
    aws(
        &server,
        &["s3", "sync", from.to_str().unwrap(), "s3://tree/top"],
    );
    let again = aws(
        &server,
        &["s3", "sync", from.to_str().unwrap(), "s3://tree/top"],
    );
    assert_eq!(again, "", "nothing had changed");
    aws(
        &server,
        &["s3", "sync", "s3://tree/top", to.to_str().unwrap()],
    );
    for name in names {
        let (here, there) = (std::fs::read(from.join(name)), std::fs::read(to.join(name)));
        assert_eq!(here.unwrap(), there.unwrap(), "{name}");
    }
    std::fs::remove_file(from.join("plain")).unwrap();
    let deleted = aws(
        &server,
        &[
            "s3",
            "sync",
            "--delete",
            from.to_str().unwrap(),
            "s3://tree/top",
        ],
    );
    assert_eq!(deleted.trim(), "delete: s3://tree/top/plain");
}
