//! The service itself: its state, and the way into the table of operations.

use std::sync::Arc;
use std::time::Duration;

use ::service::ports::ApiCaller;
use ::service::{RequestContext, Service, ServiceError, dispatch};
use async_trait::async_trait;
use base::Clock;
use routing::deliveries::{Deliveries, NoWeb};
use store::{Store, StoreError};
use wire::{ServiceSchema, Value};

use crate::ingest::{Ingest, write_arrivals};
use crate::subscriptions::Subscriptions;
use crate::{Config, OPERATIONS, SENDER, domain::names, generated, ingest};

/// How often events past their group's retention are removed; reads leave them out at once.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

pub struct Logs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) api: Arc<dyn ApiCaller>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) deliveries: Arc<Deliveries>,
    pub(crate) ingest: Arc<Ingest>,
    /// A group's or a stream's record is read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
}

impl Logs {
    pub(crate) async fn start(config: Config) -> Result<Arc<Self>, StoreError> {
        let subscriptions = Subscriptions::open(&*config.store).await?;
        let deliveries = Deliveries::new(
            SENDER,
            Arc::clone(&config.store),
            config.clock.clone(),
            Arc::clone(&config.api),
            Arc::new(NoWeb),
        );
        let logs = Arc::new(Self {
            store: config.store,
            clock: config.clock,
            api: config.api,
            subscriptions,
            deliveries,
            ingest: Arc::new(Ingest::default()),
            writer: tokio::sync::Mutex::new(()),
        });
        tokio::spawn(write_arrivals(
            Arc::downgrade(&logs),
            Arc::clone(&logs.ingest),
        ));
        tokio::spawn(sweep(Arc::downgrade(&logs), logs.clock.clone()));
        Ok(logs)
    }

    /// Delivers to subscribers what an earlier run left undelivered.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn resume(&self) -> Result<(), StoreError> {
        self.deliveries.resume().await
    }

    /// Begins no more deliveries.
    pub fn end(&self) {
        self.deliveries.end();
    }

    /// Writes every line taken so far: before the end, and before any operation, so that what a
    /// function wrote is there for whoever asks after its answer.
    pub async fn flush(&self) {
        ingest::write_waiting(self).await;
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.end();
        // The writer wakes, finds the service gone, and ends.
        self.ingest.wake();
    }
}

async fn sweep(logs: std::sync::Weak<Logs>, clock: Clock) {
    loop {
        clock.sleep(SWEEP_INTERVAL).await;
        let Some(logs) = logs.upgrade() else { return };
        if let Err(error) = logs.remove_expired().await {
            tracing::warn!(%error, "remove expired log events; trying again in an hour");
        }
    }
}

/// The service as the gateway holds it; handlers take the `Arc` inside.
pub struct LogsService(pub Arc<Logs>);

#[async_trait]
impl Service for LogsService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        self.0.flush().await;
        dispatch(
            OPERATIONS,
            "CloudWatch Logs",
            &self.0,
            operation,
            context,
            input,
        )
        .await
    }

    /// The stream an operation names, as `arn:…:log-group:GROUP:log-stream:NAME`, else the group, as
    /// `arn:…:log-group:NAME:*`; `arn:…:log-group::log-stream:` where none is named.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        if let Some(arn) = text("resourceArn") {
            return arn.to_owned();
        }
        let named = text("logGroupName").or_else(|| text("logGroupIdentifier"));
        let group = match named {
            Some(arn) if arn.starts_with("arn:") => {
                arn.strip_suffix(":*").unwrap_or(arn).to_owned()
            }
            name => {
                let name = name.unwrap_or_default();
                names::group_arn(&context.region, context.account, name).to_string()
            }
        };
        match text("logStreamName") {
            Some(stream) => format!("{group}:log-stream:{stream}"),
            None if named.is_none() => format!("{group}:log-stream:"),
            None => format!("{group}:*"),
        }
    }
}
