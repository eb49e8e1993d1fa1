//! Layers of container images, good and hostile.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use exec::{CodeImage, Compression, ImageError, ImageId, Images, StackedLayer};
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// An archive of whatever entries, also such as no library would write.
#[derive(Default)]
struct Layer(Vec<u8>);

impl Layer {
    fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        let fields = header.as_gnu_mut().unwrap();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_mtime(1_600_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes())
    }

    fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    fn symlink(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Symlink, name, to, b"")
    }

    fn link(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Link, name, to, b"")
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1_024, 0);
        self.0
    }
}

struct World {
    images: Images,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            images: Images::new(folder.path().join("images")).unwrap(),
            folder,
        }
    }

    fn import(&self, layer: Layer) -> Result<ImageId, ImageError> {
        let archive = layer.finish();
        let id = digest(&archive);
        self.unpack(id, Compression::None, archive.as_slice())?;
        Ok(id)
    }

    fn unpack(&self, id: ImageId, how: Compression, archive: &[u8]) -> Result<(), ImageError> {
        let staging = self.images.staging()?;
        staging.unpack(id, how, arriving(archive))?;
        staging.keep()
    }

    fn assemble(&self, layers: &[ImageId]) -> Result<Option<CodeImage>, ImageError> {
        self.images.staging()?.assemble(&stacked(layers))
    }

    fn image(&self, layers: Vec<Layer>) -> CodeImage {
        let ids: Vec<ImageId> = layers
            .into_iter()
            .map(|layer| self.import(layer).unwrap())
            .collect();
        self.assemble(&ids).unwrap().unwrap()
    }

    fn refused(&self, layer: Layer) -> String {
        match self.import(layer) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("a layer was not refused"),
        }
    }
}

/// An archive in pieces that end anywhere.
fn arriving(archive: &[u8]) -> impl Iterator<Item = io::Result<Bytes>> + Send {
    let pieces: Vec<_> = archive.chunks(700).map(Bytes::copy_from_slice).collect();
    pieces.into_iter().map(Ok)
}

/// Layers of which nothing but their digests is said.
fn stacked(layers: &[ImageId]) -> Vec<StackedLayer> {
    let layers = layers.iter().map(|digest| StackedLayer {
        digest: *digest,
        diff_id: None,
    });
    layers.collect()
}

fn digest(archive: &[u8]) -> ImageId {
    ImageId(Sha256::digest(archive).into())
}

fn read(image: &CodeImage, path: &str) -> Option<String> {
    fs::read_to_string(image.path().join(path)).ok()
}

#[test]
fn later_layers_lie_over_earlier_ones() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default()
            .folder("etc/")
            .file("etc/a", "first")
            .file("etc/b", "first")
            .file("etc/deep/er", "first")
            .file("opaque/old", "first")
            .file("kind", "a file")
            .folder("other/")
            .file("other/kind", "in a folder"),
        Layer::default()
            .file("./etc/a", "second")
            .file("etc/.wh.b", "")
            .file("opaque/.wh..wh..opq", "")
            .file("opaque/new", "second")
            .file("kind/inside", "a folder now")
            .file("other", "a file now"),
        Layer::default().file("etc/.wh.deep", ""),
    ]);
    assert_eq!(read(&image, "etc/a").as_deref(), Some("second"));
    assert_eq!(read(&image, "etc/b"), None);
    assert_eq!(read(&image, "etc/deep/er"), None);
    assert_eq!(read(&image, "opaque/old"), None);
    assert_eq!(read(&image, "opaque/new").as_deref(), Some("second"));
    assert_eq!(read(&image, "kind/inside").as_deref(), Some("a folder now"));
    assert_eq!(read(&image, "other").as_deref(), Some("a file now"));
    let metadata = image.path().join("etc/a").metadata().unwrap();
    assert_eq!(metadata.mtime(), 1_600_000_000);
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o755);
}

