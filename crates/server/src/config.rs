//! Every setting, once: a flag of `kagero serve`, a variable `KAGERO_*`, a key of `kagero.toml`.
//!
//! Defaults < file < environment < flags. This module is the only one that reads the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base::Region;
use serde::Deserialize;

/// Whether callers are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Any credentials work, as with LocalStack
    Permissive,
    /// Signatures are verified and IAM policies evaluated
    Enforce,
}

/// How log lines are written to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Settings as given in one place: a field that was not given is `None`.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:4566]
    #[arg(long, env = "KAGERO_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Where functions, objects and messages are kept [default: /var/lib/kagero as root,
    /// otherwise ~/.local/share/kagero]
    #[arg(
        long,
        env = "KAGERO_DATA_DIR",
        value_name = "DIR",
        conflicts_with = "ephemeral"
    )]
    pub data_dir: Option<PathBuf>,

    /// Keep all state in memory; it is gone when the server ends
    #[arg(long, env = "KAGERO_EPHEMERAL", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub ephemeral: Option<bool>,

    /// Whether callers are checked [default: permissive]
    #[arg(long, env = "KAGERO_AUTH", value_enum)]
    pub auth: Option<Auth>,

    /// Let anyone who can reach a non-loopback --listen address use the server without credentials
    #[arg(long, env = "KAGERO_ALLOW_PERMISSIVE_REMOTE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_permissive_remote: Option<bool>,

    /// Access key of the account's root user, for --auth enforce; made at first start if not given
    #[arg(
        long,
        env = "KAGERO_ROOT_ACCESS_KEY_ID",
        value_name = "ID",
        requires = "root_secret_access_key"
    )]
    pub root_access_key_id: Option<String>,

    /// Secret of that access key
    #[arg(
        long,
        env = "KAGERO_ROOT_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub root_secret_access_key: Option<String>,

    /// Region of requests whose credentials name none [default: us-east-1]
    #[arg(long, env = "KAGERO_REGION")]
    pub region: Option<String>,

    /// Web origins that may call the server besides those of this machine; * for all
    #[arg(
        long,
        env = "KAGERO_CORS_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub cors_origins: Option<Vec<String>>,

    /// Refuse a runtime whose exact interpreter version is not installed, instead of running the
    /// nearest one with a warning
    #[arg(long, env = "KAGERO_STRICT_RUNTIMES", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub strict_runtimes: Option<bool>,

    /// Seconds an idle environment is kept for the next call [default: 600]
    #[arg(long, env = "KAGERO_IDLE_SECONDS", value_name = "SECONDS")]
    pub idle_seconds: Option<u64>,

    /// Most environments that run at once, in all [default: 1000]
    #[arg(long, env = "KAGERO_CONCURRENCY", value_name = "COUNT")]
    pub concurrency: Option<u32>,

    /// Whether the bucket name hot-reload mounts a local folder as a function's code
    /// [default: true with --auth permissive]
    #[arg(long, env = "KAGERO_HOT_RELOAD", value_name = "BOOL")]
    pub hot_reload: Option<bool>,

    /// What to log: a level, or target=level pairs [default: info]
    #[arg(long, env = "KAGERO_LOG", value_name = "FILTER")]
    pub log: Option<String>,

    /// How log lines are written [default: text]
    #[arg(long, env = "KAGERO_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// Where state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Directory(PathBuf),
    Ephemeral,
}

/// Settings with every default applied and every rule checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub state: State,
    pub auth: Auth,
    pub root_key: Option<RootKey>,
    pub region: Region,
    pub cors_origins: Vec<String>,
    pub strict_runtimes: bool,
    pub idle: Duration,
    pub concurrency: u32,
    pub hot_reload: bool,
    pub log: String,
    pub log_format: LogFormat,
}

/// The access key of the account's root user.
#[derive(Clone)]
pub struct RootKey {
    pub id: String,
    pub secret: String,
}

