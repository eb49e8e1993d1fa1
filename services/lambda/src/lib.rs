//! AWS Lambda: functions, their invocation, and the mappings that feed them from
//! queues and streams.
//!
//! # What is absent
//! Event sources other than SQS and DynamoDB Streams. Each is refused by name.

mod acting;
mod addresses;
mod aftermath;
mod answer;
mod attached;
mod capacity_providers;
mod code;
mod code_signing;
mod containers;
mod domain;
mod durable;
mod error;
mod function;
mod functions;
mod generated;
mod invoker;
mod layers;
mod mappings;
mod ops;
mod pollers;
mod preparation;
mod provisioning;
mod records;
mod response_stream;
mod roles;
mod runner;
mod service_impl;
mod target;
mod url_stream;
mod urls;

use std::path::PathBuf;
use std::sync::Arc;

use acting::LAMBDA;
use async_trait::async_trait;
use base::Clock;
use bytes::Bytes;
use exec::{Exec, Images};
use routing::deliveries::{Deliveries, NoWeb};
use routing::poller::stream::{Ports as StreamPorts, StreamPollers};
use routing::{AsyncQueue, SqsPollers};
use service::ports::{ApiCaller, ImageRegistry, Invocation, InvokeRequest, Invoker, StreamSignals};
use service::{Operation, ServiceError, StreamedOperation, operation, streamed};
use store::{BlobId, Blobs, Store, StoreError};

pub use domain::settings::Limits;
pub use service_impl::endpoint;
pub use urls::endpoint as urls_endpoint;

use capacity_providers::CapacityProviders;
use code::CodeStore;
use code_signing::CodeSigning;
use containers::Containers;
use durable::Durable;
use functions::Functions;
use generated as api;
use invoker::Entrance;
use layers::Layers;
use mappings::Mappings;
use pollers::Pollers;
use provisioning::Provisioning;
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
    /// Where container images are pushed.
    pub registry: Arc<dyn ImageRegistry>,
    /// Who we are to other registries: a file as Docker and skopeo keep it.
    pub registry_credentials: Option<PathBuf>,
    /// What wakes the mappings of streams.
    pub streams: Arc<dyn StreamSignals>,
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
    layers: Arc<Layers>,
    code: Arc<CodeStore>,
    code_signing: CodeSigning,
    capacity_providers: CapacityProviders,
    roles: Arc<Roles>,
    runner: Arc<Runner>,
    entrance: Arc<Entrance>,
    durable: Arc<Durable>,
    mappings: Arc<Mappings>,
    provisioning: Arc<Provisioning>,
}

