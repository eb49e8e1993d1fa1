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

/// What functions reach beyond this server's own APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// As nat where this machine can do it; else as none, with a warning
    Auto,
    /// The outside, by address translation; not this machine, nor other functions
    Nat,
    /// Nothing
    None,
    /// All that this machine reaches, and this machine: no isolation of the network
    Host,
}

/// Which versions of functions start from a snapshot of their init, where that can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SnapStart {
    /// Every version and `$LATEST`, whatever it asks for
    Auto,
    /// Those published with `SnapStart: PublishedVersions`
    Published,
    /// None: they become active and start like any other
    None,
}

impl SnapStart {
    pub(crate) fn templates(self) -> exec::Templates {
        match self {
            Self::Auto => exec::Templates::Always,
            Self::Published => exec::Templates::Asked,
            Self::None => exec::Templates::Never,
        }
    }
}

/// Settings as given in one place: a field that was not given is `None`.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:4566]
    #[arg(long, env = "KAGERO_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Speak TLS as well, with HTTP/2 where clients know it, on this address and port
    /// [default: none; without a value 127.0.0.1:4567]
    #[arg(
        long,
        env = "KAGERO_TLS",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:4567",
        value_name = "ADDRESS"
    )]
    pub tls: Option<SocketAddr>,

    /// Certificate chain of the TLS listener, as PEM [default: one for each name, signed
    /// by an authority of the server's own that is kept with the data]
    #[arg(
        long,
        env = "KAGERO_TLS_CERTIFICATE",
        requires = "tls_key",
        value_name = "FILE"
    )]
    pub tls_certificate: Option<PathBuf>,

    /// Its private key, as PEM
    #[arg(
        long,
        env = "KAGERO_TLS_KEY",
        requires = "tls_certificate",
        value_name = "FILE"
    )]
    pub tls_key: Option<PathBuf>,

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

    /// File with the key that encrypts S3 objects at rest: 32 bytes, as they are or in 64
    /// hexadecimal digits. What it has encrypted cannot be read without it
    #[arg(long, env = "KAGERO_ENCRYPTION_KEY_FILE", value_name = "FILE")]
    pub encryption_key_file: Option<PathBuf>,

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

    /// Longest timeout that a function may have, in seconds, up to 5400 [default: 900]
    #[arg(long, env = "KAGERO_LAMBDA_TIMEOUT", value_name = "SECONDS")]
    pub lambda_timeout: Option<u32>,

    /// Largest event and largest response of a synchronous invocation, in MB, up to 48 [default: 6]
    #[arg(long, env = "KAGERO_LAMBDA_PAYLOAD", value_name = "MB")]
    pub lambda_payload: Option<u32>,

    /// Largest event of an asynchronous invocation, in MB, up to 48 [default: 1]
    #[arg(long, env = "KAGERO_LAMBDA_ASYNC_PAYLOAD", value_name = "MB")]
    pub lambda_async_payload: Option<u32>,

    /// What functions reach beyond this server's own APIs [default: auto]
    #[arg(long, env = "KAGERO_EGRESS", value_enum)]
    pub egress: Option<Egress>,

    /// Which versions start from a snapshot of their init [default: published]
    #[arg(long, env = "KAGERO_SNAPSTART", value_enum)]
    pub snapstart: Option<SnapStart>,

    /// Whether the bucket name hot-reload mounts a local folder as a function's code
    /// [default: true with --auth permissive]
    #[arg(long, env = "KAGERO_HOT_RELOAD", value_name = "BOOL")]
    pub hot_reload: Option<bool>,

    /// Credentials for pulling functions' images from other registries, in a file as Docker's
    /// config.json [default: none, pull without]
    #[arg(long, env = "KAGERO_REGISTRY_AUTH", value_name = "FILE")]
    pub registry_auth: Option<PathBuf>,

    /// Refuse requests beyond the capacity of a DynamoDB table, as AWS does
    #[arg(long, env = "KAGERO_DYNAMODB_THROTTLING", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub dynamodb_throttling: Option<bool>,

    /// How many events are remembered for `kagero events tail` and `kagero replay`; 0 for none
    /// [default: 1000]
    #[arg(long, env = "KAGERO_RECENT_EVENTS", value_name = "COUNT")]
    pub recent_events: Option<usize>,

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

/// The listener that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub listen: SocketAddr,
    /// None where the server signs for itself.
    pub own: Option<Certificate>,
}

