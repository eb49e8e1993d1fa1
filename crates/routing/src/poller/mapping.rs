//! One running mapping: what its reader and its batches share, and how a batch is run.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Timestamp};
use http::StatusCode;
use parking_lot::Mutex;
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, ServiceError};

use super::SqsMapping;
use super::batch_response::{self, Failures};
use super::concurrency::Concurrency;
use super::event::Batch;
use super::phase::Life;
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
    pub life: Life,
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
            concurrency: Concurrency::new(settings.maximum_concurrency, settings.provisioned),
            settings,
            clock,
            invoker,
            last_result: Mutex::new("No records processed".to_owned()),
            life: Life::new(),
        })
    }

    pub fn last_result(&self) -> String {
        self.last_result.lock().clone()
    }

    pub fn set_problem(&self, problem: &str) {
        *self.last_result.lock() = format!("PROBLEM: {problem}");
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

    /// Invokes, again and again while the function can take no more, or none yet, and the messages
    /// are still hidden.
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
                Err(error) if asks_to_wait(&error) => error,
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
                () = self.life.stopping() => return Err(throttled),
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

/// Whether a later invocation can succeed without anybody's doing: one that was throttled, or of a
/// version whose snapshot is being made.
pub fn asks_to_wait(error: &ServiceError) -> bool {
    error.status == StatusCode::TOO_MANY_REQUESTS || error.code == "SnapStartNotReadyException"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_is_waited_for() {
        let error = |code: &'static str, status| ServiceError::new(code, status, "why");
        assert!(asks_to_wait(&error(
            "TooManyRequestsException",
            StatusCode::TOO_MANY_REQUESTS
        )));
        assert!(asks_to_wait(&error(
            "SnapStartNotReadyException",
            StatusCode::CONFLICT
        )));
        assert!(!asks_to_wait(&error(
            "ResourceConflictException",
            StatusCode::CONFLICT
        )));
    }
}
