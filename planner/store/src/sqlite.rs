//! The default: one SQLite file, ACID, nothing to install.
//!
//! Nothing is made before the first write. Where the file can be read and not written it is read, and whoever
//! writes is told.

use super::StoreError;
use super::blobs::{Blob, Blobs, Commit, Texts, Version};
use crate::blobs::BoxFuture;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The layout of the file that this version writes; it reads no other.
const LAYOUT: i64 = 2;

/// Files up to this size are checked page by page when they are opened: a millisecond for each megabyte.
const CHECKED: u64 = 16 << 20;

const TABLES: &str =
    "CREATE TABLE blobs (key TEXT PRIMARY KEY, version INTEGER NOT NULL, bytes BLOB NOT NULL)";

/// A state in a file.
pub struct Sqlite {
    /// Nothing while there is no file.
    connection: Mutex<Option<Connection>>,
    path: PathBuf,
    /// Why it cannot be written, where it cannot.
    read_only: Option<String>,
}

impl Sqlite {
    /// Opens the file; one that is not there is made by the first write.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = resolved(path);
        let opened = |connection, read_only| {
            Ok(Self { connection: Mutex::new(connection), path: path.clone(), read_only })
        };
        if size(&path)? == 0 {
            return opened(None, None);
        }
        match connect(&path) {
            Ok(connection) => opened(Some(connection), None),
            Err(error) if cannot_write(&error) => {
                let connection = connect_to_read(&path)?;
                opened(Some(connection), Some(error.to_string()))
            }
            Err(error) => Err(explain(&path, error)),
        }
        .and_then(|opened: Self| opened.examine().map(|()| opened))
    }

    /// Whether the file is one of this version and whole.
    fn examine(&self) -> Result<(), StoreError> {
        let place = self.place();
        let found = self.read(|connection| {
            connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        })?;
        if found > LAYOUT {
            return Err(StoreError::Newer { place, found, known: LAYOUT });
        }
        // Somebody else is making it, or made it and no table.
        if found == 0 {
            return Ok(());
        }
        if found < LAYOUT {
            let message = format!(
                "it has the layout {found} of a preview of dax, which this version does not read: move it away and take over what runs with `dax adopt`"
            );
            return Err(StoreError::Io { place, message });
        }
        if size(&self.path)? <= CHECKED { self.check() } else { Ok(()) }
    }

    /// Holds every page and every row against the index.
    fn check(&self) -> Result<(), StoreError> {
        let said: String = self.read(|connection| {
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        })?;
        match said.as_str() {
            "ok" | "" => Ok(()),
            _ => {
                let message = said.lines().collect::<Vec<_>>().join(": ");
                Err(StoreError::Corrupt { place: self.place(), message })
            }
        }
    }

    /// Does something with the file; without one the answer is the empty one.
    fn read<T: Default>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() && self.read_only.is_none() && size(&self.path)? > 0 {
            *guard = Some(connect(&self.path).map_err(|error| explain(&self.path, error))?);
        }
        let Some(connection) = guard.as_mut() else { return Ok(T::default()) };
        match work(connection) {
            // The file is there, and whoever makes it has not got to the table.
            Err(error) if no_table(&error) && layout(connection).is_ok_and(|found| found == 0) => {
                Ok(T::default())
            }
            done => done.map_err(|error| explain(&self.path, error)),
        }
    }

    /// Changes the file, which is made where there is none.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(message) = &self.read_only {
            return Err(StoreError::ReadOnly { place: self.place(), message: message.clone() });
        }
        let explained = |error| explain(&self.path, error);
        let mut guard = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match guard.take() {
            Some(connection) => guard.insert(connection),
            None => {
                make(&self.path).map_err(|error| cannot_make(&self.path, &error))?;
                guard.insert(connect(&self.path).map_err(explained)?)
            }
        };
        if layout(connection).map_err(explained)? == 0 {
            prepare(connection).map_err(explained)?;
        }
        work(connection).map_err(explained)
    }
}

/// The path with its folder's links resolved: the file itself is never a link.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok();
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// The size of the file; nothing of one that is not there.
fn size(path: &Path) -> Result<u64, StoreError> {
    let wrong = |message: String| StoreError::Io { place: path.display().to_string(), message };
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(found.len()),
        Ok(found) if found.is_symlink() => {
            Err(wrong("it is a symbolic link, and dax follows none there".to_owned()))
        }
        Ok(_) => Err(wrong("it is not a regular file".to_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => Ok(0),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Makes an empty file that only this user can read, whatever the umask is.
fn make(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::File::options();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        }
        Err(error) => Err(error),
    }
}

fn cannot_make(path: &Path, error: &std::io::Error) -> StoreError {
    let (place, message) = (path.display().to_string(), error.to_string());
    match error.kind() {
        // Without its folder, which nobody could make either.
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotFound => {
            StoreError::ReadOnly { place, message }
        }
        _ => StoreError::Io { place, message },
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// A connection that writes nothing, not even beside the file. What stands in the log of a writer that died counts;
/// where it cannot be read without writing, that is an error.
fn connect_to_read(path: &Path) -> Result<Connection, StoreError> {
    let explained = |error| explain(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let open = |mode: &str| -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(uri(path, mode), flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        layout(&connection)?;
        Ok(connection)
    };
    match open("mode=ro") {
        Ok(connection) => Ok(connection),
        Err(error) => {
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            let unread = std::fs::metadata(PathBuf::from(log)).is_ok_and(|found| found.len() > 0);
            if unread { Err(explained(error)) } else { open("immutable=1").map_err(explained) }
        }
    }
}

/// A path as an address with a mode. Source: <https://www.sqlite.org/uri.html>.
fn uri(path: &Path, mode: &str) -> String {
    let text = path.to_string_lossy();
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?{mode}")
}

fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Makes the table, unless another process has in the meantime.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if layout(&transaction)? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", LAYOUT)?;
    }
    transaction.commit()
}

/// Whether an error says that nothing can be written here.
fn cannot_write(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::ReadOnly, ErrorCode::CannotOpen, ErrorCode::PermissionDenied];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

fn no_table(error: &rusqlite::Error) -> bool {
    error.to_string().contains("no such table")
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

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { Self::check(self) })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        Box::pin(async move {
            self.read(|connection| {
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
            self.read(|connection| {
                let mut query = connection.prepare_cached(
                    "SELECT key FROM blobs WHERE key >= ?1 AND key < ?2 ORDER BY key",
                )?;
                query.query_map([prefix, &behind(prefix)], |row| row.get(0))?.collect()
            })
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        Box::pin(async move {
            self.read(|connection| {
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
            self.write(|connection| {
                let sql = "INSERT INTO blobs VALUES (?1, 1, ?2) ON CONFLICT (key) DO NOTHING";
                connection.execute(sql, params![key, bytes]).map(|count| count == 1)
            })
        })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move { self.write(|connection| swap(connection, commit)) })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.write(|connection| {
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
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { place, message },
        Some(ErrorCode::SystemIoFailure) => {
            let advice = "the disk may be full or failing. Nothing was lost: mend that and run the command again, or `dax resume` if a run had begun";
            StoreError::Io { place, message: format!("{message}; {advice}") }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let advice = "another process is writing it and does not finish; let that one go on (a stopped one: `kill -CONT PID`) or end it, then run the command again";
            StoreError::Io { place, message: format!("{message}: {advice}") }
        }
        _ => StoreError::Io { place, message },
    }
}
