//! The attributes of a queue: their bounds, defaults, and which belong to which type of queue.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::deduplication::DeduplicationScope;
use super::redrive::{RedriveAllowPolicy, RedrivePolicy};
use super::{Fault, body};

/// What an owner can set. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueAttributes {
    pub fifo: bool,
    /// How long every message stays hidden after it is sent, 0 to 900.
    pub delay_seconds: u32,
    /// 1,024 to 1,048,576, message attributes included.
    pub maximum_message_size: u32,
    /// 60 to 1,209,600.
    pub message_retention_period: u32,
    /// Default wait of a receive, 0 to 20.
    pub receive_message_wait_time_seconds: u32,
    /// 0 to 43,200.
    pub visibility_timeout: u32,
    pub policy: Option<String>,
    pub redrive_policy: Option<RedrivePolicy>,
    pub redrive_allow_policy: Option<RedriveAllowPolicy>,
    pub kms_master_key_id: Option<String>,
    /// 60 to 86,400; shown with a key only.
    pub kms_data_key_reuse_period_seconds: u32,
    pub sqs_managed_sse_enabled: bool,
    pub content_based_deduplication: bool,
    pub deduplication_scope: DeduplicationScope,
    pub fifo_throughput_limit: FifoThroughputLimit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FifoThroughputLimit {
    #[default]
    PerQueue,
    PerMessageGroupId,
}

/// What only the service sets; GetQueueAttributes knows them as well.
const READ_ONLY: &[&str] = &[
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];

