//! UpdateEventSourceMapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::event_source_mapping::{check_visibility, shown};
use super::{named, place};
use crate::domain::function_name::FunctionName;
use crate::domain::{mapping, stream_mapping};
use crate::generated::{EventSourceMappingConfiguration, UpdateEventSourceMappingRequest};
use crate::records::MappingRecord;
use crate::{Lambda, error};

pub async fn update_event_source_mapping(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: UpdateEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let here = place(&context);
    let before = lambda.mappings.get(&here, &input.uuid)?.record;
    let function = match &input.function_name {
        Some(text) => named(&context, text, None)?,
        None => FunctionName::of_arn(&before.function).ok_or_else(error::no_such_resource)?,
    };
    let found = lambda.functions.resolve(&function);
    if input.function_name.is_some() && found.is_err() {
        return Err(error::invalid_parameter("Function does not exist"));
    }
    // A mapping whose function is gone can still be disabled.
    if let Ok(found) = found
        && input.enabled != Some(false)
        && before.settings.stream.is_none()
    {
        let arn = function.arn();
        let visibility = lambda
            .mappings
            .visibility_timeout(&before.source, &arn, &here)
            .await?;
        check_visibility(
            &lambda,
            &before.source,
            visibility,
            found.version.record.settings.timeout,
        )?;
    }
    let now = lambda.clock.now();
    let updated = lambda
        .mappings
        .update(&here, &input.uuid, |before| {
            Ok(MappingRecord {
                settings: match &before.settings.stream {
                    Some(stream) => stream_mapping::updated(&before.settings, stream, &input)?,
                    None => mapping::updated(&before.settings, &input, &before.source)?,
                },
                function: function.arn(),
                is_enabled: input.enabled.unwrap_or(before.is_enabled),
                last_modified: now,
                ..before.clone()
            })
        })
        .await?;
    Ok(shown(&lambda, &updated))
}
