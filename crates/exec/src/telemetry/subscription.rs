//! What an extension asks for when it subscribes, checked.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html>

use std::time::Duration;

use http::Uri;
use serde::Deserialize;

use super::Category;

/// The APIs by which an extension can subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Telemetry,
    /// What there was before.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html>
    Logs,
}

impl Api {
    fn schemas(self) -> &'static [&'static str] {
        match self {
            Self::Telemetry => &["2022-07-01", "2022-12-13", "2025-01-29"],
            Self::Logs => &["2020-08-15", "2021-03-18"],
        }
    }
}

/// A subscription as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) api: Api,
    pub(crate) categories: Vec<Category>,
    pub(super) destination: Destination,
    pub(super) buffering: Buffering,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Http { port: u16, path: String },
    Tcp { port: u16 },
}

/// When they go: as soon as one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffering {
    pub(super) items: usize,
    pub(super) bytes: usize,
    pub(super) timeout: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    schema_version: Option<String>,
    types: Option<Vec<String>>,
    destination: Option<RequestDestination>,
    #[serde(default)]
    buffering: RequestBuffering,
}

#[derive(Deserialize)]
struct RequestDestination {
    protocol: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
    port: Option<u16>,
    method: Option<String>,
    encoding: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestBuffering {
    max_items: Option<u64>,
    max_bytes: Option<u64>,
    timeout_ms: Option<u64>,
}

impl Subscription {
    /// What a request asks for.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one text.
    pub(crate) fn parse(api: Api, body: &[u8]) -> Result<Self, String> {
        let request: Request = serde_json::from_slice(body)
            .map_err(|error| format!("the request is not as expected: {error}"))?;
        let mut wrong = Vec::new();
        // The first schema had no version.
        let schema = request.schema_version.as_deref();
        let is_known = match (schema, api) {
            (Some(schema), _) => api.schemas().contains(&schema),
            (None, api) => api == Api::Logs,
        };
        if !is_known {
            wrong.push("schemaVersion is not supported".to_owned());
        }
        let categories = categories(&request.types.unwrap_or_default(), &mut wrong);
        let destination = destination(request.destination, &mut wrong);
        let buffering = buffering(api, &request.buffering, &mut wrong);
        match destination {
            Some(destination) if wrong.is_empty() => Ok(Self {
                api,
                categories,
                destination,
                buffering,
            }),
            _ => Err(wrong.join("; ")),
        }
    }
}

fn categories(types: &[String], wrong: &mut Vec<String>) -> Vec<Category> {
    if types.is_empty() {
        wrong.push("types should not be empty".to_owned());
    }
    let mut categories = Vec::new();
    for name in types {
        match Category::parse(name) {
            Some(category) if categories.contains(&category) => {}
            Some(category) => categories.push(category),
            None => wrong.push(format!("type {name:?} is not supported")),
        }
    }
    categories
}

fn destination(given: Option<RequestDestination>, wrong: &mut Vec<String>) -> Option<Destination> {
    let Some(given) = given else {
        wrong.push("destination is not provided".to_owned());
        return None;
    };
    if given
        .method
        .is_some_and(|method| method != "POST" && method != "PUT")
    {
        wrong.push("method is not supported".to_owned());
    }
    if given.encoding.is_some_and(|encoding| encoding != "JSON") {
        wrong.push("encoding is not supported".to_owned());
    }
    match given.protocol.as_deref() {
        Some("HTTP") => {
            let uri = given.uri.unwrap_or_default();
            let Ok(uri) = uri.parse::<Uri>() else {
                wrong.push("URI is not valid".to_owned());
                return None;
            };
            if uri.scheme_str() != Some("http") {
                wrong.push("URI scheme should be http".to_owned());
            }
            if !matches!(uri.host(), Some("sandbox.localdomain" | "sandbox")) {
                wrong.push("URI host should be sandbox.localdomain".to_owned());
            }
            let Some(port) = uri.port_u16() else {
                wrong.push("URI port is not provided".to_owned());
                return None;
            };
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            Some(Destination::Http {
                port,
                path: path.to_owned(),
            })
        }
        Some("TCP") => {
            let Some(port) = given.port.filter(|port| *port > 0) else {
                wrong.push("port is not provided".to_owned());
                return None;
            };
            Some(Destination::Tcp { port })
        }
        _ => {
            wrong.push("protocol should be HTTP or TCP".to_owned());
            None
        }
    }
}

fn buffering(api: Api, given: &RequestBuffering, wrong: &mut Vec<String>) -> Buffering {
    let default_items = match api {
        Api::Telemetry => 1_000,
        Api::Logs => 10_000,
    };
    let mut bounded = |name: &str, given: Option<u64>, default: u64, least: u64, most: u64| {
        let value = given.unwrap_or(default);
        if !(least..=most).contains(&value) {
            wrong.push(format!("{name} should be between {least} and {most}"));
        }
        value
    };
    let items = bounded("maxItems", given.max_items, default_items, 1_000, 10_000);
    let bytes = bounded("maxBytes", given.max_bytes, 262_144, 262_144, 1_048_576);
    let timeout = bounded("timeoutMs", given.timeout_ms, 1_000, 25, 30_000);
    Buffering {
        items: usize::try_from(items).unwrap_or(usize::MAX),
        bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        timeout: Duration::from_millis(timeout),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request() -> Value {
        json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function"],
            "buffering": { "maxItems": 1_000, "maxBytes": 262_144, "timeoutMs": 100 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/a?b" },
        })
    }

    fn parse(request: &Value) -> Result<Subscription, String> {
        Subscription::parse(Api::Telemetry, request.to_string().as_bytes())
    }

    #[test]
    fn a_subscription_is_read() {
        let read = parse(&request()).unwrap();
        assert_eq!(read.categories, [Category::Platform, Category::Function]);
        let expected = Destination::Http {
            port: 8080,
            path: "/a?b".to_owned(),
        };
        assert_eq!(read.destination, expected);
        assert_eq!(read.buffering.timeout, Duration::from_millis(100));
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let mut wrong = request();
        wrong["types"] = json!([]);
        wrong["destination"]["URI"] = json!("http://sandbox.localdomain");
        assert_eq!(
            parse(&wrong).unwrap_err(),
            "types should not be empty; URI port is not provided"
        );
        for (field, value) in [
            ("schemaVersion", json!("2019-01-01")),
            ("types", json!(["platform", "other"])),
            ("destination", json!({ "protocol": "UDP", "port": 1 })),
            ("destination", json!({ "protocol": "TCP" })),
            (
                "destination",
                json!({ "protocol": "HTTP", "URI": "http://example.com:1" }),
            ),
            ("buffering", json!({ "maxItems": 1 })),
            ("buffering", json!({ "maxBytes": 1 })),
            ("buffering", json!({ "timeoutMs": 24 })),
            ("buffering", json!({ "timeoutMs": 30_001 })),
            ("buffering", json!({ "timeoutMs": -1 })),
        ] {
            let mut wrong = request();
            wrong[field] = value;
            assert!(parse(&wrong).is_err(), "{wrong}");
        }
        assert!(Subscription::parse(Api::Telemetry, b"{").is_err());
    }

    #[test]
    fn the_older_api_needs_no_version() {
        let mut older = request();
        older["schemaVersion"] = json!("2020-08-15");
        let body = older.to_string();
        assert!(Subscription::parse(Api::Logs, body.as_bytes()).is_ok());
        assert!(Subscription::parse(Api::Telemetry, body.as_bytes()).is_err());
    }
}
