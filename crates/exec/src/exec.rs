//! The way in: functions are invoked here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{AccountId, Region};
use parking_lot::{Mutex, RwLock};

use crate::awaited::Awaited;
use crate::bootstraps::Bootstraps;
use crate::config::{ExecConfig, Outbound};
use crate::detached::Detached;
use crate::dispatch::{
    Acquired, Commitment, Concurrency, Fleet, FolderWatch, Host, Limits, Lost, Pool, Pools,
    Reclaimer, Turns, entrypoint_failure, run_again,
};
use crate::environment::{Launcher, Maker, Next, Ran, Shelf, StartError};
use crate::error::{ExecError, InvokeError, PrepareError};
use crate::function::{Code, FunctionKey, FunctionSpec};
use crate::info::{EnvironmentInfo, ProvisionedStatus, ScaledStatus, SpareInfo};
use crate::invocation::{InvokeEvent, InvokeOutcome};
use crate::nursery::Nursery;
use crate::ports::{ExecPorts, UsageRecord};
use crate::runtimes::{Interpreters, Runtime};

/// How often the end of the last environments is looked for at shutdown.
const SHUTDOWN_POLL: Duration = Duration::from_millis(5);

/// Runs functions. One per server.
pub struct Exec {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    bootstraps: Arc<Bootstraps>,
    pools: RwLock<Pools>,
    /// Of versions on capacity providers.
    fleets: RwLock<HashMap<FunctionKey, Arc<Fleet>>>,
    concurrency: Concurrency,
    closing: AtomicBool,
    killed: AtomicBool,
}

impl Exec {
    /// Prepares the host, and has the bootstraps written meanwhile. Blocks for some milliseconds;
    /// needs a tokio runtime only from the first invocation on.
    pub fn new(mut config: ExecConfig, ports: ExecPorts) -> Result<Arc<Self>, ExecError> {
        if config.outbound != Outbound::None {
            config.sandbox.egress.get_or_insert_default();
        }
        let folder = config.runtime_dir.clone();
        let bootstraps =
            Bootstraps::write(folder.clone()).map_err(|source| ExecError::Bootstraps {
                path: folder,
                source,
            })?;
        let host = sandbox::Host::open(&config.sandbox).map_err(ExecError::Sandbox)?;
        let interpreters = Interpreters::new(config.interpreters.clone(), config.strict_runtimes);
        let concurrency = Concurrency::new(Limits::new(&config));
        let turns = Turns::new(config.parallel_starts);
        let reclaimer = Arc::new(Reclaimer::new(config.clone(), ports.clock.clone()));
        let maker = Maker {
            host: host.clone(),
            runtime_dir: config.runtime_dir.clone(),
            gateway: ports.gateway.as_ref().map(|_| config.gateway_port),
            awaited: Awaited::default(),
        };
        let nursery = Nursery::new(maker.clone(), config.clone());
        let launcher = Arc::new(Launcher {
            config,
            ports,
            host,
            interpreters,
            registry: Arc::default(),
            maker,
            nursery,
            shelf: Shelf::default(),
            compiled: Mutex::default(),
            compiling: Mutex::default(),
        });
        let host = Host {
            launcher,
            turns,
            reclaimer,
        };
        let inner = Inner {
            host,
            bootstraps,
            pools: RwLock::default(),
            fleets: RwLock::default(),
            concurrency,
            closing: AtomicBool::new(false),
            killed: AtomicBool::new(false),
        };
        Ok(Arc::new(Self {
            inner: Arc::new(inner),
        }))
    }

    /// Runs a function on an event and waits for its answer. Dropping the future does not end an
    /// invocation that has an environment, or for which one is being made, as on Lambda: the
    /// function runs on, its answer is lost. Before that nothing is started for it.
    pub async fn invoke(
        &self,
        function: &Arc<FunctionSpec>,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        let inner = Arc::clone(&self.inner);
        let function = Arc::clone(function);
        let commitment = Arc::new(Commitment::default());
        let committed = Arc::clone(&commitment);
        let invocation = Box::pin(async move { inner.invoke(function, event, &committed).await });
        Detached::new(invocation, commitment).await
    }

    /// Keeps this many environments of a function version initialised ahead of its invocations,
    /// from now on in the background; 0 ends that. They take no part in idle times, and their
    /// concurrency is set aside. Whether so much is left to set aside is for the caller to check.
    ///
    /// # Errors
    /// [`InvokeError::CodeUnavailable`] of a hot-reload folder, and [`InvokeError::ShuttingDown`].
    pub async fn provision(
        &self,
        function: &Arc<FunctionSpec>,
        count: u32,
    ) -> Result<(), InvokeError> {
        loop {
            let known = self.inner.pools.read().get(&function.key, None).cloned();
            let pool = match known {
                None if count == 0 => return Ok(()),
                Some(pool) if count == 0 => pool,
                _ => self.inner.pool(function, None).await?,
            };
            // Otherwise it was replaced in between.
            if pool.provision(count, function.reserved_concurrency) {
                return Ok(());
            }
        }
    }

