//! The way in: functions are invoked here.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base::{AccountId, Region};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use crate::awaited::Awaited;
use crate::bootstraps;
use crate::config::ExecConfig;
use crate::dispatch::{Acquired, Concurrency, FolderWatch, Pool, entrypoint_failure, run_again};
use crate::environment::{Launcher, Next, Ran, StartError};
use crate::error::{ExecError, InvokeError};
use crate::function::{Code, FunctionKey, FunctionSpec};
use crate::info::EnvironmentInfo;
use crate::invocation::{InvokeEvent, InvokeOutcome};
use crate::ports::{ExecPorts, UsageRecord};
use crate::runtimes::{Interpreters, Runtime};

/// How often the end of the last environments is looked for at shutdown.
const SHUTDOWN_POLL: Duration = Duration::from_millis(5);

/// Runs functions. One per server.
pub struct Exec {
    inner: Arc<Inner>,
}

struct Inner {
    launcher: Arc<Launcher>,
    pools: RwLock<HashMap<FunctionKey, Arc<Pool>>>,
    concurrency: Concurrency,
    starts: Arc<Semaphore>,
    closing: AtomicBool,
    killed: AtomicBool,
}

impl Exec {
    /// Writes the bootstraps and prepares the host. Blocks for some milliseconds; needs a tokio
    /// runtime only from the first invocation on.
    pub fn new(config: ExecConfig, ports: ExecPorts) -> Result<Arc<Self>, ExecError> {
        bootstraps::write(&config.runtime_dir).map_err(|source| ExecError::Bootstraps {
            path: config.runtime_dir.clone(),
            source,
        })?;
        let host = sandbox::Host::open(&config.sandbox).map_err(ExecError::Sandbox)?;
        let interpreters = Interpreters::new(config.interpreters.clone(), config.strict_runtimes);
        let concurrency = Concurrency::new(config.account_concurrency);
        let starts = Arc::new(Semaphore::new(config.parallel_starts.max(1)));
        let launcher = Arc::new(Launcher {
            config,
            ports,
            host,
            interpreters,
            registry: Arc::default(),
            awaited: Awaited::default(),
            compiled: Mutex::default(),
        });
        let inner = Inner {
            launcher,
            pools: RwLock::default(),
            concurrency,
            starts,
            closing: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        };
        Ok(Arc::new(Self {
            inner: Arc::new(inner),
        }))
    }

    /// Runs a function on an event and waits for its answer. Dropping the future does not end the
    /// invocation, as on Lambda: the function runs on, its answer is lost.
    pub async fn invoke(
        &self,
        function: &Arc<FunctionSpec>,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        let inner = Arc::clone(&self.inner);
        let function = Arc::clone(function);
        Unstoppable(Some(Box::pin(async move {
            inner.invoke(function, event).await
        })))
        .await
    }

    /// Configuration or code of this version changed, or it is deleted: its idle environments go
    /// now, busy ones after their invocation.
    pub fn retire(&self, function: &FunctionKey) {
        let pool = self.inner.pools.write().remove(function);
        if let Some(pool) = pool {
            pool.retire();
        }
    }

    /// Sets how much concurrency the functions of an account and region have reserved together;
    /// the rest is left for those that have none.
    pub fn set_reserved_concurrency(&self, account: AccountId, region: &Region, total: u32) {
        self.inner.concurrency.set_reserved(account, region, total);
    }

    /// What is unusual about running this runtime here: `Ok(Some(..))` if it runs on another
    /// version of its interpreter. Blocks when asked for the first time.
    ///
    /// # Errors
    /// [`InvokeError::RuntimeUnavailable`].
    pub fn runtime_warning(&self, runtime: Runtime) -> Result<Option<String>, InvokeError> {
        match self.inner.launcher.interpreters.resolve(runtime) {
            Ok(resolved) => Ok(resolved.warning.clone()),
            Err(message) => {
                let runtime = runtime.to_string();
                Err(InvokeError::RuntimeUnavailable { runtime, message })
            }
        }
    }

    /// Every live environment, oldest first.
    pub fn environments(&self) -> Vec<EnvironmentInfo> {
        self.inner.launcher.registry.list()
    }

    /// What this host lets sandboxes do, for `kagero doctor`.
    pub fn host(&self) -> &sandbox::Host {
        &self.inner.launcher.host
    }

    /// Takes no more events, ends what is idle, lets what is busy finish within
    /// [`ExecConfig::shutdown_grace`], and ends the rest.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.closing.store(true, Ordering::Release);
        inner.starts.close();
        let pools: Vec<_> = inner.pools.write().drain().map(|(_, pool)| pool).collect();
        for pool in pools {
            pool.retire();
        }
        // Real time whatever the clock: the caller waits.
        if !inner
            .emptied_within(inner.launcher.config.shutdown_grace)
            .await
        {
            inner.killed.store(true, Ordering::Release);
            inner.launcher.registry.kill_all();
            inner
                .emptied_within(inner.launcher.config.shutdown_grace)
                .await;
        }
    }
}

