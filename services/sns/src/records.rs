//! What is stored, under which keys, in which version.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use service::Reach;
use store::Table;

use crate::domain::arn::is_fifo;

/// Key: account, region, topic's name.
pub const TOPICS: Table<Topic> = Table::new("sns.topic", 1);

/// Key: account, region, topic's name, subscription's id.
pub const SUBSCRIPTIONS: Table<Subscription> = Table::new("sns.subscription", 1);

/// Messages that FIFO topics have taken in the last minutes. Key: account, region, topic's name,
/// deduplication id.
pub const TAKEN: Table<Taken> = Table::new("sns.taken", 1);

/// What would have left this machine (SMS, e-mail, pushes). Key: account, region, time, message id.
pub const OUTGOING: Table<Outgoing> = Table::new("sns.outgoing", 1);

/// Key: account, region, platform, name.
pub const APPLICATIONS: Table<Application> = Table::new("sns.application", 1);

/// Key: account, region, platform, application's name, id.
pub const DEVICES: Table<Device> = Table::new("sns.device", 1);

/// Key: account, region.
pub const SMS: Table<BTreeMap<String, String>> = Table::new("sns.sms", 1);

/// A topic's name in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

impl TopicId {
    pub fn arn(&self) -> Arn {
        Arn::regional("sns", &self.region, self.account, self.name.clone())
    }

    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }

    pub fn is_fifo(&self) -> bool {
        is_fifo(&self.name)
    }

    pub fn subscription_arn(&self, id: &str) -> String {
        format!("{}:{id}", self.arn())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topic {
    /// As set by the owner.
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub protocol: String,
    pub endpoint: String,
    pub owner: AccountId,
    /// As set by the subscriber.
    pub attributes: BTreeMap<String, String>,
    pub confirmed: bool,
    /// What confirms it.
    pub token: String,
    /// How far what it gets is sent.
    #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
    pub reach: Reach,
}

/// A message that a FIFO topic has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    pub at: Timestamp,
    pub message_id: String,
    pub sequence: u64,
}

/// A platform application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    pub attributes: BTreeMap<String, String>,
}

/// An endpoint of a platform application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// `Token`, `Enabled` and `CustomUserData` among them.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    pub protocol: String,
    pub endpoint: String,
    pub subject: Option<String>,
    pub message: String,
}