    /// How far the environments that are to be kept ready are; `None` if none are.
    pub fn provisioned(&self, function: &FunctionKey) -> Option<ProvisionedStatus> {
        let pool = self.inner.pools.read().get(function, None).cloned();
        pool?.provisioned_status()
    }

    /// Keeps at least so many environments of a version on a capacity provider initialised from now on,
    /// and makes no more than so many; none at all ends those that there are.
    ///
    /// # Errors
    /// [`InvokeError::CodeUnavailable`] of a hot-reload folder, and [`InvokeError::ShuttingDown`].
    pub async fn scale(
        &self,
        function: &Arc<FunctionSpec>,
        least: u32,
        most: u32,
    ) -> Result<(), InvokeError> {
        let fleet = self.inner.fleet(function).await?;
        fleet.scale(least, most);
        Ok(())
    }

    /// How far a version on a capacity provider is; `None` if it has not been scaled.
    pub fn scaled(&self, function: &FunctionKey) -> Option<ScaledStatus> {
        let fleets = self.inner.fleets.read();
        fleets.get(function).map(|fleet| fleet.status())
    }

    /// Resolves when such a version has as many environments as are kept initialised.
    ///
    /// # Errors
    /// Why one could not be, such as `Runtime.ImportModuleError: No module named 'x'`.
    pub async fn scaled_up(&self, function: &FunctionKey) -> Result<(), String> {
        let fleet = self.inner.fleets.read().get(function).cloned();
        match fleet {
            Some(fleet) => fleet.ready().await,
            None => Ok(()),
        }
    }

    /// Says that this function was deployed and will be called soon: its runtime gets ready, and
    /// its code. Nothing runs of the function itself.
    pub async fn expect(&self, function: &FunctionSpec) {
        if let Err(error) = self.inner.bootstraps.written().await {
            tracing::warn!(%error, "get ready for a function that was deployed");
            return;
        }
        self.inner.host.launcher.expect(function).await;
    }

    /// Runs the init of a version with SnapStart and keeps what comes of it, to fork its
    /// environments from. Where this host or the runtime has no templates, its environments start in
    /// the ordinary way. What is kept ends with [`Self::retire`], and is made again when it is needed.
    ///
    /// # Errors
    /// [`PrepareError::Init`] when its init or its hooks fail, within 130 seconds or the function's
    /// timeout, whichever is longer.
    pub async fn prepare(&self, function: &Arc<FunctionSpec>) -> Result<(), PrepareError> {
        self.inner.bootstraps.written().await?;
        self.inner.host.launcher.prepare(function).await
    }

    /// Configuration or code of this version changed, or it is deleted: its idle environments go
    /// now, busy ones after their invocation. Its provisioned concurrency ends.
    pub fn retire(&self, function: &FunctionKey) {
        self.inner.host.launcher.shelf.retire(function);
        let fleet = self.inner.fleets.write().remove(function);
        if let Some(fleet) = fleet {
            fleet.retire();
        }
        let pools = self.inner.pools.write().remove(function);
        for pool in pools {
            pool.retire();
            pool.gauges.set_provisioned(0);
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
        match self.inner.host.launcher.interpreters.resolve(runtime) {
            Ok(resolved) => Ok(resolved.warning.clone()),
            Err(message) => {
                let runtime = runtime.to_string();
                Err(InvokeError::RuntimeUnavailable { runtime, message })
            }
        }
    }

    /// Every live environment, oldest first.
    pub fn environments(&self) -> Vec<EnvironmentInfo> {
        self.inner.host.launcher.registry.list()
    }

    /// What waits to become an environment.
    pub fn spares(&self) -> Vec<SpareInfo> {
        self.inner.host.launcher.nursery.spares()
    }

    /// What this host lets sandboxes do, for `kagero doctor`.
    pub fn host(&self) -> &sandbox::Host {
        &self.inner.host.launcher.host
    }

    /// Takes no more events, ends what is idle, lets what is busy finish within
    /// [`ExecConfig::shutdown_grace`], and ends the rest.
    pub async fn shutdown(&self) {
        let inner = &self.inner;
        inner.closing.store(true, Ordering::Release);
        inner.host.turns.close();
        inner.host.launcher.nursery.close();
        inner.host.launcher.shelf.close();
        let pools = inner.pools.write().drain();
        for pool in pools {
            pool.retire();
        }
        let fleets = std::mem::take(&mut *inner.fleets.write());
        for fleet in fleets.into_values() {
            fleet.retire();
        }
        // Real time whatever the clock: the caller waits.
        if !inner
            .emptied_within(inner.host.launcher.config.shutdown_grace)
            .await
        {
            inner.killed.store(true, Ordering::Release);
            inner.host.launcher.registry.kill_all();
            inner
                .emptied_within(inner.host.launcher.config.shutdown_grace)
                .await;
        }
    }
}

impl Inner {
    async fn invoke(
        self: Arc<Self>,
        function: Arc<FunctionSpec>,
        event: InvokeEvent,
        commitment: &Arc<Commitment>,
    ) -> Result<InvokeOutcome, InvokeError> {
        if self.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        if function.managed.is_some() {
            return self.invoke_managed(&function, event, commitment).await;
        }
        let pool = self.pool(&function, event.tenant.as_deref()).await?;
        let reserved = function.reserved_concurrency;
        let now = self.host.launcher.ports.clock.now();
        let _slot = pool.gauges.enter(reserved, !event.asynchronous, now)?;
        let mut kind = Lost::OnDemand;
        let ran = match pool.acquire(commitment).await? {
            Acquired::Ready(environment) => {
                kind = Lost::of(environment.is_provisioned());
                environment.invoke(&event, Duration::ZERO).await
            }
            Acquired::Failed(failed) => {
                pool.count_busy();
                match run_again(&pool, failed, &event).await {
                    Ok(ran) => ran,
                    Err(error) => {
                        pool.give_back(Next::Gone, kind, Duration::ZERO);
                        return Err(error.into());
                    }
                }
            }
            Acquired::Refused(StartError::Entrypoint(program)) => {
                let launcher = &self.host.launcher;
                let outcome = entrypoint_failure(launcher, &pool.function, &program, &event);
                self.record(&pool.function, &event, &outcome);
                return Ok(outcome);
            }
            Acquired::Refused(StartError::Other(error)) => return Err(error),
        };
        let Ran { outcome, next } = ran;
        pool.give_back(next, kind, outcome.duration);
        if outcome.function_error.is_some() && self.killed.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        self.record(&pool.function, &event, &outcome);
        Ok(outcome)
    }

