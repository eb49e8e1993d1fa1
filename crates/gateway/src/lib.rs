//! One port: listen, route, authenticate, authorize, dispatch, encode, log.
//!
//! A request goes through the modules in this order: [`listen`] → [`answer`] → [`internal`] (health
//! and the server's own pages) or [`route`] → [`authenticate`] → [`modelled`] or [`streamed`] (S3)
//! → [`authorize`] → the service. [`caller`] is the same road for calls from inside.

mod access_log;
mod ambiguous;
mod answer;
mod authenticate;
mod authorize;
mod body;
mod caller;
mod chunked;
mod client_stream;
mod cors;
mod host;
mod internal;
mod listen;
mod modelled;
mod prompt_body;
mod registry;
mod route;
mod self_wake;
mod streamed;
mod traffic;

use std::sync::{Arc, PoisonError, RwLock};

use base::{Clock, Region};
use tokio::sync::Semaphore;

pub use caller::Caller;
pub use internal::Admin;
pub use registry::{Endpoint, Registry};
pub use tokio_rustls::TlsAcceptor;
use traffic::Traffic;

/// How strictly callers are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Any credentials work, as with LocalStack; those we issued still mean who they were issued to.
    #[default]
    Permissive,
    /// Signatures are verified and policies evaluated.
    Enforce,
}

/// What the gateway needs to know from the configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub auth: AuthMode,
    /// For requests whose credential scope names no region.
    pub default_region: Region,
    /// Origins of web pages that may call us besides those of this machine; `*` for all.
    pub cors_origins: Vec<String>,
    /// Most connections that the functions hold to us together; more of them wait. What functions
    /// do must leave descriptors for everybody else.
    pub environment_connections: usize,
}

/// The port's behaviour, over whatever services are registered at the moment.
pub struct Gateway {
    config: Config,
    clock: Clock,
    registry: RwLock<Arc<Registry>>,
    admin: Arc<dyn Admin>,
    /// Places for connections from inside environments.
    places: Arc<Semaphore>,
    traffic: Traffic,
}

impl Gateway {
    pub fn new(
        config: Config,
        clock: Clock,
        registry: Arc<Registry>,
        admin: Arc<dyn Admin>,
    ) -> Self {
        let places = config.environment_connections.min(listen::MOST_PLACES);
        Self {
            places: Arc::new(Semaphore::new(places)),
            traffic: Traffic::default(),
            config,
            clock,
            registry: RwLock::new(registry),
            admin,
        }
    }

    /// Replaces the services, as a reset does. Requests in progress end on the old ones.
    pub fn replace(&self, registry: Arc<Registry>) {
        *self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner) = registry;
    }

    fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }
}
