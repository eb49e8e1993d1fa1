//! Who gets what: the services, made in the order of their needs and joined by ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;
use base::Clock;
use bytes::Bytes;
use exec::{Exec, ExecConfig, ExecPorts, Images};
use gateway::{Caller, Endpoint, Registry};
use iam::Identity;
use logs::{Logs, LogsService};
use metering::Ledger;
use s3::S3;
use service::ports::{ApiCaller, Invoker, LogSink};

use crate::config::{self, Auth, Config, RootKey};
use crate::late::LateInvoker;
use crate::root_key::WithRoot;
use crate::sockets::Sockets;
use crate::state::State;
use crate::sweep;
use crate::usage::LedgerSink;

/// All that a composition is made from; a reset makes another from the same.
pub struct Composer {
    pub config: Config,
    pub address: SocketAddr,
    pub clock: Clock,
    pub state: State,
    pub root: Option<RootKey>,
    pub sockets: Arc<Sockets>,
    /// Compositions made so far. Each has a folder, and so control groups, of its own: the one
    /// before may still be letting go of its.
    pub made: AtomicU32,
}

/// The services of a running server, and what must be ended with them.
pub struct Composition {
    pub registry: Arc<Registry>,
    pub exec: Arc<Exec>,
    pub ledger: Arc<Ledger>,
    logs: Arc<Logs>,
    s3: Arc<S3>,
    lambda: Arc<lambda::Lambda>,
    state: State,
}

impl Composer {
    pub async fn compose(&self) -> anyhow::Result<Composition> {
        let State {
            store,
            blobs,
            folder,
            ..
        } = &self.state;
        let (store, blobs, clock) = (Arc::clone(store), Arc::clone(blobs), self.clock.clone());
        let caller = Arc::new(Caller::default());
        let api: Arc<dyn ApiCaller> = Arc::clone(&caller) as Arc<dyn ApiCaller>;
        let invoker = Arc::new(LateInvoker::default());

        let identity = Identity::open(Arc::clone(&store), clock.clone())
            .await
            .context("open IAM's identities")?;
        let logs = logs::service(logs::Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
        });
        let ledger = Ledger::start(Arc::clone(&store), clock.clone());
        let sqs_config = sqs::Config {
            authority: self.address.to_string(),
            ..Default::default()
        };
        let sqs = sqs::service(sqs_config, Arc::clone(&store), clock.clone())
            .await
            .context("open SQS's queues")?;
        let s3_config = s3::Config {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            clock: clock.clone(),
        };
        let s3_ports = s3::Ports {
            api: Arc::clone(&api),
            invoker: Arc::clone(&invoker) as Arc<dyn Invoker>,
            events: None,
        };
        let s3 = Arc::new(s3::service(s3_config, s3_ports));
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let exec = Exec::new(
            ExecConfig {
                interpreters: config::interpreters(),
                strict_runtimes: self.config.strict_runtimes,
                idle_timeout: self.config.idle,
                account_concurrency: self.config.concurrency,
                ..ExecConfig::new(folder.join("environments").join(made.to_string()))
            },
            ExecPorts {
                clock: clock.clone(),
                logs: Arc::clone(&logs) as Arc<dyn LogSink>,
                usage: Arc::new(LedgerSink(Arc::clone(&ledger))),
                gateway: Some(Arc::clone(&self.sockets) as Arc<dyn exec::GatewaySockets>),
            },
        )
        .context("prepare the environments")?;
        let images = Images::new(folder.join("images")).context("open the code images")?;
        let is_permissive = self.config.auth == Auth::Permissive;
        let lambda_config = lambda::Config {
            store,
            blobs,
            images,
            exec: Arc::clone(&exec),
            clock,
            is_permissive,
            hot_reload: self.config.hot_reload,
            limits: lambda::Limits {
                concurrency: self.config.concurrency,
                ..lambda::Limits::default()
            },
            authority: self.address.to_string(),
        };
        let lambda = lambda::service(lambda_config, api)
            .await
            .context("open the functions")?;
        let as_invoker = Arc::clone(&lambda) as Arc<dyn Invoker>;
        invoker.connect(&as_invoker);

        let registry = Arc::new(Registry {
            endpoints: vec![
                Endpoint::Modelled(lambda::endpoint(&lambda)),
                Endpoint::Modelled(sqs),
                Endpoint::Modelled(Arc::new(LogsService(Arc::clone(&logs)))),
                Endpoint::Modelled(iam::service(&identity)),
                Endpoint::Modelled(iam::sts_service(&identity)),
                Endpoint::Http(Arc::clone(&s3) as Arc<dyn service::HttpService>),
            ],
            credentials: Arc::new(WithRoot {
                root: self.root.clone(),
                iam: iam::credentials(&identity),
            }),
        });
        caller.connect(&registry);
        let state = self.state.clone();
        Ok(Composition {
            registry,
            exec,
            ledger,
            logs,
            s3,
            lambda,
            state,
        })
    }
}

impl Composition {
    /// Takes up what an earlier run left undone, and removes what it left behind.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.lambda
            .resume()
            .await
            .context("take up Lambda's events and mappings")?;
        self.s3.resume().await.context("take up S3's events")?;
        let (s3, lambda) = (Arc::clone(&self.s3), Arc::clone(&self.lambda));
        tokio::spawn(sweep::orphans(Arc::clone(&self.state.blobs), s3, lambda));
        Ok(())
    }

    /// Ends every environment and writes what still waits.
    pub async fn end(&self) {
        // Together: mappings and events wait for the invocations that the executor cuts short.
        tokio::join!(self.lambda.end(), self.exec.shutdown());
        self.logs.flush().await;
        self.ledger.flush().await;
    }

    pub async fn function_code(&self, sha256: &str) -> Option<Bytes> {
        self.lambda.code_zip(sha256).await
    }
}
