//! Fetches a pack with the tool of its language, checks it, and puts it in its place.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Pack;
use super::contents::{self, JAVA, PYTHON};

/// Why a pack is not there.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("{program} was not found on this machine: install {package} and try again")]
    NoTool {
        program: &'static str,
        package: &'static str,
    },
    #[error("{program} could not fetch it ({status}); what it said is above")]
    Fetch {
        program: &'static str,
        status: std::process::ExitStatus,
    },
    #[error("{file} is not what was expected: its SHA-256 is {found}, not {wanted}")]
    Digest {
        file: String,
        wanted: &'static str,
        found: String,
    },
    #[error("there is no {0} for this machine's processor")]
    Processor(String),
    #[error("{action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackError {
    let path = path.to_owned();
    move |source| PackError::Io {
        action,
        path,
        source,
    }
}

/// Installs a pack below a folder, unless it is there, and returns where it is. The tool that fetches
/// it shows its progress on this process's standard error. Blocks.
///
/// # Errors
/// Why nothing was installed. Nothing is left behind.
pub fn install(pack: Pack, packs: &Path) -> Result<PathBuf, PackError> {
    if let Some(there) = pack.find(packs) {
        return Ok(there);
    }
    let aside = packs.join(format!(".{}.{}", pack.folder(), std::process::id()));
    fs::create_dir_all(&aside).map_err(failed("make the folder", &aside))?;
    let fetched = fetch(pack, &aside).and_then(|()| {
        open_to_all(&aside).map_err(failed("open to all", &aside))?;
        let place = packs.join(pack.folder());
        match fs::rename(&aside, &place) {
            // Somebody else was faster.
            Err(_) if pack.find(packs).is_some() => Ok(()),
            renamed => renamed.map_err(failed("move the pack to", &place)),
        }
    });
    // What is left after a failure, or after another's success.
    let _ = fs::remove_dir_all(&aside);
    fetched?;
    Ok(packs.join(pack.folder()).join(pack.content()))
}

fn fetch(pack: Pack, aside: &Path) -> Result<(), PackError> {
    match pack {
        Pack::Java => {
            write(&aside.join("pom.xml"), &contents::pom())?;
            let mut mvn = Command::new("mvn");
            mvn.args(["--batch-mode", "dependency:copy-dependencies"]);
            mvn.arg("-DoutputDirectory=lib");
            run(mvn, aside, "mvn", "Maven (Debian's package maven)")?;
            let lib = aside.join("lib");
            for (file, wanted) in JAVA {
                verify(&lib.join(file), wanted)?;
            }
            only(&lib, |name| JAVA.iter().any(|(file, _)| *file == name))
        }
        Pack::Python => {
            // pip itself compares the digests.
            write(&aside.join("requirements.txt"), PYTHON)?;
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
            pip.args(["--require-hashes", "--no-deps", "--only-binary", ":all:"]);
            pip.args(["--no-compile", "--target", "lib"]);
            pip.args(["--requirement", "requirements.txt"]);
            run(
                pip,
                aside,
                "python3",
                "Python with pip (Debian's package python3-pip)",
            )
        }
        Pack::NodeSdk => {
            // npm itself compares the digests of its lock file.
            write(&aside.join("package.json"), contents::NODE_PACKAGE)?;
            write(&aside.join("package-lock.json"), contents::NODE_LOCK)?;
            npm(&["ci"], aside)
        }
        Pack::Node(_) => {
            let Some((package, wanted)) = contents::node_package(pack) else {
                return Err(PackError::Processor(pack.describe()));
            };
            write(&aside.join("package.json"), "{\"private\": true}\n")?;
            npm(&["install", &package], aside)?;
            let name = package.split('@').next().unwrap_or_default();
            let modules = aside.join("node_modules");
            let program = modules.join(name).join("bin/node");
            verify(&program, wanted)?;
            let bin = aside.join("bin");
            fs::create_dir(&bin).map_err(failed("make the folder", &bin))?;
            fs::rename(&program, bin.join("node")).map_err(failed("move", &program))?;
            fs::remove_dir_all(&modules).map_err(failed("remove", &modules))
        }
    }
}

fn npm(arguments: &[&str], aside: &Path) -> Result<(), PackError> {
    let mut npm = Command::new("npm");
    npm.args(arguments);
    npm.args(["--ignore-scripts", "--no-audit", "--no-fund"]);
    run(npm, aside, "npm", "npm (Debian's package npm)")
}

/// Runs the tool, whose words go to standard error: standard output is for answers.
fn run(
    mut tool: Command,
    aside: &Path,
    program: &'static str,
    package: &'static str,
) -> Result<(), PackError> {
    let error = io::Error::other("standard error is closed");
    let words = std::os::fd::AsFd::as_fd(&io::stderr())
        .try_clone_to_owned()
        .map_err(|_| error)
        .map_err(failed("write to", Path::new("standard error")))?;
    let status = tool
        .current_dir(aside)
        .stdin(Stdio::null())
        .stdout(words)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(PackError::Fetch { program, status }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(PackError::NoTool { program, package })
        }
        Err(error) => Err(failed("run", Path::new(program))(error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), PackError> {
    fs::write(path, text).map_err(failed("write", path))
}

fn verify(path: &Path, wanted: &'static str) -> Result<(), PackError> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == wanted {
        return Ok(());
    }
    let file = path.file_name().unwrap_or_default();
    Err(PackError::Digest {
        file: file.to_string_lossy().into_owned(),
        wanted,
        found,
    })
}

/// Lets environments, whose users are others, read what a strict umask has closed.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            open_to_all(&entry.path())?;
        } else if metadata.is_file() {
            let is_program = metadata.permissions().mode() & 0o100 != 0;
            let mode = if is_program { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Removes what nobody has checked.
fn only(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<(), PackError> {
    for entry in fs::read_dir(folder)
        .map_err(failed("read", folder))?
        .flatten()
    {
        if !entry.file_name().to_str().is_some_and(&is_wanted) {
            fs::remove_file(entry.path()).map_err(failed("remove", &entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_than_the_expected_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.jar");
        fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        verify(&file, abc).unwrap();
        fs::write(&file, "abd").unwrap();
        let told = verify(&file, abc).unwrap_err().to_string();
        assert!(
            told.starts_with("client.jar is not what was expected"),
            "{told}"
        );
    }

    #[test]
    fn a_strict_umask_closes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("bin");
        fs::create_dir(&inner).unwrap();
        for (name, before, after) in [("node", 0o700, 0o755), ("text", 0o600, 0o644)] {
            let file = inner.join(name);
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(before)).unwrap();
            fs::set_permissions(&inner, Permissions::from_mode(0o700)).unwrap();
            open_to_all(folder.path()).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(&inner)), (after, 0o755));
        }
    }

    #[test]
    fn a_tool_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let tool = Command::new("/nowhere/mvn");
        let told = run(tool, folder.path(), "mvn", "Maven").unwrap_err();
        assert!(matches!(told, PackError::NoTool { .. }), "{told}");
    }
}
