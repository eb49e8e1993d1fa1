//! Chained invocations: an execution waits for another function, durable or not.
//!
//! The execution of a durable target begins in the batch of the checkpoint that asks for it. One
//! that is no durable function runs once more if the server restarts meanwhile.

use std::sync::Arc;
use std::time::Duration;

use base::RequestId;
use bytes::Bytes;
use exec::{InvokeError, InvokeEvent};
use service::ServiceError;
use store::{Batch, StoreError};
use uuid::Uuid;

use super::arn::ExecutionArn;
use super::entered::Entered;
use super::records::{Detail, Failure, Parent};
use super::start::New;
use super::state::{Beginning, Change, Draft};
use super::{Durable, MAX_PAYLOAD, output, refusals};
use crate::domain::function_name::FunctionName;
use crate::domain::{lineage, tenancy};
use crate::error;
use crate::function::Version;
use crate::generated::{EventType, ExecutionStatus, OperationStatus, OperationType};
use crate::runner::invoke_failed;

/// A target for which there is no room is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// What a chained invocation leads to.
pub enum Begun {
    Execution(Box<Beginning>),
    /// The function is not durable.
    Plain,
    /// Nothing: the operation has failed.
    Failed,
}

/// How a chained invocation ended.
struct Ending {
    status: OperationStatus,
    result: Option<String>,
    error: Option<Failure>,
}

impl Ending {
    fn failed(error: Failure) -> Self {
        Self {
            status: OperationStatus::Failed,
            result: None,
            error: Some(error),
        }
    }
}

impl Durable {
    /// Finds out where a chained invocation leads that has just been asked for.
    pub(super) fn begin_target(&self, draft: &mut Draft<'_>, number: usize) -> Begun {
        match self.resolve_target(draft, number) {
            Ok((version, trace)) => self.begin_version(draft, number, &version, trace),
            Err(refused) => {
                // Of what does not begin, no input is kept.
                draft.amend(number, |operation| operation.input = None);
                draft.event(EventType::ChainedInvokeStarted, Some(number), Detail::None);
                let error = Failure::new(&refused.code, refused.message);
                end(draft, number, Ending::failed(error));
                Begun::Failed
            }
        }
    }

    fn resolve_target(
        &self,
        draft: &Draft<'_>,
        number: usize,
    ) -> Result<(Arc<Version>, String), ServiceError> {
        let operation = draft.operation(number);
        let Some(asked) = operation.and_then(|operation| operation.target.as_ref()) else {
            return Err(error::service_failed());
        };
        let name = FunctionName::parse(&asked.function, None, &draft.head.place())?;
        let functions = &self.functions;
        let target = functions.resolve(&name).map_err(|_| {
            let qualifier = name.qualifier.as_ref().map_or("$LATEST", |it| it.as_str());
            let qualified = format!("{}:{qualifier}", name.name);
            error::function_not_found(&name.place.function_arn(&qualified))
        })?;
        tenancy::check(&target.function.record, asked.tenant.as_deref())?;
        let version = Arc::clone(target.route());
        if version.record.settings.durable.is_some() && name.qualifier.is_none() {
            return Err(refusals::unqualified());
        }
        let trace = asked.trace.as_deref().or(draft.head.trace.as_deref());
        let function = &target.function.record;
        let (trace, visits) = lineage::visit(trace, &function.arn(), draft.now);
        if visits > lineage::MAX_VISITS && !function.attached.allows_recursion {
            return Err(error::recursive());
        }
        Ok((version, trace))
    }

    fn begin_version(
        &self,
        draft: &mut Draft<'_>,
        number: usize,
        version: &Version,
        trace: String,
    ) -> Begun {
        let begun = match &version.record.settings.durable {
            None => {
                draft.head.plain_targets += 1;
                Begun::Plain
            }
            Some(settings) => {
                let operation = draft.operation(number);
                let input = operation.and_then(|it| it.input.clone());
                let tenant = operation.and_then(|it| it.target.as_ref()?.tenant.clone());
                let parent = Parent {
                    execution: draft.head.arn(),
                    operation: number as u64,
                    told: false,
                };
                let new = New {
                    name: None,
                    input,
                    is_sync: false,
                    trace: Some(trace.clone()),
                    tenant,
                    parent: Some(parent),
                };
                Begun::Execution(Box::new(self.beginning(version, settings, new)))
            }
        };
        let execution = match &begun {
            Begun::Execution(beginning) => Some(beginning.head.arn()),
            Begun::Plain | Begun::Failed => None,
        };
        draft.amend(number, |operation| {
            if let Some(target) = &mut operation.target {
                target.version = Some(version.record.version.to_string());
                target.execution = execution;
                target.trace = Some(trace);
            }
        });
        draft.event(EventType::ChainedInvokeStarted, Some(number), Detail::None);
        begun
    }

