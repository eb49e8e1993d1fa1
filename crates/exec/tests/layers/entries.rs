//! What entries of layers become, in an image and nowhere else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tar::EntryType;

use crate::world::{Layer, World, read};

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
