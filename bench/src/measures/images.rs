//! Container images of half a gigabyte: what they add to a start, and how fast they are pulled.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use oci::Digest;
use serde_json::{Value, json};
use tar::{Builder, Header};

use super::{timed, unpacking};
use crate::functions::{Package, create, invoke, json_call, wait_until_active};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools};

const REPOSITORY: &str = "bench/image";
/// Layers of 4,000 files of 25 KB each: half a gigabyte in all.
const LAYERS: usize = 5;
const FILES: usize = 4_000;
const FILE_BYTES: usize = 25_000;
const PROGRAM: &str = "app/program";

pub(super) fn starts(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const IMAGES: usize = 5;
    const FUNCTIONS: usize = 10;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let shared = push_shared(&mut connection)?;
    let package = Package::program(tools)?;
    let (mut first, mut next, mut zip) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..IMAGES {
        let image = push_image(tools, &mut connection, &shared, number)?;
        let names = (0..FUNCTIONS).map(|it| format!("image-{number}-{it}"));
        let names: Vec<String> = names.collect();
        for name in &names {
            create_image(&mut connection, server.port, name, &image)?;
            create(&mut connection, &format!("zip-{name}"), &package)?;
        }
        forget_cache();
        for (place, name) in names.iter().enumerate() {
            let took = timed(1, || invoke(&mut connection, name))?;
            if place == 0 { &mut first } else { &mut next }.extend(took);
            // In turns, so that what else goes on is the same for both.
            if place > 0 {
                zip.extend(timed(1, || {
                    invoke(&mut connection, &format!("zip-{name}"))
                })?);
            }
        }
    }
    let [first, next, zip] = [first, next, zip].map(Samples::new);
    let beyond = |samples: &Samples| samples.p50().saturating_sub(zip.p50());
    let floor = format!("the same program in a zip: p50 {}", ms(zip.p50()));
    Ok(vec![
        Row {
            what: "first start of a 500 MB image, page cache dropped where that is allowed",
            measured: format!("{}; {} more", first.summary(), ms(beyond(&first))),
            floor: floor.clone(),
            promise: "p50 ≤ 150 ms more",
            kept: beyond(&first) <= Duration::from_millis(150),
        },
        Row {
            what: "next environment of a 500 MB image",
            measured: format!("{}; {} more", next.summary(), ms(beyond(&next))),
            floor,
            promise: "p50 ≤ 10 ms more",
            kept: beyond(&next) <= Duration::from_millis(10),
        },
    ])
}

pub(super) fn pull(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let shared = push_shared(&mut connection)?;
    let image = push_image(tools, &mut connection, &shared, 0)?;
    let bytes: u64 = shared.iter().map(|layer| layer.size).sum();
    let folder = tempfile::tempdir()?;
    let copies: Vec<_> = (0..LAYERS)
        .map(|number| folder.path().join(number.to_string()))
        .collect();
    let began = Instant::now();
    for (layer, copy) in shared.iter().zip(&copies) {
        let path = format!("/v2/{REPOSITORY}/blobs/{}", layer.digest);
        let content = connection.expect("ecr", "GET", &path, "", b"")?;
        std::fs::write(copy, content)?;
        File::open(copy)?.sync_all()?;
    }
    let copied = began.elapsed();
    let began = Instant::now();
    create_image(&mut connection, server.port, "pulled", &image)?;
    let pulled = began.elapsed();
    let unpacked = unpacking::unpack(&copies)?;
    let rate = |took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
    let share = rate(pulled) / rate(copied);
    Ok(vec![Row {
        what: "pulling and unpacking a 500 MB image of 20,000 files, until Active",
        measured: format!("{:.0} MB/s, {share:.2} ×", rate(pulled)),
        floor: format!(
            "its layers copied through the registry into files: {:.0} MB/s; the least program that \
             unpacks and links them: {:.0} MB/s",
            rate(copied),
            rate(unpacked)
        ),
        promise: "≥ 0.7 ×",
        kept: share >= 0.7,
    }])
}

/// A layer that has been pushed.
struct Layer {
    digest: Digest,
    size: u64,
}

