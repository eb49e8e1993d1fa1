//! `cargo xtask codegen`: `services/*/model*.json` to `src/generated*.rs` beside them.
//! See docs/decisions/0003-wire-codegen.md.

mod emit;
mod model;
mod names;
mod pattern;
mod trim;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Codegen {
    #[command(subcommand)]
    step: Option<Step>,
    /// Write nothing; fail if a committed file is not what its model gives.
    #[arg(long)]
    check: bool,
    /// Only this service (`lambda`, `sts`); all by default.
    service: Option<String>,
}

#[derive(Subcommand)]
enum Step {
    /// Make a service's model.json from a botocore service-2.json, after its own `kagero` part.
    Trim {
        /// The unpacked service-2.json.
        model: PathBuf,
        /// Such as `lambda`, or `sts`, which lives in services/iam/model.sts.json.
        service: String,
    },
}

/// A committed model and the file made of it.
struct Source {
    service: String,
    model: PathBuf,
    generated: PathBuf,
}

impl Codegen {
    pub fn run(self) -> anyhow::Result<()> {
        match self.step {
            Some(Step::Trim { model, service }) => trim::run(&model, &find(&service)?.model),
            None if self.check && self.service.is_none() => check(),
            None => {
                let sources = match self.service {
                    Some(service) => vec![find(&service)?],
                    None => sources()?,
                };
                if self.check {
                    check_these(&sources)
                } else {
                    write(&sources)
                }
            }
        }
    }
}

/// Fails if any generated file is stale.
pub fn check() -> anyhow::Result<()> {
    check_these(&sources()?)
}

fn check_these(sources: &[Source]) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for source in sources {
        let committed = fs::read_to_string(&source.generated).unwrap_or_default();
        if committed != source.generate()? {
            stale.push(source.generated.display().to_string());
        }
    }
    if !stale.is_empty() {
        bail!("stale, run `cargo xtask codegen`:\n{}", stale.join("\n"));
    }
    Ok(())
}

fn write(sources: &[Source]) -> anyhow::Result<()> {
    for source in sources {
        let text = source.generate()?;
        if fs::read_to_string(&source.generated).unwrap_or_default() == text {
            eprintln!("{} is fresh", source.generated.display());
        } else {
            eprintln!(
                "{}: {} lines",
                source.generated.display(),
                text.lines().count()
            );
            fs::write(&source.generated, text)?;
        }
    }
    Ok(())
}

impl Source {
    fn generate(&self) -> anyhow::Result<String> {
        let text = fs::read_to_string(&self.model)
            .with_context(|| format!("read {}", self.model.display()))?;
        let model = serde_json::from_str(&text)
            .with_context(|| format!("read {}", self.model.display()))?;
        let rust = emit::file(&self.service, &model)
            .with_context(|| format!("generate {}", self.service))?;
        formatted(&rust)
    }
}

fn formatted(rust: &str) -> anyhow::Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start rustfmt")?;
    let mut stdin = rustfmt.stdin.take().expect("stdin is piped");
    let rust = rust.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(rust.as_bytes()));
    let output = rustfmt.wait_with_output()?;
    feeder.join().expect("writing to rustfmt does not panic")?;
    if !output.status.success() {
        bail!("rustfmt refuses the generated code");
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn find(service: &str) -> anyhow::Result<Source> {
    sources()?
        .into_iter()
        .find(|source| source.service == service)
        .with_context(|| format!("no services/*/model*.json is {service}'s"))
}

/// Every model of the workspace, by name. `model.json` is the folder's own service, `model.X.json`
/// the service X that shares its crate.
fn sources() -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in fs::read_dir(root().join("services"))? {
        let folder = folder?.path();
        for file in fs::read_dir(&folder)? {
            let model = file?.path();
            if let Some(source) = source(&folder, model) {
                sources.push(source);
            }
        }
    }
    sources.sort_by(|a, b| a.model.cmp(&b.model));
    Ok(sources)
}

fn source(folder: &Path, model: PathBuf) -> Option<Source> {
    let middle = model
        .file_name()?
        .to_str()?
        .strip_prefix("model.")?
        .strip_suffix("json")?;
    let other = middle.strip_suffix('.');
    let service = match other {
        Some(name) => name.to_owned(),
        None => folder.file_name()?.to_str()?.to_owned(),
    };
    let generated = match other {
        Some(name) => format!("src/generated_{name}.rs"),
        None => "src/generated.rs".to_owned(),
    };
    Some(Source {
        service,
        generated: folder.join(generated),
        model,
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}
