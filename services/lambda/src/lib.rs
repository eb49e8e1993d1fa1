//! AWS Lambda: functions, their invocation, and the mappings that feed them from queues.
//!
//! # What is absent
//! Published versions, aliases, layers, container images, function URLs, destinations and
//! dead-letter queues, event filters, event sources other than SQS. Each is refused by name.

mod acting;
mod answer;
mod code;
mod domain;
mod error;
mod functions;
mod generated;
mod invoker;
mod mappings;
mod ops;
mod records;
mod roles;
mod runner;
mod service_impl;

use std::sync::Arc;

use async_trait::async_trait;
use base::Clock;
use bytes::Bytes;
use exec::{Exec, Images};
use routing::{AsyncQueue, SqsPollers};
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker};
use service::{Operation, ServiceError, operation};
use store::{BlobId, Blobs, Store, StoreError};

pub use domain::settings::Limits;
pub use service_impl::endpoint;

use code::CodeStore;
use functions::Functions;
use generated as api;
use invoker::Entrance;
use mappings::Mappings;
use roles::Roles;
use runner::Runner;

/// What the service stands on, and what an operator decides.
pub struct Config {
    pub store: Arc<dyn Store>,
    /// Deployment packages.
    pub blobs: Arc<dyn Blobs>,
    /// The same, unpacked.
    pub images: Images,
    pub exec: Arc<Exec>,
    pub clock: Clock,
    /// Accept execution roles that do not exist, and let every service invoke every function.
    pub is_permissive: bool,
    /// Let functions name a folder of this machine as their code: whoever may create a function
    /// may then read any folder that the server can.
    pub hot_reload: bool,
    pub limits: Limits,
    /// Host and port in code locations, for callers that did not come over HTTP.
    pub authority: String,
}

/// The service. Also the port by which others run functions.
pub struct Lambda {
    clock: Clock,
    limits: Limits,
    hot_reload: bool,
    authority: String,
    functions: Arc<Functions>,
    code: Arc<CodeStore>,
    roles: Arc<Roles>,
    runner: Arc<Runner>,
    entrance: Arc<Entrance>,
    mappings: Arc<Mappings>,
}

/// Makes the service with what the store has of it. Call [`Lambda::resume`] once `api` leads
/// somewhere.
pub async fn service(config: Config, api: Arc<dyn ApiCaller>) -> Result<Arc<Lambda>, StoreError> {
    let Config {
        store, clock, exec, ..
    } = config;
    let functions = Arc::new(Functions::load(Arc::clone(&store)).await?);
    let code = Arc::new(CodeStore {
        blobs: config.blobs,
        images: config.images,
        api: Arc::clone(&api),
        clock: clock.clone(),
    });
    let roles = Roles::new(Arc::clone(&api), clock.clone(), config.is_permissive);
    let runner = Arc::new(Runner {
        functions: Arc::clone(&functions),
        exec,
        code: Arc::clone(&code),
        roles: Arc::clone(&roles),
    });
    let queue = AsyncQueue::new(
        Arc::clone(&store),
        clock.clone(),
        Arc::clone(&runner) as Arc<dyn routing::async_queue::EventRunner>,
    );
    let entrance = Arc::new(Entrance {
        runner: Arc::clone(&runner),
        queue,
        clock: clock.clone(),
        enforces_policies: !config.is_permissive,
    });
    let pollers = SqsPollers::new(
        Arc::clone(&api),
        Arc::clone(&entrance) as Arc<dyn Invoker>,
        clock.clone(),
    );
    let mappings = Mappings::load(store, api, pollers, clock.clone()).await?;
    Ok(Arc::new(Lambda {
        clock,
        limits: config.limits,
        hot_reload: config.hot_reload,
        authority: config.authority,
        functions,
        code,
        roles,
        runner,
        entrance,
        mappings,
    }))
}

impl Lambda {
    /// Takes up what an earlier run left: reserved concurrency, waiting events, mappings.
    pub async fn resume(&self) -> Result<(), StoreError> {
        for place in self.functions.places() {
            self.tell_reserved(&place);
        }
        self.entrance.queue.start().await?;
        self.mappings.start_all();
        self.sweep_images().await;
        Ok(())
    }

