//! Paths inside an image, as somebody would see them whose root it is: no link leads out.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

const MAX_HOPS: usize = 40;

/// The path on the host of what `path` names inside, every link followed but a last one if
/// `follow_last` is false. Only parents have to exist.
pub(crate) fn resolve(root: &Path, path: &Path, follow_last: bool) -> io::Result<PathBuf> {
    let mut left: Vec<PathBuf> = Vec::new();
    push(&mut left, path);
    let (mut found, mut hops) = (PathBuf::new(), 0);
    while let Some(part) = left.pop() {
        if part == Path::new("..") {
            found.pop();
            continue;
        }
        if part == Path::new("/") {
            found.clear();
            continue;
        }
        let next = found.join(&part);
        let host = root.join(&next);
        let is_link = fs::symlink_metadata(&host).is_ok_and(|there| there.is_symlink());
        if !is_link || left.is_empty() && !follow_last {
            found = next;
            continue;
        }
        hops += 1;
        if hops > MAX_HOPS {
            return Err(io::Error::other("too many symbolic links"));
        }
        push(&mut left, &fs::read_link(host)?);
    }
    Ok(root.join(found))
}

/// Puts the parts of a path in front of what is left to go.
fn push(left: &mut Vec<PathBuf>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(part) => left.push(part.into()),
            Component::ParentDir => left.push("..".into()),
            Component::RootDir => left.push("/".into()),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

/// Whether a path inside names a file that may be executed.
pub(crate) fn is_program(root: &Path, path: &Path) -> bool {
    let found = resolve(root, path, true).and_then(fs::metadata);
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_leads_out() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("usr/bin/tool"), "").unwrap();
        for (leads, name) in [
            ("usr/bin", "bin"),
            ("/usr/bin/tool", "absolute"),
            ("../../../../usr/bin/tool", "climbing"),
            ("loop", "loop"),
        ] {
            symlink(leads, root.join(name)).unwrap();
        }
        let tool = root.join("usr/bin/tool");
        for path in ["/bin/tool", "absolute", "climbing", "/bin/../bin/./tool"] {
            assert_eq!(
                resolve(root, Path::new(path), true).unwrap(),
                tool,
                "{path}"
            );
        }
        let itself = resolve(root, Path::new("/absolute"), false).unwrap();
        assert_eq!(itself, root.join("absolute"));
        assert!(resolve(root, Path::new("/loop"), true).is_err());
        assert!(!is_program(root, Path::new("/bin/tool")));
    }
}
