//! Has environments kept ready, as the configurations of provisioned concurrency say, and those of
//! scaling on capacity providers.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use exec::{FunctionKey, InvokeError};
use parking_lot::Mutex;

use crate::domain::function_name::FunctionName;
use crate::domain::provisioned::Progress;
use crate::domain::scaling::Scaling;
use crate::domain::version::VersionId;
use crate::function::{Function, Preparation, Version};
use crate::runner::{Runner, key};

/// Lambda's word for environments that cannot begin. What the function said is in its log.
const INIT_FAILURE: &str = "FUNCTION_ERROR_INIT_FAILURE";

/// How often it is looked whether a version that could not be initialised can be.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub struct Provisioning {
    runner: Arc<Runner>,
    /// The versions for which nothing can be kept ready here, and why.
    refused: Mutex<HashMap<FunctionKey, String>>,
}

impl Provisioning {
    pub fn new(runner: Arc<Runner>) -> Arc<Self> {
        Arc::new(Self {
            runner,
            refused: Mutex::default(),
        })
    }

    /// Takes up what an earlier run was told to keep ready.
    pub fn resume(self: &Arc<Self>) {
        let functions = &self.runner.functions;
        for place in functions.places() {
            for function in functions.list(&place, Bound::Unbounded, usize::MAX) {
                let is_managed = function.record.settings.capacity.is_some();
                if is_managed || function.provisioned() > 0 {
                    self.follow(&function);
                }
            }
        }
    }

    /// Brings what is kept ready of a function in line with its records, in the background.
    pub fn follow(self: &Arc<Self>, function: &Function) {
        let name = FunctionName {
            place: function.record.place(),
            name: function.record.name.clone(),
            qualifier: None,
        };
        let this = Arc::clone(self);
        tokio::spawn(async move { this.follow_until_settled(&name).await });
    }

    /// Several of these may be under way for one function: each goes on until what it has applied
    /// is still the present state, so whatever comes last has been applied last.
    async fn follow_until_settled(&self, name: &FunctionName) {
        let mut known: Option<Arc<Function>> = None;
        loop {
            let present = self.runner.functions.get(name).ok();
            if let Some(known) = &known {
                if present.as_ref().is_some_and(|it| Arc::ptr_eq(it, known)) {
                    return;
                }
                self.forget_deleted(known, present.as_deref());
            }
            let Some(present) = present else {
                return;
            };
            self.apply(&present).await;
            known = Some(present);
        }
    }

    async fn apply(&self, function: &Function) {
        for version in function.versions.values().filter(|it| it.is_managed()) {
            self.scale(version).await;
        }
        let wanted = function.provisioned_versions();
        let wanted = |version: &Version| wanted.get(&version.record.version).copied();
        // Those that end make room for those that begin.
        let (begin, end): (Vec<_>, Vec<_>) = function
            .versions
            .values()
            .filter(|version| !version.is_managed())
            .partition(|version| wanted(version).is_some_and(|count| count > 0));
        for version in end {
            let key = key(&version.record);
            self.refused.lock().remove(&key);
            if self.runner.exec.provisioned(&key).is_some() && self.keep(version, 0).await.is_err()
            {
                self.runner.exec.retire(&key);
            }
        }
        for version in begin {
            let kept = self
                .keep(version, wanted(version).unwrap_or_default())
                .await;
            let key = key(&version.record);
            match kept {
                Ok(()) | Err(InvokeError::ShuttingDown) => {
                    self.refused.lock().remove(&key);
                }
                Err(error) => {
                    let function = version.record.arn();
                    tracing::warn!(%error, %function, "lambda: provision concurrency");
                    self.refused.lock().insert(key, error.to_string());
                }
            }
        }
    }

