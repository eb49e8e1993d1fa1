//! How layers arrive: what they are said to be, compressed, cut off, and kept.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use exec::{Compression, ImageError, ImageId, StackedLayer};
use flate2::write::GzEncoder;

use crate::world::{Layer, World, arriving, digest, read, stacked};

#[test]
fn a_layer_is_what_its_digest_says() {
    let world = World::new();
    let archive = Layer::default().file("a", "content").finish();
    let other = ImageId([7; 32]);
    let refused = world.unpack(other, Compression::None, archive.as_slice());
    assert!(
        matches!(refused, Err(ImageError::Digest { .. })),
        "{refused:?}"
    );
    assert!(!world.images.has_layer(other));
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    let gzip = gzip.finish().unwrap();
    let cut = &gzip[..gzip.len() / 2];
    let refused = world.unpack(digest(cut), Compression::Gzip, cut);
    assert!(
        matches!(refused, Err(ImageError::Corrupt(_))),
        "{refused:?}"
    );
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(archive.as_slice(), level);
    for (bytes, compression) in [
        (&gzip, Compression::Gzip),
        (&zstd, Compression::Zstd),
        (&archive, Compression::None),
    ] {
        let id = digest(bytes);
        world.unpack(id, compression, bytes.as_slice()).unwrap();
        let image = world.assemble(&[id]).unwrap().unwrap();
        assert_eq!(read(&image, "a").as_deref(), Some("content"));
    }
    let no_zstd = world.unpack(digest(&archive), Compression::Zstd, archive.as_slice());
    // It is there already, whatever it is called.
    assert!(no_zstd.is_ok());
    let gzip_as_zstd = Layer::default().file("b", "").finish();
    let refused = world.unpack(digest(&gzip_as_zstd), Compression::Zstd, &gzip_as_zstd);
    assert!(
        matches!(refused, Err(ImageError::Corrupt(_))),
        "{refused:?}"
    );
}

fn compressed(archive: &[u8]) -> [(Vec<u8>, Compression); 3] {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(archive).unwrap();
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(archive, level);
    [
        (gzip.finish().unwrap(), Compression::Gzip),
        (zstd, Compression::Zstd),
        (archive.to_vec(), Compression::None),
    ]
}

#[test]
fn a_layer_is_what_its_image_says_it_is_uncompressed() {
    let mut archive = Layer::default().file("a", "content").finish();
    // What follows the archive's end belongs to it.
    archive.resize(archive.len() + 700_000, 0);
    for (bytes, compression) in compressed(&archive) {
        let world = World::new();
        let layer = |diff_id| StackedLayer {
            digest: digest(&bytes),
            diff_id: Some(diff_id),
        };
        world.unpack(digest(&bytes), compression, &bytes).unwrap();
        let assemble = |diff_id| world.images.staging().unwrap().assemble(&[layer(diff_id)]);
        let image = assemble(digest(&archive)).unwrap().unwrap();
        assert_eq!(read(&image, "a").as_deref(), Some("content"));
        // Also where the image is there already.
        let refused = assemble(ImageId([7; 32]));
        assert!(
            matches!(refused, Err(ImageError::DiffId { found, .. }) if found == digest(&archive)),
            "{refused:?}"
        );
        // The layer itself is as good as before.
        assert!(world.images.has_layer(digest(&bytes)));
        assert!(assemble(digest(&archive)).unwrap().is_some());
    }
}

#[test]
fn compressed_layers_may_have_several_parts() {
    let archive = Layer::default().file("a", "content").finish();
    let (first, second) = archive.split_at(600);
    let [first, second] = [first, second].map(compressed);
    // A frame that is to be skipped.
    let skipped = [&b"\x50\x2a\x4d\x18\x03\0\0\0"[..], b"xyz"].concat();
    for (before, kind) in [(&[][..], 0), (&skipped, 1)] {
        let world = World::new();
        let parts = [before, &first[kind].0, before, &second[kind].0].concat();
        let id = digest(&parts);
        world.unpack(id, first[kind].1, &parts).unwrap();
        let layer = StackedLayer {
            digest: id,
            diff_id: Some(digest(&archive)),
        };
        let image = world.images.staging().unwrap().assemble(&[layer]);
        let image = image.unwrap().unwrap();
        assert_eq!(read(&image, "a").as_deref(), Some("content"));
    }
    let world = World::new();
    let cut = [&first[1].0, &skipped[..9]].concat();
    let refused = world.unpack(digest(&cut), Compression::Zstd, &cut);
    assert!(
        matches!(refused, Err(ImageError::Corrupt(_))),
        "{refused:?}"
    );
}

