//! The composition root: configuration, telemetry, wiring.
//!
//! Read [`Server::start`] for the order in which a server comes up, and `compose` for who gets what.

mod admin;
mod compose;
pub mod config;
pub mod doctor;
mod egress;
mod encryption_key;
mod ephemeral;
mod late;
mod open_files;
pub mod packs;
mod recent;
mod root_key;
mod sockets;
mod state;
mod sweep;
pub mod telemetry;
mod tls;
mod usage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use anyhow::Context;
use base::Clock;
use gateway::{AuthMode, Gateway};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use admin::ServerAdmin;
use compose::Composer;
use config::{Auth, Config};
use sockets::Sockets;
use state::State;

/// A running server.
pub struct Server {
    address: SocketAddr,
    admin: Arc<ServerAdmin>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
    tls_address: Option<SocketAddr>,
}

impl Server {
    /// Opens the state, wires the services, listens. Once this returns, requests are answered.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let open_files = open_files::raise();
        let listener = TcpListener::bind(config.listen).await.with_context(|| {
            format!(
                "listen on {}; if another server holds the port, end it or choose one with \
                 --listen",
                config.listen
            )
        })?;
        let address = listener.local_addr()?;
        let tls_listener = match &config.tls {
            Some(tls) => Some(TcpListener::bind(tls.listen).await.with_context(|| {
                format!(
                    "listen on {} for TLS; choose another address with --tls",
                    tls.listen
                )
            })?),
            None => None,
        };
        let tls_address = tls_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        let clock = Clock::system();
        let state = State::open(&config.state)?;
        let root = root_key(&config, &state).await?;
        let tls = match &config.tls {
            Some(tls) => Some(tls::acceptor(tls, &state.folder)?),
            None => None,
        };
        let sockets = Arc::new(Sockets::default());
        let composer = Composer {
            config: config.clone(),
            address,
            clock: clock.clone(),
            state,
            root,
            sockets: Arc::clone(&sockets),
            made: AtomicU32::new(0),
        };
        let composition = composer.compose().await?;
        let registry = Arc::clone(&composition.registry);
        let admin = Arc::new(ServerAdmin::new(composer, composition));
        let gateway = Arc::new(Gateway::new(
            gateway::Config {
                auth: match config.auth {
                    Auth::Permissive => AuthMode::Permissive,
                    Auth::Enforce => AuthMode::Enforce,
                },
                default_region: config.region,
                cors_origins: config.cors_origins,
                // The other half is for callers, files and the environments themselves.
                environment_connections: usize::try_from(open_files / 2).unwrap_or(usize::MAX),
            },
            clock,
            registry,
            Arc::clone(&admin) as Arc<dyn gateway::Admin>,
        ));
        sockets.connect(&gateway);
        admin.connect(&gateway);
        admin.resume().await?;
        let (stop, stopping) = watch::channel(false);
        let mut serving = Vec::new();
        if let (Some(listener), Some(tls)) = (tls_listener, tls) {
            let gateway = Arc::clone(&gateway);
            serving.push(tokio::spawn(gateway.serve_tls(
                listener,
                tls,
                stopping.clone(),
            )));
        }
        serving.push(tokio::spawn(gateway.serve(listener, None, stopping)));
        Ok(Self {
            address,
            admin,
            stop,
            serving,
            tls_address,
        })
    }

    /// Where it listens; the port is a real one where the configuration said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for TLS, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Runs until SIGINT, SIGTERM or SIGHUP, then ends.
    pub async fn until_stopped(self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = hung_up() => {}
        }
        tracing::info!("stopping: requests in progress may finish");
        self.stop().await
    }

    /// Takes no more requests, lets those in progress finish, ends every environment, and writes
    /// what still waits.
    pub async fn stop(self) -> anyhow::Result<()> {
        // An error means that nobody serves any more.
        let _ = self.stop.send(true);
        for serving in self.serving {
            serving.await.context("end a listener")?;
        }
        self.admin.end().await;
        Ok(())
    }
}

/// Until the terminal is gone; never under `nohup`, which has the signal ignored.
async fn hung_up() {
    let is_ignored = || -> Option<bool> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask & 1 != 0)
    };
    // Listening ends that, so it is asked before.
    let hangup = match is_ignored() {
        Some(false) => signal(SignalKind::hangup()).ok(),
        _ => None,
    };
    match hangup {
        Some(mut hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The configured key, or where signatures are verified one of our own, shown so that there is a
/// way in.
async fn root_key(config: &Config, state: &State) -> anyhow::Result<Option<config::RootKey>> {
    if config.root_key.is_some() || config.auth == Auth::Permissive {
        return Ok(config.root_key.clone());
    }
    let kept = root_key::kept(&*state.store)
        .await
        .context("keep a root access key")?;
    tracing::info!(
        "the account's root user: AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
        kept.id,
        kept.secret
    );
    Ok(Some(kept))
}
