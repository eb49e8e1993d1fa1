//! Targets: what of them is kept, and where each leads.

use std::collections::BTreeMap;

use base::{Arn, Timestamp};
use routing::deliveries::{
    Attribute, DeadLetter, HttpParts, Parcel, Retry, Source, Style, Target as To,
};
use service::ServiceError;

use super::path;
use crate::error;
use crate::generated as g;
use crate::records::{Input, Target};

/// Checks a target and takes what is kept of it.
pub fn checked(given: g::Target) -> Result<(String, Target), ServiceError> {
    let id = given.id;
    let arn: Arn = given.arn.parse().map_err(|_| {
        error::validation(format!(
            "Parameter {} is not valid. Reason: Provided Arn is not in correct format.",
            given.arn
        ))
    })?;
    let absent = [
        ("KinesisParameters", given.kinesis_parameters.is_some()),
        (
            "RunCommandParameters",
            given.run_command_parameters.is_some(),
        ),
        ("EcsParameters", given.ecs_parameters.is_some()),
        ("BatchParameters", given.batch_parameters.is_some()),
        (
            "RedshiftDataParameters",
            given.redshift_data_parameters.is_some(),
        ),
        (
            "SageMakerPipelineParameters",
            given.sage_maker_pipeline_parameters.is_some(),
        ),
        ("AppSyncParameters", given.app_sync_parameters.is_some()),
    ];
    if let Some((name, _)) = absent.iter().find(|(_, is_given)| *is_given) {
        return Err(ServiceError::not_implemented("EventBridge's", name));
    }
    let group = given.sqs_parameters.and_then(|sqs| sqs.message_group_id);
    let is_fifo = arn.service == "sqs" && arn.resource.strip_suffix(".fifo").is_some();
    if is_fifo && group.is_none() {
        return Err(error::validation(format!(
            "Parameter(s) SqsParameters must be specified for target: {id}."
        )));
    }
    let input = match (given.input, given.input_path, given.input_transformer) {
        (None, None, None) => Input::Event,
        (Some(text), None, None) => {
            if serde_json::from_str::<serde_json::Value>(&text).is_err() {
                return Err(error::validation(format!(
                    "JSON syntax error in input for target {id}"
                )));
            }
            Input::Constant(text)
        }
        (None, Some(path), None) => Input::Path(check_path(path)?),
        (None, None, Some(transformer)) => Input::Template {
            paths: transformer
                .input_paths_map
                .unwrap_or_default()
                .into_iter()
                .map(|(name, path)| Ok((name, check_path(path)?)))
                .collect::<Result<_, ServiceError>>()?,
            template: transformer.input_template,
        },
        _ => {
            return Err(error::validation(format!(
                "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
            )));
        }
    };
    let retry = given.retry_policy.unwrap_or_default();
    let target = Target {
        arn: given.arn,
        role: given.role_arn,
        input,
        group,
        dead_letters: given.dead_letter_config.and_then(|config| config.arn),
        retries: retry.maximum_retry_attempts,
        max_age_seconds: retry.maximum_event_age_in_seconds,
        http: given.http_parameters.map(|parts| HttpParts {
            path: parts.path_parameter_values.unwrap_or_default(),
            query: pairs(parts.query_string_parameters),
            headers: pairs(parts.header_parameters),
        }),
    };
    Ok((id, target))
}

fn pairs(given: Option<BTreeMap<String, String>>) -> Vec<(String, String)> {
    given.unwrap_or_default().into_iter().collect()
}

fn check_path(text: String) -> Result<String, ServiceError> {
    if path::is_path(&text) {
        Ok(text)
    } else {
        Err(error::validation(format!(
            "Invalid InputPath {text}: it is not a JSON path."
        )))
    }
}

/// As a client set it.
pub fn shown(id: String, target: &Target) -> g::Target {
    let mut shown = g::Target {
        id,
        arn: target.arn.clone(),
        role_arn: target.role.clone(),
        sqs_parameters: target.group.clone().map(|group| g::SqsParameters {
            message_group_id: Some(group),
        }),
        dead_letter_config: target
            .dead_letters
            .clone()
            .map(|arn| g::DeadLetterConfig { arn: Some(arn) }),
        http_parameters: target.http.clone().map(|parts| g::HttpParameters {
            path_parameter_values: Some(parts.path),
            header_parameters: Some(parts.headers.into_iter().collect()),
            query_string_parameters: Some(parts.query.into_iter().collect()),
        }),
        ..g::Target::default()
    };
    if target.retries.is_some() || target.max_age_seconds.is_some() {
        shown.retry_policy = Some(g::RetryPolicy {
            maximum_retry_attempts: target.retries,
            maximum_event_age_in_seconds: target.max_age_seconds,
        });
    }
    match target.input.clone() {
        Input::Event => {}
        Input::Constant(text) => shown.input = Some(text),
        Input::Path(path) => shown.input_path = Some(path),
        Input::Template { paths, template } => {
            shown.input_transformer = Some(g::InputTransformer {
                input_paths_map: Some(paths),
                input_template: template,
            });
        }
    }
    shown
}

/// A target's parcel. `rule` is in whose name it is sent.
pub fn parcel(target: &Target, body: String, rule: Source, now: Timestamp) -> Parcel {
    let rule_arn = rule.arn.to_string();
    let dead_letter = target
        .dead_letters
        .as_deref()
        .and_then(|arn| arn.parse().ok())
        .map(|queue| DeadLetter {
            queue,
            body: None,
            style: Style::Events,
            attributes: vec![
                Attribute::text("RULE_ARN", rule_arn),
                Attribute::text("TARGET_ARN", &target.arn),
            ],
        });
    let (to, body) = destination(target, body);
    Parcel {
        target: to,
        body,
        source: rule,
        order: target.group.clone(),
        retry: Retry::events(target.retries, target.max_age_seconds),
        dead_letter,
        accepted_at: now,
        per_second: None,
        trace: None,
    }
}

fn destination(target: &Target, body: String) -> (To, String) {
    let Ok(arn) = target.arn.parse::<Arn>() else {
        return (To::Nowhere(target.arn.clone()), body);
    };
    let to = match arn.service.as_str() {
        "lambda" => To::Function(arn),
        "sqs" => To::Queue {
            // A FIFO queue must deduplicate by content to be a target.
            deduplication: None,
            group: target.group.clone(),
            queue: arn,
            attributes: Vec::new(),
        },
        "logs" => To::LogGroup(arn),
        "sns" => {
            return To::topic(&target.arn, &body, serde_json::Map::new());
        }
        "events" if arn.resource.starts_with("api-destination/") => To::Endpoint {
            arn: target.arn.clone(),
            parts: target.http.clone().unwrap_or_default(),
        },
        service => To::Nowhere(format!("{service} ({})", target.arn)),
    };
    (to, body)
}