    /// Starts nothing more, and returns when the batches and asynchronous events in hand have
    /// finished. What waits is taken up by the next run.
    pub async fn end(&self) {
        self.mappings.stop_all().await;
        self.entrance.queue.close().await;
    }

    /// The package of that SHA-256, in hexadecimal, while a function has it.
    pub async fn code_zip(&self, sha256: &str) -> Option<Bytes> {
        let function = self.functions.with_image(sha256.parse().ok()?)?;
        let read = self.code.read(&function.record.code.blob()?).await;
        read.inspect_err(|error| tracing::error!(%error, "lambda: read a package"))
            .ok()
    }

    /// Whether a record names this blob: if not, and an earlier run made it, it is an orphan.
    #[expect(clippy::unused_async, reason = "as every service answers it")]
    pub async fn names_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        Ok(self
            .functions
            .any(|function| function.record.code.blob() == Some(*id)))
    }

    /// Removes images that an interrupted change left without a function.
    async fn sweep_images(&self) {
        let (images, functions) = (self.code.images.clone(), Arc::clone(&self.functions));
        let swept =
            tokio::task::spawn_blocking(move || images.sweep(|image| functions.uses_image(image)));
        match swept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "lambda: sweep code images"),
            Err(error) => tracing::warn!(%error, "lambda: sweep code images"),
        }
    }
}

#[async_trait]
impl Invoker for Lambda {
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        self.entrance.invoke(request).await
    }

    async fn invoke_async(&self, request: InvokeRequest) -> Result<(), ServiceError> {
        self.entrance.invoke_async(request).await
    }
}

static OPERATIONS: &[Operation<Lambda>] = &[
    operation!(api::CreateFunction => ops::create_function::create_function),
    operation!(api::GetFunction => ops::get_function::get_function),
    operation!(api::GetFunctionConfiguration => ops::get_function::get_function_configuration),
    operation!(api::ListFunctions => ops::list_functions::list_functions),
    operation!(api::ListVersionsByFunction => ops::list_functions::list_versions_by_function),
    operation!(api::UpdateFunctionCode => ops::update_function_code::update_function_code),
    operation!(api::UpdateFunctionConfiguration
        => ops::update_function_configuration::update_function_configuration),
    operation!(api::DeleteFunction => ops::delete_function::delete_function),
    operation!(api::Invoke => ops::invoke::invoke),
    operation!(api::InvokeAsync => ops::invoke::invoke_async),
    operation!(api::PutFunctionConcurrency => ops::concurrency::put_function_concurrency),
    operation!(api::GetFunctionConcurrency => ops::concurrency::get_function_concurrency),
    operation!(api::DeleteFunctionConcurrency => ops::concurrency::delete_function_concurrency),
    operation!(api::GetAccountSettings => ops::account_settings::get_account_settings),
    operation!(api::GetFunctionCodeSigningConfig
        => ops::code_signing::get_function_code_signing_config),
    operation!(api::AddPermission => ops::permission::add_permission),
    operation!(api::RemovePermission => ops::permission::remove_permission),
    operation!(api::GetPolicy => ops::permission::get_policy),
    operation!(api::TagResource => ops::tags::tag_resource),
    operation!(api::UntagResource => ops::tags::untag_resource),
    operation!(api::ListTags => ops::tags::list_tags),
    operation!(api::CreateEventSourceMapping
        => ops::create_event_source_mapping::create_event_source_mapping),
    operation!(api::UpdateEventSourceMapping
        => ops::update_event_source_mapping::update_event_source_mapping),
    operation!(api::GetEventSourceMapping => ops::event_source_mapping::get_event_source_mapping),
    operation!(api::ListEventSourceMappings
        => ops::event_source_mapping::list_event_source_mappings),
    operation!(api::DeleteEventSourceMapping
        => ops::event_source_mapping::delete_event_source_mapping),
];
