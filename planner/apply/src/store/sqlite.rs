//! The default: one SQLite file, ACID, nothing to install.

use super::StoreError;
use super::blobs::{Blob, Blobs, Commit, Texts, Version};
use dax_provider_api::BoxFuture;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The layout of the file that this version writes; it reads no other.
const LAYOUT: i64 = 2;

const TABLES: &str =
    "CREATE TABLE blobs (key TEXT PRIMARY KEY, version INTEGER NOT NULL, bytes BLOB NOT NULL)";

/// A state in a file.
pub struct Sqlite {
    connection: Mutex<Connection>,
    path: PathBuf,
}

impl Sqlite {
    /// Opens the file, making it when it is not there.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let explain_here = |error| explain(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(explain_here)?;
        let setup = |connection: &Connection| {
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")
        };
        setup(&connection).map_err(explain_here)?;
        let layout = |connection: &Connection| {
            connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        };
        let mut found = layout(&connection).map_err(explain_here)?;
        if found == 0 {
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(explain_here)?;
            // Another process may have made it in the meantime.
            found = layout(&transaction).map_err(explain_here)?;
            if found == 0 {
                transaction.execute_batch(TABLES).map_err(explain_here)?;
                transaction.pragma_update(None, "user_version", LAYOUT).map_err(explain_here)?;
                found = LAYOUT;
            }
            transaction.commit().map_err(explain_here)?;
        }
        let place = path.display().to_string();
        if found > LAYOUT {
            return Err(StoreError::Newer { place, found, known: LAYOUT });
        }
        if found < LAYOUT {
            let message = format!(
                "it has the layout {found} of a preview of dax, which this version does not read: move it away and take over what runs with `dax adopt`"
            );
            return Err(StoreError::Io { place, message });
        }
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| explain(&self.path, error))
    }
}

fn version(number: i64) -> Version {
    Version(number.to_string().into())
}

/// The first text that is greater than all that begin with `prefix`.
fn behind(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

impl Blobs for Sqlite {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        Box::pin(async move {
            self.with(|connection| {
                let mut query =
                    connection.prepare_cached("SELECT bytes, version FROM blobs WHERE key = ?1")?;
                query
                    .query_row([key], |row| {
                        Ok(Blob { bytes: row.get(0)?, version: version(row.get(1)?) })
                    })
                    .optional()
            })
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            self.with(|connection| {
                let mut query = connection.prepare_cached(
                    "SELECT key FROM blobs WHERE key >= ?1 AND key < ?2 ORDER BY key",
                )?;
                query.query_map([prefix, &behind(prefix)], |row| row.get(0))?.collect()
            })
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        Box::pin(async move {
            self.with(|connection| {
                let mut query = connection.prepare_cached(
                    "SELECT key, bytes FROM blobs WHERE key >= ?1 AND key < ?2 ORDER BY key",
                )?;
                query
                    .query_map([prefix, &behind(prefix)], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
        })
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            self.with(|connection| {
                let sql = "INSERT INTO blobs VALUES (?1, 1, ?2) ON CONFLICT (key) DO NOTHING";
                connection.execute(sql, params![key, bytes]).map(|count| count == 1)
            })
        })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move { self.with(|connection| swap(connection, commit)) })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.with(|connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for key in keys {
                    transaction
                        .prepare_cached("DELETE FROM blobs WHERE key = ?1")?
                        .execute([key])?;
                }
                transaction.commit()
            })
        })
    }
}

fn swap(connection: &mut Connection, commit: &Commit) -> rusqlite::Result<Option<Version>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let there: Option<i64> = transaction
        .prepare_cached("SELECT version FROM blobs WHERE key = ?1")?
        .query_row([&commit.key], |row| row.get(0))
        .optional()?;
    if there.map(version) != commit.expected {
        return Ok(None);
    }
    let next = there.unwrap_or(0) + 1;
    let sql = "INSERT INTO blobs VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET version = ?2, bytes = ?3";
    for (key, bytes) in &commit.puts {
        transaction.prepare_cached(sql)?.execute(params![key, 1, bytes])?;
    }
    transaction.prepare_cached(sql)?.execute(params![commit.key, next, commit.bytes])?;
    for key in &commit.remove {
        transaction.prepare_cached("DELETE FROM blobs WHERE key = ?1")?.execute([key])?;
    }
    transaction.commit()?;
    Ok(Some(version(next)))
}

/// What a database error means for the person who reads it.
fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    let place = path.display().to_string();
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { place, message }
        }
        Some(ErrorCode::DiskFull) => StoreError::Full { place },
        Some(ErrorCode::SystemIoFailure) => {
            let advice = "the disk may be full or failing. Nothing was lost: mend that and run the command again, or `dax resume` if a run had begun";
            StoreError::Io { place, message: format!("{message}; {advice}") }
        }
        _ => StoreError::Io { place, message },
    }
}
