//! What is stored: roles, users, customer-managed policies, access keys, and the sealing key.
//!
//! Names are unique without regard to case, so keys hold them in lowercase.

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use store::Table;

/// `(account, lowercase name)`
pub const ROLES: Table<Role> = Table::new("iam.role", 1);
/// `(account, lowercase name)`
pub const USERS: Table<User> = Table::new("iam.user", 1);
/// `(account, lowercase name)`
pub const POLICIES: Table<Policy> = Table::new("iam.policy", 1);
/// `access key id`
pub const ACCESS_KEYS: Table<AccessKey> = Table::new("iam.access-key", 1);
/// One record, under the empty key.
pub const SEALING_KEY: Table<SealingKey> = Table::new("iam.sealing-key", 1);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// What a role or a user may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Documents by policy name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies, in the order they were attached.
    pub attached: Vec<String>,
    /// The managed policy that bounds all of them.
    pub boundary: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AROA…`
    pub id: String,
    pub created: Timestamp,
    pub description: Option<String>,
    pub max_session_seconds: u32,
    /// The trust policy, as it was given.
    pub trust: String,
    pub permissions: Permissions,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AIDA…`
    pub id: String,
    pub created: Timestamp,
    pub permissions: Permissions,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub document: String,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `ANPA…`
    pub id: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub default_version: u32,
    /// Numbers are never used again.
    pub next_version: u32,
    pub versions: BTreeMap<u32, PolicyVersion>,
    pub tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    pub account: AccountId,
    /// `AKIA…`
    pub id: String,
    pub secret: String,
    /// The owner, in lowercase.
    pub user: String,
    pub active: bool,
    pub created: Timestamp,
}

/// The secret that session credentials are sealed and derived with, and when this state began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealingKey {
    /// 32 bytes in hexadecimal.
    pub key: String,
    pub created: Timestamp,
}

/// Not derived: the secret must not reach a log.
impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Not derived: the key must not reach a log.
impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey")
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}
