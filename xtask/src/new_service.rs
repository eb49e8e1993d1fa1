//! `cargo xtask new-service NAME`: services/NAME as docs/adding-a-service.md describes it.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use clap::Args;

use crate::run;

#[derive(Args)]
pub struct NewService {
    /// Folder and crate name, as AWS's signing name, such as `sns`.
    name: String,
}

impl NewService {
    pub fn run(self) -> anyhow::Result<()> {
        let name = self.name.as_str();
        let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ensure!(
            plain,
            "{name:?}: a service's name is lower-case letters and digits"
        );
        for folder in ["services", "crates"] {
            let taken = run::root().join(folder).join(name);
            ensure!(!taken.exists(), "{} exists already", taken.display());
        }
        let root = run::root();
        let folder = root.join("services").join(name);
        for (file, text) in files(name) {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
            fs::write(file, text)?;
        }
        let manifest = root.join("Cargo.toml");
        fs::write(
            &manifest,
            with_dependency(&fs::read_to_string(&manifest)?, name)?,
        )?;
        println!(
            "{} is laid out and compiles. Next, as docs/adding-a-service.md says in full:\n\
             1. list the operations you are about to implement in services/{name}/model.json\n\
             2. cargo xtask codegen trim PATH/service-2.json {name}\n\
             3. cargo xtask codegen {name}, and add `mod generated;` to src/lib.rs",
            relative(&folder, &root)
        );
        Ok(())
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn files(name: &str) -> [(&'static str, String); 7] {
    let mut title = name.to_owned();
    title[..1].make_ascii_uppercase();
    let fill = |text: &str| text.replace("NAME", name).replace("TITLE", &title);
    [
        ("Cargo.toml", fill(MANIFEST)),
        (
            "model.json",
            "{\n  \"kagero\": {\n    \"implements\": []\n  }\n}\n".to_owned(),
        ),
        ("src/lib.rs", fill(LIB)),
        ("src/ops/mod.rs", "//! One file an operation.\n".to_owned()),
        (
            "src/domain/mod.rs",
            "//! Pure rules, without IO.\n".to_owned(),
        ),
        (
            "src/records.rs",
            "//! What is stored, under which keys, in which version.\n".to_owned(),
        ),
        (
            "src/error.rs",
            fill("//! Every error a client of TITLE can see, as AWS words it.\n"),
        ),
    ]
}

const MANIFEST: &str = r#"[package]
name = "NAME"
description = "Amazon TITLE."
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true

[dependencies]
base.workspace = true
service.workspace = true
store.workspace = true
wire.workspace = true
"#;

const LIB: &str = "//! Amazon TITLE.

mod domain;
mod error;
mod ops;
mod records;

use std::sync::Arc;

use base::Clock;
use service::Operation;
use store::Store;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
}

/// What the operations work on.
pub struct TITLE {
    pub config: Config,
}

/// Opens the service.
pub fn service(config: Config) -> Arc<TITLE> {
    Arc::new(TITLE { config })
}

/// What the service answers.
pub static OPERATIONS: &[Operation<TITLE>] = &[];
";

/// The workspace's manifest with the new crate among the services, in alphabetical order.
fn with_dependency(manifest: &str, name: &str) -> anyhow::Result<String> {
    let line = format!("{name} = {{ path = \"services/{name}\" }}");
    let mut lines: Vec<&str> = manifest.lines().collect();
    let is_service = |line: &&str| line.contains("path = \"services/");
    let place = lines
        .iter()
        .position(|other| is_service(other) && *other > line.as_str())
        .or_else(|| lines.iter().rposition(is_service).map(|last| last + 1))
        .context("Cargo.toml names no service")?;
    lines.insert(place, &line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::with_dependency;

    #[test]
    fn dependencies_stay_in_order() {
        let manifest = "iam = { path = \"services/iam\" }\nsqs = { path = \"services/sqs\" }\n\n";
        let with = |name| with_dependency(manifest, name).unwrap();
        assert!(with("logs").starts_with(
            "iam = { path = \"services/iam\" }\nlogs = { path = \"services/logs\" }\nsqs"
        ));
        assert!(with("xray").contains("services/sqs\" }\nxray = "));
    }
}
