//! Requests to HTTP APIs: limits, CORS, the route, its throttling, and the line in the log.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body as _;
use proxy::answer::{full, message};
use proxy::throttle::Limit;
use proxy::{access_log, cors, request};
use service::{Body, RequestContext};

use super::DataPlane;
use super::exchange::Exchange;
use super::target::Target;

/// The largest request, in bytes (10 MB).
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
pub const MOST: usize = 10 << 20;
/// Request line and headers together, in bytes.
const MOST_HEADERS: usize = 10_240;
/// What an account may have, where a stage says half of a limit.
const ACCOUNT: Limit = Limit {
    rate: 10_000.0,
    burst: 5_000.0,
};
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

impl DataPlane {
    /// Answers a request to an HTTP API, and notes it.
    pub async fn answer_http(
        &self,
        target: Target,
        context: RequestContext,
        parts: Parts,
        body: Body,
    ) -> Response<Body> {
        let mut exchange = Exchange::new(target, context, parts);
        let rules = exchange.target.compiled.cors.clone();
        let is_preflight = cors::is_preflight(&exchange.parts.method, &exchange.parts.headers);
        let mut response = match &rules {
            Some(_) if is_preflight => {
                let mut response = Response::new(full(""));
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            _ => self.answer_routed(&mut exchange, body).await,
        };
        if let Some(rules) = rules {
            let (request, headers) = (&exchange.parts.headers, response.headers_mut());
            cors::apply(&rules.rules(), request, is_preflight, headers);
        }
        let id = HeaderValue::try_from(exchange.request_id.to_string());
        response
            .headers_mut()
            .insert(REQUEST_ID, id.expect("a UUID is ASCII"));
        exchange.set_status(response.status());
        exchange.facts.response_length = response.body().size_hint().exact();
        exchange.facts.response_latency = self.clock.now().since(exchange.at);
        self.log(&exchange);
        response
    }

    async fn answer_routed(&self, exchange: &mut Exchange, body: Body) -> Response<Body> {
        if size(&exchange.parts) > MOST_HEADERS {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return refuse(exchange, status, "Request Header Fields Too Large");
        }
        let method = exchange.parts.method.as_str();
        let router = &exchange.target.compiled.router;
        let Some(found) = router.find(method, &exchange.target.path) else {
            return refuse(exchange, StatusCode::NOT_FOUND, "Not Found");
        };
        exchange.route = Some(found.route);
        exchange.path_parameters = found.parameters;
        if !self.admits(exchange) {
            return refuse(exchange, StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        }
        if let Err(refusal) = self.authorize(exchange).await {
            return refusal;
        }
        let body = match request::collect(body, MOST).await {
            Ok(body) => body,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return refuse(exchange, status, "Request Entity Too Large");
            }
            Err(status) => return refuse(exchange, status, "Bad Request"),
        };
        self.integrate(exchange, body).await
    }

    /// Whether the route's rate allows another request.
    pub fn admits(&self, exchange: &Exchange) -> bool {
        let stage = &exchange.target.stage;
        let own = stage.route_settings.get(exchange.route_key());
        let all = &stage.default_route_settings;
        let rate = own
            .and_then(|own| own.throttling_rate_limit)
            .or(all.throttling_rate_limit);
        let burst = own
            .and_then(|own| own.throttling_burst_limit)
            .or(all.throttling_burst_limit);
        if rate.is_none() && burst.is_none() {
            return true;
        }
        let limit = Limit {
            rate: rate.unwrap_or(ACCOUNT.rate),
            burst: burst.map_or(ACCOUNT.burst, |burst| burst as f64),
        };
        let key = (
            exchange.target.api.id().to_owned(),
            stage.stage_name.clone(),
            exchange.route_key().to_owned(),
        );
        self.buckets.take(key, limit, self.clock.now())
    }

    /// Writes the stage's line about a request, if it wants one.
    pub fn log(&self, exchange: &Exchange) {
        let stage = &exchange.target.stage;
        let Some(settings) = &stage.access_log_settings else {
            return;
        };
        let (Some(group), Some(format)) = (&settings.destination_arn, &settings.format) else {
            return;
        };
        let stream = group.parse().ok();
        let stream = stream.and_then(|group| access_log::stream(&group, &stage.stage_name));
        if let Some(stream) = stream {
            let line = access_log::line(format, |name| exchange.context(name));
            access_log::write(&*self.logs, &stream, self.clock.now(), line);
        }
    }
}

/// An error of ours, and the log's words for it.
pub fn refuse(exchange: &mut Exchange, status: StatusCode, text: &str) -> Response<Body> {
    let kind = match status.as_u16() {
        401 => "UNAUTHORIZED",
        403 => "ACCESS_DENIED",
        404 => "MISSING_ROUTE",
        413 => "REQUEST_TOO_LARGE",
        429 => "THROTTLED",
        504 => "INTEGRATION_TIMEOUT",
        400..=499 => "DEFAULT_4XX",
        _ => "INTEGRATION_FAILURE",
    };
    exchange.failed(kind, text);
    message(status, text)
}

fn size(parts: &Parts) -> usize {
    let line = parts.method.as_str().len() + parts.uri.path().len();
    line + parts.uri.query().map_or(0, str::len) + headers_size(&parts.headers)
}

fn headers_size(headers: &HeaderMap) -> usize {
    let each = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    each.sum()
}

/// A whole answer as a body.
pub fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(full)
}
