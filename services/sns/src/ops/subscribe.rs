//! Subscribe.

use std::collections::BTreeMap;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use super::publish::write_down;
use crate::deliver::{self, Outcome};
use crate::domain::{attributes, endpoint};
use crate::error;
use crate::generated as g;
use crate::records::{SUBSCRIPTIONS, Subscription};
use crate::topics::Subscribed;

const REASON: &str = "Attributes Reason: ";
const PENDING: &str = "pending confirmation";

pub async fn subscribe(
    sns: State,
    context: RequestContext,
    input: g::SubscribeInput,
) -> Result<g::SubscribeResponse, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let (topic, record) = sns.topic(&context, &input.topic_arn, "Subscribe")?;
    let given: BTreeMap<_, _> = input.attributes.unwrap_or_default();
    let address = input.endpoint.unwrap_or_default();
    endpoint::check(&input.protocol, &address, topic.is_fifo())?;
    attributes::check_subscription(&given, &topic, REASON)?;
    let is_same = |one: &Subscription| one.protocol == input.protocol && one.endpoint == address;
    let returns_arn = input.return_subscription_arn.unwrap_or(false);
    let answer = |one: &Subscribed| g::SubscribeResponse {
        subscription_arn: Some(if one.record.confirmed || returns_arn {
            one.arn()
        } else {
            PENDING.to_owned()
        }),
    };
    let subscriptions = sns.topics.subscriptions_of(&topic);
    let protocols = subscriptions.iter().map(|one| one.record.protocol.as_str());
    let existing = subscriptions.iter().find(|one| is_same(&one.record));
    if let Some(existing) = existing
        && existing.record.confirmed
    {
        if !given.is_empty() && given != existing.record.attributes {
            return Err(error::invalid(
                "Attributes Reason: Subscription already exists with different attributes",
            ));
        }
        return Ok(answer(existing));
    }
    if existing.is_none() {
        let protocols = protocols.chain([input.protocol.as_str()]);
        attributes::check_subscribers(&record.attributes, protocols)?;
    }
    let subscribed = match existing {
        // Asked again before it is confirmed: the endpoint is told again.
        Some(pending) => Subscribed::new(
            topic,
            pending.id.clone(),
            Subscription {
                attributes: given,
                ..pending.record.clone()
            },
        ),
        None => Subscribed::new(
            topic,
            uuid::Uuid::new_v4().to_string(),
            Subscription {
                confirmed: !endpoint::wants_confirmation(&input.protocol),
                token: token(),
                protocol: input.protocol,
                endpoint: address,
                owner: context.account,
                attributes: given,
                reach: context.reach,
            },
        ),
    };
    let authority = context.authority().unwrap_or(&sns.authority);
    let mut batch = Batch::new();
    let key = (subscribed.topic.key(), subscribed.id.as_str());
    let put = SUBSCRIPTIONS.put(&mut batch, key, &subscribed.record);
    let Outcome { parcels, outgoing } = if subscribed.record.confirmed {
        Outcome::default()
    } else {
        let signer = sns.signer().await?;
        let now = sns.clock.now();
        deliver::confirmation(&subscribed, &record.attributes, &signer, now, authority)
    };
    let put =
        put.and_then(|()| write_down(&mut batch, &subscribed.topic, sns.clock.now(), &outgoing));
    let staged = put
        .and_then(|()| sns.deliveries.stage(&mut batch, parcels))
        .map_err(|error| error::unavailable(&error))?;
    sns.commit(Ok(batch)).await?;
    let answer = answer(&subscribed);
    sns.topics.put_subscription(subscribed);
    staged.send_off();
    Ok(answer)
}

/// Not to be guessed.
fn token() -> String {
    format!(
        "{}{}",
        uuid::Uuid::new_v4().simple(),
        uuid::Uuid::new_v4().simple()
    )
}
