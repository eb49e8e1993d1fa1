//! Functions that are container images.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use exec::{Code, CodeImage, Compression, Container, FunctionSpec, ImageId, Images, StackedLayer};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::support::{World, function_of, json as document};

/// The test images' program; `None` where this host has no compiler of static programs, which is
/// said.
fn program(folder: &Path) -> Option<Vec<u8>> {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/functions/image_client.c"
    );
    let made = folder.join("image_client");
    let compiled = Command::new("cc")
        .args(["-O1", "-static", "-o"])
        .args([made.as_os_str(), source.as_ref()])
        .output();
    if !compiled.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no cc -static on this host");
        return None;
    }
    Some(std::fs::read(made).unwrap())
}

fn file(layer: &mut Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    layer.append_data(&mut header, path, content).unwrap();
}

fn import(images: &Images, layer: Builder<Vec<u8>>) -> ImageId {
    let archive = layer.into_inner().unwrap();
    let digest = ImageId(Sha256::digest(&archive).into());
    let staging = images.staging().unwrap();
    let pieces = [Ok(archive.into())].into_iter();
    let unpacked = staging.unpack(digest, Compression::None, pieces);
    unpacked.and_then(|()| staging.keep()).unwrap();
    digest
}

fn assemble(images: &Images, layers: &[ImageId]) -> Option<CodeImage> {
    let layers = layers.iter().map(|digest| StackedLayer {
        digest: *digest,
        diff_id: None,
    });
    let layers: Vec<_> = layers.collect();
    images.staging().unwrap().assemble(&layers).unwrap()
}

fn image(world: &World) -> Option<CodeImage> {
    let program = program(world.folder())?;
    let mut first = Builder::new(Vec::new());
    file(&mut first, "app/program", 0o4755, &program);
    file(&mut first, "etc/own", 0o644, b"of the image");
    file(&mut first, "etc/secret", 0o600, b"of root alone");
    file(&mut first, "etc/gone", 0o644, b"below");
    let mut second = Builder::new(Vec::new());
    file(&mut second, "etc/.wh.gone", 0o644, b"");
    file(&mut second, "etc/hosts", 0o644, b"6.6.6.6 localhost\n");
    file(&mut second, "dev/null", 0o644, b"no device");
    let layers = [import(&world.images, first), import(&world.images, second)];
    Some(assemble(&world.images, &layers).unwrap())
}

fn container(image: CodeImage, command: &[&str]) -> Container {
    Container {
        image,
        command: command.iter().map(|it| (*it).to_owned()).collect(),
        working_directory: None,
        environment: BTreeMap::new(),
    }
}

fn function(container: Container) -> Arc<FunctionSpec> {
    let code = Code::Container(container);
    Arc::new(function_of("provided.al2023", "", code))
}

async fn asks(world: &World, function: &Arc<FunctionSpec>, what: &str) -> String {
    let outcome = world.run(function, &json!(what)).await.unwrap();
    assert_eq!(outcome.function_error, None, "{:?}", outcome.payload);
    document(&outcome).as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_all_that_its_program_sees() {
    let world = World::new();
    let Some(image) = image(&world) else { return };
    let mut run = container(image, &["program", "with", "arguments"]);
    run.working_directory = Some("/app".to_owned());
    run.environment = [
        ("PATH", "/nowhere:/app"),
        ("OF_IMAGE", "yes"),
        ("TABLE", "image's"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut spec = Arc::unwrap_or_clone(function(run));
    spec.environment = [("TABLE".to_owned(), "function's".to_owned())].into();
    let function = Arc::new(spec);
    for (what, expected) in [
        ("a", "/app/program with arguments"),
        ("c", "/app"),
        ("u", "not root"),
        ("eOF_IMAGE", "yes"),
        ("eTABLE", "function's"),
        ("eAWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("eAWS_EXECUTION_ENV", "(unset)"),
        ("eLD_LIBRARY_PATH", "(unset)"),
        ("r/etc/own", "of the image"),
        ("r/etc/gone", "error 2"),
        ("r/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("r/usr/bin/env", "error 2"),
        ("r/dev/null", ""),
        ("w/dev/null", "written"),
        ("w/tmp/new", "written"),
        ("s/etc/own", "100644 1700000000"),
        // Nothing runs as somebody else.
        ("s/app/program", "100755 1700000000"),
    ] {
        assert_eq!(asks(&world, &function, what).await, expected, "{what}");
    }
    for what in ["w/etc/own", "w/new", "w/app/program", "w/dev/new"] {
        let answer = asks(&world, &function, what).await;
        assert!(answer.starts_with("error"), "{what}: {answer}");
    }
    let maps = asks(&world, &function, "r/proc/self/mountinfo").await;
    assert!(!maps.contains(" /usr "), "{maps}");
    let passwd = asks(&world, &function, "r/etc/passwd").await;
    assert!(passwd.is_empty() || passwd.contains("sbx_user"), "{passwd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_share_layers_and_go_when_nobody_has_them() {
    let world = World::new();
    let mut first = Builder::new(Vec::new());
    file(&mut first, "shared", 0o644, b"content");
    let first = import(&world.images, first);
    let mut second = Builder::new(Vec::new());
    file(&mut second, "own", 0o644, b"content");
    let second = import(&world.images, second);
    let one = assemble(&world.images, &[first]).unwrap();
    let both = assemble(&world.images, &[first, second]).unwrap();
    let inode = |image: &CodeImage| {
        use std::os::unix::fs::MetadataExt as _;
        image.path().join("shared").metadata().unwrap().ino()
    };
    assert_eq!(inode(&one), inode(&both));
    assert_eq!(world.images.sweep_layers(|id| id == first).unwrap(), 1);
    assert!(!world.images.has_layer(second));
    // An image outlives its layers; another one could not be made of them.
    assert!(both.path().join("own").exists());
    assert!(assemble(&world.images, &[second]).is_none());
    let id = both.id();
    drop(both);
    world.images.remove(id).unwrap();
    assert!(world.images.open(id).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_run_says_why() {
    let world = World::new();
    let Some(image) = image(&world) else { return };
    let failing = |command: &[&str], folder: Option<&str>| {
        let mut run = container(image.clone(), command);
        run.working_directory = folder.map(str::to_owned);
        function(run)
    };
    for (function, expected) in [
        (
            failing(&[], None),
            "neither the image nor the function names",
        ),
        (
            failing(&["missing"], None),
            "executable file not found in $PATH",
        ),
        (failing(&["/missing"], None), "fork/exec /missing"),
        (failing(&["/etc/own"], None), "permission denied"),
        (
            failing(&["/app/program"], Some("/nowhere")),
            "chdir to /nowhere",
        ),
    ] {
        let outcome = world.run(&function, &json!("c")).await.unwrap();
        let document = document(&outcome);
        let kind = if expected.starts_with("chdir") {
            "Runtime.InvalidWorkingDir"
        } else {
            "Runtime.InvalidEntrypoint"
        };
        assert_eq!(document["errorType"], kind);
        let message = document["errorMessage"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
