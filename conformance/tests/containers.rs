//! Container images through the tools that people use: umoci makes them, skopeo pushes and pulls,
//! the AWS CLI deploys.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::{ROLE, Script, Server, Transcript, missing, root};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What names an image in the `index.json` of a layout.
const REFERENCE: &str = "org.opencontainers.image.ref.name";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An image layout with a program that answers `{"echo": EVENT}`; `None` where a tool is missing,
/// which is said.
fn layout(folder: &Path) -> Option<PathBuf> {
    if let Some(missing) = missing(&["cc", "umoci", "skopeo"]) {
        println!("skipped: there is no {missing}");
        return None;
    }
    let program = folder.join("bootstrap");
    let source = root().join("conformance/clients/bootstrap.c");
    let compiled = Command::new("cc")
        .args(["-O1", "-static", "-o"])
        .args([&program, &source])
        .status()
        .unwrap();
    if !compiled.success() {
        println!("skipped: cc -static does not work here");
        return None;
    }
    let layout = folder.join("layout");
    let image = format!("{}:v1", layout.display());
    let umoci = |arguments: &[&str]| {
        let status = Command::new("umoci").args(arguments).status().unwrap();
        assert!(status.success(), "umoci {arguments:?}");
    };
    let program = program.to_str().unwrap();
    umoci(&["init", "--layout", layout.to_str().unwrap()]);
    umoci(&["new", "--image", &image]);
    umoci(&[
        "insert",
        "--rootless",
        "--image",
        &image,
        program,
        "/app/bootstrap",
    ]);
    umoci(&[
        "config",
        "--image",
        &image,
        "--config.entrypoint",
        "/app/bootstrap",
    ]);
    Some(layout)
}

fn aws(server: &Server, arguments: &[&str]) -> Transcript {
    Script::aws(server, arguments).run()
}

fn ok(server: &Server, arguments: &[&str]) -> Value {
    aws(server, arguments).expect_success().json_or_null()
}

fn skopeo(server: &Server, arguments: &[&str]) -> Transcript {
    Script::new("skopeo", server)
        .args(&["--insecure-policy"])
        .args(arguments)
        .run()
}

fn registry(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port())
}

fn push(server: &Server, layout: &Path, more: &[&str]) -> Transcript {
    let from = format!("oci:{}:v1", layout.display());
    let to = format!("docker://{}/team/app:v1", registry(server));
    let copy = ["copy", "--dest-tls-verify=false", &from, &to];
    skopeo(server, &[&copy, more].concat())
}

fn create(server: &Server, name: &str, uri: &str) -> Value {
    let code = format!("ImageUri={uri}");
    let function = ["lambda", "create-function", "--function-name", name];
    let image = ["--package-type", "Image", "--code", &code, "--role", ROLE];
    ok(server, &[&function[..], &image].concat())
}

fn is_active(server: &Server, name: &str) {
    let wait = [
        "lambda",
        "wait",
        "function-active-v2",
        "--function-name",
        name,
    ];
    ok(server, &wait);
}

fn echoes(server: &Server, folder: &Path, name: &str) -> Value {
    let output = folder.join("answer.json");
    let output = output.to_str().unwrap();
    let invoke = ["lambda", "invoke", "--function-name", name, output];
    let event = [
        "--payload",
        "[1]",
        "--cli-binary-format",
        "raw-in-base64-out",
    ];
    ok(server, &[&invoke[..], &event].concat());
    serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap()
}

