//! PutSubscriptionFilter, DescribeSubscriptionFilters, DeleteSubscriptionFilter.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html>

use base::Arn;
use service::page;
use service::{Principal, RequestContext, ServiceError};
use store::Batch;
use wire::{Unit, Value};

use super::State;
use crate::domain::filter::FilterPattern;
use crate::generated::{
    DeleteSubscriptionFilterRequest, DescribeSubscriptionFiltersRequest,
    DescribeSubscriptionFiltersResponse, Distribution, LogGroupClass, PutSubscriptionFilterRequest,
    SubscriptionFilter,
};
use crate::records::{SUBSCRIPTIONS, Subscription, group_key};
use crate::subscriptions::{GroupId, source};
use crate::{SENDER, error};

/// Subscription filters of one group.
const MAX_FILTERS: usize = 2;
/// Filters of a page where the caller names no number.
const DEFAULT_LIMIT: usize = 50;

fn id(context: &RequestContext, group: &str) -> GroupId {
    (context.account, context.region.clone(), group.to_owned())
}

pub async fn put(
    logs: State,
    context: RequestContext,
    input: PutSubscriptionFilterRequest,
) -> Result<Unit, ServiceError> {
    check_absent(&input)?;
    FilterPattern::parse(&input.filter_pattern)
        .map_err(|error| error::invalid_parameter(error.to_string()))?;
    let group = &input.log_group_name;
    let stored = logs.group(&context, group).await?;
    if stored.class != LogGroupClass::Standard.as_str() {
        return Err(error::invalid_operation());
    }
    let destination = destination(&input, &context)?;
    check_function(&logs, &destination, &context, group).await?;

    let _one_writer = logs.writer.lock().await;
    logs.group(&context, group).await?;
    let id = id(&context, group);
    let filters = logs.subscriptions.of(&id);
    let before = filters.iter().find(|one| one.name == input.filter_name);
    if before.is_none() && filters.len() >= MAX_FILTERS {
        return Err(error::limit_exceeded());
    }
    let subscription = Subscription {
        created: before.map_or(context.received_at, |one| one.record.created),
        pattern: input.filter_pattern,
        destination,
        distribution: input
            .distribution
            .unwrap_or(Distribution::ByLogStream)
            .as_str()
            .to_owned(),
    };
    let mut batch = Batch::new();
    let key = (
        group_key(&context.account, &context.region, group),
        input.filter_name.as_str(),
    );
    let staged = SUBSCRIPTIONS.put(&mut batch, key, &subscription);
    logs.commit(staged.map(|()| batch)).await?;
    logs.subscriptions.put(id, input.filter_name, subscription);
    Ok(Unit {})
}

/// What is asked for and is not here.
fn check_absent(input: &PutSubscriptionFilterRequest) -> Result<(), ServiceError> {
    let absent = [
        (
            "applyOnTransformedLogs",
            input.apply_on_transformed_logs == Some(true),
        ),
        (
            "emitSystemFields",
            input
                .emit_system_fields
                .as_ref()
                .is_some_and(|fields| !fields.is_empty()),
        ),
        (
            "fieldSelectionCriteria",
            input
                .field_selection_criteria
                .as_ref()
                .is_some_and(|criteria| !criteria.is_empty()),
        ),
    ];
    match absent.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(ServiceError::not_implemented("CloudWatch Logs'", name)),
        None => Ok(()),
    }
}

