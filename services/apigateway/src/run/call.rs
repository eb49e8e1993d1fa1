//! All that is known of one request to an API.

use std::sync::Arc;

use base::{RequestId, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, Version};
use indexmap::IndexMap;
use parking_lot::Mutex;
use proxy::authorizer::Grant;
use proxy::request::{self, Incoming};
use serde_json::{Map, Value as Json};
use service::{Principal, Reach, RequestContext};

use crate::g;
use crate::run::find::Deployed;

pub struct Call {
    pub deployed: Arc<Deployed>,
    pub resource: Arc<g::Resource>,
    /// The name under which the resource has the method: `ANY`, perhaps.
    pub method_key: String,
    /// The request's.
    pub http_method: String,
    pub path: String,
    pub event_path: String,
    pub full_path: String,
    pub query: String,
    pub version: Version,
    pub headers: HeaderMap,
    pub path_parameters: IndexMap<String, String>,
    pub body: Bytes,
    pub source_ip: String,
    pub domain_name: String,
    pub request_id: RequestId,
    pub extended_request_id: String,
    pub at: Timestamp,
    pub trace: Option<String>,
    /// Who signed, where the method asks for that.
    pub principal: Option<Principal>,
    pub authorizer: Option<Arc<Grant>>,
    /// Milliseconds that the authorizer took.
    pub authorizer_latency: u128,
    /// Id and value.
    pub api_key: Option<(String, String)>,
    /// How far what is sent for it goes: no further than the caller's, nor than that of whoever made
    /// the API.
    pub reach: Reach,
    /// Whether it is no request from outside, but a trial of the method.
    pub is_test: bool,
    /// What a trial's log says.
    pub log: Log,
}

/// Lines about what happened to a request, where somebody reads them.
#[derive(Debug, Default)]
pub struct Log(Option<Mutex<Vec<String>>>);

impl Log {
    pub fn kept() -> Self {
        Self(Some(Mutex::default()))
    }

    pub fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.0 {
            lines.lock().push(line());
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.0
            .as_ref()
            .map(|lines| lines.lock().clone())
            .unwrap_or_default()
    }
}

impl Call {
    pub fn method(&self) -> &g::Method {
        static NONE: std::sync::LazyLock<g::Method> = std::sync::LazyLock::new(g::Method::default);
        let methods = self.resource.resource_methods.as_ref();
        methods
            .and_then(|methods| methods.get(&self.method_key))
            .unwrap_or(&NONE)
    }

    /// As event makers read it. The body is the client's.
    pub fn incoming<'a>(&'a self, request_id: &'a str) -> Incoming<'a> {
        Incoming {
            method: &self.http_method,
            path: &self.event_path,
            query: &self.query,
            version: self.version,
            headers: &self.headers,
            body: &self.body,
            source_ip: &self.source_ip,
            domain_name: &self.domain_name,
            request_id,
            at: self.at,
        }
    }

    /// Members of `requestContext.identity` that are known.
    pub fn identity(&self) -> Map<String, Json> {
        let mut identity = Map::new();
        if let Some((id, value)) = &self.api_key {
            identity.insert("apiKey".to_owned(), Json::from(value.as_str()));
            identity.insert("apiKeyId".to_owned(), Json::from(id.as_str()));
        }
        let Some(principal) = &self.principal else {
            return identity;
        };
        let account = self.deployed.place.account.to_string();
        let (arn, id) = (principal.name(), principal.id());
        for (name, value) in [
            ("accountId", &account),
            ("caller", &id),
            ("user", &id),
            ("userArn", &arn),
        ] {
            identity.insert(name.to_owned(), Json::from(value.as_str()));
        }
        identity
    }

    /// The last value of each query parameter, or header.
    pub fn parameters(&self) -> vtl::Parameters {
        let mut querystring = IndexMap::new();
        for (name, value) in request::pairs(&self.query) {
            querystring.insert(name, value);
        }
        let headers = self.headers.keys().filter_map(|name| {
            let value = self.headers.get_all(name).iter().next_back()?;
            Some((header_name(name.as_str()), request::lossy(value.as_bytes())))
        });
        vtl::Parameters {
            path: self.path_parameters.clone(),
            querystring,
            header: headers.collect(),
        }
    }

    /// A context of a call that is made for this request.
    pub fn internal(&self, principal: Principal) -> RequestContext {
        let place = &self.deployed.place;
        let mut context =
            RequestContext::internal(principal, place.account, place.region.clone(), self.at)
                .within(self.reach);
        context.trace.clone_from(&self.trace);
        context
    }
}

/// A header's name as clients of HTTP/1.1 write it, and functions of REST APIs look for it. How this
/// one was written is not known: names that are registered are taken to be in title case, all
/// others in lower case.
pub fn header_name(name: &str) -> String {
    const TITLED: [&str; 34] = [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "range",
        "referer",
        "te",
        "transfer-encoding",
        "user-agent",
        "via",
        "x-amzn-trace-id",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ];
    if !TITLED.contains(&name) {
        return name.to_owned();
    }
    let mut titled = String::with_capacity(name.len());
    let mut begins = true;
    for letter in name.chars() {
        titled.push(if begins {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
        begins = letter == '-';
    }
    titled
}

#[cfg(test)]
mod tests {
    use super::header_name;

    #[test]
    fn names_of_headers() {
        assert_eq!(header_name("content-type"), "Content-Type");
        assert_eq!(header_name("x-amzn-trace-id"), "X-Amzn-Trace-Id");
        assert_eq!(header_name("x-my-own"), "x-my-own");
    }
}