#[test]
fn what_is_pushed_runs_and_survives_power_loss() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(layout) = layout(folder) else { return };
    let mut server = Server::start();
    let refused = push(&server, &layout, &[]);
    assert!(
        refused.stderr.contains("name unknown"),
        "{}",
        refused.stderr
    );
    let made = ["ecr", "create-repository", "--repository-name", "team/app"];
    ok(&server, &made);
    push(&server, &layout, &[]).expect_success();
    // What was acknowledged is on the disk.
    server.kill_and_restart(&[]);
    let back = folder.join("back");
    let from = format!("docker://{}/team/app:v1", registry(&server));
    let to = format!("oci:{}:v1", back.display());
    let copy = ["copy", "--src-tls-verify=false", &from, &to];
    skopeo(&server, &copy).expect_success();
    let names = |folder: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap()
    };
    let digest = names(&layout)["manifests"][0]["digest"].clone();
    assert_eq!(names(&back)["manifests"][0]["digest"], digest);
    let described = ["ecr", "describe-images", "--repository-name", "team/app"];
    let described = ok(&server, &described);
    assert_eq!(described["imageDetails"][0]["imageDigest"], digest);

    let uri = format!("{}/team/app:v1", registry(&server));
    let created = create(&server, "f", &uri);
    let sha256 = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    assert_eq!(created["CodeSha256"], sha256);
    is_active(&server, "f");
    assert_eq!(echoes(&server, folder, "f"), json!({"echo": [1]}));
    server.kill_and_restart(&[]);
    assert_eq!(echoes(&server, folder, "f"), json!({"echo": [1]}));
    // The image is the function's own by now.
    let delete = [
        "ecr",
        "delete-repository",
        "--repository-name",
        "team/app",
        "--force",
    ];
    ok(&server, &delete);
    assert_eq!(echoes(&server, folder, "f"), json!({"echo": [1]}));
    let gone = aws(
        &server,
        &[
            "lambda",
            "update-function-code",
            "--function-name",
            "f",
            "--image-uri",
            &uri,
        ],
    );
    assert!(gone.stderr.contains("does not exist"), "{}", gone.stderr);
}

#[test]
fn a_registry_that_checks_tokens_serves_another_server() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(layout) = layout(folder) else { return };
    let server = Server::start_enforcing();
    let as_root = |arguments: &[&str]| {
        let transcript = Script::aws(&server, arguments).run();
        transcript.expect_success().stdout
    };
    as_root(&["ecr", "create-repository", "--repository-name", "team/app"]);
    let refused = push(&server, &layout, &[]);
    assert!(!refused.success, "{}", refused.stdout);
    let password = as_root(&["ecr", "get-login-password"]);
    let credentials = format!("AWS:{}", password.trim());
    push(&server, &layout, &["--dest-creds", &credentials]).expect_success();

    let auth = folder.join("auth.json");
    let login = [
        "login",
        "--tls-verify=false",
        "--username",
        "AWS",
        "--password",
    ];
    let login = [
        &login[..],
        &[password.trim(), "--authfile", auth.to_str().unwrap()],
    ]
    .concat();
    skopeo(&server, &[&login[..], &[&registry(&server)]].concat()).expect_success();
    let other = Server::start_with(&["--registry-auth", auth.to_str().unwrap()]);
    let uri = format!("{}/team/app:v1", registry(&server));
    create(&other, "pulled", &uri);
    is_active(&other, "pulled");
    assert_eq!(echoes(&other, folder, "pulled"), json!({"echo": [1]}));
    let stranger = Server::start();
    let denied = aws(
        &stranger,
        &[
            "lambda",
            "create-function",
            "--function-name",
            "f",
            "--package-type",
            "Image",
            "--code",
            &format!("ImageUri={uri}"),
            "--role",
            ROLE,
        ],
    );
    assert!(
        denied.stderr.contains("AccessDeniedException"),
        "{}",
        denied.stderr
    );

    // A layout in a folder needs no registry at all.
    create(&other, "local", &format!("oci:{}:v1", layout.display()));
    is_active(&other, "local");
    assert_eq!(echoes(&other, folder, "local"), json!({"echo": [1]}));
}

