//! What is stored: a record a function, a record an event source mapping.
//!
//! Keys are (account, region, name or UUID). Enumerations are stored as the text AWS uses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::{AccountId, Arn, Region, Timestamp};
use exec::ImageId;
use serde::{Deserialize, Serialize};
use store::{BlobId, Table};

use crate::domain::function_name::Place;
use crate::domain::permission::Statement;

pub const FUNCTIONS: Table<FunctionRecord> = Table::new("lambda.function", 1);
pub const MAPPINGS: Table<MappingRecord> = Table::new("lambda.event_source_mapping", 1);

/// A function: its `$LATEST` version and what belongs to all versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionRecord {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
    pub settings: Settings,
    pub architecture: String,
    pub code: Code,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The statements of the function's own policy, in the order in which they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Statement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<u32>,
    /// Changes with everything the API shows.
    pub revision_id: String,
    /// Changes with whatever an environment must not outlive: code and settings.
    pub environment_revision: String,
    pub last_modified: Timestamp,
}

/// What CreateFunction and UpdateFunctionConfiguration set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub runtime: String,
    pub role: Arn,
    pub handler: String,
    pub description: String,
    /// In seconds.
    pub timeout: u32,
    /// In MB.
    pub memory_size: u32,
    /// `/tmp`, in MB.
    pub ephemeral_storage: u32,
    /// `None` if never given, which answers tell apart from none left.
    pub environment: Option<BTreeMap<String, String>>,
    pub tracing_mode: String,
    pub snap_start: String,
    pub log_group: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    pub subnet_ids: Vec<String>,
    pub security_group_ids: Vec<String>,
    pub ipv6_allowed_for_dual_stack: bool,
}

/// Where the function's code is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    Zip {
        /// Of the package, in hexadecimal.
        sha256: String,
        /// Of the package, in bytes.
        size: u64,
        blob: BlobId,
    },
    /// A folder of this machine, mounted as it is.
    HotReload { folder: PathBuf },
}

/// An event source mapping from an SQS queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRecord {
    pub account: AccountId,
    pub region: Region,
    pub uuid: String,
    pub queue: Arn,
    /// With its qualifier, if one was given.
    pub function: Arn,
    pub settings: MappingSettings,
    pub is_enabled: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    pub last_modified: Timestamp,
}

/// What CreateEventSourceMapping and UpdateEventSourceMapping set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingSettings {
    pub batch_size: u32,
    /// In seconds.
    pub batching_window: u32,
    pub report_batch_item_failures: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<u32>,
}

impl FunctionRecord {
    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    /// Unqualified.
    pub fn arn(&self) -> Arn {
        self.place().function_arn(&self.name)
    }

    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }
}

impl MappingRecord {
    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.uuid)
    }
}

impl Code {
    /// Of the package, in bytes; nothing is stored of a folder.
    pub fn size(&self) -> u64 {
        match self {
            Self::Zip { size, .. } => *size,
            Self::HotReload { .. } => 0,
        }
    }

    pub fn image(&self) -> Option<ImageId> {
        match self {
            Self::Zip { sha256, .. } => sha256.parse().ok(),
            Self::HotReload { .. } => None,
        }
    }

    pub fn blob(&self) -> Option<BlobId> {
        match self {
            Self::Zip { blob, .. } => Some(*blob),
            Self::HotReload { .. } => None,
        }
    }
}
