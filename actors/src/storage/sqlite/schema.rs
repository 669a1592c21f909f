//! Opens the file: settings of the connection, the schema, and its versions.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::super::config::{Config, Synchronous};
use super::super::error::StartError;
use super::faults;

/// How long a transaction waits for another process.
pub(super) const LOCK_TIME_MAX: Duration = Duration::from_secs(5);
/// Marks the file as Muster's ("Must").
const APPLICATION: i32 = 0x4d75_7374;

/// Each step brings the schema from its index to the next version. Steps are only appended.
const STEPS: &[&str] = &["
    CREATE TABLE documents (
        owner TEXT NOT NULL, collection TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (owner, collection)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE fields (
        owner TEXT NOT NULL, collection TEXT NOT NULL, field TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (owner, collection, field)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE entries (
        owner TEXT NOT NULL, collection TEXT NOT NULL, id INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (owner, collection, id)
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE slots (slot INTEGER PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
    CREATE TABLE register (key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, view BLOB NOT NULL) WITHOUT ROWID, STRICT;
", "
    CREATE TABLE marks (
        slot INTEGER NOT NULL, writer INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (slot, writer)
    ) WITHOUT ROWID, STRICT;
"];

/// Opens the file for the writer, creating it or bringing it up to date.
pub(super) fn open(config: &Config) -> Result<Connection, StartError> {
    create(config)?;
    let mut connection = connect(config)?;
    prepare(&mut connection, config).map_err(|error| faults::at_start(&config.path, &error))?;
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| faults::at_start(&config.path, &error))?;
    if mode != "wal" {
        return Err(StartError::NoWal(config.path.clone()));
    }
    migrate(&mut connection, config)?;
    // Writers that have been silent for an hour try nothing again.
    connection
        .execute("DELETE FROM marks WHERE at < unixepoch() - 3600", [])
        .map_err(|error| faults::at_start(&config.path, &error))?;
    Ok(connection)
}

/// Opens the file for the reader.
pub(super) fn open_to_read(config: &Config) -> Result<Connection, StartError> {
    let mut connection = connect(config)?;
    let settings = |connection: &mut Connection| {
        prepare(connection, config)?;
        connection.pragma_update(None, "query_only", true)
    };
    settings(&mut connection).map_err(|error| faults::at_start(&config.path, &error))?;
    Ok(connection)
}

/// Creates the file so that only this user can read it: it holds password keys.
fn create(config: &Config) -> Result<(), StartError> {
    let path = &config.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(StartError::NoFolder(folder.to_path_buf()));
    }
    if path.exists() {
        return Ok(());
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| faults::at_creation(path, &error))
}

fn connect(config: &Config) -> Result<Connection, StartError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(&config.path, flags).map_err(|error| faults::at_start(&config.path, &error))
}

fn prepare(connection: &mut Connection, config: &Config) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_for_lock))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(
        None,
        "synchronous",
        match config.synchronous {
            Synchronous::Normal => "NORMAL",
            Synchronous::Full => "FULL",
        },
    )?;
    // After a burst the log file shrinks again at the next checkpoint.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

thread_local! {
    static WAITING_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Waits a little for another process to release its lock, and says whether to try again.
///
/// SQLite's own back-off sleeps up to 100 ms, far longer than a group commit takes, and starves under contention.
fn wait_for_lock(attempt: i32) -> bool {
    let now = Instant::now();
    let since = WAITING_SINCE.get().filter(|_| attempt > 0).unwrap_or(now);
    WAITING_SINCE.set(Some(since));
    if now.duration_since(since) >= LOCK_TIME_MAX {
        return false;
    }
    thread::sleep(Duration::from_micros(rand::random_range(200..2_000)));
    true
}

fn migrate(connection: &mut Connection, config: &Config) -> Result<(), StartError> {
    let path = &config.path;
    let known = u32::try_from(STEPS.len()).expect("few steps");
    let to_error = |error: rusqlite::Error| faults::at_start(path, &error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(to_error)?;
    let number = |pragma: &str| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let found = u32::try_from(number("user_version").map_err(to_error)?).unwrap_or(u32::MAX);
    let application = number("application_id").map_err(to_error)?;
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(to_error)?;
    if tables > 0 && application != i64::from(APPLICATION) {
        return Err(StartError::Foreign(path.clone()));
    }
    if found > known {
        return Err(StartError::Newer { path: path.clone(), found, known });
    }
    for step in &STEPS[found as usize..] {
        transaction.execute_batch(step).map_err(to_error)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known).map_err(to_error)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(to_error)?;
    }
    transaction.commit().map_err(to_error)
}
