//! PutTargets, RemoveTargets, ListTargetsByRule.

use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::{managed, page, target};
use crate::error;
use crate::generated as g;

/// Targets of one rule.
const MAX_TARGETS: usize = 5;

pub async fn put(
    events: State,
    context: RequestContext,
    input: g::PutTargetsRequest,
) -> Result<g::PutTargetsResponse, ServiceError> {
    let targets = input
        .targets
        .into_iter()
        .map(target::checked)
        .collect::<Result<Vec<_>, _>>()?;
    let _one_writer = events.writer.lock().await;
    let (bus, rule) = events.own_rule(&context, input.event_bus_name.as_deref(), &input.rule)?;
    managed::check(&input.rule, &rule)?;
    let mut rule = (*rule).clone();
    rule.targets.extend(targets);
    if rule.targets.len() > MAX_TARGETS {
        return Err(error::limit_exceeded());
    }
    events.save_rule(&bus, &input.rule, rule).await?;
    Ok(g::PutTargetsResponse {
        failed_entry_count: Some(0),
        failed_entries: Some(Vec::new()),
    })
}

/// Ids that are not there are no error.
pub async fn remove(
    events: State,
    context: RequestContext,
    input: g::RemoveTargetsRequest,
) -> Result<g::RemoveTargetsResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (bus, rule) = events.own_rule(&context, input.event_bus_name.as_deref(), &input.rule)?;
    managed::check(&input.rule, &rule)?;
    let mut rule = (*rule).clone();
    rule.targets.retain(|id, _| !input.ids.contains(id));
    events.save_rule(&bus, &input.rule, rule).await?;
    Ok(g::RemoveTargetsResponse {
        failed_entry_count: Some(0),
        failed_entries: Some(Vec::new()),
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListTargetsByRuleRequest,
) -> Result<g::ListTargetsByRuleResponse, ServiceError> {
    let (_, rule) = events.own_rule(&context, input.event_bus_name.as_deref(), &input.rule)?;
    let targets = rule.targets.iter().map(|(id, target)| (id.clone(), target));
    let (page, next_token) = page::cut(targets, input.next_token.as_deref(), input.limit)?;
    let shown = page.into_iter().map(|(id, one)| target::shown(id, one));
    Ok(g::ListTargetsByRuleResponse {
        targets: Some(shown.collect()),
        next_token,
    })
}