/// Adds `all` to a layout that has `v1`: an index of that image and one for another machine.
fn index(layout: &Path) -> String {
    let other = if cfg!(target_arch = "aarch64") {
        "amd64"
    } else {
        "arm64"
    };
    let image = format!("{}:other", layout.display());
    for arguments in [
        &[
            "tag",
            "--image",
            &format!("{}:v1", layout.display()),
            "other",
        ][..],
        &["config", "--image", &image, "--architecture", other],
    ] {
        let status = Command::new("umoci").args(arguments).status().unwrap();
        assert!(status.success(), "umoci {arguments:?}");
    }
    let place = layout.join("index.json");
    let mut names: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    let entries = names["manifests"].as_array_mut().unwrap();
    let own = if other == "arm64" { "amd64" } else { "arm64" };
    let images = [("v1", own), ("other", other)].map(|(name, architecture)| {
        let is_named = |it: &&Value| it["annotations"][REFERENCE] == name;
        let entry = entries.iter().find(is_named).unwrap();
        json!({
            "mediaType": entry["mediaType"],
            "digest": entry["digest"],
            "size": entry["size"],
            "platform": {"os": "linux", "architecture": architecture},
        })
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}).to_string();
    let hash = hex::encode(Sha256::digest(&index));
    std::fs::write(layout.join("blobs/sha256").join(&hash), &index).unwrap();
    let digest = format!("sha256:{hash}");
    entries.push(json!({
        "mediaType": INDEX,
        "digest": digest,
        "size": index.len(),
        "annotations": {REFERENCE: "all"},
    }));
    std::fs::write(place, names.to_string()).unwrap();
    digest
}

#[test]
fn images_for_several_machines_go_in_and_out_and_one_of_them_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(layout) = layout(folder) else { return };
    let digest = index(&layout);
    let server = Server::start();
    let made = ["ecr", "create-repository", "--repository-name", "team/app"];
    ok(&server, &made);
    let there = format!("docker://{}/team/app:all", registry(&server));
    let from = format!("oci:{}:all", layout.display());
    let copy = ["copy", "--all", "--dest-tls-verify=false", &from, &there];
    skopeo(&server, &copy).expect_success();
    let tagged = ["--image-ids", "imageTag=all"];
    let describe = ["ecr", "describe-images", "--repository-name", "team/app"];
    let described = ok(&server, &[&describe[..], &tagged].concat());
    let detail = &described["imageDetails"][0];
    assert_eq!(detail["imageDigest"], digest);
    assert_eq!(detail["imageManifestMediaType"], INDEX);
    let all = ok(&server, &describe);
    assert_eq!(all["imageDetails"].as_array().unwrap().len(), 3);
    let back = folder.join("back");
    let to = format!("oci:{}:all", back.display());
    let copy = ["copy", "--all", "--src-tls-verify=false", &there, &to];
    skopeo(&server, &copy).expect_success();
    let same = back.join("blobs").join(digest.replace(':', "/"));
    assert!(same.is_file(), "{}", same.display());

    // As on Lambda, a function is one image: an index is none, and neither is another machine's.
    let uri = |reference: &str| format!("{}/team/app{reference}", registry(&server));
    let refused = |uri: &str| {
        let code = format!("ImageUri={uri}");
        let function = ["lambda", "create-function", "--function-name", "f"];
        let image = ["--package-type", "Image", "--code", &code, "--role", ROLE];
        aws(&server, &[&function[..], &image].concat()).stderr
    };
    let stderr = refused(&uri(":all"));
    assert!(stderr.contains("layer media type"), "{stderr}");
    let names: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    let digest_of = |name: &str| {
        let mut entries = names["manifests"].as_array().unwrap().iter();
        let entry = entries.find(|it| it["annotations"][REFERENCE] == name);
        entry.unwrap()["digest"].as_str().unwrap().to_owned()
    };
    let stderr = refused(&uri(&format!("@{}", digest_of("other"))));
    assert!(stderr.contains("the image is for"), "{stderr}");
    create(&server, "f", &uri(&format!("@{}", digest_of("v1"))));
    is_active(&server, "f");
    assert_eq!(echoes(&server, folder, "f"), json!({"echo": [1]}));
}