    /// Makes a change durable together with the executions that begin by it.
    pub(super) async fn commit_beginnings(
        self: &Arc<Self>,
        entered: &mut Entered,
        change: Change,
        beginnings: Vec<Beginning>,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let begun: Result<Vec<_>, StoreError> = beginnings
            .into_iter()
            .map(|beginning| beginning.put(&mut batch))
            .collect();
        let begun = begun.map_err(error::store_failed)?;
        let parcels = begun.iter().map(|state| self.status(&state.head));
        self.commit_with(entered, change, batch, parcels.collect())
            .await?;
        for state in &begun {
            self.begun(state);
        }
        Ok(())
    }

    /// Runs targets that are no durable functions.
    pub(super) fn run_targets(self: &Arc<Self>, id: Uuid, numbers: Vec<usize>) {
        for number in numbers {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = this.run_target(id, number).await {
                    // At the next start it is run again.
                    tracing::error!(%error, execution = %id, "lambda: run a chained invocation");
                }
            });
        }
    }

    /// The same of those that an earlier run was at.
    pub(super) fn take_up_targets(self: &Arc<Self>, id: Uuid) {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let entered = match this.enter(id).await {
                Ok(Some(entered)) => entered,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, execution = %id, "lambda: take up a chained invocation");
                    return;
                }
            };
            let operations = entered.operations.iter().enumerate();
            let open = operations.filter(|(_, operation)| {
                let target = operation.target.as_ref();
                operation.status == OperationStatus::Started
                    && target.is_some_and(|it| it.execution.is_none() && it.version.is_some())
            });
            let numbers = open.map(|(number, _)| number).collect();
            drop(entered);
            this.run_targets(id, numbers);
        });
    }

    async fn run_target(self: &Arc<Self>, id: Uuid, number: usize) -> Result<(), ServiceError> {
        let Some(entered) = self.enter(id).await? else {
            return Ok(());
        };
        let Some(operation) = entered.operations.get(number).cloned() else {
            return Ok(());
        };
        let place = entered.head.place();
        drop(entered);
        let Some(target) = &operation.target else {
            return Ok(());
        };
        let version = target.version.as_deref();
        let mut name = FunctionName::parse(&target.function, None, &place)?;
        let invoked = name.arn();
        name = FunctionName::parse(&name.name, version, &name.place)?;
        let input = operation.input.clone().unwrap_or_else(|| "{}".to_owned());
        let event = InvokeEvent {
            request_id: RequestId::random(),
            payload: input.into(),
            invoked_arn: invoked.to_string(),
            trace: target.trace.clone(),
            client_context: None,
            cognito_identity: None,
            tail: false,
            asynchronous: true,
            sink: None,
            tenant: target.tenant.clone(),
        };
        let ending = loop {
            let Ok(found) = self.functions.resolve(&name) else {
                let refused = error::function_not_found(&name.arn());
                break Ending::failed(Failure::new(&refused.code, refused.message));
            };
            match self.runs.run(&found.version, event.clone()).await {
                Ok(outcome) if outcome.function_error.is_some() => {
                    break Ending::failed(output::failure(&outcome.payload));
                }
                Ok(outcome) => break answered(&outcome.payload),
                Err(InvokeError::Throttled { .. }) => self.clock.sleep(PAUSE).await,
                Err(InvokeError::ShuttingDown) => return Ok(()),
                Err(failed) => {
                    let refused = invoke_failed(&invoked, failed);
                    break Ending::failed(Failure::new(&refused.code, refused.message));
                }
            }
        };
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let Some(mut entered) = this.enter(id).await? else {
                return Ok(());
            };
            this.end_target(&mut entered, number, None, ending).await
        })
        .await
    }

    /// Tells a parent how its chained execution ended, and notes that it has been told.
    pub(super) async fn tell_parent(
        self: &Arc<Self>,
        child: &ExecutionArn,
    ) -> Result<(), ServiceError> {
        let this = Arc::clone(self);
        let child = child.clone();
        Self::undisturbed(async move {
            let Some((parent, ending)) = this.ending_of(&child).await? else {
                return Ok(());
            };
            match this.enter_named(&parent.execution).await {
                Ok(mut entered) => {
                    let number = usize::try_from(parent.operation).unwrap_or(usize::MAX);
                    this.end_target(&mut entered, number, Some(&child), ending)
                        .await?;
                }
                Err(error) if error.code == "ResourceNotFoundException" => {}
                Err(error) => return Err(error),
            }
            let mut entered = this.enter_named(&child).await?;
            let mut draft = Draft::of(&entered, this.now());
            if let Some(parent) = &mut draft.head.parent {
                parent.told = true;
            }
            let change = draft.done();
            this.commit(&mut entered, change).await
        })
        .await
    }

    async fn ending_of(
        self: &Arc<Self>,
        child: &ExecutionArn,
    ) -> Result<Option<(Parent, Ending)>, ServiceError> {
        let entered = self.enter_named(child).await?;
        let Some(parent) = entered.head.parent.clone().filter(|parent| !parent.told) else {
            return Ok(None);
        };
        let execution = &entered.operations[0];
        let error = execution.error.clone();
        let ending = match entered.head.status {
            ExecutionStatus::Succeeded => Ending {
                status: OperationStatus::Succeeded,
                result: execution.result.clone(),
                error: None,
            },
            ExecutionStatus::TimedOut => {
                let seconds = entered.head.timeout;
                let message = format!("CHAINED_INVOKE timed out after {seconds} seconds.");
                Ending {
                    status: OperationStatus::TimedOut,
                    result: None,
                    error: Some(Failure::new("ChainedInvoke.Timeout", message)),
                }
            }
            ExecutionStatus::Stopped => Ending {
                status: OperationStatus::Stopped,
                result: None,
                error,
            },
            _ => Ending::failed(error.unwrap_or_default()),
        };
        Ok(Some((parent, ending)))
    }

    /// Ends a chained invocation, unless it or its execution has ended already.
    async fn end_target(
        self: &Arc<Self>,
        entered: &mut Entered,
        number: usize,
        child: Option<&ExecutionArn>,
        ending: Ending,
    ) -> Result<(), ServiceError> {
        let is_open = entered.operations.get(number).is_some_and(|operation| {
            let target = operation.target.as_ref();
            operation.kind == OperationType::ChainedInvoke
                && operation.status == OperationStatus::Started
                && target.is_some_and(|target| target.execution.as_ref() == child)
        });
        if !is_open || entered.head.is_closed() {
            return Ok(());
        }
        let mut draft = Draft::of(entered, self.now());
        if child.is_none() {
            draft.head.plain_targets = draft.head.plain_targets.saturating_sub(1);
        }
        end(&mut draft, number, ending);
        draft.head.owed = true;
        let change = draft.done();
        self.commit(entered, change).await
    }
}

