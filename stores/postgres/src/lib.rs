//! State in PostgreSQL: one table, shared by any number of machines and projects.
//!
//! A commit is one transaction whose swap is an `UPDATE … WHERE version = …`: of two writers with the same old
//! head one finds no row any more.

mod bound;

use dax_store::StoreError;
use dax_store::blobs::BoxFuture;
use dax_store::blobs::{Blob, Blobs, Commit, Credentials, Texts, Version};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Row, Transaction};
use std::str::FromStr;
use std::time::Duration;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS dax_state (project text NOT NULL, key text COLLATE \"C\" NOT NULL, \
                     version bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (project, key))";

/// Two who make the table at once make one of them fail; with a lock of this number they take turns.
const TURN: i64 = 0x6461_785f_7374_6174;

/// Longest time for one more attempt, whose reason is told.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A state in a database.
pub struct PostgresBlobs {
    pool: PgPool,
    project: String,
    place: String,
}

/// The reason why a database cannot be reached. A pool tries again until its time is up, and keeps the reason to itself.
async fn cause(error: sqlx::Error, options: &PgConnectOptions) -> String {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error.to_string();
    }
    let attempt = tokio::time::timeout(ATTEMPT, PgConnection::connect_with(options));
    match attempt.await {
        Ok(Err(sqlx::Error::Io(error))) => {
            format!("{error}; does a server run there, and does it let this machine in?")
        }
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(_)) => "it answers too slowly".to_owned(),
        Err(_) => "nothing answers there".to_owned(),
    }
}

impl PostgresBlobs {
    /// Connects to `postgres://user@host/database`. What the address lacks comes from the variables that `psql` reads,
    /// where those are for it.
    ///
    /// # Errors
    /// The address is none, credentials would go where only a program sends them, or the database cannot be reached.
    pub async fn open(
        url: &str,
        project: &str,
        credentials: Credentials,
    ) -> Result<Self, StoreError> {
        let wrong = |error: sqlx::Error| StoreError::Io {
            place: "the state's database".to_owned(),
            message: error.to_string(),
        };
        let options = PgConnectOptions::from_str(url).map_err(wrong)?;
        let place = format!(
            "postgres://{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or("")
        );
        if credentials == Credentials::Bound
            && let Some(what) = bound::strays(url, &options, &bound::Surroundings::here())
        {
            return Err(StoreError::Unbound { place, what });
        }
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(15))
            .connect_with(options.clone())
            .await;
        let pool = match pool {
            Ok(pool) => pool,
            Err(error) => {
                let message = cause(error, &options).await;
                return Err(StoreError::Io { place, message });
            }
        };
        let opened = Self { pool, project: project.to_owned(), place };
        opened.prepare().await.map_err(|error| opened.explain(&error))?;
        Ok(opened)
    }

    async fn prepare(&self) -> Result<(), sqlx::Error> {
        let found = sqlx::query("SELECT to_regclass('dax_state') IS NOT NULL AS found")
            .fetch_one(&self.pool)
            .await?;
        if found.try_get::<bool, _>("found")? {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(TURN)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(TABLE).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    fn explain(&self, error: &sqlx::Error) -> StoreError {
        let place = self.place.clone();
        let message = error.to_string();
        // Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        match error.as_database_error().and_then(|error| error.code()).as_deref() {
            Some("53100") => StoreError::Full { place },
            Some("42501" | "25006") => StoreError::ReadOnly { place, message },
            _ => StoreError::Io { place, message },
        }
    }

    async fn swap(&self, commit: &Commit) -> Result<Option<Version>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let next = match &commit.expected {
            None => {
                let sql = "INSERT INTO dax_state VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING";
                let made = sqlx::query(sql)
                    .bind(&self.project)
                    .bind(&commit.key)
                    .bind(&commit.bytes)
                    .execute(&mut *transaction)
                    .await?;
                (made.rows_affected() == 1).then_some(1)
            }
            Some(version) => {
                let version: i64 = version.0.parse().unwrap_or(-1);
                let sql = "UPDATE dax_state SET version = version + 1, bytes = $4 WHERE project = $1 AND key = $2 AND version = $3";
                let query = sqlx::query(sql)
                    .bind(&self.project)
                    .bind(&commit.key)
                    .bind(version)
                    .bind(&commit.bytes);
                (query.execute(&mut *transaction).await?.rows_affected() == 1)
                    .then_some(version + 1)
            }
        };
        let Some(next) = next else { return Ok(None) };
        for (key, bytes) in &commit.puts {
            self.put(&mut transaction, key, bytes).await?;
        }
        if !commit.remove.is_empty() {
            self.delete(&mut transaction, &commit.remove).await?;
        }
        transaction.commit().await?;
        Ok(Some(Version(next.to_string().into())))
    }

    async fn put(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        key: &str,
        bytes: &[u8],
    ) -> Result<u64, sqlx::Error> {
        let sql = "INSERT INTO dax_state VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING";
        Ok(sqlx::query(sql)
            .bind(&self.project)
            .bind(key)
            .bind(bytes)
            .execute(&mut **transaction)
            .await?
            .rows_affected())
    }

    async fn delete(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        keys: &[String],
    ) -> Result<(), sqlx::Error> {
        let sql = "DELETE FROM dax_state WHERE project = $1 AND key = ANY($2)";
        sqlx::query(sql)
            .bind(&self.project)
            .bind(keys)
            .execute(&mut **transaction)
            .await
            .map(|_| ())
    }
}

