//! The ways into a function: the API's, and those of other services and of event source mappings.

use std::sync::Arc;

use async_trait::async_trait;
use auth::policy::{self, Caller, Context, Policies};
use base::{Arn, Clock};
use bytes::Bytes;
use exec::{InvokeEvent, InvokeOutcome};
use routing::AsyncQueue;
use routing::async_queue::AsyncEvent;
use service::ports::{Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, ServiceError};

use crate::acting::LAMBDA;
use crate::domain::function_name::FunctionName;
use crate::domain::payload;
use crate::error;
use crate::functions::Function;
use crate::generated::InvocationType;
use crate::runner::{Runner, invoke_failed};

pub struct Entrance {
    pub runner: Arc<Runner>,
    pub queue: AsyncQueue,
    pub clock: Clock,
    /// Whether functions' own policies decide which services may invoke them.
    pub enforces_policies: bool,
}

/// An invocation whose payload and client context have been checked.
pub struct Call {
    pub name: FunctionName,
    pub payload: Bytes,
    /// JSON text.
    pub client_context: Option<String>,
    pub tail: bool,
}

impl Entrance {
    /// The function, if the caller may invoke it.
    pub fn admit(
        &self,
        name: &FunctionName,
        context: &RequestContext,
    ) -> Result<Arc<Function>, ServiceError> {
        let function = self.runner.functions.get(name)?;
        if self.enforces_policies
            && let Principal::Service { name: caller, .. } = &context.principal
            // Event source mappings run by the function's own role.
            && *caller != LAMBDA
            && !is_allowed(&function, &name.arn(), context)
        {
            return Err(error::invoke_denied(caller, &name.arn()));
        }
        Ok(function)
    }

    pub async fn run(
        &self,
        function: &Function,
        call: Call,
        context: &RequestContext,
    ) -> Result<InvokeOutcome, ServiceError> {
        let arn = call.name.arn();
        let event = InvokeEvent {
            request_id: context.request_id,
            payload: call.payload,
            invoked_arn: arn.to_string(),
            trace: context.trace.clone(),
            client_context: call.client_context,
            cognito_identity: None,
            tail: call.tail,
        };
        let outcome = self.runner.run(function, event).await;
        outcome.map_err(|why| invoke_failed(&arn, why))
    }

    /// Queues an event. Once this returns, it is durable.
    pub async fn enqueue(&self, call: Call, context: &RequestContext) -> Result<(), ServiceError> {
        let event = AsyncEvent {
            request_id: context.request_id,
            function: call.name.arn(),
            payload: call.payload,
            accepted_at: self.clock.now(),
            trace: context.trace.clone(),
            client_context: call.client_context,
        };
        self.queue.accept(event).await.map_err(error::store_failed)
    }
}

/// Whether the function's own policy lets a service in, for the resource it acts for.
fn is_allowed(function: &Function, arn: &Arn, context: &RequestContext) -> bool {
    let Principal::Service {
        name,
        source_arn,
        source_account,
    } = &context.principal
    else {
        return true;
    };
    let Some(document) = function.policy() else {
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
        resource_account: function.record.account,
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
        let function = self.admit(&name, &request.context)?;
        payload::check_size(&request.payload, InvocationType::RequestResponse)?;
        let call = Call {
            name,
            payload: request.payload,
            client_context: None,
            tail: false,
        };
        let outcome = self.run(&function, call, &request.context).await?;
        Ok(Invocation {
            payload: outcome.payload,
            function_error: outcome.function_error.map(exec::FunctionError::as_str),
            executed_version: outcome.executed_version,
        })
    }

    async fn invoke_async(&self, request: InvokeRequest) -> Result<(), ServiceError> {
        let name = named(&request.function)?;
        self.admit(&name, &request.context)?;
        payload::check_size(&request.payload, InvocationType::Event)?;
        let call = Call {
            name,
            payload: request.payload,
            client_context: None,
            tail: false,
        };
        self.enqueue(call, &request.context).await
    }
}
