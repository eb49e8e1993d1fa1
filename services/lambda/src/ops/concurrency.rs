//! PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{function_named, named};
use crate::domain::function_name::FunctionName;
use crate::generated::{
    Concurrency, DeleteFunctionConcurrencyRequest, GetFunctionConcurrencyRequest,
    GetFunctionConcurrencyResponse, PutFunctionConcurrencyRequest,
};
use crate::records::FunctionRecord;
use crate::{Lambda, error};

/// Of the account's concurrency, never set aside.
pub const LEAST_UNRESERVED: u64 = 100;

pub async fn put_function_concurrency(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency, ServiceError> {
    let name = named(&context, &input.function_name, None)?;
    if name.qualifier.is_some() {
        return Err(error::functions_only());
    }
    let wanted = input.reserved_concurrent_executions.unsigned_abs();
    reserve(&lambda, &name, Some(wanted)).await?;
    Ok(Concurrency {
        reserved_concurrent_executions: Some(input.reserved_concurrent_executions),
    })
}

pub async fn get_function_concurrency(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    let reserved = function.record.reserved_concurrency;
    Ok(GetFunctionConcurrencyResponse {
        reserved_concurrent_executions: reserved.map(u32::cast_signed),
    })
}

pub async fn delete_function_concurrency(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<Unit, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    reserve(&lambda, &name, None).await?;
    Ok(Unit {})
}

async fn reserve(
    lambda: &Lambda,
    name: &FunctionName,
    wanted: Option<u32>,
) -> Result<(), ServiceError> {
    lambda.functions.get(name)?;
    let changing = lambda.functions.change(&name.place).await;
    let before = changing.get(name)?;
    if let Some(wanted) = wanted {
        let provisioned = before.provisioned();
        if wanted < provisioned {
            return Err(error::invalid_parameter(format!(
                " ReservedConcurrentExecutions  {wanted} should not be lower than function's total \
                 provisioned concurrency [{provisioned}]."
            )));
        }
        let set_aside = changing.set_aside() - before.set_aside() + u64::from(wanted);
        if set_aside + LEAST_UNRESERVED > u64::from(lambda.limits.concurrency) {
            return Err(error::invalid_parameter(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{LEAST_UNRESERVED}]."
            )));
        }
    }
    // Environments live on: they belong to the code and the settings.
    changing
        .put(FunctionRecord {
            reserved_concurrency: wanted,
            ..before.record.clone()
        })
        .await?;
    lambda.tell_reserved(&name.place);
    if before.provisioned() > 0 {
        // It is part of what is reserved, or no longer is.
        lambda.provisioning.follow(&before);
    }
    Ok(())
}