/// Makes the service with what the store has of it. Call [`Lambda::resume`] once `api` leads
/// somewhere.
pub async fn service(config: Config, api: Arc<dyn ApiCaller>) -> Result<Arc<Lambda>, StoreError> {
    let Config {
        store, clock, exec, ..
    } = config;
    let code_signing = CodeSigning::load(Arc::clone(&store)).await?;
    let capacity_providers = CapacityProviders::load(Arc::clone(&store)).await?;
    let functions = Arc::new(Functions::load(Arc::clone(&store)).await?);
    let layers = Arc::new(Layers::load(Arc::clone(&store)).await?);
    let code = Arc::new(CodeStore {
        layers: Arc::clone(&layers),
        containers: Containers {
            images: config.images.clone(),
            registry: config.registry,
            authority: config.authority.clone(),
            allows_local: config.hot_reload,
            crosses_accounts: config.is_permissive,
            credentials: config.registry_credentials,
            kept: tokio::sync::RwLock::default(),
            pulls: parking_lot::Mutex::default(),
        },
        blobs: config.blobs,
        images: config.images,
        api: Arc::clone(&api),
        clock: clock.clone(),
    });
    let roles = Roles::new(Arc::clone(&api), clock.clone(), config.is_permissive);
    let deliveries = Deliveries::new(
        LAMBDA,
        Arc::clone(&store),
        clock.clone(),
        Arc::clone(&api),
        Arc::new(NoWeb),
    );
    let runner = Arc::new(Runner {
        deliveries: Arc::clone(&deliveries),
        clock: clock.clone(),
        functions: Arc::clone(&functions),
        exec,
        code: Arc::clone(&code),
        roles: Arc::clone(&roles),
        max_response: config.limits.payload + (exec::MAX_RESPONSE_BYTES - exec::MAX_PAYLOAD_BYTES),
    });
    let queue = AsyncQueue::new(
        Arc::clone(&store),
        clock.clone(),
        Arc::clone(&runner) as Arc<dyn routing::async_queue::EventRunner>,
    );
    let durable = Durable::new(
        Arc::clone(&store),
        clock.clone(),
        Arc::clone(&functions),
        Arc::clone(&deliveries),
        Arc::clone(&runner) as Arc<dyn durable::Runs>,
    );
    let entrance = Arc::new(Entrance {
        runner: Arc::clone(&runner),
        durable: Arc::clone(&durable),
        queue,
        clock: clock.clone(),
        enforces_policies: !config.is_permissive,
        limits: config.limits,
    });
    let pollers = SqsPollers::new(
        Arc::clone(&api),
        Arc::clone(&entrance) as Arc<dyn Invoker>,
        clock.clone(),
    );
    let streams = StreamPollers::new(StreamPorts {
        api: Arc::clone(&api),
        invoker: Arc::clone(&entrance) as Arc<dyn Invoker>,
        signals: config.streams,
        store: Arc::clone(&store),
        deliveries,
        clock: clock.clone(),
    });
    let pollers = Pollers {
        queues: pollers,
        streams,
    };
    let mappings = Mappings::load(store, api, pollers, clock.clone()).await?;
    Ok(Arc::new(Lambda {
        clock,
        limits: config.limits,
        hot_reload: config.hot_reload,
        authority: config.authority,
        functions,
        layers,
        code,
        code_signing,
        capacity_providers,
        roles,
        provisioning: Provisioning::new(Arc::clone(&runner)),
        runner,
        entrance,
        durable,
        mappings,
    }))
}

impl Lambda {
    /// Takes up what an earlier run left: reserved and provisioned concurrency, waiting events,
    /// mappings.
    pub async fn resume(&self) -> Result<(), StoreError> {
        for place in self.functions.places() {
            self.tell_reserved(&place);
        }
        self.provisioning.resume();
        let deliveries = &self.runner.deliveries;
        deliveries.resume().await?;
        deliveries.take_over_outbox().await?;
        self.entrance.queue.start().await?;
        self.durable.resume().await?;
        self.mappings.start_all();
        self.sweep_images().await;
        Ok(())
    }

    /// Starts nothing more, and returns when the batches and asynchronous events in hand have
    /// finished. What waits is taken up by the next run.
    pub async fn end(&self) {
        self.durable.end();
        self.mappings.stop_all().await;
        self.entrance.queue.close().await;
        self.runner.deliveries.end();
        self.runner.deliveries.ended().await;
    }

    /// The package of that SHA-256, in hexadecimal, while a function or a layer has it.
    pub async fn code_zip(&self, sha256: &str) -> Option<Bytes> {
        let image = sha256.parse().ok()?;
        let code = self.functions.with_image(image);
        let code = code.or_else(|| self.layers.with_image(image))?;
        let read = self.code.read(&code.blob()?).await;
        read.inspect_err(|error| tracing::error!(%error, "lambda: read a package"))
            .ok()
    }