const SETTABLE: &[&str] = &[
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

/// Whether there is a queue attribute of this name, settable or not.
pub fn is_known(name: &str) -> bool {
    SETTABLE.contains(&name) || READ_ONLY.contains(&name)
}

impl QueueAttributes {
    /// A new queue's.
    pub fn new(fifo: bool) -> Self {
        Self {
            fifo,
            delay_seconds: 0,
            maximum_message_size: body::MAX_BYTES as u32,
            message_retention_period: 345_600,
            receive_message_wait_time_seconds: 0,
            visibility_timeout: 30,
            policy: None,
            redrive_policy: None,
            redrive_allow_policy: None,
            kms_master_key_id: None,
            kms_data_key_reuse_period_seconds: 300,
            sqs_managed_sse_enabled: true,
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::Queue,
            fifo_throughput_limit: FifoThroughputLimit::PerQueue,
        }
    }

    /// Sets several at once, all or none; an empty value stands for the default.
    pub fn set<'a>(
        &mut self,
        values: &(impl Iterator<Item = (&'a str, &'a str)> + Clone),
    ) -> Result<(), Fault> {
        let mut changed = self.clone();
        for (name, value) in values.clone() {
            changed.set_one(name, value)?;
        }
        let given = |wanted: &str| values.clone().find(|(name, _)| *name == wanted);
        changed.settle_encryption(
            given("SqsManagedSseEnabled").is_some(),
            given("KmsMasterKeyId").is_some(),
        )?;
        changed.check_throughput()?;
        *self = changed;
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        let fresh = Self::new(self.fifo);
        let number = |low, high, default| number(name, value, low, high, default);
        match name {
            "DelaySeconds" => self.delay_seconds = number(0, 900, fresh.delay_seconds)?,
            "MaximumMessageSize" => {
                self.maximum_message_size =
                    number(1024, body::MAX_BYTES as u32, fresh.maximum_message_size)?;
            }
            "MessageRetentionPeriod" => {
                self.message_retention_period =
                    number(60, 1_209_600, fresh.message_retention_period)?;
            }
            "ReceiveMessageWaitTimeSeconds" => {
                self.receive_message_wait_time_seconds = number(0, 20, 0)?;
            }
            "VisibilityTimeout" => {
                self.visibility_timeout = number(0, 43_200, fresh.visibility_timeout)?;
            }
            "Policy" => self.policy = optional(value, policy)?,
            "RedrivePolicy" => self.redrive_policy = optional(value, RedrivePolicy::parse)?,
            "RedriveAllowPolicy" => {
                self.redrive_allow_policy = optional(value, RedriveAllowPolicy::parse)?;
            }
            "KmsMasterKeyId" => {
                self.kms_master_key_id = optional(value, |id| Ok(id.to_owned()))?;
            }
            "KmsDataKeyReusePeriodSeconds" => {
                self.kms_data_key_reuse_period_seconds =
                    number(60, 86_400, fresh.kms_data_key_reuse_period_seconds)?;
            }
            "SqsManagedSseEnabled" => {
                self.sqs_managed_sse_enabled = boolean(name, value, true)?;
            }
            _ => self.set_fifo(name, value)?,
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        match name {
            "FifoQueue" if self.fifo && value == "true" => {}
            "FifoQueue" if self.fifo => {
                return Err(invalid_because(
                    name,
                    "Modifying queue type is not supported.",
                ));
            }
            "ContentBasedDeduplication" if self.fifo => {
                self.content_based_deduplication = boolean(name, value, false)?;
            }
            "DeduplicationScope" | "FifoThroughputLimit" if !self.fifo => {
                return Err(Fault::AttributeName(format!(
                    "You can specify the {name} only when FifoQueue is set to true."
                )));
            }
            "DeduplicationScope" => {
                self.deduplication_scope = match value {
                    "" | "queue" => DeduplicationScope::Queue,
                    "messageGroup" => DeduplicationScope::MessageGroup,
                    _ => return Err(invalid(name)),
                };
            }
            "FifoThroughputLimit" => {
                self.fifo_throughput_limit = match value {
                    "" | "perQueue" => FifoThroughputLimit::PerQueue,
                    "perMessageGroupId" => FifoThroughputLimit::PerMessageGroupId,
                    _ => return Err(invalid(name)),
                };
            }
            _ => return Err(Fault::unknown_attribute(name)),
        }
        Ok(())
    }

    /// A queue has one kind of encryption: naming a key turns SQS's own off.
    fn settle_encryption(&mut self, sse_given: bool, key_given: bool) -> Result<(), Fault> {
        if self.kms_master_key_id.is_none() || !self.sqs_managed_sse_enabled {
            return Ok(());
        }
        if sse_given || !key_given {
            return Err(Fault::AttributeName(
                "You can use one type of server-side encryption (SSE) at one time. You can either \
                 enable KMS SSE or SQS SSE."
                    .to_owned(),
            ));
        }
        self.sqs_managed_sse_enabled = false;
        Ok(())
    }

    fn check_throughput(&self) -> Result<(), Fault> {
        let per_group = self.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId;
        if per_group && self.deduplication_scope != DeduplicationScope::MessageGroup {
            return Err(invalid_because(
                "FifoThroughputLimit",
                "perMessageGroupId is allowed only when the value for DeduplicationScope is \
                 messageGroup.",
            ));
        }
        Ok(())
    }

    /// The value of a settable attribute as GetQueueAttributes shows it; `None` where the queue has
    /// none.
    pub fn get(&self, name: &str) -> Option<String> {
        let fifo_only = |value: &str| self.fifo.then(|| value.to_owned());
        match name {
            "DelaySeconds" => Some(self.delay_seconds.to_string()),
            "MaximumMessageSize" => Some(self.maximum_message_size.to_string()),
            "MessageRetentionPeriod" => Some(self.message_retention_period.to_string()),
            "ReceiveMessageWaitTimeSeconds" => {
                Some(self.receive_message_wait_time_seconds.to_string())
            }
            "VisibilityTimeout" => Some(self.visibility_timeout.to_string()),
            "Policy" => self.policy.clone(),
            "RedrivePolicy" => self.redrive_policy.as_ref().map(RedrivePolicy::to_json),
            "RedriveAllowPolicy" => self
                .redrive_allow_policy
                .as_ref()
                .map(RedriveAllowPolicy::to_json),
            "KmsMasterKeyId" => self.kms_master_key_id.clone(),
            "KmsDataKeyReusePeriodSeconds" => self
                .kms_master_key_id
                .as_ref()
                .map(|_| self.kms_data_key_reuse_period_seconds.to_string()),
            "SqsManagedSseEnabled" => Some(self.sqs_managed_sse_enabled.to_string()),
            "FifoQueue" => fifo_only("true"),
            "ContentBasedDeduplication" => fifo_only(&self.content_based_deduplication.to_string()),
            "DeduplicationScope" => fifo_only(self.deduplication_scope.as_str()),
            "FifoThroughputLimit" => fifo_only(match self.fifo_throughput_limit {
                FifoThroughputLimit::PerQueue => "perQueue",
                FifoThroughputLimit::PerMessageGroupId => "perMessageGroupId",
            }),
            _ => None,
        }
    }

    /// Every settable attribute that has a value.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let value = |name: &&'static str| Some((*name, self.get(name)?));
        SETTABLE.iter().filter_map(value).collect()
    }

    /// The first of the named attributes whose value differs between the two queues.
    pub fn first_difference<'a>(
        &self,
        other: &Self,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let mut names = names;
        names.find(|name| self.get(name) != other.get(name))
    }

    pub fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_seconds.into())
    }

    pub fn retention(&self) -> Duration {
        Duration::from_secs(self.message_retention_period.into())
    }
}

fn invalid(name: &str) -> Fault {
    Fault::AttributeValue(format!("Invalid value for the parameter {name}."))
}

fn invalid_because(name: &str, reason: &str) -> Fault {
    Fault::AttributeValue(format!(
        "Invalid value for the parameter {name}. Reason: {reason}"
    ))
}

fn number(name: &str, value: &str, low: u32, high: u32, default: u32) -> Result<u32, Fault> {
    if value.is_empty() {
        return Ok(default);
    }
    match value.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(invalid(name)),
    }
}

