//! PutPermission, RemovePermission: the policy of a bus.

use serde_json::{Value, json};
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::State;
use crate::error;
use crate::generated as g;

const MAX_POLICY: usize = 10_240;

pub async fn put(
    events: State,
    context: RequestContext,
    input: g::PutPermissionRequest,
) -> Result<Unit, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, bus) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    let mut bus = (*bus).clone();
    let policy = if let Some(policy) = input.policy {
        let parsed = auth::policy::Document::parse(&policy, auth::policy::PolicyKind::Resource);
        if parsed.is_err() {
            return Err(error::validation("Policy is not valid."));
        }
        policy
    } else {
        let (Some(action), Some(principal), Some(id)) =
            (input.action, input.principal, input.statement_id)
        else {
            return Err(error::validation(
                "Parameter(s) Action, Principal and StatementId, or Policy, must be specified.",
            ));
        };
        if action != "events:PutEvents" {
            return Err(error::validation(
                "Provided value in parameter 'action' is not supported.",
            ));
        }
        let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
        if principal != "*" && !is_account {
            return Err(error::validation(
                "Provided value in parameter 'principal' is not valid.",
            ));
        }
        let principal = if principal == "*" {
            json!("*")
        } else {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        };
        let mut statement = json!({
            "Sid": id,
            "Effect": "Allow",
            "Principal": principal,
            "Action": action,
            "Resource": name.arn("event-bus").to_string(),
        });
        if let Some(condition) = input.condition {
            statement["Condition"] = json!({condition.r#type: {condition.key: condition.value}});
        }
        let mut statements = statements(bus.policy.as_deref());
        statements.retain(|one| one["Sid"] != id.as_str());
        statements.push(statement);
        document(&statements)
    };
    if policy.len() > MAX_POLICY {
        return Err(ServiceError::bad_request(
            g::errors::POLICY_LENGTH_EXCEEDED_EXCEPTION.code,
            "The event bus policy is too long.",
        ));
    }
    bus.policy = Some(policy);
    bus.modified = events.clock.now();
    events.save_bus(name, bus).await?;
    Ok(Unit {})
}

pub async fn remove(
    events: State,
    context: RequestContext,
    input: g::RemovePermissionRequest,
) -> Result<Unit, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let (name, bus) = events.own_bus(&context, input.event_bus_name.as_deref())?;
    let mut bus = (*bus).clone();
    let mut left = statements(bus.policy.as_deref());
    if input.remove_all_permissions.unwrap_or(false) {
        left.clear();
    } else {
        let id = input
            .statement_id
            .ok_or_else(|| error::validation("Parameter(s) StatementId must be specified."))?;
        if left.is_empty() {
            return Err(error::not_found("EventBus does not have a policy."));
        }
        let before = left.len();
        left.retain(|one| one["Sid"] != id.as_str());
        if left.len() == before {
            return Err(error::not_found(
                "Statement with the provided id does not exist.",
            ));
        }
    }
    bus.policy = (!left.is_empty()).then(|| document(&left));
    bus.modified = events.clock.now();
    events.save_bus(name, bus).await?;
    Ok(Unit {})
}

fn statements(policy: Option<&str>) -> Vec<Value> {
    let document: Option<Value> = policy.and_then(|text| serde_json::from_str(text).ok());
    match document.and_then(|mut document| document.get_mut("Statement").map(Value::take)) {
        Some(Value::Array(statements)) => statements,
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    }
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}
