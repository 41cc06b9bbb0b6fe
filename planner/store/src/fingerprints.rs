//! The key of secrets' fingerprints: one for all who use a state, so that the same secret looks the same to each.
//!
//! It stands in `meta`, sealed as everything else where the state is sealed. Whoever meets the first secret makes
//! it; of two who do so at once the second takes that of the first. It is never shown: no error holds any of it.

use super::blobs::{self, Blob};
use super::key::random;
use super::{Meta, Result, Store, StoreError, json};
use dax_core::Name;
use serde::{Deserialize, Serialize};

/// Characters of a key: 32 bytes as hexadecimal digits.
const DIGITS: usize = 64;

/// A key as it is kept, with a digest so that a changed digit is noticed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct FingerprintKey {
    key: String,
    sum: Name,
}

impl Store {
    /// The key of secrets' fingerprints. A state that has none gets the one that this machine has of older versions,
    /// or a new one.
    ///
    /// # Errors
    /// The state has none and cannot be written, or its key was changed by somebody else.
    pub async fn fingerprint_key(&self, own: Option<[u8; 32]>) -> Result<[u8; 32]> {
        let mut fresh = own;
        loop {
            let Some(Blob { bytes, version }) = self.blobs.get("meta").await? else {
                return Err(match self.lineage.is_empty() {
                    // There is no state, and none could be made when it was opened.
                    true => self.no_fingerprint_key(),
                    false => self.corrupt("`meta` is gone"),
                });
            };
            let meta: Meta = self.parse(&bytes)?;
            if let Some(kept) = &meta.fingerprint_key {
                return self.opened(kept);
            }
            let key = *fresh.get_or_insert_with(random);
            let text = blake3::Hash::from_bytes(key).to_hex().to_string();
            let sum = self.fingerprint_sum(&meta.lineage, &text);
            let format_version = meta.format_version;
            let kept = Some(FingerprintKey { key: text, sum });
            let commit = blobs::Commit {
                puts: Vec::new(),
                key: "meta".to_owned(),
                bytes: json(&Meta { format_version, lineage: meta.lineage, fingerprint_key: kept }),
                expected: Some(version),
                remove: Vec::new(),
            };
            match self.blobs.commit(&commit).await {
                Ok(Some(_)) => return Ok(key),
                // Somebody else was faster: theirs is taken.
                Ok(None) => {}
                Err(StoreError::ReadOnly { .. }) => {
                    return own.ok_or_else(|| self.no_fingerprint_key());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the state has a key of fingerprints, and whether it is as it was made.
    ///
    /// # Errors
    /// The store cannot be read, or the key was changed by somebody else.
    pub async fn has_fingerprint_key(&self) -> Result<bool> {
        let Some(blob) = self.blobs.get("meta").await? else { return Ok(false) };
        let meta: Meta = self.parse(&blob.bytes)?;
        meta.fingerprint_key.as_ref().map_or(Ok(false), |kept| self.opened(kept).map(|_| true))
    }

    fn opened(&self, kept: &FingerprintKey) -> Result<[u8; 32]> {
        let changed = || self.corrupt("the key of secrets' fingerprints was changed");
        if kept.key.len() != DIGITS || self.fingerprint_sum(&self.lineage, &kept.key) != kept.sum {
            return Err(changed());
        }
        let hash = blake3::Hash::from_hex(&kept.key).map_err(|_| changed())?;
        Ok(*hash.as_bytes())
    }

    /// A digest of the key that tells nothing of it.
    fn fingerprint_sum(&self, lineage: &str, key: &str) -> Name {
        let purpose = "dax state 2026 sum of the fingerprint key";
        let derived = blake3::derive_key(purpose, format!("{lineage}\n{key}").as_bytes());
        Name::new(&self.hash(&derived)[..16])
    }

    fn no_fingerprint_key(&self) -> StoreError {
        StoreError::NoFingerprintKey { place: self.place() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::{Blobs, MemoryBlobs, Texts, Version};
    use crate::testing::{now, store};
    use crate::{Key, Sealed};
    use futures::future::BoxFuture;
    use std::sync::Arc;

    fn meta(blobs: &MemoryBlobs) -> String {
        String::from_utf8_lossy(&blobs.all()["meta"]).into_owned()
    }

    #[test]
    fn all_who_use_a_state_have_one_key_and_two_states_do_not() {
        let blobs = Arc::new(MemoryBlobs::default());
        let (one, other) = (store(blobs.clone()), store(blobs.clone()));
        assert!(!now(one.has_fingerprint_key()).unwrap());
        let key = now(one.fingerprint_key(None)).unwrap();
        assert_eq!(now(other.fingerprint_key(None)).unwrap(), key);
        // A machine that comes later with a key of its own takes that of the state.
        assert_eq!(now(other.fingerprint_key(Some([7; 32]))).unwrap(), key);
        assert_eq!(now(store(blobs).fingerprint_key(None)).unwrap(), key);
        let elsewhere = store(Arc::new(MemoryBlobs::default()));
        assert_ne!(now(elsewhere.fingerprint_key(None)).unwrap(), key);
        assert_eq!(now(one.state("dev")).unwrap().1.lineage, one.lineage);
    }

    #[test]
    fn the_key_of_an_older_version_moves_into_the_state() {
        let blobs = Arc::new(MemoryBlobs::default());
        blobs.meddle("meta", Some(br#"{"format_version":4,"lineage":"abc"}"#.to_vec()));
        let store = store(blobs.clone());
        assert_eq!(now(store.fingerprint_key(Some([7; 32]))).unwrap(), [7; 32]);
        assert_eq!(now(store.fingerprint_key(None)).unwrap(), [7; 32]);
        assert!(meta(&blobs).contains(&r#""format_version":4,"lineage":"abc""#.to_string()));
    }

    #[test]
    fn a_sealed_state_seals_the_key_and_a_changed_one_is_an_error() {
        let inner = Arc::new(MemoryBlobs::default());
        let key = Key::parse(&"7".repeat(64)).unwrap();
        let sealed = store(Arc::new(Sealed::new(inner.clone(), &key).unwrap()));
        let secret = now(sealed.fingerprint_key(None)).unwrap();
        let text = blake3::Hash::from_bytes(secret).to_hex().to_string();
        assert!(!meta(&inner).contains(&text[..8]));
        let open = Arc::new(MemoryBlobs::default());
        let plain = store(open.clone());
        let secret = now(plain.fingerprint_key(None)).unwrap();
        let text = blake3::Hash::from_bytes(secret).to_hex().to_string();
        let other = if text.starts_with('0') { "1" } else { "0" };
        let changed = meta(&open).replace(&text, &format!("{other}{}", &text[1..]));
        open.meddle("meta", Some(changed.into_bytes()));
        let refused = now(plain.fingerprint_key(None)).unwrap_err().to_string();
        assert!(refused.contains("fingerprints was changed"), "{refused}");
        assert!(!refused.contains(&text[1..9]), "{refused}");
        assert_eq!(now(plain.verify("dev")).unwrap().findings[0].key, "meta");
    }

    /// A place where another process is faster at the first attempt, or that cannot be written.
    struct Contested {
        inner: Arc<MemoryBlobs>,
        rival: std::sync::Mutex<Option<Store>>,
        read_only: bool,
    }

    impl Blobs for Contested {
        fn place(&self) -> String {
            "here".to_owned()
        }
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>>> {
            self.inner.get(key)
        }
        fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
            self.inner.list(prefix)
        }
        fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts>> {
            self.inner.scan(prefix)
        }
        fn put_new<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>> {
            self.inner.put_new(key, bytes)
        }
        fn commit<'a>(
            &'a self,
            commit: &'a blobs::Commit,
        ) -> BoxFuture<'a, Result<Option<Version>>> {
            let rival = self.rival.lock().unwrap().take();
            Box::pin(async move {
                if self.read_only {
                    let message = "permission denied".to_owned();
                    return Err(StoreError::ReadOnly { place: self.place(), message });
                }
                if let Some(rival) = rival {
                    rival.fingerprint_key(Some([9; 32])).await?;
                }
                self.inner.commit(commit).await
            })
        }
        fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<()>> {
            self.inner.remove(keys)
        }
    }

    #[test]
    fn of_two_who_make_the_key_at_once_the_second_takes_that_of_the_first() {
        let inner = Arc::new(MemoryBlobs::default());
        let rival = std::sync::Mutex::new(Some(store(inner.clone())));
        let second = store(Arc::new(Contested { inner, rival, read_only: false }));
        assert_eq!(now(second.fingerprint_key(None)).unwrap(), [9; 32]);
    }

    #[test]
    fn who_cannot_write_is_told_who_has_to_come_first_and_reads_the_key_after_that() {
        let inner = Arc::new(MemoryBlobs::default());
        let writer = store(inner.clone());
        let rival = std::sync::Mutex::default();
        let reader = store(Arc::new(Contested { inner, rival, read_only: true }));
        let refused = now(reader.fingerprint_key(None)).unwrap_err().to_string();
        assert!(refused.contains("`dax plan` once with credentials that may write"), "{refused}");
        // What it has of older versions does for as long as there is no other.
        assert_eq!(now(reader.fingerprint_key(Some([7; 32]))).unwrap(), [7; 32]);
        let key = now(writer.fingerprint_key(None)).unwrap();
        assert_eq!(now(reader.fingerprint_key(Some([7; 32]))).unwrap(), key);
    }
}
