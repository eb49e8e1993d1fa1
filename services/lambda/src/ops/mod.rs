//! What each operation does; trivial ones share a file by resource.

pub mod account_settings;
pub mod alias;
pub mod capacity_provider;
pub mod code_signing;
pub mod concurrency;
pub mod create_event_source_mapping;
pub mod create_function;
pub mod delete_function;
pub mod durable_callback;
pub mod durable_checkpoint;
pub mod durable_control;
pub mod durable_execution;
pub mod event_invoke;
pub mod event_source_mapping;
pub mod function_code_signing;
pub mod function_url;
pub mod get_function;
pub mod invoke;
mod invoke_durable;
pub mod invoke_with_response_stream;
pub mod layer;
pub mod layer_permission;
pub mod list_durable_executions;
pub mod list_functions;
pub mod list_versions;
pub mod permission;
pub mod provisioned_concurrency;
pub mod publish_layer_version;
pub mod publish_version;
pub mod recursion;
pub mod resource_policy;
pub mod runtime_management;
pub mod scaling_config;
pub mod tags;
pub mod update_event_source_mapping;
pub mod update_function_code;
pub mod update_function_configuration;

use base::Arn;
use service::{RequestContext, ServiceError};

use crate::Lambda;
use crate::domain::function_name::{FunctionName, Place, Qualifier};
use crate::error;
use crate::roles::Refused;
use crate::target::Target;

/// Where the caller's functions are.
fn place(context: &RequestContext) -> Place {
    Place {
        account: context.account,
        region: context.region.clone(),
    }
}

fn named(
    context: &RequestContext,
    name: &str,
    qualifier: Option<&str>,
) -> Result<FunctionName, ServiceError> {
    FunctionName::parse(name, qualifier, &place(context))
}

/// For operations on functions as a whole. `$LATEST` may be written out.
fn function_named(context: &RequestContext, name: &str) -> Result<FunctionName, ServiceError> {
    let name = named(context, name, None)?;
    match name.qualifier {
        None | Some(Qualifier::Latest) => Ok(name.whole()),
        Some(Qualifier::Version(_) | Qualifier::Alias(_)) => Err(error::functions_only()),
    }
}

/// A fresh RevisionId.
fn revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Lambda {
    /// What a name leads to, and the name as the caller meant it.
    fn resolve(
        &self,
        context: &RequestContext,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(Target, FunctionName), ServiceError> {
        let name = named(context, name, qualifier)?;
        Ok((self.functions.resolve(&name)?, name))
    }

    async fn check_role(
        &self,
        role: &Arn,
        function: &Arn,
        place: &Place,
    ) -> Result<(), ServiceError> {
        match self.roles.check(role, function, place).await {
            Ok(()) => Ok(()),
            Err(Refused::NotAssumable) => Err(error::role_not_assumable()),
            Err(Refused::Failed) => Err(error::service_failed()),
        }
    }

    /// Tells the dispatcher what the functions of an account and region have reserved.
    pub(crate) fn tell_reserved(&self, place: &Place) {
        let total = self.functions.totals(place).reserved_concurrency;
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        self.runner
            .exec
            .set_reserved_concurrency(place.account, &place.region, total);
    }
}
