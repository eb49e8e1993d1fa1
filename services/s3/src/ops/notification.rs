//! PutBucketNotificationConfiguration and GetBucketNotificationConfiguration.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>

use std::sync::Arc;

use base::{Arn, Region, Timestamp};
use s3s::dto::{
    EventBridgeConfiguration, FilterRule, FilterRuleName, GetBucketNotificationConfigurationInput,
    GetBucketNotificationConfigurationOutput, LambdaFunctionConfiguration,
    NotificationConfiguration, NotificationConfigurationFilter,
    PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput,
    QueueConfiguration, S3KeyFilter, TopicConfiguration,
};
use service::ports::ApiCaller;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use crate::buckets;
use crate::call::Call;
use crate::deliver;
use crate::domain::event::{self, Place};
use crate::domain::notification::{Notifications, Rule, Target};
use crate::domain::overlap;
use crate::error::Error;
use crate::state::State;

pub async fn put_bucket_notification_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketNotificationConfigurationInput,
) -> Result<PutBucketNotificationConfigurationOutput, Error> {
    let name = input.bucket.as_str();
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, name, owner).await?.value;
    let notifications = read(input.notification_configuration)?;
    overlap::check(&notifications.rules)?;
    if input.skip_destination_validation != Some(true) {
        let place = buckets::place(name, &bucket);
        check_destinations(&state, &call, &notifications.rules, place).await?;
        announce(&state, &call, &notifications.rules, place).await?;
    }
    buckets::update(&state, &call, name, owner, |bucket, _| {
        bucket.notifications = notifications.clone();
        Ok(())
    })
    .await?;
    Ok(PutBucketNotificationConfigurationOutput {})
}

fn read(given: NotificationConfiguration) -> Result<Notifications, Error> {
    let event_bridge = given.event_bridge_configuration.is_some();
    let mut rules = Vec::new();
    for function in given.lambda_function_configurations.unwrap_or_default() {
        let target = Target::Function(arn(&function.lambda_function_arn)?);
        rules.push(rule(
            function.id,
            target,
            &function.events,
            function.filter,
        )?);
    }
    for queue in given.queue_configurations.unwrap_or_default() {
        let target = Target::Queue(arn(&queue.queue_arn)?);
        rules.push(rule(queue.id, target, &queue.events, queue.filter)?);
    }
    for topic in given.topic_configurations.unwrap_or_default() {
        let target = Target::Topic(arn(&topic.topic_arn)?);
        rules.push(rule(topic.id, target, &topic.events, topic.filter)?);
    }
    Ok(Notifications {
        rules,
        event_bridge,
    })
}

fn arn(text: &str) -> Result<Arn, Error> {
    text.parse().map_err(|_| {
        let message = "The ARN could not be parsed";
        Error::invalid_argument(message, "ARN", text)
    })
}

fn rule(
    id: Option<String>,
    target: Target,
    events: &[s3s::dto::Event],
    filter: Option<NotificationConfigurationFilter>,
) -> Result<Rule, Error> {
    let rules = filter
        .and_then(|filter| filter.key)
        .and_then(|key| key.filter_rules);
    let pairs: Vec<_> = rules
        .unwrap_or_default()
        .into_iter()
        .map(|rule| {
            let name = rule.name.map(|name| name.as_str().to_owned());
            (name.unwrap_or_default(), rule.value.unwrap_or_default())
        })
        .collect();
    let (prefix, suffix) = overlap::read_filter(&pairs)?;
    let id = id.filter(|id| !id.is_empty());
    Ok(Rule {
        id: id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        target,
        events: events
            .iter()
            .map(|event| event.as_ref().to_owned())
            .collect(),
        prefix,
        suffix,
    })
}

