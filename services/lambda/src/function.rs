//! A function in memory, with its versions and aliases.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use auth::policy::{Document, PolicyKind};
use base::Arn;
use exec::FunctionSpec;
use parking_lot::RwLock;
use service::ServiceError;
use tokio::sync::OnceCell;

use crate::domain::permission::{self, Statement};
use crate::domain::scaling::Scaling;
use crate::domain::snap_start;
use crate::domain::version::VersionId;
use crate::error;
use crate::generated::{State, StateReasonCode};
use crate::records::layer::LayerReference;
use crate::records::{AliasRecord, Code, FunctionRecord, VersionRecord};

/// One function as it is now. A change makes another.
pub struct Function {
    pub record: FunctionRecord,
    pub latest: Arc<Version>,
    /// The published ones.
    pub versions: BTreeMap<VersionId, Arc<Version>>,
    pub aliases: BTreeMap<String, Arc<Alias>>,
}

/// One version of a function, as it runs.
pub struct Version {
    pub record: VersionRecord,
    /// The function's.
    pub reserved_concurrency: Option<u32>,
    /// Made at the first invocation.
    pub spec: OnceCell<Arc<FunctionSpec>>,
    preparation: Arc<RwLock<Preparation>>,
    policy: Policy,
}

pub struct Alias {
    pub record: AliasRecord,
    policy: Policy,
}

/// How far SnapStart is with a published version. Whatever does not use it is ready from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preparation {
    UnderWay,
    Done,
    /// Why, in words for the function's owner.
    Failed(String),
    /// Its container image is none that could be run; why, and Lambda's code for it.
    NoImage {
        code: StateReasonCode,
        why: String,
    },
}

/// A policy, parsed when it is first asked for.
#[derive(Default)]
struct Policy(OnceLock<Option<Document>>);

impl Function {
    pub fn new(record: FunctionRecord) -> Self {
        let latest = VersionRecord::latest(&record);
        Self {
            latest: Version::new(latest, record.reserved_concurrency, Preparation::Done),
            record,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
        }
    }

    /// With another record. Versions and aliases stay.
    pub fn with_record(&self, record: FunctionRecord) -> Self {
        let reserved = record.reserved_concurrency;
        let mut versions = self.versions.clone();
        let is_pulled_alike = record.code == self.record.code && record.code.container().is_some();
        if record == self.record {
            return Self {
                record,
                latest: Arc::clone(&self.latest),
                versions,
                aliases: self.aliases.clone(),
            };
        }
        if reserved != self.record.reserved_concurrency {
            // It is read from the spec of each call.
            for version in versions.values_mut() {
                *version = version.with_reserved(reserved);
            }
        }
        let mut function = Self::new(record);
        if is_pulled_alike {
            function.latest = function.latest.prepared_as(&self.latest);
        }
        Self {
            versions,
            aliases: self.aliases.clone(),
            ..function
        }
    }

    /// `$LATEST` first.
    pub fn all_versions(&self) -> impl Iterator<Item = &Arc<Version>> {
        std::iter::once(&self.latest).chain(self.versions.values())
    }

    pub fn version(&self, version: VersionId) -> Option<&Arc<Version>> {
        match version {
            VersionId::Latest => Some(&self.latest),
            published => self.versions.get(&published),
        }
    }

    /// What was published last under a number, unless it has been deleted.
    pub fn last_published(&self) -> Option<&Arc<Version>> {
        self.version(VersionId::Published(self.record.last_version))
    }

    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        self.all_versions().map(|version| &version.record.code)
    }

    /// The packages of its versions, and those of their layers.
    pub fn all_codes(&self) -> impl Iterator<Item = &Code> {
        let layers = self.all_versions().flat_map(|version| version.layers());
        self.codes().chain(layers.map(|layer| &layer.code))
    }

    /// Bytes of the packages: each version counts its own, as on Lambda.
    pub fn code_bytes(&self) -> u64 {
        self.codes().map(Code::size).sum()
    }

    /// Refuses a change that was meant for an earlier state.
    pub fn check_revision(&self, given: Option<&str>) -> Result<(), ServiceError> {
        check_revision(given, &self.record.revision_id)
    }
}

/// Refuses a change that was meant for an earlier state than `current`.
pub fn check_revision(given: Option<&str>, current: &str) -> Result<(), ServiceError> {
    match given {
        Some(revision) if revision != current => Err(error::stale_revision()),
        _ => Ok(()),
    }
}

impl Version {
    pub fn new(
        record: VersionRecord,
        reserved_concurrency: Option<u32>,
        preparation: Preparation,
    ) -> Arc<Self> {
        Arc::new(Self {
            record,
            reserved_concurrency,
            spec: OnceCell::new(),
            preparation: Arc::new(RwLock::new(preparation)),
            policy: Policy::default(),
        })
    }

