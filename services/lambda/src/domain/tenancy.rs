//! Functions whose tenants share no environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html>

use service::ServiceError;

use super::snap_start;
use crate::error;
use crate::generated::{TenancyConfig, TenantIsolationMode};
use crate::records::{FunctionRecord, Settings};

/// What a new function asks for; it cannot be changed later.
pub fn of_new(given: Option<&TenancyConfig>) -> bool {
    given.is_some_and(|config| config.tenant_isolation_mode == TenantIsolationMode::PerTenant)
}

/// As the API shows it.
pub fn shown(settings: &Settings) -> Option<TenancyConfig> {
    settings.per_tenant.then_some(TenancyConfig {
        tenant_isolation_mode: TenantIsolationMode::PerTenant,
    })
}

/// Refuses what cannot go with it: an environment that is made ahead belongs to no tenant.
pub fn check_settings(settings: &Settings) -> Result<(), ServiceError> {
    if settings.per_tenant && snap_start::is_on(settings) {
        return Err(unsupported("SnapStart"));
    }
    Ok(())
}

/// Refuses what a function with tenants cannot have.
pub fn refuse(function: &FunctionRecord, what: &str) -> Result<(), ServiceError> {
    if function.settings.per_tenant {
        return Err(unsupported(what));
    }
    Ok(())
}

fn unsupported(what: &str) -> ServiceError {
    error::invalid_parameter(format!(
        "{what} is not supported for functions with tenant isolation mode enabled."
    ))
}

/// An invocation names a tenant exactly where the function has tenants.
pub fn check(function: &FunctionRecord, tenant: Option<&str>) -> Result<(), ServiceError> {
    match (function.settings.per_tenant, tenant) {
        (true, Some(_)) | (false, None) => Ok(()),
        (true, None) => Err(error::invalid_parameter(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in \
             your request and try again.",
        )),
        (false, Some(_)) => Err(error::invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID \
             from your request and try again.",
        )),
    }
}