/// Not derived: the secret must not reach a log.
impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads a settings file.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("read the configuration file {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("understand the configuration file {}", path.display()))
    }

    /// These settings, and where they say nothing, those of `lower`.
    #[must_use]
    pub fn or(self, lower: Self) -> Self {
        // A data directory given on one layer overrides "ephemeral" of a lower one, and vice versa.
        let (data_dir, ephemeral) = if self.data_dir.is_some() || self.ephemeral.is_some() {
            (self.data_dir, self.ephemeral)
        } else {
            (lower.data_dir, lower.ephemeral)
        };
        Self {
            listen: self.listen.or(lower.listen),
            data_dir,
            ephemeral,
            auth: self.auth.or(lower.auth),
            allow_permissive_remote: self
                .allow_permissive_remote
                .or(lower.allow_permissive_remote),
            root_access_key_id: self.root_access_key_id.or(lower.root_access_key_id),
            root_secret_access_key: self.root_secret_access_key.or(lower.root_secret_access_key),
            region: self.region.or(lower.region),
            cors_origins: self.cors_origins.or(lower.cors_origins),
            strict_runtimes: self.strict_runtimes.or(lower.strict_runtimes),
            idle_seconds: self.idle_seconds.or(lower.idle_seconds),
            concurrency: self.concurrency.or(lower.concurrency),
            hot_reload: self.hot_reload.or(lower.hot_reload),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
        }
    }

    /// Applies the defaults and checks what must hold together.
    pub fn resolve(self) -> anyhow::Result<Config> {
        let listen = self
            .listen
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 4566)));
        let auth = self.auth.unwrap_or(Auth::Permissive);
        let remote_allowed = self.allow_permissive_remote.unwrap_or(false);
        ensure!(
            auth == Auth::Enforce || listen.ip().is_loopback() || remote_allowed,
            "refusing to listen on {listen}: with --auth permissive anyone who reaches this \
             address could run code here. Use --auth enforce, or say \
             --allow-permissive-remote if the network is yours alone."
        );
        let root_key = match (self.root_access_key_id, self.root_secret_access_key) {
            (Some(id), Some(secret)) => Some(RootKey { id, secret }),
            (None, None) => None,
            _ => bail!("root-access-key-id and root-secret-access-key come together or not at all"),
        };
        let state = match (self.ephemeral.unwrap_or(false), self.data_dir) {
            (true, Some(_)) => bail!("ephemeral and data-dir exclude each other; give one"),
            (true, None) => State::Ephemeral,
            (false, Some(dir)) => State::Directory(dir),
            (false, None) => State::Directory(default_data_dir()?),
        };
        let concurrency = self.concurrency.unwrap_or(1_000);
        ensure!(concurrency >= 1, "concurrency must be at least 1");
        Ok(Config {
            listen,
            state,
            auth,
            root_key,
            region: self
                .region
                .as_deref()
                .unwrap_or("us-east-1")
                .parse()
                .context("region")?,
            cors_origins: self.cors_origins.unwrap_or_default(),
            strict_runtimes: self.strict_runtimes.unwrap_or(false),
            idle: Duration::from_secs(self.idle_seconds.unwrap_or(600)),
            concurrency,
            hot_reload: self.hot_reload.unwrap_or(auth == Auth::Permissive),
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            log_format: self.log_format.unwrap_or(LogFormat::Text),
        })
    }
}

/// Where interpreters are looked for: this process's `PATH`, and its user's version managers.
pub fn interpreters() -> exec::InterpreterSearch {
    exec::InterpreterSearch::from_variables(|name| std::env::var_os(name))
}

/// `/var/lib/kagero` for root; the user's XDG data directory otherwise.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if home.as_deref() == Some(Path::new("/root")) {
        return Ok(PathBuf::from("/var/lib/kagero"));
    }
    let xdg = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let base = xdg.or_else(|| home.map(|home| home.join(".local/share")));
    Ok(base
        .context("HOME is not set, so there is no default data directory; give --data-dir")?
        .join("kagero"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Settings {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn upper_layers_win_and_defaults_fill_in() {
        let file = settings("listen = \"127.0.0.1:1\"\nidle-seconds = 5\ndata-dir = \"/srv/k\"");
        let flags = settings("listen = \"127.0.0.1:2\"\nephemeral = true");
        let config = flags.or(file).resolve().unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.idle, Duration::from_secs(5));
        assert_eq!(config.state, State::Ephemeral);
        assert_eq!(config.concurrency, 1_000);
    }

    #[test]
    fn permissive_listens_on_loopback_only_unless_named() {
        let open = "listen = \"0.0.0.0:4566\"\nephemeral = true\n";
        let refused = settings(open).resolve().unwrap_err().to_string();
        assert!(refused.contains("--allow-permissive-remote"), "{refused}");
        assert!(
            settings(&format!("{open}auth = \"enforce\""))
                .resolve()
                .is_ok()
        );
        assert!(
            settings(&format!("{open}allow-permissive-remote = true"))
                .resolve()
                .is_ok()
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Settings>("lisen = \"127.0.0.1:1\"").is_err());
    }
}
