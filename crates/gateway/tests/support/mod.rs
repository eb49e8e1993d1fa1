//! A gateway without services.

#![allow(clippy::unwrap_used, dead_code, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, Clock, Region};
use gateway::{Admin, AuthMode, Config, Gateway, Registry};
use serde_json::Value;
use service::Principal;
use service::ports::{Credentials, IssuedCredential};
use tokio::net::TcpListener;
use tokio::sync::watch;

struct Nobody;

#[async_trait]
impl Credentials for Nobody {
    async fn find(&self, _: &str, _: Option<&str>) -> Option<IssuedCredential> {
        None
    }
}

struct Silent;

#[async_trait]
impl Admin for Silent {
    async fn environments(&self) -> Value {
        Value::Null
    }
    async fn spares(&self) -> Value {
        Value::Null
    }

    async fn doctor(&self) -> Value {
        Value::Null
    }
    async fn runtimes(&self) -> Value {
        Value::Null
    }
    async fn reset(&self) -> Result<(), String> {
        Ok(())
    }
    async fn messages(&self) -> Value {
        Value::Null
    }

    async fn usage(&self, _: AccountId, _: Option<&str>, _: &str) -> Value {
        Value::Null
    }
    async fn events(&self, _: Option<u64>) -> Value {
        Value::Null
    }

    async fn replay(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    async fn certificate(&self, _: &str) -> Option<String> {
        None
    }

    async fn function_code(&self, _: &str) -> Option<bytes::Bytes> {
        None
    }
}

pub fn gateway(environment_connections: usize) -> Arc<Gateway> {
    let config = Config {
        auth: AuthMode::Permissive,
        default_region: "us-east-1".parse().unwrap(),
        cors_origins: Vec::new(),
        environment_connections,
    };
    let registry = Registry {
        endpoints: Vec::new(),
        credentials: Arc::new(Nobody),
    };
    Arc::new(Gateway::new(
        config,
        Clock::system(),
        Arc::new(registry),
        Arc::new(Silent),
    ))
}

pub async fn serve(
    gateway: &Arc<Gateway>,
    identity: Option<(Principal, Region)>,
) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(Arc::clone(gateway).serve(listener, identity, stopping));
    (address, stop)
}