#[test]
fn a_whiteout_does_not_meet_what_its_own_layer_adds() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default().file("a", "below").file("d/x", "below"),
        Layer::default()
            .file("a", "added")
            .file(".wh.a", "")
            .file("d/y", "added")
            .file("d/.wh..wh..opq", ""),
    ]);
    assert_eq!(read(&image, "a").as_deref(), Some("added"));
    assert_eq!(read(&image, "d/y").as_deref(), Some("added"));
    assert_eq!(read(&image, "d/x"), None);
}

#[test]
fn paths_through_links_mean_what_they_would_inside() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default()
            .folder("usr/bin/")
            .symlink("bin", "usr/bin")
            .symlink("sbin", "/usr/bin")
            // In the same layer.
            .file("sbin/early", "early"),
        Layer::default()
            .file("bin/late", "late")
            .file("sbin/.wh.early", ""),
        Layer::default().link("tools/late", "bin/late"),
        // As a folder of its own, it replaces the link.
        Layer::default().folder("sbin/"),
    ]);
    assert_eq!(read(&image, "usr/bin/late").as_deref(), Some("late"));
    assert_eq!(read(&image, "usr/bin/early"), None);
    assert_eq!(read(&image, "tools/late").as_deref(), Some("late"));
    let sbin = fs::symlink_metadata(image.path().join("sbin")).unwrap();
    assert!(sbin.is_dir());
    let bin = fs::symlink_metadata(image.path().join("bin")).unwrap();
    assert!(bin.is_symlink());
}

#[test]
fn hard_links_are_one_file() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default()
            .file("a", "one")
            .link("b", "a")
            .link("c", "/a")
            .symlink("s", "a")
            .link("t", "s"),
    ]);
    let inode = |name: &str| image.path().join(name).metadata().unwrap().ino();
    assert_eq!(inode("a"), inode("b"));
    assert_eq!(inode("a"), inode("c"));
    assert!(image.path().join("t").is_symlink());
    let missing = vec![world.import(Layer::default().link("b", "nothing")).unwrap()];
    assert!(world.assemble(&missing).is_err());
}

#[test]
fn nothing_is_written_outside() {
    let world = World::new();
    let victim = world.folder.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("file"), "untouched").unwrap();
    let outside = victim.to_str().unwrap();
    for refused in [
        Layer::default().file("../escaped", "x"),
        Layer::default().file("a/../../escaped", "x"),
        Layer::default().link("stolen", "../../victim/file"),
        Layer::default().file("f", "x").file("f/below", "x"),
        Layer::default().symlink("l", "l").file("l/x", "x"),
        Layer::default()
            .entry(EntryType::Regular, "a", "", b"")
            .entry(EntryType::new(b'M'), "b", "", b""),
        Layer::default().file(".wh...", "x"),
    ] {
        world.refused(refused);
    }
    let image = world.image(vec![
        Layer::default()
            .file("/absolute", "inside")
            .symlink("out", outside)
            .file("out/file", "inside"),
        Layer::default()
            .file("out/other", "inside")
            .file("out/.wh.file", ""),
        Layer::default()
            .symlink("up", "../../../../../../..")
            .file("up/top", "inside"),
    ]);
    assert_eq!(read(&image, "absolute").as_deref(), Some("inside"));
    assert_eq!(read(&image, "top").as_deref(), Some("inside"));
    let inside = outside.trim_start_matches('/');
    assert_eq!(read(&image, inside).as_deref(), None);
    assert_eq!(
        read(&image, &format!("{inside}/other")).as_deref(),
        Some("inside")
    );
    assert_eq!(
        fs::read_to_string(victim.join("file")).unwrap(),
        "untouched"
    );
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
}

