//! What is stored, under which keys, in which version.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Timestamp};
use routing::deliveries::HttpParts;
use serde::{Deserialize, Serialize};
use service::Reach;
use store::Table;

use crate::domain::connection::{Authorization, Parameters};
use crate::domain::event::Event;

/// Key: account, region, name.
pub const BUSES: Table<Bus> = Table::new("events.bus", 1);

/// Key: account, region, bus, name.
pub const RULES: Table<Rule> = Table::new("events.rule", 1);

/// When a rule with a schedule is due. Key: as the rule's.
pub const DUE: Table<DueAt> = Table::new("events.due", 1);

/// Key: account, region, name.
pub const ARCHIVES: Table<Archive> = Table::new("events.archive", 1);

/// Key: account, region, archive, time of acceptance, event's id.
pub const ARCHIVED: Table<Event> = Table::new("events.archived", 1);

/// Key: account, region, name.
pub const REPLAYS: Table<Replay> = Table::new("events.replay", 1);

/// Key: account, region, name.
pub const CONNECTIONS: Table<Connection> = Table::new("events.connection", 1);

/// Key: account, region, name.
pub const API_DESTINATIONS: Table<ApiDestination> = Table::new("events.api_destination", 1);

pub const DEFAULT_BUS: &str = "default";

/// The name in full of a bus, an archive or a replay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

impl Named {
    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }

    /// `kind` is `event-bus`, `archive` or `replay`.
    pub fn arn(&self, kind: &str) -> Arn {
        let resource = format!("{kind}/{}", self.name);
        Arn::regional("events", &self.region, self.account, resource)
    }

    /// Of what has an id besides its name: a connection or an API destination.
    pub fn arn_with_id(&self, kind: &str, id: &str) -> String {
        format!("{}/{id}", self.arn(kind))
    }

    /// Of a rule on this bus; the default bus is not said.
    pub fn rule_arn(&self, rule: &str) -> Arn {
        let resource = if self.name == DEFAULT_BUS {
            format!("rule/{rule}")
        } else {
            format!("rule/{}/{rule}", self.name)
        };
        Arn::regional("events", &self.region, self.account, resource)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bus {
    pub description: Option<String>,
    pub kms_key: Option<String>,
    pub dead_letters: Option<String>,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub created: Timestamp,
    pub modified: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub pattern: Option<String>,
    pub schedule: Option<String>,
    pub state: String,
    pub description: Option<String>,
    pub role: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub created_by: Option<AccountId>,
    /// The service whose rule it is; none for those of clients. Rules of services are not stored.
    #[serde(skip)]
    pub managed_by: Option<String>,
    /// In order of ids.
    pub targets: BTreeMap<String, Target>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub arn: String,
    pub role: Option<String>,
    pub input: Input,
    pub group: Option<String>,
    pub dead_letters: Option<String>,
    pub retries: Option<i32>,
    pub max_age_seconds: Option<i32>,
    /// Of a request to an API destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpParts>,
}

/// What a target gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    #[default]
    Event,
    Constant(String),
    Path(String),
    Template {
        paths: BTreeMap<String, String>,
        template: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DueAt {
    pub next: Timestamp,
    /// Where a rate counts from.
    pub anchor: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Archive {
    /// The bus.
    pub source: String,
    pub description: Option<String>,
    pub pattern: Option<String>,
    /// 0 for ever.
    pub retention_days: i32,
    pub kms_key: Option<String>,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The archive.
    pub source: String,
    pub destination: String,
    /// ARNs of the rules that get events; all, if none.
    pub filter: Vec<String>,
    pub description: Option<String>,
    pub from: Timestamp,
    pub until: Timestamp,
    /// As `ReplayState` is written.
    pub state: String,
    pub last_replayed: Option<Timestamp>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    pub id: String,
    pub description: Option<String>,
    /// As `ConnectionState` is written.
    pub state: String,
    pub reason: Option<String>,
    pub authorization: Authorization,
    /// What goes with every request.
    pub parameters: Parameters,
    pub kms_key: Option<String>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub authorized: Option<Timestamp>,
    /// How far its authorization endpoint, and what goes with it, is sent to.
    #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
    pub reach: Reach,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiDestination {
    pub id: String,
    pub description: Option<String>,
    /// The connection's ARN.
    pub connection: String,
    pub endpoint: String,
    pub method: String,
    /// Requests a second.
    pub rate: i32,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// How far what it gets is sent: what a function has once changed stays within its reach.
    #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
    pub reach: Reach,
}
