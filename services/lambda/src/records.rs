//! What is stored: a record a function, a published version, an alias, an event source mapping.
//!
//! Keys are (account, region, name or UUID), and for what belongs to a function the version's
//! number or the alias's name after it. Enumerations are stored as the text AWS uses.

pub mod container;
pub mod layer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::{AccountId, Arn, Region, Timestamp};
use exec::ImageId;
use serde::{Deserialize, Serialize};
use store::{BlobId, Table};

use crate::attached::Attached;
use crate::domain::alias::Routing;
use crate::domain::capacity::Capacity;
use crate::domain::durable_config::DurableSettings;
use crate::domain::function_name::Place;
use crate::domain::logging::Logging;
use crate::domain::permission::Statement;
use crate::domain::provisioned::Provisioned;
use crate::domain::scaling::Scaling;
use crate::domain::version::VersionId;
use container::{ContainerCode, ImageSettings};
use layer::LayerReference;

pub const FUNCTIONS: Table<FunctionRecord> = Table::new("lambda.function", 1);
pub const VERSIONS: Table<VersionRecord> = Table::new("lambda.version", 1);
pub const ALIASES: Table<AliasRecord> = Table::new("lambda.alias", 1);
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
    /// What belongs to the function and to none of its versions' content.
    #[serde(default)]
    pub attached: Attached,
    /// The number that was published last, if any. None is given twice.
    #[serde(default)]
    pub last_version: u64,
    /// Changes with everything the API shows.
    pub revision_id: String,
    /// Changes with whatever an environment must not outlive: code and settings.
    pub environment_revision: String,
    pub last_modified: Timestamp,
}

/// One version of a function: what `$LATEST` was when it was published. But for its policy and its
/// provisioned concurrency it does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    pub account: AccountId,
    pub region: Region,
    /// Of the function.
    pub name: String,
    pub version: VersionId,
    /// Those of `$LATEST`, to tell whether it has changed since.
    pub settings: Settings,
    /// Given when the version was published, in the place of that in the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub architecture: String,
    pub code: Code,
    /// The policy of the version alone; of `$LATEST`, that of the function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Statement>,
    /// Of the version alone; `$LATEST` has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Provisioned>,
    /// Of a version on a capacity provider, as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    pub revision_id: String,
    pub environment_revision: String,
    pub last_modified: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub account: AccountId,
    pub region: Region,
    pub function: String,
    pub name: String,
    pub description: String,
    pub routing: Routing,
    /// The policy of the alias alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Statement>,
    /// Environments that are kept ready of whatever version it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<Provisioned>,
    pub revision_id: String,
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
    #[serde(default)]
    pub logging: Logging,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// In their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerReference>,
    /// The dead-letter queue or topic of events that could not be handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<Arn>,
    /// Of a durable function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<DurableSettings>,
    /// Of a container image, which has neither runtime nor handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSettings>,
    /// Whether its tenants share no environment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_tenant: bool,
    /// The capacity provider that its published versions run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
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
        /// By which it is said to be encrypted, if that is a customer's own key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kms_key: Option<String>,
    },
    /// A folder of this machine, mounted as it is.
    HotReload {
        folder: PathBuf,
    },
    Container(Box<ContainerCode>),
}

/// An event source mapping from a queue or a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRecord {
    pub account: AccountId,
    pub region: Region,
    pub uuid: String,
    /// The queue or the stream.
    #[serde(alias = "queue")]
    pub source: Arn,
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
    /// Patterns, of which a message matches one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Pollers that are set aside for it, where its source is a queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<ProvisionedPollers>,
    /// The metrics that it is to have, as AWS names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Vec<String>>,
    /// By which the filters are said to be encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Where the source is a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamSettings>,
}

/// Each runs up to ten batches at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedPollers {
    pub minimum: u32,
    pub maximum: u32,
}

/// What mappings of streams have besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSettings {
    /// From when on records are wanted; `None` for all there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_since: Option<Timestamp>,
    /// Batches of a shard at once.
    pub parallelization: u32,
    #[serde(default)]
    pub bisect: bool,
    /// `None` for no limit; likewise the age, which is in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_age: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Arn>,
    /// In seconds; `None` for no windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tumbling_window: Option<u32>,
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

impl VersionRecord {
    /// `$LATEST` of a function.
    pub fn latest(function: &FunctionRecord) -> Self {
        Self {
            account: function.account,
            region: function.region.clone(),
            name: function.name.clone(),
            version: VersionId::Latest,
            settings: function.settings.clone(),
            description: None,
            architecture: function.architecture.clone(),
            code: function.code.clone(),
            policy: function.policy.clone(),
            provisioned: None,
            scaling: None,
            revision_id: function.revision_id.clone(),
            environment_revision: function.environment_revision.clone(),
            last_modified: function.last_modified,
        }
    }

    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    /// The function's, unqualified.
    pub fn function_arn(&self) -> Arn {
        self.place().function_arn(&self.name)
    }

