//! What a server answers about itself, and its reset.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use base::{AccountId, Region};
use bytes::Bytes;
use exec::{EnvironmentInfo, SpareInfo};
use gateway::{Admin, Gateway};
use serde_json::{Value, json};

use crate::compose::{Composer, Composition};
use crate::doctor;

/// Usage records shown at once.
const USAGE_SHOWN: usize = 100;

pub struct ServerAdmin {
    composer: Composer,
    current: Mutex<Arc<Composition>>,
    gateway: OnceLock<Weak<Gateway>>,
    /// One reset at a time.
    resetting: tokio::sync::Mutex<()>,
}

impl ServerAdmin {
    pub fn new(composer: Composer, composition: Composition) -> Self {
        Self {
            composer,
            current: Mutex::new(Arc::new(composition)),
            gateway: OnceLock::new(),
            resetting: tokio::sync::Mutex::new(()),
        }
    }

    /// Names the gateway whose services a reset replaces.
    pub fn connect(&self, gateway: &Arc<Gateway>) {
        // Once per server, by `Server::start`.
        let _ = self.gateway.set(Arc::downgrade(gateway));
    }

    /// Takes up what an earlier run left undone.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.current().resume().await
    }

    /// Ends the present composition.
    pub async fn end(&self) {
        self.current().end().await;
    }

    fn current(&self) -> Arc<Composition> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends everything, removes all state, and starts over behind the same port.
    async fn start_over(&self) -> anyhow::Result<()> {
        let _one_at_a_time = self.resetting.lock().await;
        self.current().end().await;
        self.composer.state.clear().await?;
        let fresh = Arc::new(self.composer.compose().await?);
        if let Some(gateway) = self.gateway.get().and_then(Weak::upgrade) {
            gateway.replace(Arc::clone(&fresh.registry));
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

#[async_trait]
impl Admin for ServerAdmin {
    async fn environments(&self) -> Value {
        let environments = self.current().exec.environments();
        environments
            .iter()
            .map(environment)
            .collect::<Vec<_>>()
            .into()
    }

    async fn spares(&self) -> Value {
        let spares = self.current().exec.spares();
        spares.iter().map(spare).collect::<Vec<_>>().into()
    }

    async fn doctor(&self) -> Value {
        doctor::report()
    }

    async fn runtimes(&self) -> Value {
        doctor::runtimes()
    }

    async fn usage(&self, account: AccountId, region: Option<&str>, function: &str) -> Value {
        let region = region.and_then(|region| region.parse::<Region>().ok());
        let region = region.unwrap_or_else(|| self.composer.config.region.clone());
        let recent = self
            .current()
            .ledger
            .recent(account, &region, function, USAGE_SHOWN)
            .await;
        match recent {
            Ok(records) => json!(records),
            Err(error) => {
                tracing::error!(%error, "read the usage ledger");
                json!([])
            }
        }
    }

    async fn messages(&self) -> Value {
        match self.current().messages().await {
            Ok(messages) => json!(messages),
            Err(error) => {
                tracing::error!(%error, "read the outgoing messages");
                json!([])
            }
        }
    }

    async fn reset(&self) -> Result<(), String> {
        self.start_over().await.map_err(|error| {
            tracing::error!("reset: {error:#}");
            "The reset failed half-way; the server's log says why. Restart the server.".to_owned()
        })
    }

    async fn events(&self, after: Option<u64>) -> Value {
        let recent = Arc::clone(&self.current().recent);
        recent.after(after).await
    }

    async fn replay(&self, id: &str) -> Result<(), String> {
        self.current().replay(id).await
    }

    async fn certificate(&self, name: &str) -> Option<String> {
        self.current().certificate(name).await
    }

    async fn function_code(&self, sha256: &str) -> Option<Bytes> {
        self.current().function_code(sha256).await
    }
}

fn environment(info: &EnvironmentInfo) -> Value {
    json!({
        "function": info.function.name,
        "version": info.function.version,
        "account": info.function.account,
        "region": info.function.region,
        "state": info.state.as_str(),
        "pid": info.pid,
        "memory_bytes": info.memory_bytes,
        "age_seconds": info.age.as_secs_f64(),
        "start": info.start.as_str(),
        "provisioned": info.provisioned,
        "invocations": info.requests,
        "log_stream": info.log_stream,
    })
}

fn spare(info: &SpareInfo) -> Value {
    json!({
        "program": info.program,
        "state": if info.is_zygote { "zygote" } else { "parked" },
        "pid": info.pid,
        "memory_bytes": info.memory_bytes,
        "age_seconds": info.age.as_secs_f64(),
    })
}
