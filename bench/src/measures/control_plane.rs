//! What deployment tools wait for: new functions, long lists of them, and aliases that split traffic.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{counted, timed};
use crate::functions::{NO_OP, Package, create, invoke, publish};
use crate::server::{MANY_INVOCATIONS, Server};
use crate::statistics::{Samples, ms};
use crate::{Row, Tools};

const JSON: &str = "content-type: application/json\r\n";

/// From the first byte of CreateFunction until its state is Active, each time with other code.
pub(super) fn creation(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: u64 = 20;
    const SIZE: usize = 5_000_000;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let packages = (0..FUNCTIONS)
        .map(|seed| Package::python_beside(tools, NO_OP, &noise(seed, SIZE)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut numbered = packages.iter().enumerate();
    let ours = timed(packages.len(), || {
        let (number, package) = numbered.next().context("a package for each")?;
        create(&mut connection, &format!("large-{number}"), package)
    })?;
    let ours = Samples::new(ours);
    Ok(vec![Row {
        what: "CreateFunction with a zip of 5 MB until Active",
        measured: ours.summary(),
        floor: String::new(),
        promise: "p50 ≤ 150 ms",
        kept: ours.p50() <= Duration::from_millis(150),
    }])
}

/// Bytes that do not compress, and differ from one seed to another.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    let mut step = || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..size.div_ceil(8)).flat_map(|_| step()).collect()
}

pub(super) fn list_page(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CONNECTIONS: usize = 8;
    const FUNCTIONS: usize = 10_000;
    const PAGE: usize = 50;
    const ROUNDS: usize = 2;
    let server = Server::start(&tools.kagero)?;
    let package = Package::python(tools, NO_OP)?;
    counted(CONNECTIONS, |thread| {
        let mut connection = server.connect()?;
        (thread..FUNCTIONS)
            .step_by(CONNECTIONS)
            .map(|number| create(&mut connection, &format!("listed-{number}"), &package))
            .collect()
    })?;
    let mut connection = server.connect()?;
    let mut marker = String::new();
    let mut listed = 0;
    // Page after page to the end, and again from the start.
    let pages = timed(ROUNDS * FUNCTIONS / PAGE, || {
        let path = format!("/2015-03-31/functions?MaxItems={PAGE}{marker}");
        let answer = connection.expect("lambda", "GET", &path, "", b"")?;
        let page: Value = serde_json::from_slice(&answer)?;
        listed += page["Functions"].as_array().map_or(0, Vec::len);
        marker = page["NextMarker"]
            .as_str()
            .map_or_else(String::new, |next| format!("&Marker={next}"));
        Ok(())
    })?;
    ensure!(listed == ROUNDS * FUNCTIONS, "{listed} functions listed");
    let pages = Samples::new(pages);
    Ok(vec![Row {
        what: "ListFunctions, a page of 50 of 10,000 functions",
        measured: pages.summary(),
        floor: String::new(),
        promise: "p50 ≤ 20 ms",
        kept: pages.p50() <= Duration::from_millis(20),
    }])
}

pub(super) fn weighted_alias(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 10;
    const CALLS: usize = 1_000;
    let server = Server::start_with(&tools.kagero, MANY_INVOCATIONS)?;
    let mut connection = server.connect()?;
    create(&mut connection, "split", &Package::python(tools, NO_OP)?)?;
    let first = publish(&mut connection, "split")?;
    let path = "/2015-03-31/functions/split/configuration";
    let change = json!({"Description": "the second version"}).to_string();
    connection.expect("lambda", "PUT", path, JSON, change.as_bytes())?;
    let second = publish(&mut connection, "split")?;
    ensure!(first != second, "a second version was published");
    let weights = json!({"AdditionalVersionWeights": {second.as_str(): 0.5}});
    let aliases = [
        ("first", &first, json!({})),
        ("second", &second, json!({})),
        ("weighted", &first, weights),
    ];
    for (name, version, routing) in aliases {
        let alias = json!({"Name": name, "FunctionVersion": version, "RoutingConfig": routing});
        let path = "/2015-03-31/functions/split/aliases";
        connection.expect("lambda", "POST", path, JSON, alias.to_string().as_bytes())?;
        for _ in 0..200 {
            invoke(&mut connection, &format!("split:{name}"))?;
        }
    }
    let (mut one, mut both, mut weighted) = (Vec::new(), Vec::new(), Vec::new());
    let mut coins = noise(1, ROUNDS * CALLS).into_iter();
    for _ in 0..ROUNDS {
        one.extend(timed(CALLS, || invoke(&mut connection, "split:first"))?);
        // Their environments wait for as long as those of the weighted alias do.
        both.extend(timed(CALLS, || {
            let is_first = coins.next().is_some_and(|coin| coin & 16 == 0);
            let name = if is_first { "first" } else { "second" };
            invoke(&mut connection, &format!("split:{name}"))
        })?);
        let calls = timed(CALLS, || invoke(&mut connection, "split:weighted"))?;
        weighted.extend(calls);
    }
    let [one, both, weighted] = [one, both, weighted].map(Samples::new);
    let beside = |floor: &Samples| weighted.p50().as_secs_f64() / floor.p50().as_secs_f64();
    let row = |what, floor: &Samples, shown| Row {
        what,
        measured: format!(
            "{:+.1} %; {}",
            (beside(floor) - 1.0) * 100.0,
            weighted.summary()
        ),
        floor: format!("{shown}, in turns: p50 {}", ms(floor.p50())),
        promise: "≤ 5 % more",
        kept: beside(floor) <= 1.05,
    };
    Ok(vec![
        row(
            "an alias that splits calls between two versions, beside one that does not",
            &one,
            "an alias of one version",
        ),
        row(
            "the same beside calls of either version's own alias, by a coin",
            &both,
            "either of two aliases",
        ),
    ])
}
