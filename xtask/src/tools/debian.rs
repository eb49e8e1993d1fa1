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
    let configuration = configure(&apt, "sid", Path::new("/var/lib/dpkg/status"))?;
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

/// Which packages count as there when dependencies are fetched.
#[derive(Clone, Copy)]
pub enum Present {
    /// What this machine has: for programs that run here.
    Installed,
    /// Nothing: for a system of its own.
    Nothing,
}

/// Downloads packages of this machine's own release of Debian, with what they depend on, and
/// returns the files. Works for any user, and installs nothing.
pub fn download(packages: &[&str], present: Present, into: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let apt = folder().join("apt-own-release");
    fs::create_dir_all(&apt)?;
    let nothing = apt.join("nothing");
    fs::write(&nothing, "")?;
    let status = match present {
        Present::Installed => Path::new("/var/lib/dpkg/status"),
        Present::Nothing => &nothing,
    };
    let configuration = configure(&apt, &release()?, status)?;
    fs::create_dir_all(into.join("partial"))?;
    let apt_get = |arguments: &[&str]| {
        let archives = format!("Dir::Cache::archives={}", into.display());
        let mut command = Command::new("apt-get");
        command.args(["-o", &archives, "-o", "Debug::NoLocking=true"]);
        command.env("APT_CONFIG", &configuration);
        run::quiet(command.args(arguments))
    };
    apt_get(&["update"])?;
    let install = [
        "install",
        "-y",
        "--download-only",
        "--no-install-recommends",
    ];
    apt_get(&[&install, packages].concat())?;
    let files = fs::read_dir(into)?.filter_map(Result::ok);
    Ok(files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect())
}

/// The name of the release of Debian that this machine runs.
pub fn release() -> anyhow::Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    ensure!(
        value("ID=") == Some("debian"),
        "this machine does not run Debian, whose packages are needed"
    );
    let name = value("VERSION_CODENAME=").context("/etc/os-release names no release")?;
    Ok(name.trim_matches('"').to_owned())
}

/// Writes the configuration of a private apt and returns its path.
fn configure(apt: &Path, suite: &str, status: &Path) -> anyhow::Result<PathBuf> {
    for dir in ["lists/partial", "cache/archives/partial", "etc"] {
        fs::create_dir_all(apt.join(dir))?;
    }
    let mirror =
        mirror().context("no Debian mirror is named in /etc/apt; is this another distribution?")?;
    let sources = apt.join(format!("etc/{suite}.sources"));
    fs::write(
        &sources,
        format!(
            "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
    )?;
    let configuration = apt.join("apt.conf");
    let path = apt.display();
    fs::write(
        &configuration,
        format!(
            "Dir::State \"{path}\";\nDir::State::lists \"{path}/lists\";\n\
             Dir::State::status \"{}\";\n\
             Dir::Cache \"{path}/cache\";\nDir::Etc::sourcelist \"{}\";\n\
             Dir::Etc::sourceparts \"-\";\nAcquire::Languages \"none\";\n\
             APT::Sandbox::User \"\";\n",
            status.display(),
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

/// Packages that are each of one program of the same name: installs what is missing, as root, and
/// says where those are that are there.
pub fn programs(packages: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|program| run::on_path(program).is_none())
        .collect();
    if !missing.is_empty() && run::is_root()? {
        install(&missing)?;
    }
    Ok(packages
        .iter()
        .filter_map(|program| run::on_path(program))
        .collect())
}