    /// The same in one of the environments that take several at once. What they may take is all the
    /// concurrency that there is, unless the function has set some aside.
    async fn invoke_managed(
        &self,
        function: &Arc<FunctionSpec>,
        event: InvokeEvent,
        commitment: &Commitment,
    ) -> Result<InvokeOutcome, InvokeError> {
        let fleet = self.fleet(function).await?;
        let now = self.host.launcher.ports.clock.now();
        let _slot = match function.reserved_concurrency {
            None => None,
            reserved => Some(fleet.gauges.enter(reserved, !event.asynchronous, now)?),
        };
        let outcome = fleet.invoke(&event, commitment).await?;
        if outcome.function_error.is_some() && self.killed.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        self.record(&fleet.function, &event, &outcome);
        Ok(outcome)
    }

    /// The environments of this revision of a version on a capacity provider; those of an earlier
    /// revision are retired.
    async fn fleet(&self, function: &Arc<FunctionSpec>) -> Result<Arc<Fleet>, InvokeError> {
        let known = self.fleets.read().get(&function.key).cloned();
        if let Some(fleet) = known.filter(|fleet| fleet.serves(function)) {
            return Ok(fleet);
        }
        self.bootstraps.written().await?;
        let watch = watch(function).await?;
        let gauges = self.concurrency.gauges(&function.key);
        let fleet = Fleet::new(Arc::clone(function), gauges, self.host.clone(), watch);
        let replaced = {
            let mut fleets = self.fleets.write();
            // Another call may have been faster.
            if let Some(current) = fleets.get(&function.key)
                && current.serves(function)
            {
                return Ok(Arc::clone(current));
            }
            fleets.insert(function.key.clone(), Arc::clone(&fleet))
        };
        if let Some(replaced) = replaced {
            let (least, most) = replaced.bounds();
            fleet.scale(least, most);
            replaced.retire();
        }
        // A shutdown that began meanwhile has not seen this one.
        if self.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        Ok(fleet)
    }

    /// The environments of this revision, for one tenant where there are tenants; those of an earlier
    /// revision are retired.
    async fn pool(
        &self,
        function: &Arc<FunctionSpec>,
        tenant: Option<&str>,
    ) -> Result<Arc<Pool>, InvokeError> {
        let known = self.pools.read().get(&function.key, tenant).cloned();
        if let Some(pool) = known.filter(|pool| pool.serves(function)) {
            return Ok(pool);
        }
        self.bootstraps.written().await?;
        let watch = watch(function).await?;
        let gauges = self.concurrency.gauges(&function.key);
        let pool = Pool::new(Arc::clone(function), gauges, self.host.clone(), watch);
        let replaced = {
            let mut pools = self.pools.write();
            // Another call may have been faster.
            if let Some(current) = pools.get(&function.key, tenant)
                && current.serves(function)
            {
                return Ok(Arc::clone(current));
            }
            pools.insert(function.key.clone(), tenant, Arc::clone(&pool))
        };
        if let Some(replaced) = replaced {
            replaced.retire();
            let provisioned = replaced.provisioned();
            if provisioned > 0 {
                pool.provision(provisioned, function.reserved_concurrency);
            }
        }
        // A shutdown that began meanwhile has not seen this one.
        if self.closing.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        Ok(pool)
    }

    fn record(&self, function: &FunctionSpec, event: &InvokeEvent, outcome: &InvokeOutcome) {
        self.host.launcher.ports.usage.record(UsageRecord {
            at: self.host.launcher.ports.clock.now(),
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
            while self.host.launcher.registry.len() > 0 {
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
