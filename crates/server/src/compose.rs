//! Who gets what: the services, made in the order of their needs and joined by ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;
use apigateway::{ApiGateway, ApiGatewayService, Invocations};
use apigatewayv2::{ApiGatewayV2, ApiGatewayV2Service};
use base::Clock;
use bytes::Bytes;
use dynamodb::DynamoDb;
use ecr::Ecr;
use events::{Events, EventsService};
use exec::{Exec, ExecConfig, ExecPorts, Images};
use gateway::{Caller, Endpoint, Registry};
use iam::Identity;
use logs::{Logs, LogsService};
use metering::Ledger;
use s3::S3;
use scheduler::{Scheduler, SchedulerService};
use service::ports::{
    ApiCaller, Credentials, ImageRegistry, Invoker, LogSink, Onlooker, StreamSignals, WebClient,
};
use service::{Principal, RequestContext};
use sns::{Sns, SnsService};

use crate::config::{self, Auth, Config, RootKey};
use crate::late::LateInvoker;
use crate::recent::Recent;
use crate::root_key::WithRoot;
use crate::sockets::Sockets;
use crate::state::State;
use crate::sweep;
use crate::usage::LedgerSink;
use crate::{egress, encryption_key};

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
    dynamodb: Arc<DynamoDb>,
    ecr: Arc<Ecr>,
    s3: Arc<S3>,
    lambda: Arc<lambda::Lambda>,
    sns: Arc<Sns>,
    events: Arc<Events>,
    scheduler: Arc<Scheduler>,
    pub recent: Arc<Recent>,
    caller: Arc<Caller>,
    rest_apis: Arc<ApiGateway>,
    http_apis: Arc<ApiGatewayV2>,
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
        let recent = Arc::new(Recent::new(self.config.recent_events, clock.clone()));
        let onlooker = recent
            .is_on()
            .then(|| Arc::clone(&recent) as Arc<dyn Onlooker>);
        let client = proxy::client::Client::new();
        let web: Arc<dyn WebClient> = Arc::new(client.clone());

        let identity = Identity::open(Arc::clone(&store), clock.clone())
            .await
            .context("open IAM's identities")?;
        let logs = logs::service(logs::Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
            api: Arc::clone(&api),
        })
        .await
        .context("open CloudWatch Logs' subscription filters")?;
        let ledger = Ledger::start(Arc::clone(&store), clock.clone());
        let sqs_config = sqs::Config {
            authority: self.address.to_string(),
            ..Default::default()
        };
        let sqs = sqs::service(sqs_config, Arc::clone(&store), clock.clone())
            .await
            .context("open SQS's queues")?;
        let dynamodb = dynamodb::service(dynamodb::Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
            authority: self.address.to_string(),
            api: Arc::clone(&api),
            throttles: self.config.dynamodb_throttling,
        })
        .await
        .context("open DynamoDB's tables")?;
        let is_permissive = self.config.auth == Auth::Permissive;
        let ecr = ecr::service(ecr::Config {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            clock: clock.clone(),
            credentials: (!is_permissive).then(|| iam::credentials(&identity) as _),
            authority: self.address.to_string(),
        })
        .await
        .context("open ECR's repositories")?;
        let events = events::service(events::Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
            api: Arc::clone(&api),
            web: Arc::clone(&web),
            onlooker: onlooker.clone(),
        })
        .await
        .context("open EventBridge's rules")?;
        let events_service = Arc::new(EventsService(Arc::clone(&events)));
        let s3_config = s3::Config {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            clock: clock.clone(),
            is_permissive: self.config.auth == Auth::Permissive,
            encryption_key: encryption_key::read(self.config.encryption_key_file.as_deref())?,
        };
        let credentials: Arc<dyn Credentials> = Arc::new(WithRoot {
            root: self.root.clone(),
            iam: iam::credentials(&identity),
        });
        let s3_ports = s3::Ports {
            api: Arc::clone(&api),
            credentials: Some(Arc::clone(&credentials)),
        };
        let s3 = Arc::new(s3::service(s3_config, s3_ports));
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let exec = Exec::new(
            ExecConfig {
                interpreters: config::interpreters(),
                strict_runtimes: self.config.strict_runtimes,
                idle_timeout: self.config.idle,
                account_concurrency: self.config.concurrency,
                outbound: egress::outbound(self.config.egress),
                templates: self.config.snapstart.templates(),
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
        egress::check(self.config.egress, &exec)?;
        egress::tell(self.config.egress, &exec, &client);
        let images = Images::new(folder.join("images")).context("open the code images")?;
        let lambda_config = lambda::Config {
            store,
            blobs,
            images,
            exec: Arc::clone(&exec),
            streams: Arc::clone(&dynamodb) as Arc<dyn StreamSignals>,
            registry: Arc::clone(&ecr) as Arc<dyn ImageRegistry>,
            registry_credentials: self.config.registry_auth.clone(),
            clock,
            is_permissive,
            hot_reload: self.config.hot_reload,
            limits: lambda::Limits {
                concurrency: self.config.concurrency,
                timeout: self.config.lambda_timeout,
                payload: (self.config.lambda_payload as usize) << 20,
                async_payload: (self.config.lambda_async_payload as usize) << 20,
                ..lambda::Limits::default()
            },
            authority: self.address.to_string(),
        };
        let lambda = lambda::service(lambda_config, api)
            .await
            .context("open the functions")?;
        let as_invoker = Arc::clone(&lambda) as Arc<dyn Invoker>;
        invoker.connect(&as_invoker);

        let sns = sns::service(sns::Config {
            store: Arc::clone(&self.state.store),
            clock: self.clock.clone(),
            api: Arc::clone(&caller) as Arc<dyn ApiCaller>,
            web: Arc::clone(&web),
            onlooker: onlooker.clone(),
            authority: self.address.to_string(),
        })
        .await
        .context("open SNS's topics")?;

        let scheduler = scheduler::service(scheduler::Config {
            store: Arc::clone(&self.state.store),
            clock: self.clock.clone(),
            api: Arc::clone(&caller) as Arc<dyn ApiCaller>,
            web: Arc::clone(&web),
            calls_anything: is_permissive,
        })
        .await
        .context("open Scheduler's schedules")?;

        let rest_apis = apigateway::service(apigateway::Config {
            store: Arc::clone(&self.state.store),
            clock: self.clock.clone(),
            api: Arc::clone(&caller) as Arc<dyn ApiCaller>,
            invoker: Arc::clone(&invoker) as Arc<dyn Invoker>,
            logs: Arc::clone(&logs) as Arc<dyn LogSink>,
            client: client.clone(),
            enforces_policies: !is_permissive,
        })
        .await
        .context("open API Gateway's REST APIs")?;

        let http_apis = apigatewayv2::service(apigatewayv2::Config {
            store: Arc::clone(&self.state.store),
            clock: self.clock.clone(),
            invoker: Arc::clone(&invoker) as Arc<dyn Invoker>,
            api: Arc::clone(&caller) as Arc<dyn ApiCaller>,
            logs: Arc::clone(&logs) as Arc<dyn LogSink>,
            client,
            authority: self.address.to_string(),
            enforces_policies: !is_permissive,
        })
        .await
        .context("open API Gateway's APIs")?;

        let registry = Arc::new(Registry {
            endpoints: vec![
                Endpoint::Modelled(lambda::endpoint(&lambda)),
                Endpoint::Http(lambda::urls_endpoint(&lambda, is_permissive)),
                Endpoint::Modelled(Arc::new(ApiGatewayV2Service(Arc::clone(&http_apis)))),
                Endpoint::Http(apigatewayv2::endpoint(&http_apis)),
                Endpoint::Modelled(sqs),
                Endpoint::Modelled(Arc::new(ApiGatewayService(Arc::clone(&rest_apis)))),
                Endpoint::Http(Arc::new(Invocations(Arc::clone(&rest_apis)))),
                Endpoint::Modelled(dynamodb::endpoint(&dynamodb)),
                Endpoint::Modelled(dynamodb::streams_endpoint(&dynamodb)),
                Endpoint::Modelled(ecr::endpoint(&ecr)),
                Endpoint::Http(ecr::distribution(&ecr)),
                Endpoint::Modelled(events_service),
                Endpoint::Modelled(Arc::new(SchedulerService(Arc::clone(&scheduler)))),
                Endpoint::Modelled(Arc::new(SnsService(Arc::clone(&sns)))),
                Endpoint::Modelled(Arc::new(LogsService(Arc::clone(&logs)))),
                Endpoint::Modelled(iam::service(&identity)),
                Endpoint::Modelled(iam::sts_service(&identity)),
                Endpoint::Http(Arc::clone(&s3) as Arc<dyn service::HttpService>),
            ],
            credentials,
        });
        caller.connect(&registry);
        let state = self.state.clone();
        Ok(Composition {
            registry,
            exec,
            ledger,
            logs,
            dynamodb,
            ecr,
            s3,
            lambda,
            sns,
            events,
            scheduler,
            recent,
            caller,
            rest_apis,
            http_apis,
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
        self.dynamodb
            .resume()
            .await
            .context("take up DynamoDB's backups, exports and imports")?;
        self.s3.resume().await.context("take up S3's events")?;
        self.logs
            .resume()
            .await
            .context("take up what subscribers to logs get")?;
        self.sns.resume().await.context("take up SNS's messages")?;
        self.events
            .resume()
            .await
            .context("take up EventBridge's events")?;
        self.scheduler
            .resume()
            .await
            .context("take up Scheduler's schedules")?;
        self.rest_apis.resume();
        self.ecr.resume().await.context("forget ECR's layers")?;
        let namers = sweep::Namers {
            s3: Arc::clone(&self.s3),
            lambda: Arc::clone(&self.lambda),
            ecr: Arc::clone(&self.ecr),
        };
        tokio::spawn(sweep::orphans(Arc::clone(&self.state.blobs), namers));
        Ok(())
    }

    /// Ends every environment and writes what still waits.
    pub async fn end(&self) {
        self.sns.end();
        self.events.end();
        self.scheduler.end();
        self.http_apis.end();
        // Together: mappings and events wait for the invocations that the executor cuts short.
        tokio::join!(self.lambda.end(), self.exec.shutdown());
        self.rest_apis.end().await;
        self.logs.flush().await;
        self.logs.end();
        self.ledger.flush().await;
        self.dynamodb.end().await;
    }

    /// Publishes a recent event once more.
    ///
    /// # Errors
    /// Why it was not, in words.
    pub async fn replay(&self, id: &str) -> Result<(), String> {
        let seen = self.recent.find(id).ok_or_else(|| {
            format!("{id} is not among the last events; --recent-events says how many are kept")
        })?;
        let (service, operation, input) = seen.again;
        let principal = Principal::Service {
            name: "kagero",
            source_arn: None,
            source_account: Some(seen.account),
        };
        let context = RequestContext::internal(principal, seen.account, seen.region, seen.at);
        let answer = self.caller.call(service, operation, context, input).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.get("FailedEntryCount") {
            Some(wire::Value::Int(1..)) => Err(format!("{id} was refused: {answer:?}")),
            _ => Ok(()),
        }
    }

    /// A certificate that SNS signs with, by the name in its URL.
    pub async fn certificate(&self, name: &str) -> Option<String> {
        self.sns.certificate(name).await
    }

    /// What would have left this machine through SNS.
    pub async fn messages(&self) -> Result<Vec<serde_json::Value>, store::StoreError> {
        self.sns.outgoing().await
    }

    pub async fn function_code(&self, sha256: &str) -> Option<Bytes> {
        self.lambda.code_zip(sha256).await
    }
}
