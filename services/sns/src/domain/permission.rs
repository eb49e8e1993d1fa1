//! AddPermission and RemovePermission: statements of the topic's policy, by label.

use auth::policy::{self, Caller, Context, Document, Policies, PolicyKind};
use serde_json::{Value, json};
use service::{Principal, RequestContext, ServiceError};

use crate::error;
use crate::records::TopicId;

const GRANTABLE: [&str; 9] = [
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
];

pub fn add(
    policy: &mut Value,
    topic: &TopicId,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<(), ServiceError> {
    if let Some(unknown) = actions
        .iter()
        .find(|action| !GRANTABLE.contains(&action.as_str()))
    {
        return Err(error::invalid(format!(
            "Policy statement action out of service scope: SNS:{unknown}"
        )));
    }
    let statements = statements(policy)?;
    if statements.iter().any(|one| one["Sid"] == label) {
        return Err(error::invalid("Statement already exists"));
    }
    let principals: Vec<String> = accounts
        .iter()
        .map(|account| format!("arn:aws:iam::{account}:root"))
        .collect();
    let actions: Vec<String> = actions.iter().map(|one| format!("SNS:{one}")).collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(principals)},
        "Action": one_or_many(actions),
        "Resource": topic.arn().to_string(),
    }));
    Ok(())
}

/// A label that is not there is no error.
pub fn remove(policy: &mut Value, label: &str) -> Result<(), ServiceError> {
    statements(policy)?.retain(|one| one["Sid"] != label);
    Ok(())
}

/// Whether a topic's policy lets a caller of another account in.
pub fn allows(policy: &str, context: &RequestContext, action: &str, topic: &TopicId) -> bool {
    let Ok(document) = Document::parse(policy, PolicyKind::Resource) else {
        return false;
    };
    let mut keys = Context::new();
    let caller = match &context.principal {
        Principal::Service {
            name,
            source_arn,
            source_account,
        } => {
            if let Some(arn) = source_arn {
                keys.insert("aws:SourceArn", arn.to_string());
            }
            if let Some(account) = source_account {
                keys.insert("aws:SourceAccount", account.to_string());
            }
            Caller::Service { name }
        }
        _ => Caller::Root {
            account: context.account,
        },
    };
    keys.insert_caller(&caller);
    let request = policy::Request {
        caller,
        action: &format!("sns:{action}"),
        resource: &topic.arn().to_string(),
        resource_account: topic.account,
        context: &keys,
    };
    let policies = Policies {
        resource: Some(&document),
        ..Policies::default()
    };
    policy::evaluate(&request, &policies).is_allowed()
}

fn statements(policy: &mut Value) -> Result<&mut Vec<Value>, ServiceError> {
    policy
        .get_mut("Statement")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| error::invalid("Policy Error: PrincipalNotFound"))
}

fn one_or_many(mut texts: Vec<String>) -> Value {
    if texts.len() == 1 {
        Value::from(texts.remove(0))
    } else {
        Value::from(texts)
    }
}