#[test]
fn what_a_sandbox_mounts_over_is_no_link() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default()
            .symlink("dev", "/etc")
            .symlink("proc", "/")
            .symlink("tmp", "var/tmp")
            .symlink("etc", "/usr")
            .file("usr/keep", "x"),
        Layer::default()
            .folder("etc/")
            .symlink("etc/passwd", "/usr/keep"),
    ]);
    for name in ["dev", "proc", "tmp", "etc", "dev/shm"] {
        let there = fs::symlink_metadata(image.path().join(name)).unwrap();
        assert!(there.is_dir(), "{name}");
    }
    for name in ["etc/passwd", "etc/hosts", "etc/resolv.conf", "dev/null"] {
        let there = fs::symlink_metadata(image.path().join(name)).unwrap();
        assert!(there.is_file(), "{name}");
    }
    assert_eq!(read(&image, "usr/keep").as_deref(), Some("x"));
}

#[test]
fn devices_are_left_out() {
    let world = World::new();
    let image = world.image(vec![
        Layer::default()
            .entry(EntryType::Char, "c", "", b"")
            .entry(EntryType::Block, "b", "", b"")
            .entry(EntryType::Fifo, "p", "", b"")
            .file("f", "x"),
    ]);
    for name in ["c", "b", "p"] {
        assert!(!image.path().join(name).exists(), "{name}");
    }
    assert!(image.path().join("f").exists());
}

#[test]
fn long_names_are_read_within_bounds() {
    let world = World::new();
    let name = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let image = world.image(vec![
        Layer::default()
            .entry(
                EntryType::GNULongName,
                "././@LongLink",
                "",
                format!("{name}\0").as_bytes(),
            )
            .file("cut", "long")
            .entry(
                EntryType::XHeader,
                "pax",
                "",
                b"15 path=by-pax\n22 mtime=1500000000.5\n",
            )
            .file("other", "pax"),
    ]);
    assert_eq!(read(&image, &name).as_deref(), Some("long"));
    assert_eq!(read(&image, "by-pax").as_deref(), Some("pax"));
    let endless = vec![b'x'; (1 << 20) + 1];
    let layer = Layer::default().entry(EntryType::GNULongName, "n", "", &endless);
    assert!(
        world
            .refused(layer.file("f", ""))
            .contains("without an end")
    );
}

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

/// Any layers whatsoever: what they write is in the image, or nowhere.
mod any_layers {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 9] = [
        "a", "b", "a/b", "b/a", "a/b/c", "/a", "./b/", "../a", "a/../b",
    ];
    const LINKS: [&str; 7] = ["a", "b", "/", "..", "../../../../jail", "/a/b", "b/a"];

    fn entry() -> impl Strategy<Value = (u8, usize, usize)> {
        (0_u8..8, 0..NAMES.len(), 0..LINKS.len())
    }

    fn layer(entries: &[(u8, usize, usize)]) -> Layer {
        let add = |layer: Layer, (kind, name, link): &(u8, usize, usize)| {
            let (name, link) = (NAMES[*name], LINKS[*link]);
            let (folder, last) = name.rsplit_once('/').unwrap_or((".", name));
            match kind {
                0..=2 => layer.file(name, "inside"),
                3 => layer.folder(name),
                4 | 5 => layer.symlink(name, link),
                6 => layer.link(name, link),
                _ => layer.file(&format!("{folder}/.wh.{last}"), ""),
            }
        };
        entries.iter().fold(Layer::default(), add)
    }

    fn everything(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            found.push(entry.unwrap().path());
        }
        found.sort();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn stay_inside(layers in proptest::collection::vec(
            proptest::collection::vec(entry(), 1..8), 1..4,
        )) {
            let world = World::new();
            let jail = world.folder.path().join("jail");
            fs::create_dir(&jail).unwrap();
            fs::write(jail.join("a"), "outside").unwrap();
            symlink(&jail, world.folder.path().join("a")).unwrap();
            let before = everything(world.folder.path());
            let ids: Vec<ImageId> = layers
                .iter()
                .filter_map(|entries| world.import(layer(entries)).ok())
                .collect();
            let _ = world.assemble(&ids);
            prop_assert_eq!(everything(world.folder.path()), before);
            prop_assert_eq!(everything(&jail), [jail.join("a")]);
            prop_assert_eq!(fs::read_to_string(jail.join("a")).unwrap(), "outside");
        }
    }
}
