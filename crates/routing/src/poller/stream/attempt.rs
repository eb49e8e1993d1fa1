//! One run of the function on records of a lane, and what it says of them.

use service::ports::{Invocation, InvokeRequest};
use service::{Principal, RequestContext, ServiceError};

use super::mapping::Mapping;
use super::record::Record;
use super::window::{Run, Window};
use crate::poller::batch_response::{self, Failures};
use crate::poller::event;

pub enum Attempt {
    /// With what the function answered.
    Done(Invocation),
    /// Those from here on are not done.
    Failed { from: usize, invocation: Invocation },
    /// The function has not run: no such function, throttled.
    Refused(ServiceError),
}

/// Runs the function on records of a shard, and of a window if there are windows.
pub async fn run(
    mapping: &Mapping,
    shard: &str,
    records: &[Record],
    window: Option<(&Window, Run)>,
) -> Attempt {
    let texts: Vec<String> = records.iter().map(|it| it.json.to_string()).collect();
    let mut payload = event::document(texts.iter().map(String::as_str));
    if let Some((window, run)) = window {
        let stream = mapping.settings.stream.to_string();
        payload = window.add_to(&payload, run, shard, &stream);
    }
    let request = InvokeRequest {
        function: mapping.settings.function.clone(),
        payload,
        context: context(mapping),
    };
    let invocation = match mapping.ports.invoker.invoke(request).await {
        Ok(invocation) => invocation,
        Err(error) => return Attempt::Refused(error),
    };
    match first_failure(mapping, records, &invocation) {
        None => Attempt::Done(invocation),
        Some(from) => Attempt::Failed { from, invocation },
    }
}

/// With `ReportBatchItemFailures` the first record that failed: those before it are done, and all
/// after it are tried with it, whatever the function says of them.
fn first_failure(mapping: &Mapping, records: &[Record], invocation: &Invocation) -> Option<usize> {
    if invocation.function_error.is_some() {
        return Some(0);
    }
    if !mapping.settings.report_batch_item_failures {
        return None;
    }
    let numbers = records.iter().map(|record| record.sequence.as_str());
    match batch_response::parse(&invocation.payload, numbers) {
        Failures::None => None,
        Failures::All => Some(0),
        Failures::Some(failed) => records
            .iter()
            .position(|record| failed.contains(&record.sequence)),
    }
}

fn context(mapping: &Mapping) -> RequestContext {
    let settings = &mapping.settings;
    RequestContext::internal(
        Principal::Service {
            name: "lambda.amazonaws.com",
            source_arn: Some(settings.stream.clone()),
            source_account: settings.stream.account_id(),
        },
        settings.account,
        settings.region.clone(),
        mapping.ports.clock.now(),
    )
}
