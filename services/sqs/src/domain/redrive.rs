//! Dead-letter queues: which queue takes the messages nobody could handle, after how many receives,
//! and which queues may name it.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>

use base::Arn;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Fault;

const MAX_SOURCE_QUEUES: usize = 10;

/// A source queue's `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    pub dead_letter_target_arn: Arn,
    /// Receives after which a message is moved instead of being received again, 1 to 1,000.
    pub max_receive_count: u32,
}

/// A dead-letter queue's `RedriveAllowPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveAllowPolicy {
    pub redrive_permission: RedrivePermission,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_queue_arns: Vec<Arn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RedrivePermission {
    AllowAll,
    DenyAll,
    ByQueue,
}

impl RedrivePolicy {
    /// Reads the attribute's JSON. The count may be a number or a text of one.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |reason: &str| Fault::parameter(text, "RedrivePolicy", reason);
        let members =
            json_map(text).ok_or_else(|| fault("Redrive policy is not a valid JSON map."))?;
        if members
            .keys()
            .any(|key| key != "deadLetterTargetArn" && key != "maxReceiveCount")
        {
            return Err(fault(
                "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
            ));
        }
        let missing = |name: &str| {
            fault(&format!(
                "Redrive policy does not contain mandatory attribute: {name}."
            ))
        };
        let target = members
            .get("deadLetterTargetArn")
            .ok_or_else(|| missing("deadLetterTargetArn"))?;
        let count = members
            .get("maxReceiveCount")
            .ok_or_else(|| missing("maxReceiveCount"))?;
        let dead_letter_target_arn =
            queue_arn(target).ok_or_else(|| fault("Invalid value for deadLetterTargetArn."))?;
        let max_receive_count = match count {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        match max_receive_count {
            Some(count @ 1..=1000) => Ok(Self {
                dead_letter_target_arn,
                max_receive_count: count as u32,
            }),
            _ => Err(fault(&format!(
                "Invalid value for maxReceiveCount: {}, valid values are from 1 to 1000 both \
                 inclusive.",
                plain(count)
            ))),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an ARN and a number are always JSON")
    }
}

impl RedriveAllowPolicy {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |reason: &str| Fault::parameter(text, "RedriveAllowPolicy", reason);
        let members =
            json_map(text).ok_or_else(|| fault("Redrive allow policy is not a valid JSON map."))?;
        let permission = match members.get("redrivePermission").and_then(Value::as_str) {
            Some("allowAll") => RedrivePermission::AllowAll,
            Some("denyAll") => RedrivePermission::DenyAll,
            Some("byQueue") => RedrivePermission::ByQueue,
            Some(_) => return Err(fault("Invalid value for redrivePermission.")),
            None => {
                return Err(fault(
                    "Redrive allow policy does not contain mandatory attribute: redrivePermission.",
                ));
            }
        };
        let sources = match members.get("sourceQueueArns") {
            None => Vec::new(),
            Some(Value::Array(arns)) => arns
                .iter()
                .map(queue_arn)
                .collect::<Option<Vec<Arn>>>()
                .ok_or_else(|| fault("Invalid value for sourceQueueArns."))?,
            Some(_) => return Err(fault("Invalid value for sourceQueueArns.")),
        };
        let by_queue = permission == RedrivePermission::ByQueue;
        if by_queue == sources.is_empty() || sources.len() > MAX_SOURCE_QUEUES {
            return Err(fault(
                "sourceQueueArns must have 1 to 10 ARNs when redrivePermission is byQueue, and \
                 none otherwise.",
            ));
        }
        Ok(Self {
            redrive_permission: permission,
            source_queue_arns: sources,
        })
    }

    /// Whether `source` may have its messages moved here.
    pub fn allows(&self, source: &Arn) -> bool {
        match self.redrive_permission {
            RedrivePermission::AllowAll => true,
            RedrivePermission::DenyAll => false,
            RedrivePermission::ByQueue => self.source_queue_arns.contains(source),
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("ARNs and a name are always JSON")
    }
}

fn json_map(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

fn queue_arn(value: &Value) -> Option<Arn> {
    let arn: Arn = value.as_str()?.parse().ok()?;
    (arn.service == "sqs" && arn.account_id().is_some() && arn.region().is_some()).then_some(arn)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

    #[test]
    fn a_policy_is_normalised() {
        let text = format!(r#"{{"maxReceiveCount": "5", "deadLetterTargetArn": "{ARN}"}}"#);
        assert_eq!(
            RedrivePolicy::parse(&text).unwrap().to_json(),
            format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":5}}"#)
        );
    }

    #[test]
    fn wrong_policies_say_why() {
        let dummy = r#"{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}"#;
        assert_eq!(
            RedrivePolicy::parse(dummy).unwrap_err().to_string(),
            format!(
                "Value {dummy} for parameter RedrivePolicy is invalid. Reason: Invalid value for \
                 deadLetterTargetArn."
            )
        );
        for count in ["0", "1001", "\"x\"", "null", "1.5", "-1"] {
            let text = format!(r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":{count}}}"#);
            assert!(RedrivePolicy::parse(&text).is_err(), "{text}");
        }
        for text in ["", "[]", "{}", r#"{"maxReceiveCount":1}"#] {
            assert!(RedrivePolicy::parse(text).is_err(), "{text}");
        }
        assert!(
            RedrivePolicy::parse(&format!(
                r#"{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":1,"x":1}}"#
            ))
            .is_err()
        );
    }

    #[test]
    fn who_may_redrive_here() {
        let arn: Arn = ARN.parse().unwrap();
        let allow = |text: &str| RedriveAllowPolicy::parse(text).map(|policy| policy.allows(&arn));
        assert_eq!(allow(r#"{"redrivePermission":"allowAll"}"#), Ok(true));
        assert_eq!(allow(r#"{"redrivePermission":"denyAll"}"#), Ok(false));
        let by_queue = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{ARN}"]}}"#);
        assert_eq!(allow(&by_queue), Ok(true));
        let all_with_sources =
            format!(r#"{{"redrivePermission":"allowAll","sourceQueueArns":["{ARN}"]}}"#);
        for bad in [
            "{}",
            r#"{"redrivePermission":"byQueue"}"#,
            &all_with_sources,
        ] {
            assert!(allow(bad).is_err(), "{bad}");
        }
    }
}