impl Inner {
    async fn invoke(
        self: Arc<Self>,
        function: Arc<FunctionSpec>,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        let pool = self.pool(&function).await?;
        let _slot = pool.gauges.enter(function.reserved_concurrency)?;
        let acquired = pool.acquire().await.ok_or(InvokeError::ShuttingDown)?;
        let ran = match acquired {
            Acquired::Ready(environment) => environment.invoke(&event, Duration::ZERO).await,
            Acquired::Failed(failed) => {
                pool.count_busy();
                match run_again(&pool, failed, &event).await {
                    Ok(ran) => ran,
                    Err(error) => {
                        pool.give_back(Next::Gone, Duration::ZERO);
                        return Err(error.into());
                    }
                }
            }
            Acquired::Refused(StartError::Entrypoint(reason)) => {
                let launcher = &self.launcher;
                let outcome = entrypoint_failure(launcher, &pool.function, &reason, &event);
                self.record(&pool.function, &event, &outcome);
                return Ok(outcome);
            }
            Acquired::Refused(StartError::Other(error)) => return Err(error),
        };
        let Ran { outcome, next } = ran;
        pool.give_back(next, outcome.duration);
        if outcome.function_error.is_some() && self.killed.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        self.record(&pool.function, &event, &outcome);
        Ok(outcome)
    }

    /// The environments of this revision; those of an earlier one are retired.
    async fn pool(&self, function: &Arc<FunctionSpec>) -> Result<Arc<Pool>, InvokeError> {
        let known = self.pools.read().get(&function.key).cloned();
        if let Some(pool) = known.filter(|pool| pool.serves(function)) {
            return Ok(pool);
        }
        let watch = watch(function).await?;
        let pool = Arc::new(Pool::new(
            Arc::clone(function),
            self.concurrency.gauges(&function.key),
            Arc::clone(&self.launcher),
            Arc::clone(&self.starts),
            watch,
        ));
        let replaced = {
            let mut pools = self.pools.write();
            // Another call may have been faster.
            if let Some(current) = pools.get(&function.key)
                && current.serves(function)
            {
                return Ok(Arc::clone(current));
            }
            pools.insert(function.key.clone(), Arc::clone(&pool))
        };
        if let Some(replaced) = replaced {
            replaced.retire();
        }
        // A shutdown that began meanwhile has not seen this one.
        if self.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        Ok(pool)
    }

    fn record(&self, function: &FunctionSpec, event: &InvokeEvent, outcome: &InvokeOutcome) {
        self.launcher.ports.usage.record(UsageRecord {
            at: self.launcher.ports.clock.now(),
            function: function.key.clone(),
            request_id: event.request_id,
            memory_mb: function.memory_mb,
            max_memory_mb: outcome.max_memory_mb,
            cold: outcome.cold(),
            phases: outcome.phases,
            billed_ms: outcome.billed_ms,
            succeeded: outcome.function_error.is_none(),
        });
    }

    async fn emptied_within(&self, patience: Duration) -> bool {
        let emptied = async {
            while self.launcher.registry.len() > 0 {
                tokio::time::sleep(SHUTDOWN_POLL).await;
            }
        };
        tokio::time::timeout(patience, emptied).await.is_ok()
    }
}

/// Watches the folder of a hot-reload function.
async fn watch(function: &FunctionSpec) -> Result<Option<FolderWatch>, InvokeError> {
    let Code::HotReload(folder) = &function.code else {
        return Ok(None);
    };
    let watched = folder.clone();
    let watch = tokio::task::spawn_blocking(move || FolderWatch::new(&watched)).await;
    let unavailable = |cause: String| {
        InvokeError::CodeUnavailable(format!("watch {}: {cause}", folder.display()))
    };
    match watch {
        Ok(Ok(watch)) => Ok(Some(watch)),
        Ok(Err(error)) => Err(unavailable(error.to_string())),
        Err(error) => Err(unavailable(error.to_string())),
    }
}

type Invocation = Pin<Box<dyn Future<Output = Result<InvokeOutcome, InvokeError>> + Send>>;

/// Runs on in a task of its own when it is dropped before its end.
struct Unstoppable(Option<Invocation>);

impl Future for Unstoppable {
    type Output = Result<InvokeOutcome, InvokeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(invocation) = self.0.as_mut() else {
            return Poll::Pending;
        };
        let polled = invocation.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl Drop for Unstoppable {
    fn drop(&mut self) {
        if let Some(invocation) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(invocation);
        }
    }
}
