//! AWS's SDKs for durable functions, as layers that functions of the tests take.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::{fetching, folder, node, python};
use crate::run;

/// What a durable function in Python imports.
const PYTHON: [&str; 2] = ["aws-durable-execution-sdk-python==3.0.0", "boto3>=1.43.114"];
/// In Node.js.
const NODE: [&str; 1] = ["@aws/durable-execution-sdk-js@2.4.0"];

/// Puts the packages into a layer's zip, with what the clients of Lambda and DynamoDB need.
const PACK: &str = r#"
import os, sys, zipfile
source, target, prefix = sys.argv[1:]
skipped = {"pip", "setuptools", "bin", "__pycache__"}
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as layer:
    for folder, folders, files in os.walk(source):
        below = os.path.relpath(folder, source)
        if below == os.path.join("botocore", "data"):
            folders[:] = ["dynamodb", "lambda"]
        folders[:] = sorted(name for name in folders if name not in skipped)
        for name in sorted(files):
            if name.endswith((".map", ".d.ts", ".pyc")):
                continue
            path = os.path.join(folder, name)
            layer.write(path, os.path.join(prefix, os.path.relpath(path, source)))
"#;

/// The folder with `python.zip` and `node.zip`.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let home = folder().join("durable");
    let (python_zip, node_zip) = (home.join("python.zip"), home.join("node.zip"));
    if python_zip.exists() && node_zip.exists() {
        return Ok(home);
    }
    let interpreter = home.join("python/bin/python");
    fetching("the durable execution SDK for Python", || {
        python::venv(&home.join("python"), &PYTHON).map(drop)
    })?;
    let packages = run::quiet(Command::new(&interpreter).args([
        "-c",
        "import sysconfig; print(sysconfig.get_paths()['purelib'])",
    ]))?;
    let modules = home.join("node");
    node::packages(&modules, "the durable execution SDK for JavaScript", &NODE)?;
    let pack = |source: PathBuf, target: &PathBuf, prefix: &str| {
        let packed = run::quiet(
            Command::new(&interpreter)
                .args(["-c", PACK])
                .arg(source)
                .arg(target)
                .arg(prefix),
        );
        packed.map(drop).context("make a layer")
    };
    pack(packages.trim().into(), &python_zip, "python")?;
    pack(
        modules.join("node_modules"),
        &node_zip,
        "nodejs/node_modules",
    )?;
    Ok(home)
}
