//! The ways into a function: the API's, and those of other services and of event source mappings.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth::policy::{self, Caller, Context, Policies};
use base::{Arn, Clock};
use bytes::Bytes;
use exec::{InvokeEvent, InvokeOutcome, Phases, ResponseSink, StartTier};
use routing::AsyncQueue;
use routing::async_queue::AsyncEvent;
use service::ports::{Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, ServiceError};

use crate::acting::LAMBDA;
use crate::domain::function_name::FunctionName;
use crate::domain::settings::Limits;
use crate::domain::{lineage, payload, tenancy};
use crate::durable::arn::ExecutionArn;
use crate::durable::{Durable, Start, refusals};
use crate::error;
use crate::function::Version;
use crate::generated::InvocationType;
use crate::runner::{Runner, invoke_failed};
use crate::target::Target;

pub struct Entrance {
    pub runner: Arc<Runner>,
    pub durable: Arc<Durable>,
    pub queue: AsyncQueue,
    pub clock: Clock,
    /// Whether functions' own policies decide which services may invoke them.
    pub enforces_policies: bool,
    pub limits: Limits,
}

/// An invocation whose payload and client context have been checked.
pub struct Call {
    pub name: FunctionName,
    pub payload: Bytes,
    /// JSON text.
    pub client_context: Option<String>,
    /// Whom it is for.
    pub tenant: Option<String>,
    pub tail: bool,
    /// Takes a streamed response while it comes.
    pub sink: Option<ResponseSink>,
}

impl Entrance {
    /// What the name leads to, if the caller may invoke it.
    pub fn admit(
        &self,
        name: &FunctionName,
        context: &RequestContext,
    ) -> Result<Target, ServiceError> {
        let target = self.runner.functions.resolve(name)?;
        if self.enforces_policies
            && let Principal::Service { name: caller, .. } = &context.principal
            // Event source mappings run by the function's own role.
            && *caller != LAMBDA
            && !is_allowed(&target, &name.arn(), context)
        {
            return Err(error::invoke_denied(caller, &name.arn()));
        }
        target.check_published()?;
        if target.version.record.settings.durable.is_some() && name.qualifier.is_none() {
            return Err(refusals::unqualified());
        }
        Ok(target)
    }

    /// Runs the function, unless it has been reached by its own doing too often.
    pub async fn run(
        &self,
        target: &Target,
        call: Call,
        context: &RequestContext,
    ) -> Result<InvokeOutcome, ServiceError> {
        self.run_version(target, target.route(), call, context)
            .await
    }

    /// The same, with the version that [`Target::route`] gave.
    pub async fn run_version(
        &self,
        target: &Target,
        version: &Version,
        call: Call,
        context: &RequestContext,
    ) -> Result<InvokeOutcome, ServiceError> {
        if version.record.settings.durable.is_some() {
            return self.run_execution(version, call, context).await;
        }
        version.check_ready()?;
        let arn = call.name.arn();
        let trace = context.trace.as_deref();
        let (trace, visits) =
            lineage::visit(trace, &target.function.record.arn(), self.clock.now());
        if visits > lineage::MAX_VISITS && !target.function.record.attached.allows_recursion {
            return Err(error::recursive());
        }
        let event = InvokeEvent {
            request_id: context.request_id,
            payload: call.payload,
            invoked_arn: arn.to_text(),
            trace: Some(trace),
            client_context: call.client_context,
            cognito_identity: None,
            tenant: call.tenant,
            tail: call.tail,
            asynchronous: false,
            sink: call.sink,
        };
        let outcome = self.runner.run(version, event).await;
        outcome.map_err(|why| invoke_failed(&arn, why))
    }

    /// Begins an execution of a durable function.
    pub async fn begin(
        &self,
        version: &Version,
        start: Start,
    ) -> Result<ExecutionArn, ServiceError> {
        let Some(settings) = &version.record.settings.durable else {
            return Err(refusals::not_durable());
        };
        version.check_ready()?;
        let function = version.record.function_arn();
        let (trace, visits) = lineage::visit(start.trace.as_deref(), &function, self.clock.now());
        if visits > lineage::MAX_VISITS && !self.allows_recursion(version) {
            return Err(error::recursive());
        }
        let start = Start {
            trace: Some(trace),
            ..start
        };
        self.durable.start(version, settings, start).await
    }

