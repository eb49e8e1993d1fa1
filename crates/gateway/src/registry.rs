//! The services behind the port.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use proxy::address;
use service::ports::Credentials;
use service::{HttpService, Service};

/// A service, by how it reads requests.
#[derive(Clone)]
pub enum Endpoint {
    /// Decoded by its model.
    Modelled(Arc<dyn Service>),
    /// Reads HTTP itself.
    Http(Arc<dyn HttpService>),
}

/// All services of one composition, and who knows their callers' keys.
pub struct Registry {
    pub endpoints: Vec<Endpoint>,
    pub credentials: Arc<dyn Credentials>,
}

/// Who answers at an address.
#[derive(Clone)]
pub struct Addressed {
    pub service: Arc<dyn HttpService>,
    /// Whether the host is one that a user chose, and everything below it is the service's.
    pub is_custom_domain: bool,
}

impl Endpoint {
    pub fn signing_name(&self) -> &'static str {
        match self {
            Self::Modelled(service) => service.schema().signing_name,
            Self::Http(service) => service.signing_name(),
        }
    }

    fn schema(&self) -> Option<&'static wire::ServiceSchema> {
        match self {
            Self::Modelled(service) => Some(service.schema()),
            Self::Http(_) => None,
        }
    }
}

impl Registry {
    /// By the name in a credential scope. Where several share it, as the two of API Gateway do,
    /// the path decides.
    pub fn by_scope(&self, name: &str, method: &Method, path: &str) -> Option<&Endpoint> {
        let mut named = self.endpoints.iter().filter(|it| it.signing_name() == name);
        let first = named.clone().next()?;
        if named.clone().nth(1).is_none() {
            return Some(first);
        }
        let serves = |endpoint: &&Endpoint| {
            endpoint
                .schema()
                .is_some_and(|schema| wire::serves_path(schema, method, path))
        };
        Some(named.find(serves).unwrap_or(first))
    }

    pub fn by_signing_name(&self, name: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.signing_name() == name)
    }

    /// By the crate's name, as the ports name services.
    pub fn by_id(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.schema().map_or(endpoint.signing_name(), |s| s.id) == id)
    }

    /// What answers at the address that a request names: a function's own, an API's, a custom
    /// domain.
    pub fn addressed(&self, headers: &HeaderMap, uri: &Uri) -> Option<Addressed> {
        let known = address::of(headers, uri);
        let mut by_http = self.endpoints.iter().filter_map(|endpoint| match endpoint {
            Endpoint::Http(service) => Some(service),
            Endpoint::Modelled(_) => None,
        });
        let found = by_http.clone().find(|it| it.has_address(headers, uri));
        let service = found.or_else(|| {
            // Somebody has to say that there is no such API.
            known.as_ref().filter(|it| it.kind == address::Kind::Api)?;
            by_http.find(|it| it.signing_name() == "execute-api")
        })?;
        Some(Addressed {
            service: Arc::clone(service),
            is_custom_domain: known.is_none(),
        })
    }

    /// What answers to clients that push and pull container images: ECR once more, by HTTP.
    pub fn distribution(&self) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| {
            matches!(endpoint, Endpoint::Http(service) if service.signing_name() == "ecr")
        })
    }

    pub fn by_target_prefix(&self, prefix: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| {
            endpoint
                .schema()
                .is_some_and(|s| s.target_prefix == Some(prefix))
        })
    }

    /// REST APIs whose paths begin with their version, such as `/2015-03-31/functions`.
    pub fn by_rest_path(&self, method: &Method, path: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| {
            endpoint
                .schema()
                .is_some_and(|s| wire::serves_path(s, method, path))
        })
    }

    /// Query APIs by their `Version`; without one, a queue's path means SQS.
    pub fn by_query_version(&self, version: Option<&str>, path: &str) -> Option<&Endpoint> {
        let Some(version) = version else {
            let is_queue = path.trim_matches('/').contains('/');
            return if is_queue {
                self.by_signing_name("sqs")
            } else {
                None
            };
        };
        self.endpoints.iter().find(|endpoint| {
            endpoint
                .schema()
                .is_some_and(|s| s.api_version == version && s.speaks_query())
        })
    }
}
