//! Runs functions: from a record in memory to an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::Arn;
use exec::{Exec, FunctionKey, FunctionSpec, InvokeError, InvokeEvent, InvokeOutcome};
use routing::async_queue::{Answer, AsyncEvent, EventRunner, RunOutcome};
use service::ServiceError;

use crate::code::CodeStore;
use crate::domain::function_name::FunctionName;
use crate::domain::runtime;
use crate::error;
use crate::functions::{Function, Functions};
use crate::records::{Code, FunctionRecord};
use crate::roles::{RoleSession, Roles, SessionHandle};

pub const LATEST: &str = "$LATEST";

pub struct Runner {
    pub functions: Arc<Functions>,
    pub exec: Arc<Exec>,
    pub code: Arc<CodeStore>,
    pub roles: Arc<Roles>,
}

impl Runner {
    /// Runs `$LATEST` of a function.
    pub async fn run(
        &self,
        function: &Function,
        event: InvokeEvent,
    ) -> Result<InvokeOutcome, InvokeError> {
        let spec = function
            .spec
            .get_or_try_init(|| self.spec(&function.record))
            .await?;
        self.exec.invoke(spec, event).await
    }

    async fn spec(&self, record: &FunctionRecord) -> Result<Arc<FunctionSpec>, InvokeError> {
        let settings = &record.settings;
        let runtime = runtime::parse(&settings.runtime).map_err(|error| {
            // Once accepted, and no longer known.
            InvokeError::RuntimeUnavailable {
                runtime: settings.runtime.clone(),
                message: error.message,
            }
        })?;
        let session = RoleSession::new(
            Arc::clone(&self.roles),
            settings.role.clone(),
            record.arn(),
            record.place(),
        );
        Ok(Arc::new(FunctionSpec {
            key: key(record),
            arn: record.arn(),
            revision_id: record.environment_revision.clone(),
            runtime,
            handler: settings.handler.clone(),
            code: self.code(&record.code).await?,
            environment: settings.environment.clone().unwrap_or_default(),
            memory_mb: settings.memory_size,
            timeout: Duration::from_secs(settings.timeout.into()),
            tmp_mb: settings.ephemeral_storage,
            role: settings.role.clone(),
            credentials: Arc::new(SessionHandle(session)),
            log_group: settings.log_group.clone(),
            reserved_concurrency: record.reserved_concurrency,
        }))
    }

    async fn code(&self, code: &Code) -> Result<exec::Code, InvokeError> {
        match code {
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

    /// Ends the environments of a function that has changed or gone.
    pub fn retire(&self, record: &FunctionRecord) {
        self.exec.retire(&key(record));
    }
}

fn key(record: &FunctionRecord) -> FunctionKey {
    FunctionKey {
        account: record.account,
        region: record.region.clone(),
        name: record.name.clone(),
        version: LATEST.to_owned(),
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
        _ => {
            tracing::error!(error = %why, %function, "lambda: invoke");
            error::service_failed()
        }
    }
}

#[async_trait]
impl EventRunner for Runner {
    async fn run(&self, event: &AsyncEvent) -> RunOutcome {
        let function =
            FunctionName::of_arn(&event.function).and_then(|name| self.functions.get(&name).ok());
        let Some(function) = function else {
            return RunOutcome::FunctionGone;
        };
        let invocation = InvokeEvent {
            request_id: event.request_id,
            payload: event.payload.clone(),
            invoked_arn: event.function.to_string(),
            trace: event.trace.clone(),
            client_context: event.client_context.clone(),
            cognito_identity: None,
            tail: false,
        };
        match Self::run(self, &function, invocation).await {
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
