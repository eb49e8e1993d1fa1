//! AddPermission and RemovePermission: statements of the queue's policy, by label.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html>

use base::{AccountId, Arn};
use serde_json::{Map, Value, json};

use super::Fault;

const MAX_ACTIONS: usize = 7;
const MAX_STATEMENTS: usize = 20;
const MAX_LABEL_LENGTH: usize = 80;
const OWNER_ONLY: &[&str] = &[
    "AddPermission",
    "RemovePermission",
    "CreateQueue",
    "DeleteQueue",
    "ListQueues",
    "SetQueueAttributes",
    "ListQueueTags",
    "TagQueue",
    "UntagQueue",
];
const GRANTABLE: &[&str] = &[
    "*",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
];

/// The policy with a statement for `label` added. `policy` is the queue's, if it has one.
pub fn add(
    policy: Option<&str>,
    queue: &Arn,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, Fault> {
    check(label, accounts, actions)?;
    let mut document = match policy {
        Some(text) => parse(text)?,
        None => json!({
            "Version": "2008-10-17",
            "Id": format!("{queue}/SQSDefaultPolicy"),
            "Statement": [],
        }),
    };
    let statements = statements_of(&mut document);
    if statements
        .iter()
        .any(|statement| is_labelled(statement, label))
    {
        return Err(Fault::parameter(label, "Label", "Already exists."));
    }
    if statements.len() >= MAX_STATEMENTS {
        return Err(Fault::OverLimit(format!(
            "The queue's policy has reached the maximum of {MAX_STATEMENTS} statements."
        )));
    }
    let principals = accounts
        .iter()
        .map(|account| json!(format!("arn:{}:iam::{account}:root", queue.partition)))
        .collect();
    let actions = actions
        .iter()
        .map(|action| json!(format!("SQS:{action}")))
        .collect();
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(principals)},
        "Action": one_or_many(actions),
        "Resource": queue.to_string(),
    }));
    Ok(document.to_string())
}

/// The policy without the statement of `label`; `None` once no statement is left.
pub fn remove(policy: Option<&str>, label: &str) -> Result<Option<String>, Fault> {
    let unknown = || Fault::parameter(label, "Label", "can't find label.");
    let mut document = parse(policy.ok_or_else(unknown)?)?;
    let statements = statements_of(&mut document);
    let before = statements.len();
    statements.retain(|statement| !is_labelled(statement, label));
    if statements.len() == before {
        return Err(unknown());
    }
    Ok((!statements.is_empty()).then(|| document.to_string()))
}

fn check(label: &str, accounts: &[String], actions: &[String]) -> Result<(), Fault> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.is_empty() || label.len() > MAX_LABEL_LENGTH || !label.bytes().all(legal) {
        return Err(Fault::parameter(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        ));
    }
    if accounts.is_empty() {
        return Err(Fault::Missing("PrincipalId"));
    }
    if actions.is_empty() {
        return Err(Fault::Missing("Actions"));
    }
    if let Some(bad) = accounts
        .iter()
        .find(|account| account.parse::<AccountId>().is_err())
    {
        return Err(Fault::parameter(bad, "PrincipalId", "Unable to verify."));
    }
    if actions.len() > MAX_ACTIONS {
        return Err(Fault::OverLimit(format!(
            "{} Actions were found, maximum allowed is {MAX_ACTIONS}.",
            actions.len()
        )));
    }
    for action in actions {
        if OWNER_ONLY.contains(&action.as_str()) {
            return Err(Fault::parameter(
                format!("SQS:{action}"),
                "ActionName",
                "Only the queue owner is allowed to invoke this action.",
            ));
        }
        if !GRANTABLE.contains(&action.as_str()) {
            return Err(Fault::parameter(
                format!("SQS:{action}"),
                "ActionName",
                "Please refer to the appropriate WSDL for a list of valid actions.",
            ));
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str::<Map<String, Value>>(text)
        .map(Value::Object)
        .map_err(|_| Fault::AttributeValue("Invalid value for the parameter Policy.".to_owned()))
}

/// The statements as a list, even where the policy has a single one in no list.
fn statements_of(document: &mut Value) -> &mut Vec<Value> {
    let statement = &mut document["Statement"];
    if !statement.is_array() {
        let single = statement.take();
        *statement = Value::Array(if single.is_null() {
            vec![]
        } else {
            vec![single]
        });
    }
    statement.as_array_mut().expect("it has just been made one")
}

fn is_labelled(statement: &Value, label: &str) -> bool {
    statement["Sid"].as_str() == Some(label)
}

fn one_or_many(mut values: Vec<Value>) -> Value {
    if values.len() == 1 {
        values.swap_remove(0)
    } else {
        Value::Array(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn() -> Arn {
        "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap()
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    fn added(policy: Option<&str>, label: &str, actions: &[&str]) -> Result<String, Fault> {
        add(
            policy,
            &arn(),
            label,
            &owned(&["111111111111"]),
            &owned(actions),
        )
    }

    #[test]
    fn statements_come_and_go_by_label() {
        let one = added(None, "a", &["ReceiveMessage"]).unwrap();
        let document: Value = serde_json::from_str(&one).unwrap();
        assert_eq!(document["Version"], "2008-10-17");
        assert_eq!(document["Id"], format!("{}/SQSDefaultPolicy", arn()));
        assert_eq!(
            document["Statement"][0],
            json!({
                "Sid": "a",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:ReceiveMessage",
                "Resource": arn().to_string(),
            })
        );
        assert_eq!(
            added(Some(&one), "a", &["*"]).unwrap_err().to_string(),
            "Value a for parameter Label is invalid. Reason: Already exists."
        );
        let two = added(Some(&one), "b", &["SendMessage", "GetQueueUrl"]).unwrap();
        let left = remove(Some(&two), "a").unwrap().unwrap();
        assert!(left.contains("\"b\"") && !left.contains("\"a\""));
        assert_eq!(remove(Some(&left), "b").unwrap(), None);
        for policy in [None, Some(left.as_str())] {
            assert_eq!(
                remove(policy, "c").unwrap_err().to_string(),
                "Value c for parameter Label is invalid. Reason: can't find label."
            );
        }
    }

    #[test]
    fn what_cannot_be_granted() {
        assert!(matches!(
            added(None, "a", &["*"; 8]),
            Err(Fault::OverLimit(_))
        ));
        for actions in [&["DeleteQueue"][..], &["Nope"], &[]] {
            assert!(added(None, "a", actions).is_err(), "{actions:?}");
        }
        for label in ["", "a b", &"x".repeat(81)] {
            assert!(added(None, label, &["*"]).is_err(), "{label}");
        }
        assert!(add(None, &arn(), "a", &owned(&["12"]), &owned(&["*"])).is_err());
        assert!(added(Some("[]"), "a", &["*"]).is_err());
    }
}
