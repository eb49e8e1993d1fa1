//! One interpreter on this host: the real program, its version, and what it needs to see.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that runs functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Free of symbolic links, and never a shim.
    pub path: PathBuf,
    pub version: Version,
    /// Host folder or file that must be visible at its own path; `None` if `/usr` suffices.
    pub(crate) needs: Option<PathBuf>,
}

/// Major, minor and patch level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl Version {
    /// Reads the first `X.Y[.Z]` or `X` of a text such as `Python 3.12.1` or `v20.20.2`.
    pub fn find_in(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let numeric = |c: char| c.is_ascii_digit() || c == '.';
        let end = text[start..]
            .find(|c| !numeric(c))
            .map_or(text.len(), |length| start + length);
        let mut parts = text[start..end].split('.').map(str::parse);
        let major = parts.next()?.ok()?;
        let minor = parts.next().and_then(Result::ok).unwrap_or(0);
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self {
            major,
            minor,
            patch,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Interpreter {
    /// The Python behind this path; `None` if it is a shim, or not a whole installation.
    pub(crate) fn python(path: &Path) -> Option<Self> {
        let path = executable(path)?;
        let version = version_of(&path)?;
        let prefix = path.parent()?.parent()?;
        let library = format!("lib/python{}.{}/os.py", version.major, version.minor);
        if !prefix.join(library).is_file() {
            return None;
        }
        let needs = (!seen_anyway(prefix)).then(|| prefix.to_owned());
        Some(Self {
            path,
            version,
            needs,
        })
    }

    /// The Ruby behind this path; `None` if it is a shim.
    pub(crate) fn ruby(path: &Path) -> Option<Self> {
        let path = executable(path)?;
        let version = version_of(&path)?;
        let prefix = path.parent()?.parent()?;
        let needs = (!seen_anyway(prefix)).then(|| prefix.to_owned());
        Some(Self {
            path,
            version,
            needs,
        })
    }

    /// The Java behind this path, by what its installation says of itself.
    pub(crate) fn java(path: &Path) -> Option<Self> {
        let path = executable(path)?;
        let prefix = path.parent()?.parent()?;
        let version = java_version(&fs::read_to_string(prefix.join("release")).ok()?)?;
        let needs = (!seen_anyway(prefix)).then(|| prefix.to_owned());
        Some(Self {
            path,
            version,
            needs,
        })
    }

    /// The Node.js behind this path; `None` if it is a shim. Node is one file.
    pub(crate) fn node(path: &Path) -> Option<Self> {
        let path = executable(path)?;
        let version = version_of(&path)?;
        let needs = (!seen_anyway(&path)).then(|| path.clone());
        Some(Self {
            path,
            version,
            needs,
        })
    }
}

/// Resolves links; scripts (pyenv's, asdf's and volta's shims) are not programs.
fn executable(path: &Path) -> Option<PathBuf> {
    let path = fs::canonicalize(path).ok()?;
    let mut magic = [0; 4];
    File::open(&path).ok()?.read_exact(&mut magic).ok()?;
    (magic == *b"\x7fELF").then_some(path)
}

/// Every sandbox sees the host's `/usr`.
fn seen_anyway(path: &Path) -> bool {
    path.starts_with("/usr")
}

/// From a version folder in the path if there is one, which spares a start.
fn version_of(path: &Path) -> Option<Version> {
    let folder = path.parent()?.parent()?.file_name()?.to_str()?;
    let named = Version::find_in(folder).filter(|_| folder.matches('.').count() >= 2);
    named.or_else(|| ask(path))
}

/// From a `release` file. What was called 1.8 is 8 since.
fn java_version(release: &str) -> Option<Version> {
    let mut lines = release.lines();
    let named = lines.find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    let version = Version::find_in(named)?;
    Some(match version.major {
        1 => Version {
            major: version.minor,
            minor: version.patch,
            patch: 0,
        },
        _ => version,
    })
}

fn ask(path: &Path) -> Option<Version> {
    let output = Command::new(path)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Version::find_in(std::str::from_utf8(&output.stdout).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_names_and_answers() {
        let version = |major, minor, patch| {
            Some(Version {
                major,
                minor,
                patch,
            })
        };
        assert_eq!(Version::find_in("Python 3.12.1\n"), version(3, 12, 1));
        assert_eq!(Version::find_in("v20.20.2"), version(20, 20, 2));
        assert_eq!(
            Version::find_in("cpython-3.13.0-linux-x86_64-gnu"),
            version(3, 13, 0)
        );
        assert_eq!(Version::find_in("python3.9"), version(3, 9, 0));
        assert_eq!(Version::find_in("python"), None);
    }

    #[test]
    fn a_java_is_of_the_version_that_its_release_names() {
        let major = |text: &str| java_version(text).map(|version| version.major);
        let new = "IMPLEMENTOR=\"Debian\"\nJAVA_VERSION=\"17.0.15\"\n";
        assert_eq!(major(new), Some(17));
        assert_eq!(major("JAVA_VERSION=\"1.8.0_412\"\n"), Some(8));
        assert_eq!(major("OS_NAME=\"Linux\"\n"), None);
    }

    #[test]
    fn a_script_is_not_an_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("python3.12");
        fs::write(&shim, "#!/bin/sh\nexec false\n").unwrap();
        assert_eq!(Interpreter::python(&shim), None);
        assert_eq!(Interpreter::node(&shim), None);
    }
}
