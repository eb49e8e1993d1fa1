//! Integrations: where a request goes, by the method's integration type.

pub mod aws;
mod body;
mod http;
mod lambda;
mod mock;

use std::time::Duration;

use ::http::{HeaderMap, Response};
use bytes::Bytes;

use crate::generated::IntegrationType;
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::run::respond;
use crate::{ApiGateway, g};

/// What an integration answered, and what of it selects the response.
#[derive(Debug, Default)]
pub struct Answered {
    /// A status code, or a function's error message; empty where a function succeeded.
    pub selector: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the request's template set of the response.
    pub overrides: vtl::Json,
}

/// Answers at most; AWS's payload limit.
const MAX_ANSWER: usize = 10 << 20;

pub async fn run(service: &ApiGateway, call: &Call) -> Result<Response<Bytes>, Refusal> {
    let Some(integration) = &call.method().method_integration else {
        return Err(Refusal::configuration());
    };
    let answered = match integration.r#type.unwrap_or_default() {
        IntegrationType::AwsProxy => return lambda::proxy(service, call, integration).await,
        IntegrationType::HttpProxy => return http::proxy(service, call, integration).await,
        IntegrationType::Mock => mock::run(call, integration)?,
        IntegrationType::Http => http::run(service, call, integration).await?,
        IntegrationType::Aws => aws::run(service, call, integration).await?,
    };
    respond::map(call, integration, &answered)
}

fn within(integration: &g::Integration) -> Duration {
    let millis = integration.timeout_in_millis.unwrap_or(29_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(29_000))
}
