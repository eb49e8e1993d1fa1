//! Requests to endpoints outside.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request};
use serde::{Deserialize, Serialize};
use service::Reach;
use service::ports::WebClient;

use super::send::Failure;

/// How long an endpoint may take, as SNS grants them.
const PATIENCE: Duration = Duration::from_secs(15);
/// An endpoint that says more than this has not answered.
const MOST_READ: usize = 1024 * 1024;

/// What a request to an endpoint has besides what its service keeps for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpParts {
    /// In place of the URL's asterisks.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
}

/// A request that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// Of whoever named the endpoint.
    pub reach: Reach,
}

/// Completes requests to endpoints whose addresses and credentials a service keeps.
#[async_trait]
pub trait Endpoints: Send + Sync + 'static {
    /// # Errors
    /// When there is no such endpoint, or nobody to authorize the request.
    async fn exchange(&self, arn: &str, parts: &HttpParts, body: &str)
    -> Result<Exchange, Failure>;

    /// The endpoint did not accept the credentials.
    fn refused(&self, arn: &str);
}

/// For a service whose parcels go nowhere outside.
pub struct NoWeb;

#[async_trait]
impl WebClient for NoWeb {
    async fn exchange(
        &self,
        request: Request<Bytes>,
        _: Reach,
        _: Duration,
        _: usize,
    ) -> Result<http::Response<Bytes>, String> {
        Err(format!("{} is outside", request.uri()))
    }
}

/// Whether another attempt at an API destination may succeed.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html>
pub fn may_pass(status: &str) -> bool {
    matches!(status, "401" | "407" | "409" | "429") || status.starts_with('5')
}

pub async fn send(
    client: &dyn WebClient,
    reach: Reach,
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: &str,
) -> Result<(), Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure {
        code: "INVALID_PARAMETER".to_owned(),
        message: format!("{url}: {error}"),
        is_passing: false,
    };
    let method: Method = method.parse().map_err(|error| unusable(&error))?;
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Bytes::from(body.to_owned()))
        .map_err(|error| unusable(&error))?;
    let answer = client.exchange(request, reach, PATIENCE, MOST_READ).await;
    let status = match answer {
        Ok(answer) => answer.status(),
        Err(why) => {
            return Err(Failure {
                code: "CONNECTION_FAILURE".to_owned(),
                message: format!("{url}: {why}"),
                is_passing: true,
            });
        }
    };
    if status.is_success() {
        return Ok(());
    }
    Err(Failure {
        code: status.as_str().to_owned(),
        message: format!("{url} answered {status}"),
        is_passing: status.is_server_error() || status.as_u16() == 429,
    })
}
