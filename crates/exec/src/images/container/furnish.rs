//! The places of an image at which a sandbox mounts what is its own. None of them is a link, so that
//! every mount lands in the image.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::clean;

pub(super) fn furnish(root: &Path) -> io::Result<()> {
    // Of no use inside, and a layer may have put anything there.
    clean::remove(&root.join("dev"))?;
    for name in ["dev", "dev/shm", "proc", "tmp", "etc"] {
        real_folder(&root.join(name))?;
    }
    for name in sandbox::DEVICES {
        fs::write(root.join("dev").join(name), "")?;
    }
    for (name, leads) in [
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
    ] {
        symlink(leads, root.join(name))?;
    }
    for name in ["etc/passwd", "etc/resolv.conf"] {
        real_file(&root.join(name))?;
    }
    // Container engines write it too.
    let hosts = root.join("etc/hosts");
    clean::remove(&hosts)?;
    fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n")?;
    open_to_all(&hosts)
}

fn real_folder(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|there| there.is_dir()) {
        clean::remove(path)?;
    }
    clean::folder(path)
}

fn real_file(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| there.is_file()) {
        return Ok(());
    }
    clean::remove(path)?;
    fs::write(path, "")?;
    open_to_all(path)
}

fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}