/// Every destination must be there and let S3 in.
async fn check_destinations(
    state: &State,
    call: &Call,
    rules: &[Rule],
    place: Place<'_>,
) -> Result<(), Error> {
    let context = context(place, call.context.received_at);
    let mut wrong: Vec<(String, String)> = Vec::new();
    for rule in rules {
        let arn = rule.target.arn().to_string();
        if wrong.iter().any(|(earlier, _)| *earlier == arn) {
            continue;
        }
        if let Err(why) = check_destination(state, &rule.target, place.region, &context).await {
            wrong.push((arn, why));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(unable_to_validate(wrong))
    }
}

async fn check_destination(
    state: &State,
    target: &Target,
    region: &Region,
    context: &RequestContext,
) -> Result<(), String> {
    if !overlap::is_possible_destination(target, region.as_str()) {
        return Err(match target {
            Target::Function(_) => "The ARN is not that of a function in the bucket's region",
            Target::Queue(_) => "The ARN is not that of a standard queue in the bucket's region",
            Target::Topic(_) => "The ARN is not that of a standard topic in the bucket's region",
        }
        .to_owned());
    }
    match target {
        Target::Function(arn) => {
            // A dry run asks both whether the function exists and whether S3 may invoke it.
            let input = Value::Map(vec![
                ("FunctionName".to_owned(), Value::Str(arn.to_string())),
                ("InvocationType".to_owned(), Value::Str("DryRun".to_owned())),
            ]);
            let answer = state
                .ports
                .api
                .call("lambda", "Invoke", context.clone(), input)
                .await;
            answer
                .map(|_| ())
                .map_err(|error| match error.code.as_ref() {
                    "ResourceNotFoundException" => {
                        format!("The destination Lambda function does not exist: {arn}")
                    }
                    _ => format!("Not authorized to invoke function [{arn}]"),
                })
        }
        Target::Queue(arn) => look_up_queue(&*state.ports.api, arn, context.clone())
            .await
            .map_err(|_| "The destination queue does not exist".to_owned()),
        // The test event tells.
        Target::Topic(_) => Ok(()),
    }
}

/// A call that S3 makes for a bucket.
fn context(place: Place<'_>, now: Timestamp) -> RequestContext {
    let principal = Principal::Service {
        name: deliver::PRINCIPAL,
        source_arn: Some(deliver::bucket_arn(place.bucket, place.region)),
        source_account: Some(place.owner),
    };
    RequestContext::internal(principal, place.owner, place.region.clone(), now)
}

/// # Errors
/// What SQS answers when there is no such queue.
async fn look_up_queue(
    api: &dyn ApiCaller,
    queue: &Arn,
    context: RequestContext,
) -> Result<(), ServiceError> {
    let owner = Value::Str(queue.account.clone());
    let input = Value::of_members([
        Some(("QueueName", Value::Str(queue.resource.clone()))),
        Some(("QueueOwnerAWSAccountId", owner)),
    ]);
    api.call("sqs", "GetQueueUrl", context, input)
        .await
        .map(drop)
}

/// Sends each queue and topic the test event, which also tells whether S3 may send to it.
async fn announce(
    state: &State,
    call: &Call,
    rules: &[Rule],
    place: Place<'_>,
) -> Result<(), Error> {
    let cause = call.cause();
    let body = event::test_message(place.bucket, &cause);
    let mut told: Vec<&Arn> = Vec::new();
    for rule in rules {
        let arn = rule.target.arn();
        let kind = match &rule.target {
            Target::Function(_) => continue,
            Target::Queue(_) => "queue",
            Target::Topic(_) => "topic",
        };
        if told.contains(&arn) {
            continue;
        }
        let parcel = deliver::parcel(&rule.target, body.clone(), place, &cause);
        if let Err(failure) = state.deliveries.try_once(&parcel).await {
            tracing::debug!(%arn, %failure, "a destination refused the test event");
            let why = if failure.code == "NO_RESOURCE" {
                format!("The destination {kind} does not exist")
            } else {
                format!(
                    "Permissions on the destination {kind} do not allow S3 to publish \
                     notifications from this bucket"
                )
            };
            return Err(unable_to_validate(vec![(arn.to_string(), why)]));
        }
        told.push(arn);
    }
    Ok(())
}

fn unable_to_validate(wrong: Vec<(String, String)>) -> Error {
    let message = "Unable to validate the following destination configurations";
    let mut error = Error::bad_request("InvalidArgument", message);
    for ((arn, why), (name, value)) in wrong.into_iter().zip(ARGUMENTS) {
        error = error.with(name, arn).with(value, why);
    }
    error
}

/// The members an error about destinations has, for as many of them as S3 names.
const ARGUMENTS: [(&str, &str); 5] = [
    ("ArgumentName1", "ArgumentValue1"),
    ("ArgumentName2", "ArgumentValue2"),
    ("ArgumentName3", "ArgumentValue3"),
    ("ArgumentName4", "ArgumentValue4"),
    ("ArgumentName5", "ArgumentValue5"),
];

pub async fn get_bucket_notification_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketNotificationConfigurationInput,
) -> Result<GetBucketNotificationConfigurationOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let (mut functions, mut queues, mut topics) = (Vec::new(), Vec::new(), Vec::new());
    for rule in bucket.notifications.rules {
        let filter = filter(&rule);
        let events = rule.events.into_iter().map(s3s::dto::Event::from).collect();
        let id = Some(rule.id);
        match rule.target {
            Target::Function(arn) => functions.push(LambdaFunctionConfiguration {
                id,
                lambda_function_arn: arn.to_string(),
                events,
                filter,
            }),
            Target::Queue(arn) => {
                queues.push(QueueConfiguration {
                    id,
                    queue_arn: arn.to_string(),
                    events,
                    filter,
                });
            }
            Target::Topic(arn) => topics.push(TopicConfiguration {
                id,
                topic_arn: arn.to_string(),
                events,
                filter,
            }),
        }
    }
    Ok(GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: bucket
            .notifications
            .event_bridge
            .then(EventBridgeConfiguration::default),
        lambda_function_configurations: (!functions.is_empty()).then_some(functions),
        queue_configurations: (!queues.is_empty()).then_some(queues),
        topic_configurations: (!topics.is_empty()).then_some(topics),
    })
}

fn filter(rule: &Rule) -> Option<NotificationConfigurationFilter> {
    let part = |name: &'static str, value: &Option<String>| {
        value.clone().map(|value| FilterRule {
            name: Some(FilterRuleName::from_static(name)),
            value: Some(value),
        })
    };
    let rules: Vec<_> = part("Prefix", &rule.prefix)
        .into_iter()
        .chain(part("Suffix", &rule.suffix))
        .collect();
    (!rules.is_empty()).then_some(NotificationConfigurationFilter {
        key: Some(S3KeyFilter {
            filter_rules: Some(rules),
        }),
    })
}
