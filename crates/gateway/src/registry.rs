//! The services behind the port.

use std::sync::Arc;

use http::Method;
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
