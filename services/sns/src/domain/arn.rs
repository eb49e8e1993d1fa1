//! Names of topics and subscriptions, and their ARNs.

use base::Arn;
use service::{RequestContext, ServiceError};

use crate::error;
use crate::records::TopicId;

/// Whether a topic or a queue of that name keeps order.
pub fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

/// Letters, digits, hyphens and underscores, 256 at most.
pub fn check_topic_name(name: &str, is_fifo: bool) -> Result<(), ServiceError> {
    let stem = if is_fifo {
        name.strip_suffix(".fifo")
    } else {
        Some(name)
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let fits = |stem: &str| !stem.is_empty() && stem.chars().all(legal);
    if stem.is_some_and(fits) && name.len() <= 256 {
        return Ok(());
    }
    Err(error::invalid(if is_fifo {
        "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase \
         ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 \
         characters long."
    } else {
        "Topic Name"
    }))
}

/// Reads a topic's ARN; `parameter` is what the client called it.
pub fn topic(text: &str, parameter: &str) -> Result<TopicId, ServiceError> {
    let elements = text.split(':').count();
    if elements < 6 {
        return Err(error::invalid(format!(
            "{parameter} Reason: An ARN must have at least 6 elements, not {elements}"
        )));
    }
    let arn: Arn = text.parse().map_err(|_| error::invalid(parameter))?;
    match (arn.account_id(), arn.region()) {
        (Some(account), Some(region)) if arn.service == "sns" && !arn.resource.contains(':') => {
            Ok(TopicId {
                account,
                region,
                name: arn.resource,
            })
        }
        _ => Err(error::invalid(parameter)),
    }
}

/// Reads a subscription's ARN: its topic, and its id there.
pub fn subscription(text: &str) -> Result<(TopicId, String), ServiceError> {
    let invalid = || error::invalid("SubscriptionId");
    let (topic_arn, id) = text.rsplit_once(':').ok_or_else(invalid)?;
    if text.split(':').count() < 6 {
        return topic(text, "SubscriptionArn").map(|id| (id, String::new()));
    }
    let topic = topic(topic_arn, "SubscriptionArn").map_err(|_| invalid())?;
    Ok((topic, id.to_owned()))
}

/// Where a caller's own topics are.
pub fn own(context: &RequestContext, name: &str) -> TopicId {
    TopicId {
        account: context.account,
        region: context.region.clone(),
        name: name.to_owned(),
    }
}
