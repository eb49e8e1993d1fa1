//! Code packages: damaged, hostile, too large.

use std::io::Cursor;

use conformance::{add, until, zip, zip_with};
use serde_json::{Value, json};
use zip::ZipArchive;
use zip::write::SimpleFileOptions;

use crate::{ECHO, contents, refused, started, unmoved};

#[test]
fn archives_that_are_not_honest() {
    let (server, mut api) = started();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("slipped");
    let absolute = target.to_str().unwrap();
    let climbing = format!("{}{absolute}", "../".repeat(24).trim_end_matches('/'));
    let whole = zip(&[("function.py", ECHO)]);
    let corrupt = [&b"PK\x03\x04"[..], &[7; 300]].concat();
    let link_out = zip_with(|archive| {
        archive
            .add_symlink(
                "door",
                outside.path().to_str().unwrap(),
                SimpleFileOptions::default(),
            )
            .unwrap();
        add(archive, "door/slipped", b"through a link");
    });
    let twice = zip_with(|archive| {
        add(archive, "function.py", ECHO.as_bytes());
        archive
            .add_symlink("dir", "../..", SimpleFileOptions::default())
            .unwrap();
        add(archive, "dir/slipped", b"through a link");
    });
    for (what, archive) in [
        ("empty", Vec::new()),
        ("text", b"this is not a zip".to_vec()),
        ("corrupt", corrupt),
        ("cut short", whole[..whole.len() - 9].to_vec()),
        ("damaged", damaged(&whole)),
        (
            "absolute",
            zip(&[("function.py", ECHO), (absolute, "slip")]),
        ),
        (
            "climbing",
            zip(&[("function.py", ECHO), (&climbing, "slip")]),
        ),
        (
            "inner climbing",
            zip(&[("function.py", ECHO), ("a/../../slipped", "slip")]),
        ),
        ("link", link_out),
        ("relative link", twice),
    ] {
        let before = contents(&server);
        let answer = api.create_function("dishonest", &archive, &json!({}));
        // A name that leaves the folder may be refused, or taken as one within it: never followed.
        if answer.status == 201 && what != "empty" && what != "text" {
            let _ = api.lambda("DELETE", "/2015-03-31/functions/dishonest", &Value::Null);
        } else {
            assert_eq!(answer.status, 400, "{what}: {}", answer.text());
            assert_eq!(
                answer.error_code(),
                "InvalidParameterValueException",
                "{what}"
            );
            until(&format!("nothing is left of what was {what}"), || {
                (contents(&server) == before).then_some(())
            });
        }
        assert!(!target.exists(), "{what} was written outside");
        assert!(
            std::fs::read_dir(outside.path()).unwrap().next().is_none(),
            "{what}"
        );
        unmoved(&server, &mut api);
    }
    let answer = api.create_function("dishonest", b"this is not a zip", &json!({}));
    refused(
        answer,
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    );
}

/// The content of the first entry changed, its checksum not.
fn damaged(archive: &[u8]) -> Vec<u8> {
    let mut bytes = archive.to_vec();
    let content = 30 + "function.py".len();
    bytes[content + 3] ^= 0xff;
    bytes
}

#[test]
fn an_archive_that_grows_without_end() {
    let (server, mut api) = started();
    let before = contents(&server);
    // 300 MB of zeros, more than the 250 MB that code may have, in 300 KB: one part packed, and
    // put in ten times.
    let part = zip_with(|archive| add(archive, "zeros", &vec![0; 30_000_000]));
    let mut part = ZipArchive::new(Cursor::new(part)).unwrap();
    let bomb = zip_with(|archive| {
        for number in 0..10 {
            let packed = part.by_index_raw(0).unwrap();
            archive
                .raw_copy_file_rename(packed, number.to_string())
                .unwrap();
        }
    });
    assert!(bomb.len() < 2_000_000);
    let answer = api.create_function("bomb", &bomb, &json!({}));
    refused(
        answer,
        400,
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    );
    until("nothing is left of the refused archives", || {
        (contents(&server) == before).then_some(())
    });
    // Many files: a table of contents alone can be a bomb.
    let crowd = zip_with(|archive| {
        for number in 0..70_000 {
            archive
                .start_file(format!("{number}"), SimpleFileOptions::default())
                .unwrap();
        }
    });
    let answer = api.create_function("crowd", &crowd, &json!({}));
    assert!(
        answer.status == 201 || answer.status == 400,
        "{}",
        answer.text()
    );
    if answer.status == 201 {
        let _ = api
            .lambda("DELETE", "/2015-03-31/functions/crowd", &Value::Null)
            .expect(204);
    }
    unmoved(&server, &mut api);
}