fn boolean(name: &str, value: &str, default: bool) -> Result<bool, Fault> {
    match value {
        "" => Ok(default),
        _ if value.eq_ignore_ascii_case("true") => Ok(true),
        _ if value.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(invalid(name)),
    }
}

fn optional<T>(
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if value.is_empty() {
        return Ok(None);
    }
    parse(value).map(Some)
}

fn policy(text: &str) -> Result<String, Fault> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(_)) => Ok(text.to_owned()),
        _ => Err(invalid("Policy")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(queue: &mut QueueAttributes, values: &[(&str, &str)]) -> Result<(), Fault> {
        queue.set(&values.iter().copied())
    }

    #[test]
    fn bounds_are_inclusive_and_empty_means_default() {
        for (name, low, high) in [
            ("DelaySeconds", 0, 900),
            ("MaximumMessageSize", 1024, 1_048_576),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("VisibilityTimeout", 0, 43_200),
        ] {
            let mut queue = QueueAttributes::new(false);
            let default = queue.get(name);
            for good in [low, high] {
                set(&mut queue, &[(name, &good.to_string())]).unwrap();
                assert_eq!(queue.get(name), Some(good.to_string()));
            }
            for bad in [
                (high + 1).to_string(),
                (low - 1).to_string(),
                "x".into(),
                "1.5".into(),
            ] {
                assert_eq!(
                    set(&mut queue, &[(name, &bad)]).unwrap_err().to_string(),
                    format!("Invalid value for the parameter {name}.")
                );
            }
            set(&mut queue, &[(name, "")]).unwrap();
            assert_eq!(queue.get(name), default);
        }
    }

    #[test]
    fn fifo_attributes_are_for_fifo_queues() {
        let mut standard = QueueAttributes::new(false);
        for (name, message) in [
            ("FifoQueue", "Unknown Attribute FifoQueue."),
            (
                "ContentBasedDeduplication",
                "Unknown Attribute ContentBasedDeduplication.",
            ),
            (
                "DeduplicationScope",
                "You can specify the DeduplicationScope only when FifoQueue is set to true.",
            ),
            (
                "FifoThroughputLimit",
                "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
            ),
        ] {
            let fault = set(&mut standard, &[(name, "true")]).unwrap_err();
            assert_eq!(fault, Fault::AttributeName(message.into()));
            assert_eq!(standard.get(name), None);
        }
        let mut fifo = QueueAttributes::new(true);
        assert_eq!(
            set(&mut fifo, &[("FifoQueue", "false")])
                .unwrap_err()
                .to_string(),
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not \
             supported."
        );
        assert!(set(&mut fifo, &[("FifoThroughputLimit", "perMessageGroupId")]).is_err());
        let high_throughput = [
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("DeduplicationScope", "messageGroup"),
        ];
        set(&mut fifo, &high_throughput).unwrap();
        assert_eq!(fifo.get("DeduplicationScope").unwrap(), "messageGroup");
    }

    #[test]
    fn one_kind_of_encryption() {
        let mut queue = QueueAttributes::new(false);
        let key = [
            ("KmsMasterKeyId", "k"),
            ("KmsDataKeyReusePeriodSeconds", "6000"),
        ];
        set(&mut queue, &key).unwrap();
        assert_eq!(queue.get("SqsManagedSseEnabled").unwrap(), "false");
        assert_eq!(queue.get("KmsDataKeyReusePeriodSeconds").unwrap(), "6000");
        let fault = set(&mut queue, &[("SqsManagedSseEnabled", "true")]).unwrap_err();
        assert!(matches!(fault, Fault::AttributeName(_)));
        set(&mut queue, &[("KmsMasterKeyId", "")]).unwrap();
        assert_eq!(queue.get("SqsManagedSseEnabled").unwrap(), "false");
        assert_eq!(queue.get("KmsDataKeyReusePeriodSeconds"), None);
    }

    #[test]
    fn one_wrong_attribute_leaves_all_as_they_were() {
        let mut queue = QueueAttributes::new(false);
        let before = queue.clone();
        let values = [("VisibilityTimeout", "1"), ("Nope", "1")];
        assert_eq!(
            set(&mut queue, &values),
            Err(Fault::unknown_attribute("Nope"))
        );
        assert_eq!(queue, before);
    }

    #[test]
    fn differences_count_for_the_named_attributes_only() {
        let (mut a, b) = (QueueAttributes::new(false), QueueAttributes::new(false));
        set(&mut a, &[("DelaySeconds", "5")]).unwrap();
        assert_eq!(
            a.first_difference(&b, ["VisibilityTimeout"].into_iter()),
            None
        );
        assert_eq!(
            a.first_difference(&b, ["VisibilityTimeout", "DelaySeconds"].into_iter()),
            Some("DelaySeconds")
        );
    }
}
