//! PutRule.

use patterns::Pattern;
use routing::schedule::Schedule;
use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use super::tags;
use crate::clockwork::{self, Due};
use crate::domain::managed;
use crate::error;
use crate::generated as g;
use crate::records::{DEFAULT_BUS, DUE, RULES, Rule};

pub async fn put_rule(
    events: State,
    context: RequestContext,
    input: g::PutRuleRequest,
) -> Result<g::PutRuleResponse, ServiceError> {
    let schedule = input.schedule_expression.filter(|text| !text.is_empty());
    let pattern = input.event_pattern.filter(|text| !text.is_empty());
    if schedule.is_none() && pattern.is_none() {
        return Err(error::validation(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    }
    if let Some(pattern) = &pattern {
        Pattern::parse(pattern).map_err(error::invalid_pattern)?;
    }
    if let Some(text) = &schedule {
        match Schedule::parse(text) {
            Some(Schedule::Rate { .. } | Schedule::Cron(_)) => {}
            _ => {
                return Err(error::validation(
                    "Parameter ScheduleExpression is not valid.",
                ));
            }
        }
    }
    let _one_writer = events.writer.lock().await;
    let (bus, _) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    if schedule.is_some() && bus.name != DEFAULT_BUS {
        return Err(error::validation(
            "ScheduleExpression is supported only on the default event bus.",
        ));
    }
    let before = events.directory.rule(&bus, &input.name);
    let before = before.as_deref().cloned().unwrap_or_default();
    managed::check(&input.name, &before)?;
    let mut tags = before.tags;
    tags.extend(tags::of(input.tags.unwrap_or_default()));
    let rule = Rule {
        pattern,
        schedule,
        state: input.state.unwrap_or_default().as_str().to_owned(),
        description: input.description,
        role: input.role_arn,
        tags,
        created_by: Some(context.account),
        managed_by: None,
        targets: before.targets,
    };
    let answer = g::PutRuleResponse {
        rule_arn: Some(bus.rule_arn(&input.name).to_string()),
    };
    write(&events, &bus, &input.name, rule).await?;
    Ok(answer)
}

/// Writes a rule and starts its schedule anew.
pub async fn write(
    events: &State,
    bus: &crate::records::Named,
    name: &str,
    rule: Rule,
) -> Result<(), ServiceError> {
    let due = Some(&rule)
        .filter(|rule| rule.is_enabled())
        .and_then(|rule| clockwork::first(rule, events.clock.now()));
    let mut batch = Batch::new();
    let key = (bus.key(), name);
    let put = RULES.put(&mut batch, key, &rule).and_then(|()| {
        if let Some(due) = &due {
            return DUE.put(&mut batch, key, due);
        }
        DUE.delete(&mut batch, key);
        Ok(())
    });
    events.commit(put.map(|()| batch)).await?;
    events.directory.put_rule(bus, name, rule);
    let what = Due::Rule(bus.clone(), name.to_owned());
    events.agenda.set(&what, due.map(|due| due.next));
    Ok(())
}
