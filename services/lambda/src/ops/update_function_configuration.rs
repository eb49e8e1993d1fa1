//! UpdateFunctionConfiguration.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::layer::caller;
use super::{function_named, revision};
use crate::domain::settings;
use crate::generated::{FunctionConfiguration, UpdateFunctionConfigurationRequest};
use crate::records::FunctionRecord;
use crate::{Lambda, answer};

pub async fn update_function_configuration(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = function_named(&context, &input.function_name)?;
    let function = lambda.functions.get(&name)?;
    function.check_revision(input.revision_id.as_deref())?;
    let wanted = settings::updated(&function.record.settings, &input, &lambda.limits)?;
    if input.role.is_some() {
        lambda
            .check_role(&wanted.role, &name.unqualified_arn(), &name.place)
            .await?;
    }
    let settling = lambda
        .layers
        .settle(input.layers.as_deref().unwrap_or_default())
        .await;
    let layers = match &input.layers {
        Some(arns) => {
            let caller = caller(&context);
            let layers = lambda.layers.resolve(arns, &name.place, &caller)?;
            lambda
                .code
                .check_beside(&layers, &function.record.code)
                .await?;
            Some(layers)
        }
        None => None,
    };
    let (before, after) = {
        let _providers = lambda.capacity_providers.hold_for(&function.record).await;
        let changing = lambda.functions.change(&name.place).await;
        let before = changing.get(&name)?;
        before.check_revision(input.revision_id.as_deref())?;
        // Another update may have come in between.
        let record = &before.record;
        let mut settings = settings::updated(&record.settings, &input, &lambda.limits)?;
        if let Some(layers) = &layers {
            settings.layers.clone_from(layers);
        }
        if let Some(capacity) = &settings.capacity {
            lambda.check_capacity(&capacity.provider, &name.place, &record.architecture, false)?;
        }
        let record = FunctionRecord {
            settings,
            revision_id: revision(),
            environment_revision: revision(),
            last_modified: lambda.clock.now(),
            ..record.clone()
        };
        let after = changing.put(record).await?;
        (before, after)
    };
    drop(settling);
    lambda.runner.retire(&after.latest);
    if layers.is_some() {
        // They are stacked, and their bytecode made, before anybody calls.
        lambda.runner.expect(&after.latest);
        let given_up = &before.record.settings.layers;
        lambda
            .code
            .give_up_layers(given_up, &lambda.functions)
            .await;
    }
    let note = lambda
        .runner
        .runtime_note(&after.record.settings.runtime)
        .await;
    Ok(answer::updated(&after.latest, note))
}
