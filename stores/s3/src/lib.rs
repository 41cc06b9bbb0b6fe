//! State in an S3-compatible object storage that honours `If-Match` and `If-None-Match`.
//!
//! Texts are written first, each under a key of its own; the head is swapped last, by `ETag`. A writer that is
//! stopped in between, or loses the swap, leaves texts behind that nobody refers to.

mod time;

use dax_store::StoreError;
use dax_store::blobs::BoxFuture;
use dax_store::blobs::{Blob, Blobs, Commit, Credentials, Texts, Version};
use futures::TryStreamExt;
use futures::future::try_join_all;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use std::time::Duration;
use time::{Connector, Dates};

/// Texts that are read or written at once.
const AT_ONCE: usize = 16;
/// An answer that is no older says the time well enough.
const FRESH: Duration = Duration::from_secs(1);

/// A state in an object storage.
pub struct S3Blobs {
    store: AmazonS3,
    dates: Dates,
    prefix: String,
    place: String,
}

impl S3Blobs {
    /// Opens `s3://bucket/prefix`. Endpoint, region and credentials come from the variables that `aws` reads; a
    /// server without TLS needs `AWS_ALLOW_HTTP=true`.
    ///
    /// # Errors
    /// The address is none, a variable does not fit, or only a program says that they are to be used for it.
    pub fn open(url: &str, project: &str, credentials: Credentials) -> Result<Self, StoreError> {
        let wrong = |message: String| StoreError::Io { place: url.to_owned(), message };
        let rest = url.strip_prefix("s3://").filter(|rest| !rest.is_empty());
        let rest = rest
            .ok_or_else(|| wrong("an address of this kind is `s3://bucket/prefix`".to_owned()))?;
        if credentials == Credentials::Bound {
            // No credential of AWS is for one bucket, and there is no way in without.
            let what = "your credentials for AWS would be used there".to_owned();
            return Err(StoreError::Unbound { place: url.to_owned(), what });
        }
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        let dates = Dates::default();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_http_connector(Connector(dates.clone()))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let folder = folder.trim_matches('/');
        let prefix =
            if folder.is_empty() { project.to_owned() } else { format!("{folder}/{project}") };
        let server = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()));
        let server = server.map_or_else(String::new, |server| format!(" at {server}"));
        Ok(Self { store, dates, prefix, place: format!("s3://{rest}{server}") })
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }

    fn explain(&self, error: &Error) -> StoreError {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        // The library's first words seldom say what the server answered.
        while let Some(inner) = source {
            let more = inner.to_string();
            if !message.contains(&more) {
                message = format!("{message}: {more}");
            }
            source = inner.source();
        }
        StoreError::Io { place: self.place.clone(), message }
    }

    /// The same of a write: without the right to it the rest still works.
    fn explain_write(&self, error: &Error) -> StoreError {
        match (error, self.explain(error)) {
            (
                Error::PermissionDenied { .. } | Error::Unauthenticated { .. },
                StoreError::Io { place, message },
            ) => StoreError::ReadOnly { place, message },
            (_, explained) => explained,
        }
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        // Listings are by folder; what follows the last slash is compared here.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root = Path::from(format!("{}/{folder}", self.prefix));
        let found: Vec<_> = self.store.list(Some(&root)).try_collect().await?;
        let cut = format!("{}/", self.prefix);
        let keys = found
            .into_iter()
            .filter_map(|meta| meta.location.as_ref().strip_prefix(&cut).map(str::to_owned));
        let mut keys: Vec<String> = keys.filter(|key| key.starts_with(prefix)).collect();
        keys.sort();
        Ok(keys)
    }

    async fn text(&self, key: &str) -> Result<Option<Blob>, Error> {
        let found = match self.store.get(&self.path(key)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let tag = found.meta.e_tag.clone().unwrap_or_default();
        Ok(Some(Blob { bytes: found.bytes().await?.to_vec(), version: Version(tag.into()) }))
    }

    /// Puts a text; nothing comes back when the condition does not hold.
    async fn put(&self, key: &str, bytes: &[u8], mode: PutMode) -> Result<Option<Version>, Error> {
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.path(key), bytes.to_vec().into(), options).await {
            Ok(result) => Ok(Some(Version(result.e_tag.unwrap_or_default().into()))),
            Err(
                Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn swap(&self, commit: &Commit) -> Result<Option<Version>, Error> {
        for some in commit.puts.chunks(AT_ONCE) {
            let puts: Vec<_> =
                some.iter().map(|(key, bytes)| self.put(key, bytes, PutMode::Overwrite)).collect();
            try_join_all(puts).await?;
        }
        let mode = match &commit.expected {
            None => PutMode::Create,
            Some(version) => {
                PutMode::Update(UpdateVersion { e_tag: Some(version.0.to_string()), version: None })
            }
        };
        let swapped = self.put(&commit.key, &commit.bytes, mode).await?;
        if swapped.is_some() {
            self.delete(&commit.remove).await?;
        }
        Ok(swapped)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), Error> {
        for some in keys.chunks(AT_ONCE) {
            let removals: Vec<_> = some.iter().map(|key| self.delete_one(key)).collect();
            try_join_all(removals).await?;
        }
        Ok(())
    }

    async fn delete_one(&self, key: &str) -> Result<(), Error> {
        match self.store.delete(&self.path(key)).await {
            Err(Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn texts(&self, prefix: &str) -> Result<Texts, Error> {
        let keys = self.keys(prefix).await?;
        let mut all = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let reads: Vec<_> = some.iter().map(|key| self.text(key)).collect();
            let found = try_join_all(reads).await?;
            all.extend(
                some.iter().zip(found).filter_map(|(key, found)| Some((key.clone(), found?.bytes))),
            );
        }
        Ok(all)
    }
}

impl Blobs for S3Blobs {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        Box::pin(async move { self.text(key).await.map_err(|error| self.explain(&error)) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move { self.keys(prefix).await.map_err(|error| self.explain(&error)) })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        Box::pin(async move { self.texts(prefix).await.map_err(|error| self.explain(&error)) })
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let put = self.put(key, &bytes, PutMode::Create).await;
            put.map(|version| version.is_some()).map_err(|error| self.explain_write(&error))
        })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move { self.swap(commit).await.map_err(|error| self.explain_write(&error)) })
    }

    fn clock<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move {
            if let Some(now) = self.dates.now_ms(FRESH) {
                return Ok(Some(now));
            }
            // Any answer says it, also that there is no such text.
            match self.store.head(&self.path("meta")).await {
                Ok(_) | Err(Error::NotFound { .. }) => Ok(self.dates.now_ms(FRESH)),
                Err(error) => Err(self.explain(&error)),
            }
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.delete(keys).await.map_err(|error| self.explain_write(&error)) })
    }
}
