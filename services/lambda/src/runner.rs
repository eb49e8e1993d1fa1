//! Runs functions: from a record in memory to an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Arn, Clock};
use exec::{CodeImage, Exec, FunctionKey, FunctionSpec, InvokeError, InvokeEvent, InvokeOutcome};
use routing::async_queue::{Answer, AsyncEvent, Ended, EventRunner, RetryPolicy, RunOutcome};
use routing::deliveries::{Deliveries, Staged};
use service::ServiceError;
use store::{Batch, StoreError};

use crate::aftermath;
use crate::code::CodeStore;
use crate::containers::PullFailed;
use crate::domain::event_invoke::EventInvoke;
use crate::domain::function_name::FunctionName;
use crate::domain::{lineage, runtime};
use crate::durable::Runs;
use crate::error;
use crate::function::{Preparation, Version};
use crate::functions::Functions;
use crate::records::container::ContainerCode;
use crate::records::{Code, VersionRecord};
use crate::roles::{RoleSession, Roles, SessionHandle};
use crate::target::Target;

/// What runs a program that speaks the Runtime API by itself.
const OS_ONLY: &str = "provided.al2023";

pub struct Runner {
    /// What is sent on of asynchronous invocations.
    pub deliveries: Arc<Deliveries>,
    pub clock: Clock,
    pub functions: Arc<Functions>,
    pub exec: Arc<Exec>,
    pub code: Arc<CodeStore>,
    pub roles: Arc<Roles>,
    /// Of a response that does not stream, in bytes.
    pub max_response: usize,
}

impl Runner {
    /// Runs a version of a function.
    pub async fn run(
        &self,
        version: &Version,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        let spec = self.spec_of(version).await?;
        self.exec.invoke(spec, event).await
    }

    pub async fn spec_of<'a>(
        &self,
        version: &'a Version,
    ) -> Result<&'a Arc<FunctionSpec>, InvokeError> {
        version
            .spec
            .get_or_try_init(|| self.make_spec(version))
            .await
    }

    async fn make_spec(&self, version: &Version) -> Result<Arc<FunctionSpec>, InvokeError> {
        let record = &version.record;
        let settings = &record.settings;
        let identifier = match record.code {
            // An image's own client speaks the Runtime API.
            Code::Container(_) => OS_ONLY,
            _ => &settings.runtime,
        };
        let runtime = runtime::parse(identifier).map_err(|error| {
            // Once accepted, and no longer known.
            InvokeError::RuntimeUnavailable {
                runtime: settings.runtime.clone(),
                message: error.message,
            }
        })?;
        let session = RoleSession::new(
            Arc::clone(&self.roles),
            settings.role.clone(),
            record.function_arn(),
            record.place(),
        );
        Ok(Arc::new(FunctionSpec {
            key: key(record),
            arn: record.function_arn(),
            revision_id: record.environment_revision.clone(),
            runtime,
            handler: settings.handler.clone(),
            code: self.code(record).await?,
            environment: settings.environment.clone().unwrap_or_default(),
            memory_mb: settings.memory_size,
            timeout: Duration::from_secs(settings.timeout.into()),
            max_response: self.max_response,
            tmp_mb: settings.ephemeral_storage,
            role: settings.role.clone(),
            credentials: Arc::new(SessionHandle(session)),
            log_group: settings.log_group.clone(),
            logging: settings.logging.for_exec(),
            reserved_concurrency: version.reserved_concurrency,
            layers: self
                .code
                .stack(&settings.layers)
                .await
                .map_err(InvokeError::CodeUnavailable)?,
            snap_start: version.snap_starts(),
            managed: managed(version),
        }))
    }

    async fn code(&self, record: &VersionRecord) -> Result<exec::Code, InvokeError> {
        match &record.code {
            Code::Container(container) => {
                let containers = &self.code.containers;
                let image = containers.image(container, &record.place()).await;
                let unavailable = |why: PullFailed| InvokeError::CodeUnavailable(why.to_string());
                let image = image.map_err(unavailable)?;
                Ok(exec::Code::Container(run_as(image, container, record)))
            }
            Code::HotReload { folder } => Ok(exec::Code::HotReload(folder.clone())),
            Code::Zip { sha256, blob, .. } => {
                let id = sha256
                    .parse()
                    .map_err(|_| InvokeError::CodeUnavailable("a malformed hash".to_owned()))?;
                let image = self.code.image(id, blob).await;
                image
                    .map(exec::Code::Image)
                    .map_err(InvokeError::CodeUnavailable)
            }
        }
    }

    /// What is unusual about running a function's runtime here, in words for its owner.
    pub async fn runtime_note(&self, identifier: &str) -> Option<String> {
        let runtime = identifier.parse().ok()?;
        let exec = Arc::clone(&self.exec);
        // Looks for interpreters the first time it is asked.
        let note = tokio::task::spawn_blocking(move || match exec.runtime_warning(runtime) {
            Ok(warning) => warning,
            Err(error) => Some(error.to_string()),
        });
        note.await.ok().flatten()
    }

    /// What an event is for, if it is still there.
    fn target_of(&self, function: &Arn) -> Option<(FunctionName, Target)> {
        let name = FunctionName::of_arn(function)?;
        let target = self.functions.resolve(&name).ok()?;
        Some((name, target))
    }

    /// Ends the environments of a version that has changed or gone.
    pub fn retire(&self, version: &Version) {
        self.exec.retire(&key(&version.record));
    }
}

