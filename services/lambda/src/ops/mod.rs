//! What each operation does; trivial ones share a file by resource.

pub mod account_settings;
pub mod code_signing;
pub mod concurrency;
pub mod create_event_source_mapping;
pub mod create_function;
pub mod delete_function;
pub mod event_source_mapping;
pub mod get_function;
pub mod invoke;
pub mod list_functions;
pub mod permission;
pub mod tags;
pub mod update_event_source_mapping;
pub mod update_function_code;
pub mod update_function_configuration;

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use crate::Lambda;
use crate::domain::function_name::{FunctionName, Place};
use crate::error;
use crate::functions::Function;
use crate::roles::Refused;

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

/// A fresh RevisionId.
fn revision() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Lambda {
    /// The function and the ARN by which the caller named it.
    fn resolve(
        &self,
        context: &RequestContext,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<(Arc<Function>, FunctionName), ServiceError> {
        let name = named(context, name, qualifier)?;
        Ok((self.functions.get(&name)?, name))
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
