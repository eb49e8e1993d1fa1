//! Functions whose init is long, with SnapStart and without.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::cold::tiers;
use super::timed;
use crate::functions::{Package, create_with, invoke, publish, zip};
use crate::server::Server;
use crate::statistics::Samples;
use crate::{Row, Tools};

const HANDLER: &str = "import boto3
client = boto3.client('s3', region_name='us-east-1')
def handler(event, context):
    return client.meta.region_name
";

/// What boto3 is made of, each a folder or a file among the site's packages.
const LIBRARY: [&str; 7] = [
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "urllib3",
    "six.py",
];

pub(super) fn boto3(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 10;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    connection.expect("s3", "PUT", "/bench-code", "", b"")?;
    let code = with_library(tools)?;
    connection.expect("s3", "PUT", "/bench-code/code.zip", "", &code)?;
    let package = Package::python_in_s3("bench-code", "code.zip");
    let mut names = [Vec::new(), Vec::new()];
    for number in 0..FUNCTIONS {
        for (names, (kind, apply_on)) in names
            .iter_mut()
            .zip([("with", "PublishedVersions"), ("without", "None")])
        {
            let name = format!("{kind}-{number}");
            let more = json!({"MemorySize": 512, "SnapStart": {"ApplyOn": apply_on}});
            create_with(&mut connection, &name, &package, &more)?;
            let version = publish(&mut connection, &name)?;
            names.push((format!("{name}:{version}"), name));
        }
    }
    let mut first_calls = |names: &[(String, String)]| -> anyhow::Result<Samples> {
        let mut all = Vec::new();
        for (qualified, _) in names {
            all.extend(timed(1, || invoke(&mut connection, qualified))?);
        }
        Ok(Samples::new(all))
    };
    let (with, without) = (first_calls(&names[0])?, first_calls(&names[1])?);
    let tiers = tiers(&mut connection)?;
    let by_template = names[0]
        .iter()
        .filter(|(_, name)| tiers.get(name).is_some_and(|tier| tier == "template"))
        .count();
    Ok(vec![Row {
        what: "cold Python with a boto3 client, SnapStart, request to response",
        measured: format!(
            "{}; {by_template} of {FUNCTIONS} by template",
            with.summary()
        ),
        floor: format!("the same without SnapStart: {}", without.summary()),
        promise: "p50 ≤ 10 ms beside ≥ 250 ms",
        kept: with.p50() <= Duration::from_millis(10) && by_template == FUNCTIONS,
    }])
}

fn with_library(tools: &Tools) -> anyhow::Result<Vec<u8>> {
    let output = std::process::Command::new(&tools.python)
        .args(["-c", "import boto3; print(boto3.__file__)"])
        .output()
        .context("ask where boto3 is")?;
    let file = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let packages = file.ancestors().nth(2).context("boto3 is in no folder")?;
    let folder = tempfile::tempdir()?;
    let handler = folder.path().join("function.py");
    std::fs::write(&handler, HANDLER)?;
    let library = LIBRARY.iter().map(|name| packages.join(name));
    zip(
        tools,
        &std::iter::once(handler).chain(library).collect::<Vec<_>>(),
    )
}
