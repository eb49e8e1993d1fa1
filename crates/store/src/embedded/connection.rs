//! SQLite connections, and the statements that run on them.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, ToSql, ffi, params_from_iter};

use crate::scan::{range_is_empty, slice};
use crate::{Entry, Scan, StoreError};

const FILE_NAME: &str = "store.db";
/// What the file is called until it is whole.
const UNFINISHED_NAME: &str = "store.new";
/// "KGRO": tells our file from anyone else's.
const APPLICATION_ID: i32 = 0x4b47_524f;
const FORMAT_VERSION: u8 = 1;

/// Page caches, in KiB. The operating system caches the file as well, so these stay small.
const WRITER_CACHE_KIB: u32 = 4096;
const READER_CACHE_KIB: u32 = 1024;
/// The log is folded into the file when it has this many pages (8 MiB), and cut back to this size
/// if a long read let it grow beyond.
const CHECKPOINT_PAGES: u32 = 2000;
const LOG_LIMIT_BYTES: u32 = 32 << 20;

/// Values lie in a rowid table, appended in the order written, and only their keys in a sorted
/// index. A table sorted by key would move 1 KB values about with every insertion: four times the
/// bytes written, in the measured mix.
const SCHEMA: &str = "
    CREATE TABLE entries (key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
    CREATE TABLE syncs (id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
    INSERT INTO syncs VALUES (0, 0);";

pub(super) fn open_writer(dir: &Path) -> Result<Connection, StoreError> {
    if !dir.join(FILE_NAME).exists() {
        make_file(dir)?;
    }
    let connection = open(dir, OpenFlags::SQLITE_OPEN_CREATE, WRITER_CACHE_KIB)?;
    let id: i32 = pragma(&connection, "application_id")?;
    let empty =
        is_empty(&connection).map_err(|error| classify("read the store's schema", error))?;
    if id != APPLICATION_ID && !empty {
        return Err(StoreError::corrupt(format!(
            "{FILE_NAME} is not a store of this program"
        )));
    }
    set_up(&connection).map_err(|error| classify("set up the store", error))?;
    if empty {
        create(&connection).map_err(|error| classify("create the store", error))?;
    }
    let found: u8 = pragma(&connection, "user_version")?;
    if found != FORMAT_VERSION {
        return Err(StoreError::Newer {
            what: FILE_NAME,
            found,
            known: FORMAT_VERSION,
        });
    }
    Ok(connection)
}

/// Makes an empty store with one sync where SQLite, step by step, would take seven: nobody needs it
/// before it is whole, and it has its name only from then on. The directory is yet to be synced.
fn make_file(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(UNFINISHED_NAME);
    // A log without its file belongs to nothing, and must not be taken for the new file's.
    for (name, end) in [UNFINISHED_NAME, FILE_NAME]
        .into_iter()
        .flat_map(|name| ["", "-journal", "-wal", "-shm"].map(|end| (name, end)))
    {
        match fs::remove_file(dir.join(format!("{name}{end}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove an unfinished store", error));
            }
            _ => {}
        }
    }
    let make = || -> rusqlite::Result<()> {
        let connection = Connection::open(&path)?;
        connection.pragma_update(None, "synchronous", "off")?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        create(&connection)?;
        // Folds the log into the file.
        connection.close().map_err(|(_, error)| error)
    };
    make().map_err(|error| classify("create the store", error))?;
    File::open(&path)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&path, dir.join(FILE_NAME)))
        .map_err(|error| StoreError::io("create the store", error))
}

pub(super) fn open_reader(dir: &Path) -> Result<Connection, StoreError> {
    let connection = open(dir, OpenFlags::empty(), READER_CACHE_KIB)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(|error| classify("open a reader of the store", error))?;
    Ok(connection)
}