/// The function that the filter's events go to.
fn destination(
    input: &PutSubscriptionFilterRequest,
    context: &RequestContext,
) -> Result<Arn, ServiceError> {
    let arn: Arn = input
        .destination_arn
        .parse()
        .map_err(|_| error::invalid_parameter("Invalid destinationArn."))?;
    match arn.service.as_str() {
        "lambda" => {}
        "kinesis" | "firehose" | "logs" | "es" | "opensearch" => {
            return Err(ServiceError::not_implemented(
                "subscription filters whose destination is of",
                &arn.service,
            ));
        }
        vendor => {
            return Err(error::invalid_parameter(format!(
                "PutSubscriptionFilter operation cannot work with destinationArn for vendor \
                 {vendor}"
            )));
        }
    }
    if input.role_arn.is_some() {
        return Err(error::invalid_parameter(
            "destinationArn for vendor lambda cannot be used with roleArn",
        ));
    }
    let is_here =
        arn.account_id() == Some(context.account) && arn.region().as_ref() == Some(&context.region);
    if !is_here {
        return Err(not_invocable());
    }
    let name = arn.resource.strip_prefix("function:").unwrap_or_default();
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    // What the function writes about its events would be its next events.
    if input.log_group_name.strip_prefix("/aws/lambda/") == Some(name) {
        return Err(error::invalid_parameter(
            "The log group provided is reserved for the function logs of the destination function.",
        ));
    }
    Ok(arn)
}

/// A dry run asks both whether the function exists and whether CloudWatch Logs may invoke it.
async fn check_function(
    logs: &State,
    function: &Arn,
    context: &RequestContext,
    group: &str,
) -> Result<(), ServiceError> {
    let principal = Principal::Service {
        name: SENDER,
        source_arn: Some(source(&context.region, context.account, group)),
        source_account: Some(context.account),
    };
    let inside = RequestContext::internal(
        principal,
        context.account,
        context.region.clone(),
        context.received_at,
    );
    let input = Value::of_members([
        Some(("FunctionName", Value::Str(function.to_string()))),
        Some(("InvocationType", Value::Str("DryRun".to_owned()))),
    ]);
    let answer = logs.api.call("lambda", "Invoke", inside, input).await;
    answer.map(drop).map_err(|error| {
        if error.is_server_fault() {
            return error;
        }
        not_invocable()
    })
}

fn not_invocable() -> ServiceError {
    error::invalid_parameter(
        "Could not execute the lambda function. Make sure you have given CloudWatch Logs \
         permission to execute your function.",
    )
}

pub async fn describe(
    logs: State,
    context: RequestContext,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, ServiceError> {
    let group = input.log_group_name;
    logs.group(&context, &group).await?;
    let prefix = input.filter_name_prefix.unwrap_or_default();
    let filters = logs.subscriptions.of(&id(&context, &group));
    let wanted = filters
        .iter()
        .filter(|one| one.name.starts_with(&prefix))
        .map(|one| (one.name.clone(), one));
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
    let page = page::cut(
        wanted,
        input.next_token.as_deref(),
        limit.unwrap_or(DEFAULT_LIMIT),
    );
    let (page, next_token) =
        page.ok_or_else(|| error::invalid_parameter("The specified nextToken is invalid."))?;
    let shown = page.into_iter().map(|(name, one)| SubscriptionFilter {
        filter_name: Some(name),
        log_group_name: Some(group.clone()),
        filter_pattern: Some(one.record.pattern.clone()),
        destination_arn: Some(one.record.destination.to_string()),
        distribution: Distribution::parse(&one.record.distribution),
        apply_on_transformed_logs: Some(false),
        creation_time: Some(one.record.created.millis()),
        ..SubscriptionFilter::default()
    });
    Ok(DescribeSubscriptionFiltersResponse {
        subscription_filters: Some(shown.collect()),
        next_token,
    })
}

pub async fn delete(
    logs: State,
    context: RequestContext,
    input: DeleteSubscriptionFilterRequest,
) -> Result<Unit, ServiceError> {
    let group = &input.log_group_name;
    logs.group(&context, group).await?;
    let _one_writer = logs.writer.lock().await;
    let id = id(&context, group);
    let filters = logs.subscriptions.of(&id);
    if !filters.iter().any(|one| one.name == input.filter_name) {
        return Err(error::filter_not_found());
    }
    let mut batch = Batch::new();
    let key = (
        group_key(&context.account, &context.region, group),
        input.filter_name.as_str(),
    );
    SUBSCRIPTIONS.delete(&mut batch, key);
    logs.commit(Ok(batch)).await?;
    logs.subscriptions.remove(&id, &input.filter_name);
    Ok(Unit {})
}
