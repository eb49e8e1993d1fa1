//! UpdateFunctionConfiguration.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::{named, revision};
use crate::domain::settings;
use crate::generated::{FunctionConfiguration, UpdateFunctionConfigurationRequest};
use crate::records::FunctionRecord;
use crate::{Lambda, answer};

pub async fn update_function_configuration(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let name = named(&context, &input.function_name, None)?;
    let function = lambda.functions.get(&name)?;
    function.check_revision(input.revision_id.as_deref())?;
    let wanted = settings::updated(
        &name.name,
        &function.record.settings,
        &input,
        &lambda.limits,
    )?;
    if input.role.is_some() {
        lambda
            .check_role(&wanted.role, &name.unqualified_arn(), &name.place)
            .await?;
    }
    let after = {
        let changing = lambda.functions.change(&name.place).await;
        let before = changing.get(&name)?;
        before.check_revision(input.revision_id.as_deref())?;
        // Another update may have come in between.
        let record = &before.record;
        let settings = settings::updated(&name.name, &record.settings, &input, &lambda.limits)?;
        let record = FunctionRecord {
            settings,
            revision_id: revision(),
            environment_revision: revision(),
            last_modified: lambda.clock.now(),
            ..record.clone()
        };
        changing.put(record).await?
    };
    lambda.runner.retire(&after.record);
    let note = lambda
        .runner
        .runtime_note(&after.record.settings.runtime)
        .await;
    Ok(answer::updated(&after, note))
}