    /// Whether a record names this blob: if not, and an earlier run made it, it is an orphan.
    #[expect(clippy::unused_async, reason = "as every service answers it")]
    pub async fn names_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        Ok(self.functions.uses_blob(*id) || self.layers.uses_blob(*id))
    }

    /// Removes images that an interrupted change left without a function.
    async fn sweep_images(&self) {
        let (images, functions) = (self.code.images.clone(), Arc::clone(&self.functions));
        let layers = Arc::clone(&self.layers);
        let is_used = move |image| functions.uses_image(image) || layers.uses_image(image);
        let swept = tokio::task::spawn_blocking(move || images.sweep(is_used));
        match swept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "lambda: sweep code images"),
            Err(error) => tracing::warn!(%error, "lambda: sweep code images"),
        }
        self.code.containers.sweep(&self.functions).await;
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
    operation!(api::ListVersionsByFunction => ops::list_versions::list_versions_by_function),
    operation!(api::PublishVersion => ops::publish_version::publish_version),
    operation!(api::CreateAlias => ops::alias::create_alias),
    operation!(api::GetAlias => ops::alias::get_alias),
    operation!(api::ListAliases => ops::alias::list_aliases),
    operation!(api::UpdateAlias => ops::alias::update_alias),
    operation!(api::DeleteAlias => ops::alias::delete_alias),
    operation!(api::UpdateFunctionCode => ops::update_function_code::update_function_code),
    operation!(api::UpdateFunctionConfiguration
        => ops::update_function_configuration::update_function_configuration),
    operation!(api::DeleteFunction => ops::delete_function::delete_function),
    operation!(api::Invoke => ops::invoke::invoke),
    operation!(api::InvokeAsync => ops::invoke::invoke_async),
    operation!(api::PutFunctionEventInvokeConfig
        => ops::event_invoke::put_function_event_invoke_config),
    operation!(api::UpdateFunctionEventInvokeConfig
        => ops::event_invoke::update_function_event_invoke_config),
    operation!(api::GetFunctionEventInvokeConfig
        => ops::event_invoke::get_function_event_invoke_config),
    operation!(api::ListFunctionEventInvokeConfigs
        => ops::event_invoke::list_function_event_invoke_configs),
    operation!(api::DeleteFunctionEventInvokeConfig
        => ops::event_invoke::delete_function_event_invoke_config),
    operation!(api::PutFunctionConcurrency => ops::concurrency::put_function_concurrency),
    operation!(api::GetFunctionConcurrency => ops::concurrency::get_function_concurrency),
    operation!(api::DeleteFunctionConcurrency => ops::concurrency::delete_function_concurrency),
    operation!(api::PutProvisionedConcurrencyConfig
        => ops::provisioned_concurrency::put_provisioned_concurrency_config),
    operation!(api::GetProvisionedConcurrencyConfig
        => ops::provisioned_concurrency::get_provisioned_concurrency_config),
    operation!(api::ListProvisionedConcurrencyConfigs
        => ops::provisioned_concurrency::list_provisioned_concurrency_configs),
    operation!(api::DeleteProvisionedConcurrencyConfig
        => ops::provisioned_concurrency::delete_provisioned_concurrency_config),
    operation!(api::GetAccountSettings => ops::account_settings::get_account_settings),
    operation!(api::CreateFunctionUrlConfig => ops::function_url::create_function_url_config),
    operation!(api::UpdateFunctionUrlConfig => ops::function_url::update_function_url_config),
    operation!(api::GetFunctionUrlConfig => ops::function_url::get_function_url_config),
    operation!(api::ListFunctionUrlConfigs => ops::function_url::list_function_url_configs),
    operation!(api::DeleteFunctionUrlConfig => ops::function_url::delete_function_url_config),
    operation!(api::PutFunctionRecursionConfig => ops::recursion::put_function_recursion_config),
    operation!(api::GetFunctionRecursionConfig => ops::recursion::get_function_recursion_config),
    operation!(api::PutRuntimeManagementConfig => ops::runtime_management::put_runtime_management_config),
    operation!(api::GetRuntimeManagementConfig => ops::runtime_management::get_runtime_management_config),
    operation!(api::CreateCodeSigningConfig => ops::code_signing::create_code_signing_config),
    operation!(api::UpdateCodeSigningConfig => ops::code_signing::update_code_signing_config),
    operation!(api::GetCodeSigningConfig => ops::code_signing::get_code_signing_config),
    operation!(api::ListCodeSigningConfigs => ops::code_signing::list_code_signing_configs),
    operation!(api::DeleteCodeSigningConfig => ops::code_signing::delete_code_signing_config),
    operation!(api::ListFunctionsByCodeSigningConfig => ops::code_signing::list_functions_by_code_signing_config),
    operation!(api::PutFunctionCodeSigningConfig => ops::function_code_signing::put_function_code_signing_config),
    operation!(api::GetFunctionCodeSigningConfig => ops::function_code_signing::get_function_code_signing_config),
    operation!(api::DeleteFunctionCodeSigningConfig => ops::function_code_signing::delete_function_code_signing_config),
    operation!(api::CreateCapacityProvider => ops::capacity_provider::create_capacity_provider),
    operation!(api::GetCapacityProvider => ops::capacity_provider::get_capacity_provider),
    operation!(api::UpdateCapacityProvider => ops::capacity_provider::update_capacity_provider),
    operation!(api::DeleteCapacityProvider => ops::capacity_provider::delete_capacity_provider),
    operation!(api::ListCapacityProviders => ops::capacity_provider::list_capacity_providers),
    operation!(api::ListFunctionVersionsByCapacityProvider
        => ops::capacity_provider::list_function_versions_by_capacity_provider),
    operation!(api::PutFunctionScalingConfig => ops::scaling_config::put_function_scaling_config),
    operation!(api::GetFunctionScalingConfig => ops::scaling_config::get_function_scaling_config),
    operation!(api::CheckpointDurableExecution
        => ops::durable_checkpoint::checkpoint_durable_execution),
    operation!(api::GetDurableExecutionState
        => ops::durable_checkpoint::get_durable_execution_state),
    operation!(api::GetDurableExecution => ops::durable_execution::get_durable_execution),
    operation!(api::GetDurableExecutionHistory
        => ops::durable_execution::get_durable_execution_history),
    operation!(api::ListDurableExecutionsByFunction
        => ops::list_durable_executions::list_durable_executions_by_function),
    operation!(api::StopDurableExecution => ops::durable_control::stop_durable_execution),
    operation!(api::PauseDurableExecution => ops::durable_control::pause_durable_execution),
    operation!(api::ResumeDurableExecution => ops::durable_control::resume_durable_execution),
    operation!(api::DeleteDurableExecution => ops::durable_control::delete_durable_execution),
    operation!(api::SendDurableExecutionCallbackSuccess
        => ops::durable_callback::send_durable_execution_callback_success),
    operation!(api::SendDurableExecutionCallbackFailure
        => ops::durable_callback::send_durable_execution_callback_failure),
    operation!(api::SendDurableExecutionCallbackHeartbeat
        => ops::durable_callback::send_durable_execution_callback_heartbeat),
    operation!(api::AddPermission => ops::permission::add_permission),
    operation!(api::RemovePermission => ops::permission::remove_permission),
    operation!(api::GetPolicy => ops::permission::get_policy),
    operation!(api::PutResourcePolicy => ops::resource_policy::put_resource_policy),
    operation!(api::GetResourcePolicy => ops::resource_policy::get_resource_policy),
    operation!(api::DeleteResourcePolicy => ops::resource_policy::delete_resource_policy),
    operation!(api::TagResource => ops::tags::tag_resource),
    operation!(api::UntagResource => ops::tags::untag_resource),
    operation!(api::ListTags => ops::tags::list_tags),
    operation!(api::PublishLayerVersion => ops::publish_layer_version::publish_layer_version),
    operation!(api::GetLayerVersion => ops::layer::get_layer_version),
    operation!(api::GetLayerVersionByArn => ops::layer::get_layer_version_by_arn),
    operation!(api::ListLayers => ops::layer::list_layers),
    operation!(api::ListLayerVersions => ops::layer::list_layer_versions),
    operation!(api::DeleteLayerVersion => ops::layer::delete_layer_version),
    operation!(api::AddLayerVersionPermission
        => ops::layer_permission::add_layer_version_permission),
    operation!(api::RemoveLayerVersionPermission
        => ops::layer_permission::remove_layer_version_permission),
    operation!(api::GetLayerVersionPolicy => ops::layer_permission::get_layer_version_policy),
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

/// Those whose answers are streams.
static STREAMED: &[StreamedOperation<Lambda>] = &[streamed!(api::InvokeWithResponseStream
        => ops::invoke_with_response_stream::invoke_with_response_stream)];
