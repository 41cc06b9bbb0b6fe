//! State, journal and lease in one SQLite file: ACID, one file, nothing to install.
//!
//! Every write names the epoch of the lease that it was made under and is refused when that is old.

mod schema;

use crate::journal::{self, Entry, Outcome};
use dax_core::{Name, ResourceAddr};
use dax_plan::Plan;
use dax_plan::model::{AppliedService, StateVersion};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long a lease lasts without a sign of life, in milliseconds.
pub const LEASE_MS: u64 = 30_000;
/// How many former states of an environment are kept.
const KEPT_STATES: i64 = 50;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file was written by a newer dax.
    #[error("{path} was written by a newer dax (format {found}, this one reads up to {known}); use that version")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest format that this version reads.
        known: i64,
    },
    /// The file is damaged.
    #[error(
        "{path} is damaged: {message}; nothing was changed. Restore a copy of it, or move it away and run `dax plan` to see what is adopted"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What was found.
        message: String,
    },
    /// There is no room.
    #[error("{path} cannot grow, the disk is full; nothing was lost. Make room and run `dax resume`")]
    Full {
        /// The file.
        path: String,
    },
    /// Somebody else holds the environment.
    #[error("`{environment}` is being changed by {holder}; wait for it, or let this command wait with --lock-timeout")]
    Held {
        /// The environment.
        environment: String,
        /// Who holds it.
        holder: String,
    },
    /// The lease was lost to somebody else.
    #[error("the lease on `{environment}` was taken over by {holder}; this run stops without another write")]
    Fenced {
        /// The environment.
        environment: String,
        /// Who holds it now.
        holder: String,
    },
    /// The file cannot be opened or written.
    #[error("{path}: {message}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@host, process 12`.
    pub name: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When the process started, as the system counts it; tells processes of one number apart.
    pub started: u64,
}

/// The right to change an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The environment.
    pub environment: Name,
    /// Rises with every holder.
    pub epoch: i64,
}

/// An environment's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What was applied.
    pub services: BTreeMap<ResourceAddr, AppliedService>,
}

/// A run as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs of the store.
    pub id: i64,
    /// The environment.
    pub environment: Name,
    /// `apply`, `rollback` or `destroy`.
    pub mode: Name,
    /// Who started it.
    pub holder: String,
    /// When, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// How it ended; nothing while it has not.
    pub outcome: Option<Outcome>,
    /// The digest of its plan.
    pub digest: Name,
    /// The state that it started from.
    pub serial: u64,
}

/// A former state: a rollback point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Counts the states of the environment.
    pub serial: u64,
    /// When it came to be, in milliseconds since 1970.
    pub at_ms: u64,
    /// The run that left it.
    pub run: i64,
}

/// An open store.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

type Result<T> = std::result::Result<T, StoreError>;

