//! What this host offers, for the commands that ask before anything runs.

use base::RequestId;
use exec::RuntimeInfo;
use sandbox::{EgressConfig, Finding, Host, HostConfig};
use serde_json::{Value, json};

use crate::config;

/// Every isolation feature, available or not, and why.
pub fn report() -> Value {
    let folder = match tempfile::Builder::new().prefix("kagero-doctor-").tempdir() {
        Ok(folder) => folder,
        Err(error) => return failure(&format!("no temporary folder can be made: {error}")),
    };
    // A name of its own, so that asking does not end a running server's environments.
    let instance = format!("doctor-{}", RequestId::random());
    let mut config = HostConfig::new(folder.path(), instance);
    config.egress = Some(EgressConfig::default());
    let host = Host::open(&config);
    match host {
        Ok(host) => {
            let features = host
                .capabilities_report()
                .iter()
                .map(feature)
                .collect::<Vec<_>>();
            json!({"features": features})
        }
        Err(error) => failure(&format!("no sandbox can be made here: {error}")),
    }
}

fn failure(detail: &str) -> Value {
    json!({"features": [{"name": "sandboxes", "available": false, "detail": detail}]})
}

fn feature(finding: &Finding) -> Value {
    json!({
        "name": finding.feature,
        "available": finding.available,
        "detail": finding.detail,
    })
}

/// Every runtime identifier, and the interpreter it would run on.
pub fn runtimes() -> Value {
    exec::runtimes(&config::interpreters())
        .iter()
        .map(runtime)
        .collect::<Vec<_>>()
        .into()
}

fn runtime(info: &RuntimeInfo) -> Value {
    json!({
        "identifier": info.runtime.to_string(),
        "available": info.available,
        "interpreter": info.interpreter.as_ref().map(|found| found.path.display().to_string()),
        "note": info.warning,
    })
}
