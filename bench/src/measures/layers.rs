//! What layers add to a cold start.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use serde_json::{Value, json};

use super::cold::tiers;
use super::timed;
use crate::functions::{NO_OP, Package, create_with, invoke, wait_until_parked, zip};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools};

const LAYERS: usize = 5;
/// Python modules of each.
const FILES: usize = 300;

pub(super) fn added(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 60;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let layers: anyhow::Result<Vec<String>> = (0..LAYERS)
        .map(|number| publish(tools, &mut connection, number))
        .collect();
    let package = Package::python(tools, NO_OP)?;
    let (without, with) = (json!({}), json!({"Layers": layers?}));
    let names = |kind: &str| -> Vec<String> {
        let numbers = 0..FUNCTIONS;
        numbers.map(|number| format!("{kind}-{number}")).collect()
    };
    let kinds = [(names("without"), without), (names("with"), with)];
    for (names, more) in &kinds {
        for name in names {
            create_with(&mut connection, name, &package, more)?;
        }
    }
    let mut took = [Vec::new(), Vec::new()];
    for number in 0..FUNCTIONS {
        // In turns, so that what else goes on is the same for both.
        for ((names, _), took) in kinds.iter().zip(&mut took) {
            wait_until_parked(&mut connection)?;
            took.extend(timed(1, || invoke(&mut connection, &names[number]))?);
        }
    }
    let tiers = tiers(&mut connection)?;
    let parked = tiers.values().filter(|tier| *tier == "parked").count();
    let [without, with] = took.map(Samples::new);
    let added = with.p50().saturating_sub(without.p50());
    Ok(vec![Row {
        what: "cold Python hello with five layers of 300 files, parked",
        measured: format!(
            "{}; {} more; {parked} of {} by parked",
            with.summary(),
            ms(added),
            2 * FUNCTIONS
        ),
        floor: format!("without layers: p50 {}", ms(without.p50())),
        promise: "p50 ≤ 1 ms more",
        kept: added <= Duration::from_millis(1) && parked * 10 >= 2 * FUNCTIONS * 9,
    }])
}

/// The ARN of a new layer.
fn publish(tools: &Tools, connection: &mut Connection, number: usize) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let packages = folder.path().join("python");
    let modules = packages.join(format!("package{number}"));
    std::fs::create_dir_all(&modules)?;
    for file in 0..FILES {
        let source = "value = 1\n".repeat(20);
        std::fs::write(modules.join(format!("module{file}.py")), source)?;
    }
    let content = base64::engine::general_purpose::STANDARD.encode(zip(tools, &[packages])?);
    let body = json!({"Content": {"ZipFile": content}}).to_string();
    let path = format!("/2018-10-31/layers/layer-{number}/versions");
    let headers = "content-type: application/json\r\n";
    let answer = connection.expect("lambda", "POST", &path, headers, body.as_bytes())?;
    let published: Value = serde_json::from_slice(&answer)?;
    let arn = published["LayerVersionArn"].as_str();
    arn.map(str::to_owned).context("a layer version")
}