impl Store {
    /// Opens the store, making it when it is not there.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self> {
        schema::open(path)
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        schema::explain(&self.path, error)
    }

    fn json<T: Serialize>(value: &T) -> String {
        serde_json::to_string(value).expect("stored values serialise: no map has keys that are not text")
    }

    /// A state's body, held against its hash.
    fn read_state(&self, body: &str, hash: &str) -> Result<Snapshot> {
        if journal::chain("", body) != hash {
            let message = "a state was changed after it was written".to_owned();
            return Err(StoreError::Corrupt { path: self.path.display().to_string(), message });
        }
        self.read_json(body)
    }

    fn read_json<T: for<'d> Deserialize<'d>>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text)
            .map_err(|error| StoreError::Corrupt { path: self.path.display().to_string(), message: error.to_string() })
    }

    /// The state of an environment and its version.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn state(&self, environment: &str) -> Result<(Snapshot, StateVersion)> {
        let lineage: String =
            self.connection.query_row("SELECT value FROM meta WHERE key = 'lineage'", [], |row| row.get(0)).map_err(|e| self.error(e))?;
        let row: Option<(u64, String, String)> = self
            .connection
            .query_row("SELECT serial, body, hash FROM states WHERE environment = ?1 ORDER BY serial DESC LIMIT 1", [environment], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .map_err(|e| self.error(e))?;
        let (serial, snapshot) = match row {
            Some((serial, body, hash)) => (serial, self.read_state(&body, &hash)?),
            None => (0, Snapshot::default()),
        };
        Ok((snapshot, StateVersion { lineage: lineage.into(), serial }))
    }

    /// Environments that have a state.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn environments(&self) -> Result<Vec<Name>> {
        let mut statement = self.connection.prepare("SELECT DISTINCT environment FROM states ORDER BY 1").map_err(|e| self.error(e))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(|e| self.error(e))?;
        rows.map(|row| row.map(Name::from).map_err(|e| self.error(e))).collect()
    }

    /// A former state by its serial.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn state_at(&self, environment: &str, serial: u64) -> Result<Option<Snapshot>> {
        let row: Option<(String, String)> = self
            .connection
            .query_row("SELECT body, hash FROM states WHERE environment = ?1 AND serial = ?2", params![environment, serial], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|e| self.error(e))?;
        row.map(|(body, hash)| self.read_state(&body, &hash)).transpose()
    }

    /// The states of an environment that are kept, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn points(&self, environment: &str) -> Result<Vec<Point>> {
        let mut statement = self
            .connection
            .prepare("SELECT serial, at_ms, run FROM states WHERE environment = ?1 ORDER BY serial DESC")
            .map_err(|e| self.error(e))?;
        let rows = statement
            .query_map([environment], |row| Ok(Point { serial: row.get(0)?, at_ms: row.get(1)?, run: row.get(2)? }))
            .map_err(|e| self.error(e))?;
        rows.map(|row| row.map_err(|e| self.error(e))).collect()
    }

    /// Takes the lease of an environment. It goes to a new holder when it ran out or `is_gone` says that its
    /// holder is no more.
    ///
    /// # Errors
    /// [`StoreError::Held`] names the holder.
    pub fn acquire(&mut self, environment: &str, holder: &Holder, now_ms: u64, is_gone: &dyn Fn(&Holder) -> bool) -> Result<Lease> {
        let path = self.path.clone();
        let explain = |error| schema::explain(&path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        let row: Option<(String, i64, u64)> = transaction
            .query_row("SELECT holder, epoch, expires_ms FROM leases WHERE environment = ?1", [environment], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .map_err(explain)?;
        let epoch = match row {
            None => 1,
            Some((text, epoch, expires_ms)) => {
                let current: Option<Holder> = serde_json::from_str(&text).ok();
                if let Some(current) = current
                    && expires_ms > now_ms
                    && !is_gone(&current)
                {
                    return Err(StoreError::Held { environment: environment.to_owned(), holder: current.name });
                }
                epoch + 1
            }
        };
        transaction
            .execute(
                "INSERT INTO leases VALUES (?1, ?2, ?3, ?4) ON CONFLICT (environment) DO UPDATE SET holder = ?2, epoch = ?3, expires_ms = ?4",
                params![environment, Self::json(holder), epoch, now_ms + LEASE_MS],
            )
            .map_err(explain)?;
        transaction.commit().map_err(explain)?;
        Ok(Lease { environment: environment.into(), epoch })
    }

    /// Prolongs a lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else holds it now.
    pub fn renew(&mut self, lease: &Lease, now_ms: u64) -> Result<()> {
        self.fenced(lease, |transaction| {
            transaction
                .execute("UPDATE leases SET expires_ms = ?1 WHERE environment = ?2", params![now_ms + LEASE_MS, lease.environment.as_str()])
                .map(|_| ())
        })
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else holds it now.
    pub fn release(&mut self, lease: &Lease) -> Result<()> {
        self.fenced(lease, |transaction| {
            transaction.execute("UPDATE leases SET expires_ms = 0 WHERE environment = ?1", [lease.environment.as_str()]).map(|_| ())
        })
    }

    /// Runs `write` in a transaction that holds only while the lease's epoch is the current one.
    fn fenced<T>(&mut self, lease: &Lease, write: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let path = self.path.clone();
        let explain = |error| schema::explain(&path, error);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        let current: Option<(i64, String)> = transaction
            .query_row("SELECT epoch, holder FROM leases WHERE environment = ?1", [lease.environment.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(explain)?;
        if current.as_ref().map(|(epoch, _)| *epoch) != Some(lease.epoch) {
            let holder = current.and_then(|(_, holder)| serde_json::from_str::<Holder>(&holder).ok());
            let holder = holder.map_or_else(|| "nobody known".to_owned(), |holder| holder.name);
            return Err(StoreError::Fenced { environment: lease.environment.to_string(), holder });
        }
        let result = write(&transaction).map_err(explain)?;
        transaction.commit().map_err(explain)?;
        Ok(result)
    }

    /// Begins a run; its plan is kept so that it can be resumed.
    ///
    /// # Errors
    /// The lease was lost, or the file cannot be written.
    pub fn begin(&mut self, lease: &Lease, plan: &Plan, mode: &str, holder: &str, now_ms: u64) -> Result<i64> {
        let digest = dax_plan::digest::digest(plan);
        let body = Self::json(plan);
        let serial = plan.base.serial;
        self.fenced(lease, |transaction| {
            transaction.execute(
                "INSERT INTO runs (environment, mode, holder, started_ms, digest, serial, plan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![lease.environment.as_str(), mode, holder, now_ms, digest, serial, body],
            )?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Appends entries to a run's journal, all or none.
    ///
    /// # Errors
    /// The lease was lost, or the file cannot be written.
    pub fn append(&mut self, lease: &Lease, run: i64, entries: &[Entry]) -> Result<()> {
        self.fenced(lease, |transaction| append(transaction, run, entries))
    }

    /// Ends a run: its last entries, its outcome and the state that it leaves, all or none.
    ///
    /// # Errors
    /// The lease was lost, or the file cannot be written.
    pub fn finish(
        &mut self,
        lease: &Lease,
        run: i64,
        entries: &[Entry],
        outcome: &Outcome,
        state: Option<&Snapshot>,
        now_ms: u64,
    ) -> Result<()> {
        let outcome = Self::json(outcome);
        let body = state.map(Self::json);
        self.fenced(lease, |transaction| {
            append(transaction, run, entries)?;
            transaction.execute("UPDATE runs SET outcome = ?1, ended_ms = ?2 WHERE id = ?3", params![outcome, now_ms, run])?;
            // What can be resumed needs its plan and its journal, what is over does not.
            transaction.execute("UPDATE runs SET plan = NULL WHERE id = ?1", [run])?;
            if let Some(body) = body {
                let environment = lease.environment.as_str();
                transaction.execute(
                    "INSERT INTO states SELECT ?1, COALESCE(MAX(serial), 0) + 1, ?2, ?3, ?4, ?5 FROM states WHERE environment = ?1",
                    params![environment, now_ms, run, body, journal::chain("", &body).as_str()],
                )?;
                transaction.execute(
                    "DELETE FROM states WHERE environment = ?1 AND serial <= (SELECT MAX(serial) FROM states WHERE environment = ?1) - ?2",
                    params![environment, KEPT_STATES],
                )?;
            }
            Ok(())
        })
    }

    /// The run of an environment that has not ended, with its plan and its journal.
    ///
    /// # Errors
    /// The file cannot be read, or the journal was changed by somebody else.
    pub fn unfinished(&self, environment: &str) -> Result<Option<(Run, Plan, Vec<Entry>)>> {
        let Some(run) = self.runs(Some(environment))?.into_iter().find(|run| run.outcome.is_none()) else {
            return Ok(None);
        };
        let body: String =
            self.connection.query_row("SELECT plan FROM runs WHERE id = ?1", [run.id], |row| row.get(0)).map_err(|e| self.error(e))?;
        let plan = self.read_json(&body)?;
        let journal = self.journal(run.id)?;
        Ok(Some((run, plan, journal)))
    }

    /// A run's journal, its chain checked.
    ///
    /// # Errors
    /// The file cannot be read, or the chain is broken.
    pub fn journal(&self, run: i64) -> Result<Vec<Entry>> {
        let mut statement =
            self.connection.prepare("SELECT entry, hash FROM journal WHERE run = ?1 ORDER BY seq").map_err(|e| self.error(e))?;
        let rows = statement.query_map([run], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).map_err(|e| self.error(e))?;
        let mut previous = String::new();
        let mut entries = Vec::new();
        for row in rows {
            let (text, hash) = row.map_err(|e| self.error(e))?;
            if journal::chain(&previous, &text) != hash {
                let message = format!("entry {} of run {run} was changed after it was written", entries.len() + 1);
                return Err(StoreError::Corrupt { path: self.path.display().to_string(), message });
            }
            entries.push(self.read_json(&text)?);
            previous = hash;
        }
        Ok(entries)
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self, environment: Option<&str>) -> Result<Vec<Run>> {
        let sql = "SELECT id, environment, mode, holder, started_ms, ended_ms, outcome, digest, serial FROM runs \
                   WHERE ?1 IS NULL OR environment = ?1 ORDER BY id DESC";
        let mut statement = self.connection.prepare(sql).map_err(|e| self.error(e))?;
        let rows = statement
            .query_map([environment], |row| {
                let outcome: Option<String> = row.get(6)?;
                let run = Run {
                    id: row.get(0)?,
                    environment: row.get::<_, String>(1)?.into(),
                    mode: row.get::<_, String>(2)?.into(),
                    holder: row.get(3)?,
                    started_ms: row.get(4)?,
                    ended_ms: row.get(5)?,
                    outcome: None,
                    digest: row.get::<_, String>(7)?.into(),
                    serial: row.get(8)?,
                };
                Ok((run, outcome))
            })
            .map_err(|e| self.error(e))?;
        rows.map(|row| {
            let (run, outcome) = row.map_err(|e| self.error(e))?;
            let outcome = outcome.map(|text| self.read_json(&text)).transpose()?;
            Ok(Run { outcome, ..run })
        })
        .collect()
    }
}

fn append(connection: &Connection, run: i64, entries: &[Entry]) -> rusqlite::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let last: Option<(i64, String)> = connection
        .query_row("SELECT seq, hash FROM journal WHERE run = ?1 ORDER BY seq DESC LIMIT 1", [run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (mut seq, mut previous) = last.unwrap_or((0, String::new()));
    let mut insert = connection.prepare("INSERT INTO journal VALUES (?1, ?2, ?3, ?4)")?;
    for entry in entries {
        let text = Store::json(entry);
        previous = journal::chain(&previous, &text).to_string();
        seq += 1;
        insert.execute(params![run, seq, text, previous])?;
    }
    Ok(())
}
