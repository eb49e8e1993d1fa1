//! TagResource, UntagResource, ListTagsForResource: of buses and rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::names;
use crate::error;
use crate::generated as g;
use crate::records::{Bus, Named, Rule};

const MAX_TAGS: usize = 50;

pub fn of(tags: Vec<g::Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

enum Tagged {
    Bus(Named, Arc<Bus>),
    Rule(Named, String, Arc<Rule>),
}

impl Tagged {
    fn tags(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Bus(_, bus) => &bus.tags,
            Self::Rule(_, _, rule) => &rule.tags,
        }
    }

    async fn save(
        self,
        events: &State,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        match self {
            Self::Bus(name, bus) => {
                let bus = Bus {
                    tags,
                    ..(*bus).clone()
                };
                events.save_bus(name, bus).await
            }
            Self::Rule(bus, name, rule) => {
                let rule = Rule {
                    tags,
                    ..(*rule).clone()
                };
                events.save_rule(&bus, &name, rule).await
            }
        }
    }
}

fn find(events: &State, context: &RequestContext, arn: &str) -> Result<Tagged, ServiceError> {
    let own = |name: &Named| name.account == context.account;
    if let Some((bus, rule)) = names::rule_of_arn(arn).filter(|(bus, _)| own(bus)) {
        return match events.directory.rule(&bus, &rule) {
            Some(found) => Ok(Tagged::Rule(bus, rule, found)),
            None => Err(error::rule_not_found(&rule, &bus.name)),
        };
    }
    if let Some(name) = names::of_arn(arn, "event-bus").filter(own)
        && let Some(bus) = events.directory.bus(&name)
    {
        return Ok(Tagged::Bus(name, bus));
    }
    Err(error::not_found(format!("Resource {arn} does not exist.")))
}

pub async fn tag(
    events: State,
    context: RequestContext,
    input: g::TagResourceRequest,
) -> Result<g::TagResourceResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let found = find(&events, &context, &input.resource_arn)?;
    let mut tags = found.tags().clone();
    tags.extend(of(input.tags));
    if tags.len() > MAX_TAGS {
        return Err(error::limit_exceeded());
    }
    found.save(&events, tags).await?;
    Ok(g::TagResourceResponse {})
}

pub async fn untag(
    events: State,
    context: RequestContext,
    input: g::UntagResourceRequest,
) -> Result<g::UntagResourceResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let found = find(&events, &context, &input.resource_arn)?;
    let mut tags = found.tags().clone();
    tags.retain(|key, _| !input.tag_keys.contains(key));
    found.save(&events, tags).await?;
    Ok(g::UntagResourceResponse {})
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListTagsForResourceRequest,
) -> Result<g::ListTagsForResourceResponse, ServiceError> {
    let found = find(&events, &context, &input.resource_arn)?;
    let tags = found.tags().iter().map(|(key, value)| g::Tag {
        key: key.clone(),
        value: value.clone(),
    });
    Ok(g::ListTagsForResourceResponse {
        tags: Some(tags.collect()),
    })
}