#[test]
fn what_follows_an_archive_has_a_bound() {
    let world = World::new();
    let mut archive = Layer::default().file("a", "content").finish();
    archive.resize(archive.len() + (65 << 20), 0);
    let [(gzip, how), ..] = compressed(&archive);
    let refused = world.unpack(digest(&gzip), how, &gzip).unwrap_err();
    assert!(
        refused.to_string().contains("follows the archive's end"),
        "{refused}"
    );
    assert!(!world.images.has_layer(digest(&gzip)));
}

#[test]
fn a_layer_that_breaks_off_on_its_way_is_not_to_blame() {
    let world = World::new();
    for (bytes, compression) in compressed(&Layer::default().file("a", "content").finish()) {
        let half = arriving(&bytes[..bytes.len() / 2]);
        let broken = half.chain([Err(io::Error::other("the line is dead"))]);
        let staging = world.images.staging().unwrap();
        let failed = staging.unpack(digest(&bytes), compression, broken);
        assert!(
            matches!(&failed, Err(ImageError::Io { source, .. }) if source.to_string() == "the line is dead"),
            "{failed:?}"
        );
    }
}

#[test]
fn an_archive_may_lack_its_end() {
    let world = World::new();
    let Layer(archive) = Layer::default().file("a", "content");
    let whole = archive.len();
    // Its end; what fills its last block as well.
    for length in [whole, whole - 505] {
        let cut = &archive[..length];
        world.unpack(digest(cut), Compression::None, cut).unwrap();
        let image = world.assemble(&[digest(cut)]).unwrap().unwrap();
        assert_eq!(read(&image, "a").as_deref(), Some("content"));
    }
    // A part of its content; a part of a head.
    let two = [&archive[..], &archive[..300]].concat();
    for cut in [&archive[..whole - 506], &two] {
        let refused = world.unpack(digest(cut), Compression::None, cut);
        assert!(
            matches!(refused, Err(ImageError::Corrupt(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn layers_are_somebodys_once_they_are_kept() {
    let world = World::new();
    let archive = |name: &str| Layer::default().file(name, name).finish();
    let archives = [archive("one"), archive("two")];
    let ids = archives.each_ref().map(|archive| digest(archive));
    let unpacked = || {
        let staging = world.images.staging().unwrap();
        for (id, archive) in ids.iter().zip(&archives) {
            // The same one twice does no harm.
            for _ in 0..2 {
                let done = staging.unpack(*id, Compression::None, arriving(archive));
                done.unwrap();
            }
        }
        staging
    };
    drop(unpacked());
    assert!(ids.iter().all(|id| !world.images.has_layer(*id)));
    assert!(world.assemble(&ids).unwrap().is_none());
    // What cannot be put together yet leaves the layers that are there.
    let missing = [ids[0], ids[1], ImageId([7; 32])];
    assert!(unpacked().assemble(&stacked(&missing)).unwrap().is_none());
    assert!(ids.iter().all(|id| world.images.has_layer(*id)));
    let twice = [ids[0], ids[1], ids[0]];
    let image = unpacked().assemble(&stacked(&twice)).unwrap().unwrap();
    assert_eq!(read(&image, "two").as_deref(), Some("two"));
    let left = fs::read_dir(world.folder.path().join("images")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.retain(|name| name.to_str().unwrap().starts_with(".unfinished"));
    assert_eq!(left.len(), 0, "{left:?}");
}

#[test]
fn an_interrupted_import_leaves_nothing() {
    let world = World::new();
    let archive = Layer::default().file("a", &"x".repeat(4_096)).finish();
    let cut = &archive[..2_048];
    let id = digest(cut);
    let refused = world.unpack(id, Compression::None, cut);
    assert!(refused.is_err());
    let left: Vec<PathBuf> = fs::read_dir(world.folder.path().join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}
