//! ConfirmSubscription.

use service::{RequestContext, ServiceError};

use super::State;
use super::subscriptions::save;
use crate::domain::arn;
use crate::error;
use crate::generated as g;
use crate::records::Subscription;

/// Whoever has the token may; the link in the message is not signed.
pub async fn confirm(
    sns: State,
    _context: RequestContext,
    input: g::ConfirmSubscriptionInput,
) -> Result<g::ConfirmSubscriptionResponse, ServiceError> {
    let topic = arn::topic(&input.topic_arn, "TopicArn")?;
    let _one_writer = sns.writer.lock().await;
    if sns.topics.topic(&topic).is_none() {
        return Err(error::topic_not_found());
    }
    let subscriptions = sns.topics.subscriptions_of(&topic);
    let Some(found) = subscriptions
        .iter()
        .find(|one| one.record.token == input.token)
    else {
        return Err(error::invalid("Token"));
    };
    if !found.record.confirmed {
        let confirmed = Subscription {
            confirmed: true,
            ..found.record.clone()
        };
        save(&sns, found, confirmed).await?;
    }
    Ok(g::ConfirmSubscriptionResponse {
        subscription_arn: Some(found.arn()),
    })
}
