//! What a state is kept in: texts by key, and one of them replaced by compare-and-swap.

use super::StoreError;
use dax_core::Name;
pub use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Tells one writing of a key from the next: a counter, an `ETag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub Name);

/// Which credentials a place may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Those of the surroundings, because a person named the place.
    Ambient,
    /// Those alone that are bound to the place itself, because only a program names it.
    Bound,
}

/// Texts by key.
pub type Texts = Vec<(String, Vec<u8>)>;

/// A text with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Which writing it is.
    pub version: Version,
}

/// Texts to write, and the one that makes them count.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Texts under keys of their own. Written first; who loses the swap leaves them behind without harm.
    pub puts: Vec<(String, Vec<u8>)>,
    /// The key that is swapped.
    pub key: String,
    /// What stands there from then on.
    pub bytes: Vec<u8>,
    /// What must stand there; nothing may without it.
    pub expected: Option<Version>,
    /// Keys that nobody needs any more once it is done.
    pub remove: Vec<String>,
}

/// A place that keeps texts by key.
pub trait Blobs: Send + Sync {
    /// Where it is, in words, without secrets.
    fn place(&self) -> String;

    /// The text under a key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>>;

    /// Every key that begins so, in order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Every text whose key begins so, in order.
    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>>;

    /// Writes a text under a key that has none; says whether it had none.
    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Writes all that a commit says and swaps; nothing comes back when somebody else was faster.
    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>>;

    /// Removes texts.
    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Looks for damage of the place as a whole that no single text shows.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// The time at the place, in milliseconds since 1970; nothing where it is this machine's.
    fn clock<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    /// The key of digests, where a digest must not tell what it is of.
    fn hash_key(&self) -> Option<[u8; 32]> {
        None
    }
}

/// Texts in memory, for tests and for the simulator.
#[derive(Default)]
pub struct MemoryBlobs {
    texts: Mutex<BTreeMap<String, (Vec<u8>, u64)>>,
}

impl MemoryBlobs {
    fn texts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Vec<u8>, u64)>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that is there, by key.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.texts().iter().map(|(key, (bytes, _))| (key.clone(), bytes.clone())).collect()
    }

    /// Puts what stands under a key aside for something else, behind everybody's back.
    pub fn meddle(&self, key: &str, bytes: Option<Vec<u8>>) {
        let mut texts = self.texts();
        match bytes {
            Some(bytes) => {
                let version = texts.get(key).map_or(0, |(_, version)| *version);
                texts.insert(key.to_owned(), (bytes, version));
            }
            None => drop(texts.remove(key)),
        }
    }
}

impl Blobs for MemoryBlobs {
    fn place(&self) -> String {
        "the state in memory".to_owned()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        let found = self.texts().get(key).map(|(bytes, version)| Blob {
            bytes: bytes.clone(),
            version: Version(version.to_string().into()),
        });
        Box::pin(async move { Ok(found) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let keys = self.texts().keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        Box::pin(async move { Ok(keys) })
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        let found = self
            .texts()
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, (bytes, _))| (key.clone(), bytes.clone()))
            .collect();
        Box::pin(async move { Ok(found) })
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut texts = self.texts();
        let fresh = !texts.contains_key(key);
        if fresh {
            texts.insert(key.to_owned(), (bytes, 1));
        }
        Box::pin(async move { Ok(fresh) })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        let mut texts = self.texts();
        let there = texts.get(&commit.key).map(|(_, version)| *version);
        let expected = commit.expected.as_ref().map(|version| version.0.to_string());
        let swapped = there.map(|version| version.to_string()) == expected;
        for (key, bytes) in &commit.puts {
            texts.insert(key.clone(), (bytes.clone(), 1));
        }
        let version = there.unwrap_or(0) + 1;
        if swapped {
            texts.insert(commit.key.clone(), (commit.bytes.clone(), version));
            commit.remove.iter().for_each(|key| drop(texts.remove(key)));
        }
        Box::pin(async move { Ok(swapped.then(|| Version(version.to_string().into()))) })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut texts = self.texts();
        keys.iter().for_each(|key| drop(texts.remove(key)));
        Box::pin(async { Ok(()) })
    }
}
