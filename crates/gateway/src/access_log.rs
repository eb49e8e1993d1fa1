//! One line a request: who asked for what, and how it went.

use std::time::{Duration, Instant};

use base::RequestId;
use http::StatusCode;

/// What is known of a request by the time it is answered.
#[derive(Debug)]
pub struct Entry {
    pub request_id: RequestId,
    pub method: http::Method,
    pub path: String,
    pub began: Instant,
    pub service: Option<&'static str>,
    pub operation: Option<String>,
    pub account: Option<base::AccountId>,
}

impl Entry {
    /// Writes the line once the worker has sent the answer, which must not wait for it. Needs a
    /// tokio runtime. A task that nobody reads a line of would still be one to wake a worker for.
    pub fn write_later(self, status: StatusCode) {
        if !is_wanted() {
            return;
        }
        let took = self.began.elapsed();
        tokio::spawn(async move { self.write(status, took) });
    }

    /// Writes the line to the `access` target.
    fn write(&self, status: StatusCode, took: Duration) {
        let millis = took.as_secs_f64() * 1_000.0;
        let service = self.service.unwrap_or("-");
        let operation = self.operation.as_deref().unwrap_or("-");
        let account = self
            .account
            .as_ref()
            .map_or("-", |account| account.as_str());
        tracing::info!(
            target: "access",
            status = status.as_u16(),
            ms = format_args!("{millis:.3}"),
            service,
            operation,
            account,
            id = %self.request_id,
            "{} {}",
            self.method,
            self.path,
        );
    }
}

/// Whether the filter lets such lines through, which may go by the names of their fields.
fn is_wanted() -> bool {
    tracing::event_enabled!(
        target: "access",
        tracing::Level::INFO,
        status,
        ms,
        service,
        operation,
        account,
        id,
        message
    )
}
