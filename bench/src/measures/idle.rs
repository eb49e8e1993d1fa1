//! A server with nothing to do: how soon it is there, and what it weighs.

use std::time::Duration;

use crate::server::Server;
use crate::statistics::Samples;
use crate::{Row, Tools};

pub(super) fn start_and_idle(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let starts = (0..15)
        .map(|_| Server::start(&tools.kagero).map(|server| server.started_in))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let starts = Samples::new(starts);
    let server = Server::start(&tools.kagero)?;
    std::thread::sleep(Duration::from_secs(2));
    let idle = server.resident_kib()?;
    Ok(vec![
        Row {
            what: "server start to first answer",
            measured: starts.summary(),
            floor: "-".to_owned(),
            promise: "≤ 50 ms",
            kept: starts.p50() <= Duration::from_millis(50),
        },
        Row {
            what: "idle server, resident",
            measured: format!("{:.1} MB", idle as f64 * 1_024.0 / 1e6),
            floor: "-".to_owned(),
            promise: "≤ 40 MB",
            kept: idle * 1_024 <= 40_000_000,
        },
    ])
}