    fn allows_recursion(&self, version: &Version) -> bool {
        let name = FunctionName::of_arn(&version.record.function_arn());
        let function = name.and_then(|name| self.runner.functions.get(&name).ok());
        function.is_some_and(|function| function.record.attached.allows_recursion)
    }

    /// Begins an execution and waits for its end.
    async fn run_execution(
        &self,
        version: &Version,
        call: Call,
        context: &RequestContext,
    ) -> Result<InvokeOutcome, ServiceError> {
        let start = Start {
            name: None,
            payload: call.payload,
            is_sync: true,
            trace: context.trace.clone(),
            tenant: call.tenant,
        };
        let execution = self.begin(version, start).await?;
        let ended = self.durable.ended(&execution).await?;
        let (payload, function_error) = ended.payload();
        Ok(InvokeOutcome {
            payload,
            function_error,
            // They are of its invocations.
            log_tail: None,
            executed_version: ended.head.version,
            start: StartTier::Warm,
            phases: Phases::default(),
            duration: Duration::ZERO,
            billed_ms: 0,
            init_duration: None,
            max_memory_mb: None,
        })
    }

    /// Queues an event. Once this returns, it is durable.
    pub async fn enqueue(&self, call: Call, context: &RequestContext) -> Result<(), ServiceError> {
        let target = self.runner.functions.resolve(&call.name)?;
        let version = target.route();
        if version.record.settings.durable.is_some() {
            let start = Start {
                name: None,
                payload: call.payload,
                is_sync: false,
                trace: context.trace.clone(),
                tenant: call.tenant,
            };
            return self.begin(version, start).await.map(|_| ());
        }
        let now = self.clock.now();
        // Retries are no further visits.
        let trace = context.trace.as_deref();
        let (trace, _) = lineage::visit(trace, &call.name.unqualified_arn(), now);
        let event = AsyncEvent {
            request_id: context.request_id,
            function: call.name.arn(),
            payload: call.payload,
            accepted_at: now,
            trace: Some(trace),
            client_context: call.client_context,
            tenant: call.tenant,
        };
        self.queue.accept(event).await.map_err(error::store_failed)
    }
}

/// Whether the own policy of what is invoked lets a service in, for the resource it acts for.
fn is_allowed(target: &Target, arn: &Arn, context: &RequestContext) -> bool {
    let Principal::Service {
        name,
        source_arn,
        source_account,
    } = &context.principal
    else {
        return true;
    };
    let Some(document) = target.policy() else {
        return false;
    };
    let caller = Caller::Service { name };
    let mut keys = Context::new();
    keys.insert_caller(&caller);
    if let Some(arn) = source_arn {
        keys.insert("aws:SourceArn", arn.to_string());
    }
    if let Some(account) = source_account {
        keys.insert("aws:SourceAccount", account.to_string());
    }
    let request = policy::Request {
        caller,
        action: "lambda:InvokeFunction",
        resource: &arn.to_string(),
        resource_account: target.function.record.account,
        context: &keys,
    };
    let policies = Policies {
        resource: Some(document),
        ..Policies::default()
    };
    policy::evaluate(&request, &policies).is_allowed()
}

fn named(function: &Arn) -> Result<FunctionName, ServiceError> {
    FunctionName::of_arn(function).ok_or_else(|| error::function_not_found(function))
}

#[async_trait]
impl Invoker for Entrance {
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        let name = named(&request.function)?;
        let target = self.admit(&name, &request.context)?;
        tenancy::check(&target.function.record, None)?;
        payload::check_size(
            &request.payload,
            InvocationType::RequestResponse,
            &self.limits,
        )?;
        let call = Call {
            name,
            payload: request.payload,
            client_context: None,
            tenant: None,
            tail: false,
            sink: None,
        };
        let outcome = self.run(&target, call, &request.context).await?;
        Ok(Invocation {
            payload: outcome.payload,
            function_error: outcome.function_error.map(exec::FunctionError::as_str),
            executed_version: outcome.executed_version,
        })
    }

    async fn invoke_async(&self, request: InvokeRequest) -> Result<(), ServiceError> {
        let name = named(&request.function)?;
        let target = self.admit(&name, &request.context)?;
        tenancy::check(&target.function.record, None)?;
        payload::check_size(&request.payload, InvocationType::Event, &self.limits)?;
        let call = Call {
            name,
            payload: request.payload,
            client_context: None,
            tenant: None,
            tail: false,
            sink: None,
        };
        self.enqueue(call, &request.context).await
    }
}
