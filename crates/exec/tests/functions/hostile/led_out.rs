//! A way out into the world is none to the host, nor to what leads there.

use std::collections::BTreeSet;
use std::fs;

use exec::Outbound;
use serde_json::json;

use super::exhaust::ends_with_its_timeout;
use super::reach::{files, network};
use super::stage::{Stage, WAYS};
use crate::outside::{OUTSIDE, Outside, PORT, Way, is_in_a_world};

#[test]
fn as_root_it_leads_nowhere_else() {
    Way::AsRoot.run("hostile::led_out::host");
}

#[test]
fn without_root_it_leads_nowhere_else() {
    Way::ByPasta.run("hostile::led_out::host");
}

/// The host of both.
#[test]
fn host() {
    if !is_in_a_world() {
        return;
    }
    let _outside = Outside::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for way in WAYS {
        runtime.block_on(async {
            let settings = |config: &mut exec::ExecConfig| config.outbound = Outbound::Nat;
            let Some(stage) = Stage::with(way, settings).await else {
                return;
            };
            if let Some(why) = stage.world.exec.host().egress_missing().unwrap() {
                return eprintln!("skipped: {why}");
            }
            files(&stage).await;
            let event = json!({"outside": [[OUTSIDE, PORT]], "interfaces": ["lo", "eth0"]});
            let reached = network(&stage, event).await;
            assert_eq!(reached, json!([[OUTSIDE, PORT]]), "{way:?}");
            for what in ["code", "proc", "descriptors", "memory"] {
                stage.tries(what, json!({})).await;
            }
            let leading: Vec<_> = pastas().into_iter().collect();
            let pids = [stage.others(), leading].concat();
            stage.tries("signals", json!({"pids": pids})).await;
            let mark = format!("led-{way:?}-{}", std::process::id());
            ends_with_its_timeout(&stage, "survive", &mark, 8).await;
            stage.world.exec.shutdown().await;
            drop(stage);
            until_none_leads().await;
        });
    }
}

/// The processes of `pasta` below this one.
fn pastas() -> BTreeSet<u32> {
    let ours = format!("PPid:\t{}", std::process::id());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let leads = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.starts_with("Name:\tpas") && status.lines().any(|line| line == ours)
    };
    pids.filter(leads).collect()
}

async fn until_none_leads() {
    for _ in 0..1_000 {
        if pastas().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("left: {:?}", pastas());
}