    /// Qualified.
    pub fn arn(&self) -> Arn {
        let qualified = format!("{}:{}", self.name, self.version);
        self.place().function_arn(&qualified)
    }

    pub fn description(&self) -> &str {
        let given = self.description.as_deref();
        given.unwrap_or(&self.settings.description)
    }

    /// Of a published version: `$LATEST` is part of its function's record. That of
    /// `$LATEST.PUBLISHED` has the number 0, which is no version's.
    pub fn key(&self) -> (&str, &str, &str, u64) {
        let number = self.version.number().unwrap_or_default();
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.name,
            number,
        )
    }
}

impl AliasRecord {
    pub fn arn(&self) -> Arn {
        let place = Place {
            account: self.account,
            region: self.region.clone(),
        };
        place.function_arn(&format!("{}:{}", self.function, self.name))
    }

    pub fn key(&self) -> (&str, &str, &str, &str) {
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.function,
            &self.name,
        )
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
    /// Notes the key that a package is said to be encrypted with.
    pub fn with_key(mut self, arn: Option<String>) -> Self {
        if let Self::Zip { kms_key, .. } = &mut self {
            *kms_key = arn.filter(|arn| !arn.is_empty());
        }
        self
    }

    /// Of the package, in bytes; nothing is stored of a folder.
    pub fn size(&self) -> u64 {
        match self {
            Self::Zip { size, .. } => *size,
            Self::HotReload { .. } | Self::Container(_) => 0,
        }
    }

    pub fn image(&self) -> Option<ImageId> {
        match self {
            Self::Zip { sha256, .. } => sha256.parse().ok(),
            Self::HotReload { .. } => None,
            Self::Container(container) => Some(container.image()),
        }
    }

    pub fn container(&self) -> Option<&ContainerCode> {
        match self {
            Self::Container(container) => Some(container),
            Self::Zip { .. } | Self::HotReload { .. } => None,
        }
    }

    pub fn blob(&self) -> Option<BlobId> {
        match self {
            Self::Zip { blob, .. } => Some(*blob),
            Self::HotReload { .. } | Self::Container(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was stored before functions had versions.
    const BEFORE_VERSIONS: &str = r#"{
        "account": "000000000000", "region": "us-east-1", "name": "hello",
        "settings": {
            "runtime": "python3.12", "role": "arn:aws:iam::000000000000:role/r",
            "handler": "index.handler", "description": "old", "timeout": 3, "memory_size": 128,
            "ephemeral_storage": 512, "environment": null, "tracing_mode": "PassThrough",
            "snap_start": "None", "log_group": "/aws/lambda/hello"
        },
        "architecture": "x86_64", "code": {"HotReload": {"folder": "/src"}},
        "revision_id": "r", "environment_revision": "e", "last_modified": 0
    }"#;

    #[test]
    fn a_function_stored_before_there_were_versions_is_read() {
        let mut stored: serde_json::Value = serde_json::from_str(BEFORE_VERSIONS).unwrap();
        stored["last_modified"] = serde_json::to_value(Timestamp::from_millis(0)).unwrap();
        let record: FunctionRecord = serde_json::from_value(stored).unwrap();
        assert_eq!(record.last_version, 0);
        let latest = VersionRecord::latest(&record);
        assert_eq!(latest.description(), "old");
        assert!(
            latest
                .arn()
                .to_string()
                .ends_with(":function:hello:$LATEST")
        );
    }

    #[test]
    fn a_version_and_an_alias_are_read_as_they_were_stored() {
        let mut stored: serde_json::Value = serde_json::from_str(BEFORE_VERSIONS).unwrap();
        stored["last_modified"] = serde_json::to_value(Timestamp::from_millis(0)).unwrap();
        let function: FunctionRecord = serde_json::from_value(stored).unwrap();
        let version = VersionRecord {
            version: VersionId::Published(7),
            description: Some("new".to_owned()),
            ..VersionRecord::latest(&function)
        };
        let text = serde_json::to_string(&version).unwrap();
        assert_eq!(
            serde_json::from_str::<VersionRecord>(&text).unwrap(),
            version
        );
        assert_eq!(version.description(), "new");
        let alias = AliasRecord {
            account: version.account,
            region: version.region.clone(),
            function: version.name.clone(),
            name: "live".to_owned(),
            description: String::new(),
            routing: Routing::with(VersionId::Published(7), None).unwrap(),
            policy: Vec::new(),
            provisioned: None,
            revision_id: "a".to_owned(),
        };
        let text = serde_json::to_string(&alias).unwrap();
        assert_eq!(serde_json::from_str::<AliasRecord>(&text).unwrap(), alias);
    }
}