/// The image with what the function sets over what the image says.
fn run_as(image: CodeImage, code: &ContainerCode, record: &VersionRecord) -> exec::Container {
    let set = record.settings.image.clone().unwrap_or_default();
    let entry_point = set.entry_point.unwrap_or_else(|| code.entry_point.clone());
    let command = set.command.unwrap_or_else(|| code.command.clone());
    exec::Container {
        image,
        command: entry_point.into_iter().chain(command).collect(),
        working_directory: set
            .working_directory
            .or_else(|| code.working_directory.clone()),
        environment: code.environment.clone(),
    }
}

/// How the environments of a version on a capacity provider are.
fn managed(version: &Version) -> Option<exec::Managed> {
    let settings = &version.record.settings;
    let capacity = settings.capacity.as_ref();
    let capacity = capacity.filter(|_| version.is_managed())?;
    Some(exec::Managed {
        concurrency: capacity.concurrency(settings),
        cpu_millis: capacity.cpu_millis(settings.memory_size),
    })
}

pub fn key(record: &VersionRecord) -> FunctionKey {
    FunctionKey {
        account: record.account,
        region: record.region.clone(),
        name: record.name.clone(),
        version: record.version.to_string(),
    }
}

/// An invocation that did not take place, in Lambda's terms.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub fn invoke_failed(function: &Arn, why: InvokeError) -> ServiceError {
    match why {
        InvokeError::Throttled { reason } => error::throttled(reason.as_str()),
        InvokeError::RuntimeUnavailable { .. } => error::invalid_runtime(why.to_string()),
        InvokeError::CodeUnavailable(_) => error::invalid_code(why.to_string()),
        InvokeError::Role(_) => error::role_denied(),
        InvokeError::Restore(_) => error::snap_start_failed(),
        InvokeError::RestoreTimeout => error::snap_start_timed_out(),
        InvokeError::NotInitialised(_) => error::not_active("Failed"),
        _ => {
            tracing::error!(error = %why, %function, "lambda: invoke");
            error::service_failed()
        }
    }
}

#[async_trait]
impl Runs for Runner {
    async fn run(
        &self,
        version: &Version,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        Self::run(self, version, event).await
    }
}

#[async_trait]
impl EventRunner for Runner {
    fn retry_policy(&self, function: &Arn) -> RetryPolicy {
        let target = self.target_of(function);
        let config = target
            .as_ref()
            .and_then(|(name, target)| aftermath::config(&target.function, name));
        config.map_or_else(RetryPolicy::default, EventInvoke::policy)
    }

    fn ended(&self, ended: &Ended<'_>, batch: &mut Batch) -> Result<Staged, StoreError> {
        let Some((name, target)) = self.target_of(&ended.event.function) else {
            return Ok(Staged::default());
        };
        let config = aftermath::config(&target.function, &name);
        let dead_letter = target.version.record.settings.dead_letter.as_ref();
        let now = self.clock.now();
        let parcels = aftermath::parcels(&name, config, dead_letter, ended, now);
        self.deliveries.stage(batch, parcels)
    }

    async fn run(&self, event: &AsyncEvent) -> RunOutcome {
        let Some((name, target)) = self.target_of(&event.function) else {
            return RunOutcome::FunctionGone;
        };
        let version = target.route();
        let function = &target.function.record;
        let visits = lineage::visits(event.trace.as_deref(), &function.arn());
        if visits > lineage::MAX_VISITS && !function.attached.allows_recursion {
            return RunOutcome::Recursive;
        }
        if target.function.record.reserved_concurrency == Some(0) {
            let config = aftermath::config(&target.function, &name);
            let dead_letter = version.record.settings.dead_letter.as_ref();
            // Lambda gives up the event even where it is lost by that. Here it then waits.
            if aftermath::has_failure_target(config, dead_letter) {
                return RunOutcome::TurnedOff;
            }
        }
        if let Some(state) = version.state_on_provider() {
            return RunOutcome::SystemFailed(error::not_active(state.as_str()).message);
        }
        match version.preparation() {
            Preparation::Done => {}
            // As with concurrency, the event waits, and that does not count as a run.
            Preparation::UnderWay => return RunOutcome::Throttled,
            Preparation::Failed(why) | Preparation::NoImage { why, .. } => {
                return RunOutcome::SystemFailed(why);
            }
        }
        let invocation = InvokeEvent {
            request_id: event.request_id,
            payload: event.payload.clone(),
            invoked_arn: event.function.to_string(),
            trace: event.trace.clone(),
            client_context: event.client_context.clone(),
            cognito_identity: None,
            tenant: event.tenant.clone(),
            tail: false,
            asynchronous: true,
            sink: None,
        };
        match Self::run(self, version, invocation).await {
            Ok(outcome) => {
                let answer = Answer {
                    payload: outcome.payload,
                    executed_version: outcome.executed_version,
                };
                match outcome.function_error {
                    None => RunOutcome::Succeeded(answer),
                    Some(_) => RunOutcome::FunctionFailed(answer),
                }
            }
            Err(InvokeError::Throttled { .. }) => RunOutcome::Throttled,
            Err(error) => RunOutcome::SystemFailed(error.to_string()),
        }
    }
}