/// Files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Settings with every default applied and every rule checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    pub state: State,
    pub auth: Auth,
    pub root_key: Option<RootKey>,
    pub region: Region,
    pub cors_origins: Vec<String>,
    pub encryption_key_file: Option<PathBuf>,
    pub strict_runtimes: bool,
    pub idle: Duration,
    pub concurrency: u32,
    /// In seconds.
    pub lambda_timeout: u32,
    /// In MB.
    pub lambda_payload: u32,
    pub lambda_async_payload: u32,
    pub egress: Egress,
    pub snapstart: SnapStart,
    pub hot_reload: bool,
    pub registry_auth: Option<PathBuf>,
    pub dynamodb_throttling: bool,
    pub recent_events: usize,
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
            tls: self.tls.or(lower.tls),
            tls_certificate: self.tls_certificate.or(lower.tls_certificate),
            tls_key: self.tls_key.or(lower.tls_key),
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
            encryption_key_file: self.encryption_key_file.or(lower.encryption_key_file),
            strict_runtimes: self.strict_runtimes.or(lower.strict_runtimes),
            idle_seconds: self.idle_seconds.or(lower.idle_seconds),
            concurrency: self.concurrency.or(lower.concurrency),
            lambda_timeout: self.lambda_timeout.or(lower.lambda_timeout),
            lambda_payload: self.lambda_payload.or(lower.lambda_payload),
            lambda_async_payload: self.lambda_async_payload.or(lower.lambda_async_payload),
            egress: self.egress.or(lower.egress),
            snapstart: self.snapstart.or(lower.snapstart),
            hot_reload: self.hot_reload.or(lower.hot_reload),
            registry_auth: self.registry_auth.or(lower.registry_auth),
            dynamodb_throttling: self.dynamodb_throttling.or(lower.dynamodb_throttling),
            recent_events: self.recent_events.or(lower.recent_events),
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
        let tls = tls(self.tls, self.tls_certificate, self.tls_key)?;
        let tls_address = tls.as_ref().map(|tls| tls.listen);
        for listen in [Some(listen), tls_address].into_iter().flatten() {
            ensure!(
                auth == Auth::Enforce || listen.ip().is_loopback() || remote_allowed,
                "refusing to listen on {listen}: with --auth permissive anyone who reaches this \
             address could run code here. Use --auth enforce, or say \
             --allow-permissive-remote if the network is yours alone."
            );
        }
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
        let lambda_timeout = self.lambda_timeout.unwrap_or(900);
        ensure!(
            (1..=5_400).contains(&lambda_timeout),
            "lambda-timeout must be 1 to 5400 seconds"
        );
        let lambda_payload = self.lambda_payload.unwrap_or(6);
        let lambda_async_payload = self.lambda_async_payload.unwrap_or(1);
        ensure!(
            (1..=48).contains(&lambda_payload) && (1..=48).contains(&lambda_async_payload),
            "lambda-payload and lambda-async-payload must be 1 to 48 MB"
        );
        Ok(Config {
            listen,
            tls,
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
            encryption_key_file: self.encryption_key_file,
            strict_runtimes: self.strict_runtimes.unwrap_or(false),
            idle: Duration::from_secs(self.idle_seconds.unwrap_or(600)),
            concurrency,
            lambda_timeout,
            lambda_payload,
            lambda_async_payload,
            egress: self.egress.unwrap_or(Egress::Auto),
            snapstart: self.snapstart.unwrap_or(SnapStart::Published),
            hot_reload: self.hot_reload.unwrap_or(auth == Auth::Permissive),
            registry_auth: self.registry_auth,
            dynamodb_throttling: self.dynamodb_throttling.unwrap_or(false),
            recent_events: self.recent_events.unwrap_or(1_000),
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            log_format: self.log_format.unwrap_or(LogFormat::Text),
        })
    }
}

fn tls(
    listen: Option<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> anyhow::Result<Option<Tls>> {
    let own = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Certificate { certificate, key }),
        (None, None) => None,
        _ => bail!("tls-certificate and tls-key come together or not at all"),
    };
    match listen {
        Some(listen) => Ok(Some(Tls { listen, own })),
        None if own.is_some() => bail!("tls-certificate needs tls, the address to use it on"),
        None => Ok(None),
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
    fn egress_is_automatic_unless_named() {
        let default = settings("ephemeral = true").resolve().unwrap();
        assert_eq!(default.egress, Egress::Auto);
        let named = settings("ephemeral = true\negress = \"none\"");
        assert_eq!(named.resolve().unwrap().egress, Egress::None);
    }

    #[test]
    fn snapstart_is_for_what_asks_for_it_unless_named() {
        let default = settings("ephemeral = true").resolve().unwrap();
        assert_eq!(default.snapstart, SnapStart::Published);
        let named = settings("ephemeral = true\nsnapstart = \"auto\"");
        assert_eq!(named.resolve().unwrap().snapstart, SnapStart::Auto);
    }

    #[test]
    fn tls_is_open_to_others_only_as_the_plain_port_is() {
        let local = settings("ephemeral = true\ntls = \"127.0.0.1:1\"");
        assert_eq!(local.resolve().unwrap().tls.unwrap().listen.port(), 1);
        for bad in [
            "tls = \"0.0.0.0:1\"",
            "tls-certificate = \"c\"",
            "tls-certificate = \"c\"\ntls-key = \"k\"",
        ] {
            let settings = settings(&format!("ephemeral = true\n{bad}"));
            assert!(settings.resolve().is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Settings>("lisen = \"127.0.0.1:1\"").is_err());
    }
}