/// The first text that is greater than all that begin with `prefix`.
fn behind(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

impl Blobs for PostgresBlobs {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT bytes, version FROM dax_state WHERE project = $1 AND key = $2";
            let row = sqlx::query(sql)
                .bind(&self.project)
                .bind(key)
                .fetch_optional(&self.pool)
                .await
                .map_err(|e| self.explain(&e))?;
            let Some(row) = row else { return Ok(None) };
            let version: i64 = row.try_get("version").map_err(|e| self.explain(&e))?;
            let bytes = row.try_get("bytes").map_err(|e| self.explain(&e))?;
            Ok(Some(Blob { bytes, version: Version(version.to_string().into()) }))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT key FROM dax_state WHERE project = $1 AND key >= $2 AND key < $3 ORDER BY key";
            let query = sqlx::query(sql).bind(&self.project).bind(prefix).bind(behind(prefix));
            let rows = query.fetch_all(&self.pool).await.map_err(|e| self.explain(&e))?;
            rows.iter().map(|row| row.try_get("key").map_err(|e| self.explain(&e))).collect()
        })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT key, bytes FROM dax_state WHERE project = $1 AND key >= $2 AND key < $3 ORDER BY key";
            let query = sqlx::query(sql).bind(&self.project).bind(prefix).bind(behind(prefix));
            let rows = query.fetch_all(&self.pool).await.map_err(|e| self.explain(&e))?;
            let pair =
                |row: &sqlx::postgres::PgRow| Ok((row.try_get("key")?, row.try_get("bytes")?));
            rows.iter().map(|row| pair(row).map_err(|e: sqlx::Error| self.explain(&e))).collect()
        })
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let put = async {
                let mut transaction = self.pool.begin().await?;
                let rows = self.put(&mut transaction, key, &bytes).await?;
                transaction.commit().await?;
                Ok(rows == 1)
            };
            put.await.map_err(|error| self.explain(&error))
        })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move { self.swap(commit).await.map_err(|error| self.explain(&error)) })
    }

    fn clock<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move {
            let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
            let row = sqlx::query(sql).fetch_one(&self.pool).await.map_err(|e| self.explain(&e))?;
            let now: i64 = row.try_get("now").map_err(|e| self.explain(&e))?;
            Ok(u64::try_from(now).ok())
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let remove = async {
                let mut transaction = self.pool.begin().await?;
                self.delete(&mut transaction, keys).await?;
                transaction.commit().await
            };
            remove.await.map_err(|error| self.explain(&error))
        })
    }
}
