//! CreateEventSourceMapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::event_source_mapping::{check_visibility, shown};
use super::{named, place};
use crate::domain::{mapping, stream_mapping, tags};
use crate::generated::{CreateEventSourceMappingRequest, EventSourceMappingConfiguration};
use crate::records::MappingRecord;
use crate::{Lambda, error};

pub async fn create_event_source_mapping(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateEventSourceMappingRequest,
) -> Result<EventSourceMappingConfiguration, ServiceError> {
    let here = place(&context);
    let source = mapping::source(input.event_source_arn.as_deref())?;
    let now = lambda.clock.now();
    let settings = if source.service == "sqs" {
        mapping::of_new(&input, &source)?
    } else {
        stream_mapping::of_new(&input, &source, now)?
    };
    let name = named(&context, &input.function_name, None)?;
    let target = lambda
        .functions
        .resolve(&name)
        .map_err(|_| error::invalid_parameter("Function does not exist"))?;
    if settings.stream.is_some() {
        let mappings = &lambda.mappings;
        mappings.check_stream(&source, &name.arn(), &here).await?;
    } else {
        let visibility = lambda
            .mappings
            .visibility_timeout(&source, &name.arn(), &here)
            .await?;
        check_visibility(
            &lambda,
            &source,
            visibility,
            target.version.record.settings.timeout,
        )?;
    }
    let record = MappingRecord {
        account: here.account,
        region: here.region,
        uuid: uuid::Uuid::new_v4().to_string(),
        source,
        function: name.arn(),
        settings,
        is_enabled: input.enabled.unwrap_or(true),
        tags: tags::with(&BTreeMap::new(), input.tags.unwrap_or_default())?,
        last_modified: now,
    };
    let created = lambda.mappings.create(record).await?;
    Ok(shown(&lambda, &created))
}
