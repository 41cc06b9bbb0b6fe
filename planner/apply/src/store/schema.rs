//! The file's format: made, checked and explained.

use super::{Store, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// The format that this version writes; it reads no newer one.
const FORMAT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE states (environment TEXT NOT NULL, serial INTEGER NOT NULL, at_ms INTEGER NOT NULL, run INTEGER NOT NULL,
        body TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (environment, serial));
    CREATE TABLE leases (environment TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_ms INTEGER NOT NULL);
    CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, environment TEXT NOT NULL, mode TEXT NOT NULL, holder TEXT NOT NULL,
        started_ms INTEGER NOT NULL, ended_ms INTEGER, outcome TEXT, digest TEXT NOT NULL, serial INTEGER NOT NULL, plan TEXT);
    CREATE TABLE journal (run INTEGER NOT NULL, seq INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (run, seq))
        WITHOUT ROWID;
";

/// Opens the store, making it when it is not there.
pub(super) fn open(path: &Path) -> Result<Store, StoreError> {
    let explain_here = |error| explain(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(explain_here)?;
    let setup = |connection: &Connection| {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")
    };
    setup(&connection).map_err(explain_here)?;
    let format = |connection: &Connection| connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let mut found = format(&connection).map_err(explain_here)?;
    if found == 0 {
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(explain_here)?;
        // Another process may have made it in the meantime.
        found = format(&transaction).map_err(explain_here)?;
        if found == 0 {
            transaction.execute_batch(TABLES).map_err(explain_here)?;
            transaction.execute("INSERT INTO meta VALUES ('lineage', lower(hex(randomblob(8))))", []).map_err(explain_here)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(explain_here)?;
            found = FORMAT;
        }
        transaction.commit().map_err(explain_here)?;
    }
    if found > FORMAT {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known: FORMAT });
    }
    Ok(Store { connection, path: path.to_owned() })
}

/// What a database error means for the person who reads it.
pub(super) fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.display().to_string();
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { path, message },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::SystemIoFailure) => {
            let advice = "the disk may be full or failing. Nothing was lost: mend that and run the command again, or `dax resume` if a run had begun";
            StoreError::Io { path, message: format!("{message}; {advice}") }
        }
        _ => StoreError::Io { path, message },
    }
}
