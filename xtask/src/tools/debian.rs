//! Debian packages, unpacked under `target/tools` without touching the system, and the few that
//! only the system can have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{fetching, folder};
use crate::run;

/// Unpacks a package as it is in Debian unstable. Works for any user: apt gets lists and a cache of
/// its own, and the mirror this machine already uses.
pub fn unpack(package: &str, into: &Path) -> anyhow::Result<()> {
    let apt = folder().join("apt");
    let configuration = configure(&apt)?;
    let download = tempfile::tempdir_in(&apt)?;
    let apt_get = |arguments: &[&str]| {
        run::quiet(
            Command::new("apt-get")
                .args(arguments)
                .env("APT_CONFIG", &configuration)
                .current_dir(download.path()),
        )
    };
    if !apt.join("updated").exists() {
        apt_get(&["update"])?;
        fs::write(apt.join("updated"), "")?;
    }
    // Lists that are days old name files which the mirror has no more.
    apt_get(&["download", package])
        .or_else(|_| apt_get(&["update"]).and_then(|_| apt_get(&["download", package])))?;
    let file = fs::read_dir(download.path())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get downloaded no package")?;
    fs::create_dir_all(into)?;
    run::quiet(Command::new("dpkg").arg("-x").arg(&file).arg(into)).map(drop)
}

/// Writes the configuration of a private apt and returns its path.
fn configure(apt: &Path) -> anyhow::Result<PathBuf> {
    for dir in ["lists/partial", "cache/archives/partial", "etc"] {
        fs::create_dir_all(apt.join(dir))?;
    }
    let mirror =
        mirror().context("no Debian mirror is named in /etc/apt; is this another distribution?")?;
    let sources = apt.join("etc/sid.sources");
    fs::write(
        &sources,
        format!(
            "Types: deb\nURIs: {mirror}\nSuites: sid\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
    )?;
    let configuration = apt.join("apt.conf");
    let path = apt.display();
    fs::write(
        &configuration,
        format!(
            "Dir::State \"{path}\";\nDir::State::lists \"{path}/lists\";\n\
             Dir::State::status \"/var/lib/dpkg/status\";\n\
             Dir::Cache \"{path}/cache\";\nDir::Etc::sourcelist \"{}\";\n\
             Dir::Etc::sourceparts \"-\";\nAcquire::Languages \"none\";\n\
             APT::Sandbox::User \"\";\n",
            sources.display()
        ),
    )?;
    Ok(configuration)
}

/// The first address that a Debian (not a third party's) source names.
fn mirror() -> Option<String> {
    let files = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .chain([PathBuf::from("/etc/apt/sources.list")]);
    files
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| {
            text.split_whitespace()
                .find(|word| {
                    word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian")
                })
                .map(str::to_owned)
        })
}

/// Installs into the system what a fresh Debian lacks, as root; an ordinary user is told the
/// command.
pub fn install(packages: &[&str]) -> anyhow::Result<()> {
    let command = format!("apt-get install -y {}", packages.join(" "));
    ensure!(run::is_root()?, "ask an administrator to run: {command}");
    let apt = |arguments: &[&str]| {
        run::quiet(
            Command::new("apt-get")
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    fetching(&packages.join(", "), || {
        apt(&["update"])?;
        apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
    })
    .map(drop)
}