fn open(dir: &Path, flags: OpenFlags, cache_kib: u32) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let configure = |connection: Connection| {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
        connection.pragma_update(None, "temp_store", "memory")?;
        connection.set_prepared_statement_cache_capacity(24);
        Ok(connection)
    };
    Connection::open_with_flags(dir.join(FILE_NAME), flags)
        .and_then(configure)
        .map_err(|error| classify("open the store", error))
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)
}

/// A crash may have left the file made but not its tables.
fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
        row.get(0)
    })
}

fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {SCHEMA}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION};
         COMMIT"
    ))
}

fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<T, StoreError> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(|error| classify("read the store's header", error))
}

pub(super) fn get(connection: &Connection, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
    connection
        .prepare_cached("SELECT value FROM entries WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| blob(row, 0)).optional())
        .map_err(|error| classify("read a key", error))
}

pub(super) fn scan(connection: &Connection, scan: &Scan) -> Result<Vec<Entry>, StoreError> {
    if scan.is_empty() {
        return Ok(Vec::new());
    }
    let (start, end) = scan.bounds();
    let mut sql = String::from("SELECT key, value FROM entries");
    let keys = push_range(&mut sql, start, end);
    let order = if scan.reverse { "DESC" } else { "ASC" };
    let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
    write!(sql, " ORDER BY key {order} LIMIT ?").expect("a string takes any text");
    let entry = |row: &rusqlite::Row<'_>| {
        Ok(Entry {
            key: blob(row, 0)?,
            value: blob(row, 1)?,
        })
    };
    let run = || {
        let mut statement = connection.prepare_cached(&sql)?;
        let limit: &dyn ToSql = &limit;
        let keys = keys.iter().map(|key| key as &dyn ToSql);
        let rows = statement.query_map(params_from_iter(keys.chain([limit])), entry)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    run().map_err(|error| classify("scan a range", error))
}

pub(super) fn put(connection: &Connection, key: &[u8], value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO entries (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection
        .prepare_cached(sql)?
        .execute([key, value])
        .map(drop)
}

pub(super) fn delete(connection: &Connection, key: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM entries WHERE key = ?1")?
        .execute([key])
        .map(drop)
}

pub(super) fn delete_range(
    connection: &Connection,
    start: &Bound<Bytes>,
    end: &Bound<Bytes>,
) -> rusqlite::Result<()> {
    if range_is_empty(start, end) {
        return Ok(());
    }
    let mut sql = String::from("DELETE FROM entries");
    let keys = push_range(&mut sql, slice(start), slice(end));
    connection
        .prepare_cached(&sql)?
        .execute(params_from_iter(keys))
        .map(drop)
}

/// Writes something, so that a commit has a reason to sync the log.
pub(super) fn mark_sync(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE syncs SET count = count + 1")?
        .execute([])
        .map(drop)
}

/// Whether commits sync the log, or leave that to a later one. Not within a transaction.
pub(super) fn sync_on_commit(connection: &Connection, sync: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if sync { "full" } else { "normal" })
}

fn push_range<'a>(sql: &mut String, start: Bound<&'a [u8]>, end: Bound<&'a [u8]>) -> Vec<&'a [u8]> {
    let sides = [(start, ">"), (end, "<")];
    let mut keys = Vec::with_capacity(2);
    for (bound, operator) in sides {
        let (key, equal) = match bound {
            Bound::Included(key) => (key, "="),
            Bound::Excluded(key) => (key, ""),
            Bound::Unbounded => continue,
        };
        let joint = if keys.is_empty() { "WHERE" } else { "AND" };
        write!(sql, " {joint} key {operator}{equal} ?").expect("a string takes any text");
        keys.push(key);
    }
    keys
}

fn blob(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(row.get_ref(column)?.as_blob()?))
}

/// Whether the system could not say that what was written is durable. It may then have dropped
/// those writes, and a later sync that succeeds would prove nothing.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Sorts an error of SQLite's into ours.
pub(super) fn classify(action: &'static str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::corrupt(format!("{action}: {error}"))
        }
        _ => StoreError::io(action, io::Error::other(error)),
    }
}
