//! One running mapping: what its reader and its batches share, and how a batch is run.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Timestamp};
use http::StatusCode;
use parking_lot::Mutex;
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, ServiceError};
use tokio::sync::watch;

use super::SqsMapping;
use super::batch_response::{self, Failures};
use super::concurrency::Concurrency;
use super::event::Batch;
use super::queue_client::QueueClient;
use super::retry::BackOff;

const FIRST_THROTTLE_DELAY: Duration = Duration::from_millis(100);
const LONGEST_THROTTLE_DELAY: Duration = Duration::from_secs(10);

pub struct Mapping {
    pub settings: SqsMapping,
    pub queue: QueueClient,
    pub clock: Clock,
    pub concurrency: Arc<Concurrency>,
    invoker: Arc<dyn Invoker>,
    last_result: Mutex<String>,
    phase: watch::Sender<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Stopping,
    Stopped,
}

impl Mapping {
    pub fn new(
        settings: SqsMapping,
        api: Arc<dyn ApiCaller>,
        invoker: Arc<dyn Invoker>,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            queue: QueueClient::new(api, clock.clone(), &settings),
            concurrency: Concurrency::new(settings.maximum_concurrency),
            settings,
            clock,
            invoker,
            last_result: Mutex::new("No records processed".to_owned()),
            phase: watch::channel(Phase::Running).0,
        })
    }

    pub fn last_result(&self) -> String {
        self.last_result.lock().clone()
    }

    pub fn set_problem(&self, problem: &str) {
        *self.last_result.lock() = format!("PROBLEM: {problem}");
    }

    pub fn request_stop(&self) {
        self.phase.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = Phase::Stopping;
            }
            is_running
        });
    }

    pub fn has_stopped(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    /// Returns once a stop has been asked for.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Returns once everything in hand is finished.
    pub async fn stopped(&self) {
        self.reached(Phase::Stopped).await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender is `self`'s own, so that this cannot fail.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Runs the function on a batch and deletes what it handled. What it did not comes back at the
    /// end of its visibility timeout. Returns whether every message was handled.
    pub async fn run(&self, batch: Batch, received_at: Timestamp) -> bool {
        match self.invoke(&batch, received_at).await {
            Ok(invocation) => self.finish(&batch, &invocation).await,
            Err(error) => {
                self.concurrency.failed();
                self.set_problem(&error.message);
                tracing::debug!(mapping = %self.settings.uuid, %error, "sqs mapping: invoke");
                false
            }
        }
    }

    /// Invokes, again and again while the function is throttled and the messages are still hidden.
    async fn invoke(
        &self,
        batch: &Batch,
        received_at: Timestamp,
    ) -> Result<Invocation, ServiceError> {
        let payload = batch.payload();
        let mut back_off = BackOff::new(FIRST_THROTTLE_DELAY, LONGEST_THROTTLE_DELAY);
        let mut hidden_until = None;
        loop {
            let request = InvokeRequest {
                function: self.settings.function.clone(),
                payload: payload.clone(),
                context: self.invoke_context(batch),
            };
            let throttled = match self.invoker.invoke(request).await {
                Err(error) if error.status == StatusCode::TOO_MANY_REQUESTS => error,
                outcome => return outcome,
            };
            self.concurrency.failed();
            self.set_problem(&throttled.message);
            if hidden_until.is_none() {
                let seconds = self.queue.visibility_timeout(&self.settings).await?;
                hidden_until = Some(received_at + Duration::from_secs(seconds));
            }
            let retry_at = self.clock.now() + back_off.next_delay();
            if hidden_until.is_some_and(|until| retry_at >= until) {
                return Err(throttled);
            }
            tokio::select! {
                () = self.clock.sleep_until(retry_at) => {}
                () = self.stopping() => return Err(throttled),
            }
        }
    }

    fn invoke_context(&self, batch: &Batch) -> RequestContext {
        let mut context = RequestContext::internal(
            Principal::Service {
                name: "lambda.amazonaws.com",
                source_arn: Some(self.settings.queue.clone()),
                source_account: self.settings.queue.account_id(),
            },
            self.settings.account,
            self.settings.region.clone(),
            self.clock.now(),
        );
        context.trace = batch
            .records
            .iter()
            .find_map(|record| record.trace_header.clone());
        context
    }

    async fn finish(&self, batch: &Batch, invocation: &Invocation) -> bool {
        let failures = if invocation.function_error.is_some() {
            Failures::All
        } else if self.settings.report_batch_item_failures {
            let ids = batch
                .records
                .iter()
                .map(|record| record.message_id.as_str());
            batch_response::parse(&invocation.payload, ids)
        } else {
            Failures::None
        };
        match &failures {
            Failures::All if self.settings.report_batch_item_failures => {
                // A function that reports failures is not slowed down for them.
                self.set_problem("Function call failed");
            }
            Failures::All => {
                self.concurrency.failed();
                self.set_problem("Function call failed");
            }
            Failures::None | Failures::Some(_) => {
                self.concurrency.succeeded();
                "OK".clone_into(&mut self.last_result.lock());
            }
        }
        let is_handled = |id: &str| match &failures {
            Failures::None => true,
            Failures::Some(failed) => !failed.contains(id),
            Failures::All => false,
        };
        let handled: Vec<&str> = batch
            .records
            .iter()
            .filter(|record| is_handled(&record.message_id))
            .map(|record| record.receipt_handle.as_str())
            .collect();
        let is_complete = handled.len() == batch.records.len();
        self.queue.delete(&self.settings, handled).await;
        is_complete
    }
}
