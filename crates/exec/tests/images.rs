//! Deployment packages, good and hostile.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use exec::{ImageError, Images};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    fn file(mut self, name: &str, mode: u32, content: &[u8]) -> Self {
        let options = SimpleFileOptions::default().unix_permissions(mode);
        self.0.start_file(name, options).unwrap();
        self.0.write_all(content).unwrap();
        self
    }

    fn link(mut self, name: &str, target: &str) -> Self {
        self.0
            .add_symlink(name, target, SimpleFileOptions::default())
            .unwrap();
        self
    }

    fn finish(self) -> Bytes {
        self.0.finish().unwrap().into_inner().into()
    }
}

fn images() -> (tempfile::TempDir, Images) {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::new(folder.path().join("images")).unwrap();
    (folder, images)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

/// The same length, other bytes: for what a writer refuses to write.
fn renamed(archive: &Bytes, from: &str, to: &str) -> Bytes {
    assert_eq!(from.len(), to.len());
    let mut bytes = archive.to_vec();
    let from = from.as_bytes();
    for at in 0..=bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
    }
    bytes.into()
}

/// Turns the regular file of an archive into another kind of file.
fn of_kind(archive: &Bytes, kind: u32) -> Bytes {
    let mut bytes = archive.to_vec();
    let header = bytes
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    let attributes = (kind | 0o644) << 16;
    bytes[header + 38..header + 42].copy_from_slice(&attributes.to_le_bytes());
    bytes.into()
}

#[test]
fn files_come_out_whole_readable_by_all_and_executable_where_they_were() {
    let (_folder, images) = images();
    let large = vec![7; 3 << 20];
    let package = Archive::new()
        .file("app.py", 0o600, b"print(1)")
        .file("bin/tool", 0o700, &large)
        .link("lib/current", "../bin/tool")
        .finish();
    let image = images.import_zip(&package).unwrap();
    assert_eq!(
        std::fs::read(image.path().join("app.py")).unwrap(),
        b"print(1)"
    );
    assert_eq!(
        std::fs::read(image.path().join("lib/current")).unwrap(),
        large
    );
    assert_eq!(mode(&image.path().join("app.py")), 0o444);
    assert_eq!(mode(&image.path().join("bin/tool")), 0o555);
    assert_eq!(mode(&image.path().join("bin")), 0o755);
    assert_eq!(mode(image.path()), 0o755);
}

#[test]
fn the_same_package_is_the_same_image_and_is_found_again() {
    let (folder, images) = images();
    let package = Archive::new().file("app.py", 0o644, b"1").finish();
    let image = images.import_zip(&package).unwrap();
    let again = images.import_zip(&package).unwrap();
    assert_eq!((image.id(), image.path()), (again.id(), again.path()));
    let id = image.id();
    drop((image, again, images));
    let images = Images::new(folder.path().join("images")).unwrap();
    assert!(images.open(id).is_some());
    assert_eq!(images.open(id).unwrap().id().to_string().parse(), Ok(id));
}

#[test]
fn what_an_interrupted_import_left_is_cleared_and_never_an_image() {
    let (folder, images) = images();
    let root = folder.path().join("images");
    std::fs::create_dir(root.join(".unfinished-abc")).unwrap();
    std::fs::write(root.join(".unfinished-abc/half"), "").unwrap();
    drop(images);
    Images::new(&root).unwrap();
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn what_an_interrupted_import_left_may_be_cleared_by_two_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        for part in 0..20 {
            let left = folder.path().join(format!(".unfinished-{round}-{part}"));
            std::fs::create_dir(&left).unwrap();
            std::fs::write(left.join("half.py"), "x").unwrap();
        }
        std::thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| Images::new(folder.path())));
            for opened in both {
                opened.join().unwrap().unwrap();
            }
        });
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn an_image_that_is_held_stays_until_it_is_not() {
    let (_folder, images) = images();
    let package = Archive::new().file("app.py", 0o644, b"1").finish();
    let image = images.import_zip(&package).unwrap();
    let (id, path) = (image.id(), image.path().to_owned());
    let other = images
        .import_zip(&Archive::new().file("b", 0o644, b"").finish())
        .unwrap()
        .id();
    assert_eq!(images.sweep(|known| known == other).unwrap(), 1);
    assert!(path.join("app.py").exists(), "somebody runs it");
    // Asking for it again keeps it.
    let kept = images.open(id).unwrap();
    drop(image);
    drop(kept);
    assert!(path.exists());
    images.remove(id).unwrap();
    assert!(!path.exists() && images.open(id).is_none());
    assert!(images.open(other).is_some());
    let held = images.import_zip(&package).unwrap();
    images.remove(id).unwrap();
    drop(held);
    assert!(images.open(id).is_none());
}