    /// Has as many environments of a version as it is to have, and notes how that goes where it
    /// decides over whether it can be invoked.
    async fn scale(&self, version: &Arc<Version>) {
        let scaling = version.scaling();
        let (least, most) = (scaling.least(), scaling.most());
        let scaled = match self.runner.spec_of(version).await {
            Ok(spec) => self.runner.exec.scale(spec, least, most).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &scaled {
            let function = version.record.arn();
            tracing::warn!(%error, %function, "lambda: scale a version on its capacity provider");
        }
        match scaled {
            Ok(()) => {
                let (runner, version) = (Arc::clone(&self.runner), Arc::clone(version));
                tokio::spawn(async move { note_readiness(&runner, &version).await });
            }
            Err(InvokeError::ShuttingDown) => {}
            Err(error) => version.set_preparation(Preparation::Failed(error.to_string())),
        }
    }

    /// What is in effect of a version's scaling; `None` until it is taken up.
    pub fn applied(&self, version: &Version) -> Option<Scaling> {
        let status = self.runner.exec.scaled(&key(&version.record))?;
        Some(Scaling {
            minimum: Some(status.least),
            maximum: Some(status.most).filter(|most| *most < u32::MAX),
        })
    }

    async fn keep(&self, version: &Version, count: u32) -> Result<(), InvokeError> {
        let spec = self.runner.spec_of(version).await?;
        self.runner.exec.provision(spec, count).await
    }

    /// Ends what was begun for versions that were deleted meanwhile.
    fn forget_deleted(&self, before: &Function, after: Option<&Function>) {
        for version in before.versions.values() {
            let record = &version.record;
            let same = after.and_then(|after| after.version(record.version));
            let lives = same.is_some_and(|same| {
                same.record.environment_revision == record.environment_revision
            });
            if !lives {
                self.end(version);
            }
        }
    }

    /// A version is deleted: nothing of it is kept, ready or not.
    pub fn end(&self, version: &Version) {
        self.runner.retire(version);
        self.refused.lock().remove(&key(&version.record));
    }

    /// How far the environments of these versions are.
    pub fn progress(
        &self,
        function: &Function,
        shares: impl Iterator<Item = (VersionId, u32)>,
    ) -> Progress {
        shares
            .filter(|(_, count)| *count > 0)
            .filter_map(|(version, _)| function.version(version))
            .map(|version| self.progress_of(version))
            .fold(Progress::default(), Progress::and)
    }

    fn progress_of(&self, version: &Version) -> Progress {
        let key = key(&version.record);
        let Some(status) = self.runner.exec.provisioned(&key) else {
            return Progress {
                failure: self.refused.lock().get(&key).cloned(),
                ..Progress::default()
            };
        };
        Progress {
            allocated: status.allocated,
            available: status.available,
            failure: status.failure.map(|_| INIT_FAILURE.to_owned()),
        }
    }
}

/// Notes whether a version can be invoked: as soon as its environments have been initialised, and not
/// where none could be, which is tried again and again.
async fn note_readiness(runner: &Runner, version: &Version) {
    let key = key(&version.record);
    loop {
        let ready = runner.exec.scaled_up(&key).await;
        let status = runner.exec.scaled(&key);
        let name = FunctionName::of_arn(&version.record.function_arn());
        let function = name.and_then(|name| runner.functions.get(&name).ok());
        let present = function
            .as_ref()
            .and_then(|it| it.version(version.record.version));
        let is_current = present.is_some_and(|present| {
            present.record.environment_revision == version.record.environment_revision
        });
        let Some(status) = status.filter(|_| is_current) else {
            return;
        };
        match ready {
            Ok(()) => return version.set_preparation(Preparation::Done),
            Err(why) if status.environments == 0 => {
                version.set_preparation(Preparation::Failed(why));
            }
            Err(_) => {}
        }
        runner.clock.sleep(LOOK_AGAIN).await;
    }
}

impl Function {
    /// How many environments are to be kept ready of each version.
    pub fn provisioned_versions(&self) -> BTreeMap<VersionId, u32> {
        let mut counts = BTreeMap::new();
        for version in self.versions.values() {
            if let Some(provisioned) = version.record.provisioned {
                counts.insert(version.record.version, provisioned.requested);
            }
        }
        for alias in self.aliases.values() {
            let Some(provisioned) = alias.record.provisioned else {
                continue;
            };
            for (version, share) in alias.record.routing.shares(provisioned.requested) {
                *counts.entry(version).or_default() += share;
            }
        }
        counts
    }

    /// Environments that are to be kept ready, of all versions.
    pub fn provisioned(&self) -> u32 {
        let counts = self.provisioned_versions();
        counts.into_values().fold(0, u32::saturating_add)
    }

    /// The concurrency that no other function can use: provisioned is part of what is reserved.
    pub fn set_aside(&self) -> u64 {
        let reserved = self.record.reserved_concurrency;
        u64::from(reserved.unwrap_or_else(|| self.provisioned()))
    }
}