fn end(draft: &mut Draft<'_>, number: usize, ending: Ending) {
    let now = draft.now;
    let event = match ending.status {
        OperationStatus::Succeeded => EventType::ChainedInvokeSucceeded,
        OperationStatus::TimedOut => EventType::ChainedInvokeTimedOut,
        OperationStatus::Stopped => EventType::ChainedInvokeStopped,
        _ => EventType::ChainedInvokeFailed,
    };
    draft.change(number, |operation| {
        operation.status = ending.status;
        operation.ended = Some(now);
        operation.result = ending.result;
        operation.error = ending.error;
    });
    draft.event(event, Some(number), Detail::None);
}

fn answered(payload: &Bytes) -> Ending {
    let failed = |message: String| {
        Ending::failed(Failure {
            message: Some(message),
            ..Failure::default()
        })
    };
    if payload.len() > MAX_PAYLOAD {
        return failed(format!(
            "CHAINED_INVOKE output payload size must be less than or equal to {MAX_PAYLOAD} bytes."
        ));
    }
    match String::from_utf8(payload.to_vec()) {
        Ok(text) => Ending {
            status: OperationStatus::Succeeded,
            result: Some(text).filter(|text| !text.is_empty()),
            error: None,
        },
        Err(_) => failed("CHAINED_INVOKE response could not be decoded as UTF-8.".to_owned()),
    }
}
