//! The folder that every sandbox has as its root: mount points, `/etc`, links; bound read-only.
//!
//! It is made once a server, so that a start costs one bind instead of dozens of small files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::SandboxError;
use crate::spec::{GUEST_GID, GUEST_UID};

/// Device files of the host that a sandbox sees.
pub const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Host folders at the top of the tree: links into `/usr` on a merged system, else bound.
const LIBRARY_FOLDERS: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec"];

/// What programs of the common languages read in `/etc`. Folders are copied with their links.
const ETC: [&str; 14] = [
    "alternatives",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "ld.so.cache",
    "localtime",
    "mime.types",
    "pki",
    "protocols",
    "rpc",
    "services",
    "ssl",
    "timezone",
];
/// And the folders whose names carry a version (`java-17-openjdk`, `python3.11`).
const ETC_PREFIXES: [&str; 2] = ["java", "python"];

/// Files of `/etc` beyond this size are no configuration.
const LARGEST_COPY: u64 = 4 << 20;

/// The root folder of the sandboxes of one server.
#[derive(Debug)]
pub(crate) struct Skeleton {
    path: PathBuf,
    library_folders: Vec<PathBuf>,
    mount_points: Mutex<HashSet<PathBuf>>,
}

impl Skeleton {
    /// Builds it anew under `path`.
    pub(crate) fn build(path: &Path) -> Result<Self, SandboxError> {
        let build = || -> io::Result<Vec<PathBuf>> {
            if path.exists() {
                fs::remove_dir_all(path)?;
            }
            folder(path)?;
            for name in [
                "dev", "dev/shm", "etc", "opt", "proc", "run", "tmp", "usr", "var",
            ] {
                folder(&path.join(name))?;
            }
            for name in ["var/task", "var/runtime", "var/cache"] {
                folder(&path.join(name))?;
            }
            for name in ["var/cache/task", "var/cache/opt"] {
                folder(&path.join(name))?;
            }
            // What waits to be somebody's looks for libraries there, and the C library does not
            // look again where it once met no folder.
            for name in ["var/task/lib", "opt/lib"] {
                folder(&path.join(name))?;
            }
            for device in DEVICES {
                file(&path.join("dev").join(device), b"")?;
            }
            for (name, target) in [
                ("dev/fd", "/proc/self/fd"),
                ("dev/stdin", "/proc/self/fd/0"),
                ("dev/stdout", "/proc/self/fd/1"),
                ("dev/stderr", "/proc/self/fd/2"),
                ("var/run", "../run"),
                ("var/tmp", "../tmp"),
            ] {
                symlink(target, path.join(name))?;
            }
            etc(&path.join("etc"))?;
            library_folders(path)
        };
        let library_folders = build().map_err(SandboxError::host("build the root folder"))?;
        let mount_points = Mutex::new(HashSet::new());
        Ok(Self {
            path: path.to_owned(),
            library_folders,
            mount_points,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The host's folders that are bound at their own path in every sandbox.
    pub(crate) fn host_folders(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(Path::new("/usr")).chain(self.library_folders.iter().map(PathBuf::as_path))
    }

    /// Makes sure that something can be mounted at this guest path, which lies in no other mount.
    pub(crate) fn mount_point(&self, guest: &Path, is_folder: bool) -> Result<(), SandboxError> {
        let mut known = self
            .mount_points
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.contains(guest) {
            return Ok(());
        }
        let inside = guest.strip_prefix("/").unwrap_or(guest);
        self.create(inside, is_folder)
            .map_err(SandboxError::host("create a mount point"))?;
        known.insert(guest.to_owned());
        Ok(())
    }

    fn create(&self, inside: &Path, is_folder: bool) -> io::Result<()> {
        let place = self.path.join(inside);
        if place.exists() {
            return Ok(());
        }
        if is_folder {
            return folders(&self.path, inside);
        }
        if let Some(parent) = inside.parent() {
            folders(&self.path, parent)?;
        }
        file(&place, b"")
    }
}

/// Whether a bind may stand at this guest path: absolute, without `..`, and not the sandbox's own.
pub(crate) fn is_place_for_a_bind(guest: &Path) -> bool {
    let is_own = ["/dev", "/proc", "/tmp"]
        .iter()
        .any(|own| guest.starts_with(own));
    guest.is_absolute() && is_plain(guest) && guest.parent().is_some() && !is_own
}

/// Whether a path leads only downwards.
pub(crate) fn is_plain(path: &Path) -> bool {
    let normal = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.components().all(normal)
}

/// The contents of `/etc/passwd` for an environment that runs as this user.
pub(crate) fn passwd(uid: u32, gid: u32) -> String {
    format!(
        "root:x:0:0:root:/:/bin/sh\n\
         sbx_user:x:{uid}:{gid}::/tmp:/bin/sh\n\
         nobody:x:65534:65534:nobody:/:/bin/false\n"
    )
}

fn etc(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir("/etc")? {
        let entry = entry?;
        let name = entry.file_name();
        if is_wanted(&name) {
            copy(&entry.path(), &path.join(&name))?;
        }
    }
    let guest_passwd = passwd(GUEST_UID, GUEST_GID);
    let group = format!("root:x:0:\nsbx_group:x:{GUEST_GID}:\nnogroup:x:65534:\n");
    for (name, text) in [
        ("passwd", guest_passwd.as_str()),
        ("group", &group),
        (
            "hosts",
            "127.0.0.1 localhost sandbox.localdomain sandbox\n::1 localhost\n",
        ),
        (
            "resolv.conf",
            "# An isolated network: there is no name server.\n",
        ),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        ),
    ] {
        file(&path.join(name), text.as_bytes())?;
    }
    Ok(())
}

fn is_wanted(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    ETC.contains(&name) || ETC_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Copies a file, link or folder, without what others may not read (such as private keys).
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        // Manual pages are most of `/etc/alternatives`: hundreds of links that nobody reads.
        let is_manual_page = from.extension().is_some_and(|end| end == "gz");
        return if is_manual_page {
            Ok(())
        } else {
            symlink(fs::read_link(from)?, to)
        };
    }
    let readable_by_others = metadata.permissions().mode() & 0o004 != 0;
    if !readable_by_others {
        return Ok(());
    }
    if metadata.is_dir() {
        folder(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if metadata.is_file() && metadata.len() <= LARGEST_COPY {
        return file(to, &fs::read(from)?);
    }
    Ok(())
}

/// Recreates the host's top-level links, and returns the folders that have to be bound instead.
fn library_folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut bound = Vec::new();
    for name in LIBRARY_FOLDERS {
        let host = Path::new("/").join(name);
        match fs::symlink_metadata(&host) {
            Ok(metadata) if metadata.is_symlink() => {
                let target = fs::read_link(&host)?;
                // Relative, so that nothing mounted through it can leave the root folder.
                let target = target.strip_prefix("/").unwrap_or(&target);
                symlink(target, path.join(name))?;
            }
            Ok(metadata) if metadata.is_dir() => {
                folder(&path.join(name))?;
                bound.push(host);
            }
            _ => {}
        }
    }
    Ok(bound)
}

fn folders(root: &Path, inside: &Path) -> io::Result<()> {
    let mut path = root.to_owned();
    for part in inside.components() {
        path.push(part);
        if !path.is_dir() {
            folder(&path)?;
        }
    }
    Ok(())
}

/// A folder that every uid may enter, whatever the server's umask.
fn folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) fn file(path: &Path, contents: &[u8]) -> io::Result<()> {
    fs::write(path, contents)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}