    fn with_reserved(&self, reserved_concurrency: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            record: self.record.clone(),
            reserved_concurrency,
            spec: OnceCell::new(),
            preparation: Arc::clone(&self.preparation),
            policy: Policy::default(),
        })
    }

    /// The same version, as far as another one of the same code.
    fn prepared_as(&self, other: &Self) -> Arc<Self> {
        Arc::new(Self {
            record: self.record.clone(),
            reserved_concurrency: self.reserved_concurrency,
            spec: OnceCell::new(),
            preparation: Arc::clone(&other.preparation),
            policy: Policy::default(),
        })
    }

    /// The same version with another policy or provisioned concurrency, which is all that can
    /// change.
    pub fn with_record(&self, record: VersionRecord) -> Arc<Self> {
        Arc::new(Self {
            record,
            reserved_concurrency: self.reserved_concurrency,
            spec: OnceCell::new(),
            preparation: Arc::clone(&self.preparation),
            policy: Policy::default(),
        })
    }

    /// Its own policy, if it has one.
    pub fn policy(&self) -> Option<&Document> {
        self.policy.get(&self.record.policy, || self.record.arn())
    }

    pub fn layers(&self) -> &[LayerReference] {
        &self.record.settings.layers
    }

    /// Whether it starts from a snapshot: a published version whose settings say so.
    pub fn snap_starts(&self) -> bool {
        self.record.version != VersionId::Latest && snap_start::is_on(&self.record.settings)
    }

    /// Whether it runs on a capacity provider, which only published versions do.
    pub fn is_managed(&self) -> bool {
        self.record.version != VersionId::Latest && self.record.settings.capacity.is_some()
    }

    pub fn preparation(&self) -> Preparation {
        self.preparation.read().clone()
    }

    pub fn set_preparation(&self, preparation: Preparation) {
        *self.preparation.write() = preparation;
    }

    /// Refuses invocations of a version that is not Active.
    pub fn check_ready(&self) -> Result<(), ServiceError> {
        if let Some(state) = self.state_on_provider() {
            return Err(error::not_active(state.as_str()));
        }
        match *self.preparation.read() {
            Preparation::Done => Ok(()),
            Preparation::UnderWay if self.snap_starts() => Err(error::snap_start_not_ready()),
            Preparation::UnderWay => Err(error::not_active("Pending")),
            Preparation::Failed(_) | Preparation::NoImage { .. } => {
                Err(error::not_active("Failed"))
            }
        }
    }
}

impl Version {
    /// The state of what has no environments though its function is on a capacity provider.
    pub fn state_on_provider(&self) -> Option<State> {
        self.record.settings.capacity.as_ref()?;
        if self.record.version == VersionId::Latest {
            Some(State::ActiveNonInvocable)
        } else {
            self.scaling().is_off().then_some(State::Deactivated)
        }
    }

    /// How many environments it has on its capacity provider.
    pub fn scaling(&self) -> Scaling {
        self.record.scaling.unwrap_or_default()
    }
}

impl Alias {
    pub fn new(record: AliasRecord) -> Arc<Self> {
        Arc::new(Self {
            record,
            policy: Policy::default(),
        })
    }

    /// Its own policy, if it has one.
    pub fn policy(&self) -> Option<&Document> {
        self.policy.get(&self.record.policy, || self.record.arn())
    }
}

impl Policy {
    fn get(&self, statements: &[Statement], owner: impl Fn() -> Arn) -> Option<&Document> {
        self.0
            .get_or_init(|| {
                if statements.is_empty() {
                    return None;
                }
                Document::parse(&permission::policy(statements), PolicyKind::Resource)
                    .inspect_err(|error| {
                        tracing::error!(%error, function = %owner(), "function policy");
                    })
                    .ok()
            })
            .as_ref()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::attached::Attached;
    use crate::domain::logging::Logging;
    use crate::records::Settings;

    pub fn function(snap_start: &str) -> FunctionRecord {
        FunctionRecord {
            account: "000000000000".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            name: "hello".to_owned(),
            settings: Settings {
                runtime: "python3.12".to_owned(),
                role: "arn:aws:iam::000000000000:role/r".parse().unwrap(),
                handler: "index.handler".to_owned(),
                description: String::new(),
                timeout: 3,
                memory_size: 128,
                ephemeral_storage: 512,
                environment: None,
                tracing_mode: "PassThrough".to_owned(),
                snap_start: snap_start.to_owned(),
                log_group: "/aws/lambda/hello".to_owned(),
                logging: Logging::Text,
                vpc: None,
                kms_key_arn: None,
                layers: Vec::new(),
                dead_letter: None,
                durable: None,
                image: None,
                per_tenant: false,
                capacity: None,
            },
            architecture: "x86_64".to_owned(),
            code: Code::HotReload {
                folder: "/src".into(),
            },
            tags: BTreeMap::new(),
            policy: Vec::new(),
            reserved_concurrency: None,
            attached: Attached::default(),
            last_version: 0,
            revision_id: "r".to_owned(),
            environment_revision: "e".to_owned(),
            last_modified: base::Timestamp::from_millis(0),
        }
    }

    pub fn published(function: &FunctionRecord, number: u64) -> Arc<Version> {
        let record = VersionRecord {
            version: VersionId::Published(number),
            ..VersionRecord::latest(function)
        };
        Version::new(record, None, Preparation::UnderWay)
    }

    #[test]
    fn a_version_is_invoked_only_once_it_is_prepared() {
        let version = published(&function("PublishedVersions"), 1);
        assert!(version.snap_starts());
        let refused = version.check_ready().unwrap_err();
        assert_eq!(refused.code, "SnapStartNotReadyException");
        // What it waits for outlives a change of what belongs to the function.
        let changed = version.with_reserved(Some(1));
        version.set_preparation(Preparation::Done);
        assert!(version.check_ready().is_ok() && changed.check_ready().is_ok());
        version.set_preparation(Preparation::Failed("why".to_owned()));
        let refused = changed.check_ready().unwrap_err();
        assert_eq!(refused.code, "ResourceConflictException");
        assert!(refused.message.ends_with("state: Failed"), "{refused}");
    }

    #[test]
    fn snapshots_are_of_published_versions_that_ask_for_them() {
        let on = function("PublishedVersions");
        assert!(!Function::new(on.clone()).latest.snap_starts());
        assert!(published(&on, 1).snap_starts());
        assert!(!published(&function("None"), 1).snap_starts());
    }
}
