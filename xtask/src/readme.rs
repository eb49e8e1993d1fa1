//! `cargo xtask readme`: the table of operations in README.md, from the services' own tables.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use clap::Args;
use regex::Regex;
use serde_json::Value;

use crate::run;

const BEGIN: &str = "<!-- written by `cargo xtask readme` -->\n";
const END: &str = "<!-- end of what `cargo xtask readme` writes -->\n";

#[derive(Args)]
pub struct Readme {
    /// Write nothing; fail if the table is not what the services say.
    #[arg(long)]
    check: bool,
}

impl Readme {
    pub fn run(self) -> anyhow::Result<()> {
        if self.check {
            return check();
        }
        fs::write(file(), with_table(&fs::read_to_string(file())?, &table()?)?)?;
        Ok(())
    }
}

/// Fails if the table is stale.
pub fn check() -> anyhow::Result<()> {
    let committed = fs::read_to_string(file())?;
    if with_table(&committed, &table()?)? != committed {
        bail!("README.md's table of operations is stale: run `cargo xtask readme`");
    }
    Ok(())
}

fn file() -> std::path::PathBuf {
    run::root().join("README.md")
}

fn with_table(text: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .context("README.md has lost its first marker")?;
    let (_, after) = rest
        .split_once(END)
        .context("README.md has lost its second marker")?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// One row an API: how many of its operations there are, and which.
fn table() -> anyhow::Result<String> {
    let mut rows = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(run::root().join("services"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<_>>()?;
    folders.sort();
    for folder in folders {
        let answered = answered(&folder)?;
        let models = models(&folder)?;
        if models.is_empty() {
            rows.push((unmodelled_name(&folder)?, answered, None));
            continue;
        }
        for (name, operations) in models {
            let here = answered.intersection(&operations).cloned().collect();
            rows.push((name, here, Some(operations.len())));
        }
    }
    let mut table = "| API | operations | which |\n|---|---|---|\n".to_owned();
    for (name, answered, all) in rows {
        let of = all.map_or_else(String::new, |all| format!(" of {all}"));
        let which: Vec<String> = answered.iter().map(|one| format!("`{one}`")).collect();
        writeln!(
            table,
            "| {name} | {}{of} | {} |",
            answered.len(),
            which.join(" ")
        )?;
    }
    Ok(table)
}

/// What a service's operations tables name: `operation!(x::Name => …)` and `streamed!`, or S3's `name(NameInput)`.
fn answered(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let row = Regex::new(
        r"(?:(?:operation|streamed)!\(\s*(?:\w+::)*(\w+)\s*=>)|(?:\w+\((\w+)Input\)\s*->)",
    )?;
    let mut found = BTreeSet::new();
    for name in ["lib.rs", "operations.rs"] {
        let text = fs::read_to_string(folder.join("src").join(name)).unwrap_or_default();
        for row in row.captures_iter(&text) {
            let name = row
                .get(1)
                .or_else(|| row.get(2))
                .context("a row has a name")?;
            found.insert(name.as_str().to_owned());
        }
    }
    ensure!(
        !found.is_empty(),
        "{} has no table of operations in src/lib.rs",
        folder.display()
    );
    Ok(found)
}

/// The APIs of a service's models, and the names of all their operations.
fn models(folder: &Path) -> anyhow::Result<Vec<(String, BTreeSet<String>)>> {
    let mut models = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("model.") || !name.ends_with("json") {
            continue;
        }
        let model: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let title = model["metadata"]["serviceId"]
            .as_str()
            .context("a model names its service")?;
        let operations = model["operations"]
            .as_object()
            .context("a model has operations")?;
        models.push((title.to_owned(), operations.keys().cloned().collect()));
    }
    models.sort();
    Ok(models)
}

/// S3 has no model of ours: its wire layer brings one.
fn unmodelled_name(folder: &Path) -> anyhow::Result<String> {
    Ok(folder
        .file_name()
        .context("a folder has a name")?
        .to_string_lossy()
        .to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_changes() {
        let text = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(
            with_table(&text, "new\n").unwrap(),
            format!("a\n{BEGIN}new\n{END}b\n")
        );
        assert!(with_table("no markers", "").is_err());
    }
}
