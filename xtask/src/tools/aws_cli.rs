//! AWS CLI version 2.13 or newer: the one on PATH, else Debian's newest package, unpacked beside a
//! virtual environment with the libraries it imports. Nothing is installed into the system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{debian, fetching, folder, python};
use crate::run;

/// What the package imports, besides itself.
const LIBRARIES: [&str; 13] = [
    "awscrt",
    "colorama",
    "cryptography",
    "python-dateutil",
    "distro",
    "docutils",
    "jmespath",
    "prompt-toolkit",
    "ruamel.yaml",
    "urllib3",
    "zipp",
    "wcwidth",
    "pyasn1",
];

/// A program that behaves as `aws`.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let own = folder().join("aws-cli/bin/aws");
    for candidate in run::on_path("aws").into_iter().chain([own.clone()]) {
        if new_enough(&candidate) {
            return Ok(candidate);
        }
    }
    fetching(
        "the AWS CLI (Debian's package, 13 MB, and its Python libraries)",
        || fetch(&own),
    )
    .context("fetch an AWS CLI; installing version 2.13 or newer on PATH also helps")?;
    ensure!(
        new_enough(&own),
        "the fetched AWS CLI at {} does not run",
        own.display()
    );
    Ok(own)
}

/// `aws-cli/2.38.1 Python/…` is; version 1 and anything before 2.13 is not.
fn new_enough(aws: &Path) -> bool {
    let Ok(text) = run::quiet(Command::new(aws).arg("--version")) else {
        return false;
    };
    let mut numbers = text
        .strip_prefix("aws-cli/")
        .unwrap_or_default()
        .split('.')
        .map_while(|number| number.parse::<u32>().ok());
    matches!(
        (numbers.next(), numbers.next()),
        (Some(2), Some(13..)) | (Some(3..), _)
    )
}

fn fetch(wrapper: &Path) -> anyhow::Result<()> {
    let home = folder().join("aws-cli");
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(home.join("bin"))?;
    debian::unpack("awscli", &home.join("package"))?;
    let interpreter = python::venv(&home.join("venv"), &LIBRARIES)?;
    let script = format!(
        "#!/bin/sh\nPYTHONPATH='{}' exec '{}' -c \
         'import sys; from awscli.clidriver import main; sys.exit(main())' \"$@\"\n",
        home.join("package/usr/lib/python3/dist-packages").display(),
        interpreter.display(),
    );
    fs::write(wrapper, script)?;
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