#[test]
fn what_is_no_zip_is_corrupt() {
    let (folder, images) = images();
    let whole = Archive::new().file("app.py", 0o644, &[b'a'; 1000]).finish();
    let mut flipped = whole.to_vec();
    // Within the compressed bytes, which begin at 36.
    flipped[40] ^= 0xff;
    for bad in [
        Bytes::new(),
        Bytes::from_static(b"this is no zip archive, whatever it says"),
        whole.slice(..whole.len() / 2),
        whole.slice(10..),
        flipped.into(),
    ] {
        let refused = images.import_zip(&bad);
        assert!(
            matches!(refused, Err(ImageError::Corrupt(_))),
            "{refused:?}"
        );
    }
    let left = std::fs::read_dir(folder.path().join("images"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "nothing half-written");
}

#[test]
fn entries_that_would_leave_the_package_are_refused() {
    let (folder, images) = images();
    let plain = Archive::new().file("xx/xxxxxxxxx", 0o644, b"evil").finish();
    for name in [
        "../xxxxxxxxx",
        "/x/xxxxxxxxx",
        "x/../../xxxx",
        "x/..x/../../",
    ] {
        let refused = images.import_zip(&renamed(&plain, "xx/xxxxxxxxx", name));
        assert!(
            matches!(refused, Err(ImageError::UnsafeEntry { .. })),
            "{name}: {refused:?}"
        );
    }
    for target in ["/etc/passwd", "../outside", "a/../../outside", ""] {
        let refused = images.import_zip(
            &Archive::new()
                .file("f", 0o644, b"")
                .link("l", target)
                .finish(),
        );
        assert!(
            matches!(refused, Err(ImageError::UnsafeEntry { .. })),
            "{target}: {refused:?}"
        );
    }
    let long = "n".repeat(300);
    let refused = images.import_zip(&Archive::new().file(&long, 0o644, b"").finish());
    assert!(
        matches!(refused, Err(ImageError::UnsafeEntry { .. })),
        "{refused:?}"
    );
    assert!(!folder.path().join("xxxxxxxxx").exists());
}

#[test]
fn nothing_is_written_through_a_link() {
    let (_folder, images) = images();
    let through = Archive::new()
        .file("sub/f", 0o644, b"")
        .link("way", "sub")
        .file("way/g", 0o644, b"");
    let refused = images.import_zip(&through.finish());
    assert!(
        matches!(refused, Err(ImageError::UnsafeEntry { .. })),
        "{refused:?}"
    );
}

#[test]
fn devices_and_sockets_are_refused() {
    let (_folder, images) = images();
    let plain = Archive::new().file("thing", 0o644, b"").finish();
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000] {
        let refused = images.import_zip(&of_kind(&plain, kind));
        assert!(
            matches!(refused, Err(ImageError::UnsafeEntry { .. })),
            "{kind:o}: {refused:?}"
        );
    }
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let (_folder, images) = images();
    let two = Archive::new()
        .file("aa.py", 0o644, b"1")
        .file("bb.py", 0o644, b"2")
        .finish();
    for (from, to) in [("bb.py", "aa.py"), ("bb.py", "./aa.")] {
        let refused = match to {
            "aa.py" => images.import_zip(&renamed(&two, from, to)),
            _ => images.import_zip(&renamed(&renamed(&two, from, to), "aa.py", ".//aa")),
        };
        let expected = to == "aa.py";
        assert_eq!(
            matches!(refused, Err(ImageError::Duplicate)),
            expected,
            "{refused:?}"
        );
    }
    let clash = Archive::new()
        .file("a/b", 0o644, b"")
        .file("c", 0o644, b"")
        .finish();
    let refused = images.import_zip(&renamed(&clash, "c", "a"));
    assert!(matches!(refused, Err(ImageError::Duplicate)), "{refused:?}");
}

#[test]
fn an_archive_without_files_is_empty() {
    let (_folder, images) = images();
    let refused = images.import_zip(&Archive::new().finish());
    assert!(matches!(refused, Err(ImageError::Empty)), "{refused:?}");
}

#[test]
fn stacked_layers_share_their_files_and_outlive_them() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, images) = images();
    let import = |archive: Archive| images.import_zip(&archive.finish()).unwrap();
    let below = import(
        Archive::new()
            .file("both/one", 0o755, b"below")
            .file("both/two", 0o644, b"below")
            .file("turns/file", 0o644, b"in a folder")
            .link("away", "both"),
    );
    let above = import(
        Archive::new()
            .file("both/two", 0o644, b"above")
            .file("turns", 0o644, b"no folder any more")
            .file("away/three", 0o644, b"not behind the link"),
    );
    assert_eq!(
        images.stack(std::slice::from_ref(&below)).unwrap().id(),
        below.id()
    );
    let stacked = images.stack(&[below.clone(), above.clone()]).unwrap();
    assert_eq!(
        stacked.id(),
        exec::ImageId::stacked(&[below.id(), above.id()])
    );
    let other = images.stack(&[above.clone(), below.clone()]).unwrap();
    assert_ne!(stacked.id(), other.id(), "their order counts");
    let read = |name: &str| std::fs::read_to_string(stacked.path().join(name)).unwrap();
    assert_eq!(read("both/one"), "below");
    assert_eq!(read("both/two"), "above");
    assert_eq!(read("turns"), "no folder any more");
    assert_eq!(read("away/three"), "not behind the link");
    assert!(!stacked.path().join("both/three").exists());
    assert!(!below.path().join("both/three").exists());
    assert_eq!(mode(&stacked.path().join("both/one")), 0o555);
    assert_eq!(
        std::fs::read_to_string(other.path().join("both/two")).unwrap(),
        "below"
    );
    let inode = |path: &Path| path.metadata().unwrap().ino();
    assert_eq!(
        inode(&stacked.path().join("both/one")),
        inode(&below.path().join("both/one"))
    );
    assert_eq!(
        above.unzipped_bytes().unwrap(),
        b"above no folder any more not behind the link".len() as u64 - 2
    );
    // The layers may go: what was made of them stays until it is removed itself.
    for layer in [&below, &above] {
        images.remove(layer.id()).unwrap();
    }
    drop((below, above));
    assert_eq!(read("both/one"), "below");
    let id = stacked.id();
    let swept = images.sweep(|image| image == id).unwrap();
    assert_eq!(swept, 1, "the other order");
    assert_eq!(read("both/two"), "above");
}
