//! Which crate may use which: see ARCHITECTURE.md and docs/decisions/0001-structure.md.

use std::fs;

use anyhow::Context;

use super::Finding;
use crate::run;

/// From the left, which may use all to its right, to the base, which may use none. Crates of one
/// layer do not use each other.
const LAYERS: [&[&str]; 8] = [
    &["cli"],
    &["server"],
    &["gateway", "services"],
    &["exec", "routing", "metering", "proxy"],
    &["service"],
    &["auth"],
    &["store", "wire", "sandbox", "patterns", "oci", "vtl"],
    &["base"],
];

/// Only tests use these.
const TEST_ONLY: [&str; 1] = ["conformance"];

pub fn check() -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in ["crates", "services"] {
        for entry in fs::read_dir(run::root().join(folder))? {
            let manifest = entry?.path().join("Cargo.toml");
            findings.extend(check_manifest(&manifest, folder)?);
        }
    }
    Ok(findings)
}

fn check_manifest(manifest: &std::path::Path, folder: &str) -> anyhow::Result<Vec<Finding>> {
    let text = fs::read_to_string(manifest).with_context(|| manifest.display().to_string())?;
    let parsed: toml::Table = toml::from_str(&text)?;
    let name = parsed["package"]["name"]
        .as_str()
        .context("a package has a name")?
        .to_owned();
    let mut findings = Vec::new();
    let mut report = |what: String| {
        findings.push(Finding {
            place: manifest.to_owned(),
            what,
        });
    };
    if manifest
        .parent()
        .and_then(|dir| dir.file_name())
        .is_none_or(|dir| dir != name.as_str())
    {
        report(format!(
            "the crate {name} lives in a folder of another name"
        ));
    }
    if TEST_ONLY.contains(&name.as_str()) {
        return Ok(findings);
    }
    let own = layer(&name, folder).with_context(|| format!("{name} has no layer in xtask tidy"))?;
    let dependencies = parsed.get("dependencies").and_then(toml::Value::as_table);
    for dependency in dependencies.into_iter().flatten().map(|(name, _)| name) {
        if TEST_ONLY.contains(&dependency.as_str()) {
            report(format!("{name} uses {dependency}, which is for tests only"));
        }
        if let Some(theirs) = layer_of_dependency(dependency)
            && theirs <= own
        {
            report(format!(
                "{name} must not use {dependency}: it does not stand to its right"
            ));
        }
    }
    Ok(findings)
}

fn layer(name: &str, folder: &str) -> Option<usize> {
    let key = if folder == "services" {
        "services"
    } else {
        name
    };
    LAYERS.iter().position(|layer| layer.contains(&key))
}

fn layer_of_dependency(name: &str) -> Option<usize> {
    let is_service = run::root().join("services").join(name).is_dir();
    let is_ours = is_service || run::root().join("crates").join(name).is_dir();
    if !is_ours {
        return None;
    }
    layer(name, if is_service { "services" } else { "crates" })
}
