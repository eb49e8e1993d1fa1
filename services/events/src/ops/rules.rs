//! DescribeRule, ListRules, ListRuleNamesByTarget, EnableRule, DisableRule, DeleteRule.

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use super::put_rule::write;
use crate::clockwork::Due;
use crate::domain::{managed, page};
use crate::error;
use crate::generated as g;
use crate::records::{DUE, RULES};

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeRuleRequest,
) -> Result<g::DescribeRuleResponse, ServiceError> {
    let (bus, rule) = events.own_rule(&context, input.event_bus_name.as_deref(), &input.name)?;
    Ok(g::DescribeRuleResponse {
        arn: Some(bus.rule_arn(&input.name).to_string()),
        name: Some(input.name),
        event_pattern: rule.pattern.clone(),
        schedule_expression: rule.schedule.clone(),
        state: g::RuleState::parse(&rule.state),
        description: rule.description.clone(),
        role_arn: rule.role.clone(),
        managed_by: rule.managed_by.clone(),
        event_bus_name: Some(bus.name.clone()),
        created_by: rule.created_by.map(|account| account.to_string()),
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListRulesRequest,
) -> Result<g::ListRulesResponse, ServiceError> {
    let (bus, _) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    let prefix = input.name_prefix.unwrap_or_default();
    let rules = events.directory.rules(&bus).into_iter();
    let wanted = rules.filter(|(name, _)| name.starts_with(&prefix));
    let (page, next_token) = page::cut(wanted, input.next_token.as_deref(), input.limit)?;
    let shown = page.into_iter().map(|(name, rule)| g::Rule {
        arn: Some(bus.rule_arn(&name).to_string()),
        name: Some(name),
        event_pattern: rule.pattern.clone(),
        state: g::RuleState::parse(&rule.state),
        description: rule.description.clone(),
        schedule_expression: rule.schedule.clone(),
        role_arn: rule.role.clone(),
        managed_by: rule.managed_by.clone(),
        event_bus_name: Some(bus.name.clone()),
    });
    Ok(g::ListRulesResponse {
        rules: Some(shown.collect()),
        next_token,
    })
}

pub async fn names_by_target(
    events: State,
    context: RequestContext,
    input: g::ListRuleNamesByTargetRequest,
) -> Result<g::ListRuleNamesByTargetResponse, ServiceError> {
    let (bus, _) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    let rules = events
        .directory
        .rules(&bus)
        .into_iter()
        .filter(|(_, rule)| {
            rule.targets
                .values()
                .any(|target| target.arn == input.target_arn)
        });
    let (page, next_token) = page::cut(rules, input.next_token.as_deref(), input.limit)?;
    Ok(g::ListRuleNamesByTargetResponse {
        rule_names: Some(page.into_iter().map(|(name, _)| name).collect()),
        next_token,
    })
}

pub async fn enable(
    events: State,
    context: RequestContext,
    input: g::EnableRuleRequest,
) -> Result<Unit, ServiceError> {
    set_state(
        &events,
        &context,
        input.event_bus_name,
        &input.name,
        "ENABLED",
    )
    .await
}

pub async fn disable(
    events: State,
    context: RequestContext,
    input: g::DisableRuleRequest,
) -> Result<Unit, ServiceError> {
    set_state(
        &events,
        &context,
        input.event_bus_name,
        &input.name,
        "DISABLED",
    )
    .await
}

async fn set_state(
    events: &State,
    context: &RequestContext,
    bus: Option<String>,
    name: &str,
    state: &str,
) -> Result<Unit, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (bus, rule) = events.own_rule(context, bus.as_deref(), name)?;
    managed::check(name, &rule)?;
    if rule.state != state {
        let mut rule = (*rule).clone();
        state.clone_into(&mut rule.state);
        write(events, &bus, name, rule).await?;
    }
    Ok(Unit {})
}

/// One that is not there is no error.
pub async fn delete(
    events: State,
    context: RequestContext,
    input: g::DeleteRuleRequest,
) -> Result<Unit, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (bus, _) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    let Some(rule) = events.directory.rule(&bus, &input.name) else {
        return Ok(Unit {});
    };
    managed::check(&input.name, &rule)?;
    if !rule.targets.is_empty() {
        return Err(error::validation(
            "Rule can't be deleted since it has targets.",
        ));
    }
    let mut batch = Batch::new();
    let key = (bus.key(), input.name.as_str());
    RULES.delete(&mut batch, key);
    DUE.delete(&mut batch, key);
    events.commit(Ok(batch)).await?;
    events.directory.remove_rule(&bus, &input.name);
    events.agenda.set(&Due::Rule(bus, input.name), None);
    Ok(Unit {})
}