fn push_shared(connection: &mut Connection) -> anyhow::Result<Vec<Layer>> {
    let target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository";
    let input = json!({"repositoryName": REPOSITORY});
    json_call(connection, "ecr", target, &input)?;
    (0..LAYERS)
        .map(|number| {
            let mut archive = Builder::new(Vec::new());
            for file in 0..FILES {
                let path = format!("usr/lib/package{}/file{number}-{file}", file % 200);
                add(&mut archive, &path, &noise(number * FILES + file))?;
            }
            push(connection, &archive.into_inner()?)
        })
        .collect()
}

/// Bytes that no file system makes smaller.
fn noise(seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let words = (0..FILE_BYTES / 8).flat_map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state ^ state >> 29).to_le_bytes()
    });
    words.collect()
}

fn add(archive: &mut Builder<Vec<u8>>, path: &str, content: &[u8]) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    Ok(archive.append_data(&mut header, path, content)?)
}

fn push(connection: &mut Connection, content: &[u8]) -> anyhow::Result<Layer> {
    let digest = Digest::of(content);
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={digest}");
    connection.expect("ecr", "POST", &path, "", content)?;
    let size = content.len() as u64;
    Ok(Layer { digest, size })
}

/// An image of the shared layers and one of its own, with the program; returns its tag.
fn push_image(
    tools: &Tools,
    connection: &mut Connection,
    shared: &[Layer],
    number: usize,
) -> anyhow::Result<String> {
    let mut archive = Builder::new(Vec::new());
    add(&mut archive, PROGRAM, &std::fs::read(&tools.program)?)?;
    add(&mut archive, "number", number.to_string().as_bytes())?;
    for library in libraries(&tools.program)? {
        let inside = library.trim_start_matches('/');
        add(&mut archive, inside, &std::fs::read(&library)?)?;
    }
    let own = push(connection, &archive.into_inner()?)?;
    let layers = shared.iter().chain([&own]);
    let diff_ids: Vec<String> = layers.map(|layer| layer.digest.to_string()).collect();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Entrypoint": [format!("/{PROGRAM}")]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = push(connection, config.to_string().as_bytes())?;
    let layers = shared
        .iter()
        .chain([&own])
        .map(|layer| described(layer, "application/vnd.oci.image.layer.v1.tar"));
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": described(&config, "application/vnd.oci.image.config.v1+json"),
        "layers": layers.collect::<Vec<_>>(),
    });
    let path = format!("/v2/{REPOSITORY}/manifests/n{number}");
    let headers = format!("content-type: {kind}\r\n");
    connection.expect(
        "ecr",
        "PUT",
        &path,
        &headers,
        manifest.to_string().as_bytes(),
    )?;
    Ok(format!("n{number}"))
}

fn described(layer: &Layer, media_type: &str) -> Value {
    json!({
        "mediaType": media_type,
        "digest": layer.digest.to_string(),
        "size": layer.size,
    })
}

/// What a program is loaded with, as the dynamic linker says.
fn libraries(program: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("run ldd")?;
    let text = String::from_utf8(output.stdout)?;
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    let found: Vec<String> = words.map(str::to_owned).collect();
    ensure!(
        !found.is_empty() || text.contains("statically"),
        "ldd: {text}"
    );
    Ok(found)
}

fn create_image(
    connection: &mut Connection,
    port: u16,
    name: &str,
    image: &str,
) -> anyhow::Result<()> {
    let input = json!({
        "FunctionName": name,
        "PackageType": "Image",
        "Role": "arn:aws:iam::000000000000:role/bench",
        "Timeout": 30,
        "Code": {"ImageUri": format!("127.0.0.1:{port}/{REPOSITORY}:{image}")},
    });
    let headers = "content-type: application/json\r\n";
    let path = "/2015-03-31/functions";
    let input = input.to_string();
    connection.expect("lambda", "POST", path, headers, input.as_bytes())?;
    wait_until_active(connection, name, "$LATEST")
}

/// So that the next start reads from the disk. Only root may, and it costs others their cache.
fn forget_cache() {
    let _ = std::fs::write("/proc/sys/vm/drop_caches", "3");
}
