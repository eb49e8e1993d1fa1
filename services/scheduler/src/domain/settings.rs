//! What a client asks for, checked.

use base::Arn;
use routing::schedule::{Schedule as Expression, zone};
use service::{Reach, ServiceError};

use super::target;
use crate::error;
use crate::generated as g;
use crate::records::{Settings, Target};

/// What CreateSchedule and UpdateSchedule have in common.
pub fn checked(
    input: g::UpdateScheduleInput,
    calls_anything: bool,
) -> Result<Settings, ServiceError> {
    if Expression::parse(&input.schedule_expression).is_none() {
        return Err(error::validation(format!(
            "Invalid Schedule Expression {}.",
            input.schedule_expression
        )));
    }
    let time_zone = input
        .schedule_expression_timezone
        .unwrap_or_else(|| "UTC".to_owned());
    if zone(&time_zone).is_none() {
        return Err(error::validation(format!(
            "Invalid ScheduleExpressionTimezone {time_zone}."
        )));
    }
    if let (Some(start), Some(end)) = (input.start_date, input.end_date)
        && end <= start
    {
        return Err(error::validation(
            "The StartDate must be before the EndDate.",
        ));
    }
    let window = input.flexible_time_window;
    let window_minutes = match (window.mode, window.maximum_window_in_minutes) {
        (g::FlexibleTimeWindowMode::Off, None) => None,
        (g::FlexibleTimeWindowMode::Flexible, Some(minutes)) => Some(minutes),
        (g::FlexibleTimeWindowMode::Off, Some(_)) => {
            return Err(error::validation(
                "MaximumWindowInMinutes cannot be set when the FlexibleTimeWindow's Mode is OFF.",
            ));
        }
        (g::FlexibleTimeWindowMode::Flexible, None) => {
            return Err(error::validation(
                "MaximumWindowInMinutes must be set when the FlexibleTimeWindow's Mode is FLEXIBLE.",
            ));
        }
    };
    Ok(Settings {
        expression: input.schedule_expression,
        time_zone,
        start: input.start_date,
        end: input.end_date,
        enabled: input.state.unwrap_or_default() == g::ScheduleState::Enabled,
        description: input.description,
        kms_key: input.kms_key_arn,
        window_minutes,
        deletes_itself: input.action_after_completion == Some(g::ActionAfterCompletion::Delete),
        target: checked_target(input.target, calls_anything)?,
    })
}

fn checked_target(given: g::Target, calls_anything: bool) -> Result<Target, ServiceError> {
    let arn: Arn = given.arn.parse().map_err(|_| {
        error::validation(format!(
            "Provided Arn {} is not in correct format.",
            given.arn
        ))
    })?;
    let absent = [
        ("EcsParameters", given.ecs_parameters.is_some()),
        ("KinesisParameters", given.kinesis_parameters.is_some()),
        (
            "SageMakerPipelineParameters",
            given.sage_maker_pipeline_parameters.is_some(),
        ),
    ];
    if let Some((name, _)) = absent.iter().find(|(_, is_given)| *is_given) {
        return Err(ServiceError::not_implemented("Scheduler's", name));
    }
    if let Some(call) = target::universal(&arn) {
        if !calls_anything {
            return Err(ServiceError::not_implemented(
                "Scheduler's universal targets where policies are enforced, such as",
                &given.arn,
            ));
        }
        let reads = [
            "Get", "Describe", "List", "Poll", "Receive", "Search", "Scan", "Query",
        ];
        if reads.iter().any(|verb| call.operation.starts_with(verb)) {
            return Err(error::validation(format!(
                "{}: operations that only read are no targets.",
                given.arn
            )));
        }
        let input = given.input.as_deref().unwrap_or("{}");
        if !serde_json::from_str::<serde_json::Value>(input).is_ok_and(|input| input.is_object()) {
            return Err(error::validation("The Input is not a JSON object."));
        }
    }
    let event = given
        .event_bridge_parameters
        .map(|event| (event.detail_type, event.source));
    if arn.service == "events" && event.is_none() {
        return Err(error::validation(
            "EventBridgeParameters must be set for an event bus.",
        ));
    }
    let group = given.sqs_parameters.and_then(|sqs| sqs.message_group_id);
    let is_fifo = arn.service == "sqs" && arn.resource.strip_suffix(".fifo").is_some();
    if is_fifo && group.is_none() {
        return Err(error::validation(
            "SqsParameters.MessageGroupId must be set for a FIFO queue.",
        ));
    }
    let retry = given.retry_policy.unwrap_or_default();
    Ok(Target {
        arn: given.arn,
        role: given.role_arn,
        input: given.input,
        dead_letters: given.dead_letter_config.and_then(|config| config.arn),
        retries: retry.maximum_retry_attempts,
        max_age_seconds: retry.maximum_event_age_in_seconds,
        group,
        event,
        reach: Reach::Anywhere,
    })
}

/// A target as a client sees it.
pub fn shown_target(target: &Target) -> g::Target {
    g::Target {
        arn: target.arn.clone(),
        role_arn: target.role.clone(),
        input: target.input.clone(),
        dead_letter_config: target
            .dead_letters
            .clone()
            .map(|arn| g::DeadLetterConfig { arn: Some(arn) }),
        event_bridge_parameters: target.event.clone().map(|(detail_type, source)| {
            g::EventBridgeParameters {
                detail_type,
                source,
            }
        }),
        retry_policy: Some(g::RetryPolicy {
            maximum_event_age_in_seconds: Some(target.max_age_seconds.unwrap_or(86_400)),
            maximum_retry_attempts: Some(target.retries.unwrap_or(185)),
        }),
        sqs_parameters: target.group.clone().map(|group| g::SqsParameters {
            message_group_id: Some(group),
        }),
        ..g::Target::default()
    }
}
