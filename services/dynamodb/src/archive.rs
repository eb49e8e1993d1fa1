//! Backups, exports and imports, and the jobs that make them: what is stored of each.

use base::{Arn, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Table};

use crate::domain::key::KeySchema;
use crate::domain::table::Definition;
use crate::records::TableName;

/// Key: account, region, table, id.
pub const BACKUPS: Table<Backup> = Table::new("dynamodb.backup", 1);
/// Key: account, region, table, id.
pub const EXPORTS: Table<Export> = Table::new("dynamodb.export", 1);
/// Key: account, region, table, id.
pub const IMPORTS: Table<Import> = Table::new("dynamodb.import", 1);
/// What is under way, and goes on after a restart. Key: a random id.
pub const JOBS: Table<Job> = Table::new("dynamodb.job", 1);

/// Which of them: the word in its ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Backup,
    Export,
    Import,
}

/// Names a backup, an export or an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveName {
    pub table: TableName,
    /// Begins with the time, so that those of a table are in order.
    pub id: String,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Export => "export",
            Self::Import => "import",
        }
    }
}

impl ArchiveName {
    pub fn new(table: TableName, now: Timestamp) -> Self {
        let id = format!(
            "{:014}-{:08x}",
            now.millis(),
            crate::engine::rand_id() as u32
        );
        Self { table, id }
    }

    /// From `arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE/backup/ID`.
    pub fn parse(kind: Kind, arn: &str) -> Option<Self> {
        let arn: Arn = arn.parse().ok()?;
        let (table, id) = arn
            .resource
            .strip_prefix("table/")?
            .split_once(&format!("/{}/", kind.word()))?;
        Some(Self {
            table: TableName {
                account: arn.account_id().filter(|_| arn.service == "dynamodb")?,
                region: arn.region()?,
                name: table.to_owned(),
            },
            id: id.to_owned(),
        })
    }

    pub fn arn(&self, kind: Kind) -> String {
        format!("{}/{}/{}", self.table.arn(), kind.word(), self.id)
    }

    pub fn key(&self) -> Key {
        Key::of((self.table.key(), self.id.as_str()))
    }

    pub fn from_key(key: &Key) -> Result<Self, store::StoreError> {
        let table = TableName::from_key(key)?;
        let mut parts = key.reader();
        for _ in 0..3 {
            parts.text()?;
        }
        let id = parts.text()?;
        Ok(Self { table, id })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    pub name: String,
    /// Of the table, when the backup was asked for.
    pub definition: Definition,
    /// The id under which the items lie, as a table's do.
    pub rows: u64,
    pub is_complete: bool,
    /// Made by the deletion of a table with point-in-time recovery, and gone after 35 days.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub items: i64,
    pub bytes: i64,
}

/// How far an export or an import is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    UnderWay,
    Completed,
    Failed { code: String, message: String },
}

/// A client token, and a digest of what it was given for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    pub token: String,
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub progress: Progress,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub table_uuid: String,
    pub token: Option<ClientToken>,
    pub bucket: String,
    pub bucket_owner: Option<String>,
    pub prefix: Option<String>,
    pub encryption: Option<String>,
    pub encryption_key: Option<String>,
    /// Of when the items are; of an incremental export, until when.
    pub at: Timestamp,
    pub increment: Option<Increment>,
    pub items: i64,
    pub bytes: i64,
    pub manifest: Option<String>,
}

/// Only what changed from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increment {
    pub from: Timestamp,
    pub with_old_images: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Import {
    pub progress: Progress,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub token: Option<ClientToken>,
    /// Of the table that it makes.
    pub definition: Definition,
    pub bucket: String,
    pub bucket_owner: Option<String>,
    pub prefix: Option<String>,
    pub format: Format,
    pub is_gzip: bool,
    pub errors: i64,
    pub processed: i64,
    pub processed_bytes: i64,
    pub imported: i64,
}

/// What the objects of an import hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A line an item, in the API's form.
    Json,
    Csv {
        delimiter: Option<char>,
        /// Where the first line is no header.
        columns: Option<Vec<String>>,
    },
}

/// The items of a table, or of a backup, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The id under which items lie.
    pub items: u64,
    pub keys: KeySchema,
    /// The log of changes, and the number of the first that came after the moment.
    pub undo: Option<(u64, u64)>,
}

/// Work that outlives its request, and a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    Backup {
        backup: ArchiveName,
        moment: Moment,
    },
    Restore {
        target: TableName,
        /// What must stay as long: a backup or a table, by its ARN.
        source: String,
        /// The table whose log it reads.
        table: Option<TableName>,
        moment: Moment,
    },
    Export {
        export: ArchiveName,
        moment: Moment,
        /// Where the items of the moment are put together.
        scratch: u64,
    },
    Import {
        import: ArchiveName,
    },
}

impl Job {
    /// The ARN of what must stay while the job is under way.
    pub fn source(&self) -> String {
        match self {
            Self::Backup { backup: name, .. }
            | Self::Export { export: name, .. }
            | Self::Import { import: name } => name.table.arn().to_string(),
            Self::Restore { source, .. } => source.clone(),
        }
    }

    /// The table whose log of changes it needs.
    pub fn logged(&self) -> Option<&TableName> {
        match self {
            Self::Backup { backup: name, .. } | Self::Export { export: name, .. } => {
                Some(&name.table)
            }
            Self::Restore { table, .. } => table.as_ref(),
            Self::Import { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_from_arns_and_keys() {
        let table = TableName {
            account: base::AccountId::DEFAULT,
            region: base::Region::us_east_1(),
            name: "music".to_owned(),
        };
        let name = ArchiveName::new(table, Timestamp::from_millis(1_795_466_144_123));
        assert!(name.id.starts_with("01795466144123-"), "{}", name.id);
        let arn = name.arn(Kind::Backup);
        assert_eq!(ArchiveName::parse(Kind::Backup, &arn), Some(name.clone()));
        assert_eq!(ArchiveName::parse(Kind::Export, &arn), None);
        assert_eq!(ArchiveName::from_key(&name.key()).unwrap(), name);
    }
}
