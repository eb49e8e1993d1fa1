//! What runtimes have on Lambda and a machine has not: clients, SDKs and interpreters, installed once
//! with `kagero runtime install` and mounted where functions look for them.
//!
//! A pack is a folder that carries its version in its name and appears whole. The tools of its
//! language fetch it, from wherever its user has them fetch; what they bring is held against digests
//! in this source.

mod contents;
mod install;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sandbox::Bind;

use crate::runtimes::Family;
pub use install::{PackError, install};

/// Where functions see the classes of Java's pack, the modules of Python's and those of Node's.
pub(crate) const JAVA_GUEST: &str = "/var/runtime/lib";
const PYTHON_GUEST: &str = "/var/runtime/packages";
const NODE_GUEST: &str = "/var/runtime/node_modules";

/// Empty folders that packs are mounted over.
pub(crate) const PLACES: [&str; 3] = ["lib", "packages", "node_modules"];

/// Something to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pack {
    /// AWS's runtime interface client for Java, without which no Java function runs.
    Java,
    /// boto3, which Lambda's Python has.
    Python,
    /// The AWS SDK for JavaScript, version 3, which Lambda's Node.js has.
    NodeSdk,
    /// A Node.js of this major version.
    Node(u32),
}

/// No pack has this name.
#[derive(Debug, thiserror::Error)]
#[error("no pack is called {0:?}; there are {names}", names = names())]
pub struct UnknownPack(String);

impl Pack {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Java,
        Self::Python,
        Self::NodeSdk,
        Self::Node(18),
        Self::Node(20),
        Self::Node(22),
        Self::Node(24),
    ];

    /// As it is typed.
    pub fn name(self) -> String {
        match self {
            Self::Java => "java".to_owned(),
            Self::Python => "python".to_owned(),
            Self::NodeSdk => "nodejs".to_owned(),
            Self::Node(major) => format!("nodejs{major}"),
        }
    }

    /// What it brings, in words.
    pub fn describe(self) -> String {
        let version = contents::version(self);
        match self {
            Self::Java => format!("AWS's runtime interface client for Java {version}"),
            Self::Python => format!("boto3 {version}"),
            Self::NodeSdk => format!("the AWS SDK for JavaScript {version}"),
            Self::Node(_) => format!("Node.js {version}"),
        }
    }

    /// Where it is below the folder of packs; `None` if it is not installed.
    pub fn find(self, packs: &Path) -> Option<PathBuf> {
        let path = packs.join(self.folder()).join(self.content());
        path.is_dir().then_some(path)
    }

    fn folder(self) -> String {
        let version = contents::version(self);
        match self {
            // An interpreter's version is read from the folder that it is in.
            Self::Node(_) => format!("node-{version}"),
            _ => format!("{}-{version}", self.name()),
        }
    }

    /// The folder inside that functions see.
    fn content(self) -> &'static str {
        match self {
            Self::Java | Self::Python => "lib",
            Self::NodeSdk => "node_modules",
            Self::Node(_) => "bin",
        }
    }
}

impl FromStr for Pack {
    type Err = UnknownPack;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|pack| pack.name() == text)
            .ok_or_else(|| UnknownPack(text.to_owned()))
    }
}

fn names() -> String {
    Pack::ALL.map(Pack::name).join(", ")
}

/// `KAGERO_PACKS`; else `/var/cache/kagero/packs` for root, and the user's XDG cache otherwise.
pub fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(folder) = variable("KAGERO_PACKS") {
        return Some(PathBuf::from(folder));
    }
    let home = variable("HOME").map(PathBuf::from);
    if home.as_deref() == Some(Path::new("/root")) {
        return Some(PathBuf::from("/var/cache/kagero/packs"));
    }
    let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = xdg.filter(|folder| folder.is_absolute());
    let cache = cache.or_else(|| Some(home?.join(".cache")));
    Some(cache?.join("kagero/packs"))
}

/// The pack that the functions of a family see.
pub(crate) fn of_family(family: Family) -> Option<Pack> {
    match family {
        Family::Java => Some(Pack::Java),
        Family::Python => Some(Pack::Python),
        Family::Node => Some(Pack::NodeSdk),
        _ => None,
    }
}

/// Mounts a family's pack.
pub(crate) fn bind(family: Family, pack: Option<&Path>) -> Option<Bind> {
    let place = match family {
        Family::Java => JAVA_GUEST,
        Family::Python => PYTHON_GUEST,
        Family::Node => NODE_GUEST,
        _ => return None,
    };
    Some(Bind::new(pack?, place))
}

/// The folders of installed interpreters.
pub(crate) fn programs(packs: &Path) -> Vec<PathBuf> {
    let nodes = Pack::ALL.into_iter();
    nodes
        .filter(|pack| matches!(pack, Pack::Node(_)))
        .filter_map(|pack| fs::canonicalize(pack.find(packs)?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_found_by_their_version_where_the_user_keeps_them() {
        let home = tempfile::tempdir().unwrap();
        let variable = |name: &str| (name == "HOME").then(|| home.path().into());
        let packs = folder(variable).unwrap();
        assert_eq!(packs, home.path().join(".cache/kagero/packs"));
        assert_eq!(Pack::Java.find(&packs), None);
        let other = packs.join("java-1.0.0/lib");
        fs::create_dir_all(&other).unwrap();
        assert_eq!(Pack::Java.find(&packs), None);
        let own = packs.join(Pack::Java.folder()).join("lib");
        fs::create_dir_all(&own).unwrap();
        assert_eq!(Pack::Java.find(&packs), Some(own));
    }

    #[test]
    fn names_read_back_and_others_are_told_which_there_are() {
        for pack in Pack::ALL {
            assert_eq!(pack.name().parse::<Pack>().unwrap(), pack);
        }
        let told = "cobol".parse::<Pack>().unwrap_err().to_string();
        assert!(
            told.ends_with(
                "there are java, python, nodejs, nodejs18, nodejs20, nodejs22, nodejs24"
            )
        );
    }
}
