//! Sealed state: every text is encrypted and authenticated before it is kept.
//!
//! AES-256-GCM with a random nonce; the key under which a text is kept is authenticated with it, so that no text
//! can be put in another one's place. What a text says of its lineage, environment and serial is inside.

use super::StoreError;
use super::blobs::{Blob, Blobs, Commit, Texts, Version};
use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use dax_provider_api::BoxFuture;
use std::sync::Arc;

/// What a sealed text begins with: a mark and the version of the envelope.
const MAGIC: &[u8; 5] = b"daxs\x01";
const NONCE: usize = 12;
/// Characters of a key: 32 bytes as hexadecimal digits.
const DIGITS: usize = 64;

/// A key of 256 bits; it shows as `***`.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    /// Reads 64 hexadecimal digits; white space around them does not count.
    ///
    /// # Errors
    /// What a key looks like; never the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().as_bytes();
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let wrong = || {
            format!(
                "the key must be {DIGITS} hexadecimal digits, for example from `openssl rand -hex 32`"
            )
        };
        if text.len() != DIGITS {
            return Err(wrong());
        }
        let mut key = [0; 32];
        for (place, pair) in key.iter_mut().zip(text.chunks(2)) {
            *place = digit(pair[0])
                .zip(digit(pair[1]))
                .map(|(high, low)| high * 16 + low)
                .ok_or_else(wrong)?;
        }
        Ok(Self(key))
    }
}

impl Key {
    /// A key for another purpose, from which this one cannot be computed.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

/// A place whose texts are sealed.
pub struct Sealed {
    inner: Arc<dyn Blobs>,
    cipher: Aes256Gcm,
    hash_key: [u8; 32],
}

impl Sealed {
    /// Seals what is kept in `inner`.
    pub fn new(inner: Arc<dyn Blobs>, key: &Key) -> Self {
        let derived = |purpose: &str| blake3::derive_key(purpose, &key.0);
        let cipher = Aes256Gcm::new(&derived("dax state 2026 sealing").into());
        Self { inner, cipher, hash_key: derived("dax state 2026 digests") }
    }

    fn seal(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let sealed = self.cipher.encrypt(&nonce, Payload { msg: bytes, aad: key.as_bytes() });
        let sealed =
            sealed.map_err(|_| self.error(format!("`{key}` is too large to be sealed")))?;
        Ok([MAGIC.as_slice(), nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Some(rest) = bytes.strip_prefix(MAGIC).filter(|rest| rest.len() > NONCE) else {
            return Err(
                self.error(format!("`{key}` is not sealed, although a key is given: take the key away, or start with an empty state"))
            );
        };
        let (nonce, sealed) = rest.split_at(NONCE);
        let opened = self
            .cipher
            .decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad: key.as_bytes() });
        opened.map_err(|_| {
            self.error(format!(
                "`{key}` does not open: this is another key, or the text was changed"
            ))
        })
    }

    fn error(&self, message: String) -> StoreError {
        StoreError::Sealed { place: self.inner.place(), message }
    }
}

/// Whether a text is sealed.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

impl Blobs for Sealed {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        Box::pin(async move {
            let Some(blob) = self.inner.get(key).await? else { return Ok(None) };
            Ok(Some(Blob { bytes: self.open(key, &blob.bytes)?, version: blob.version }))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.inner.list(prefix)
    }

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.check()
    }

    fn clock<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        self.inner.clock()
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        Box::pin(async move {
            let found = self.inner.scan(prefix).await?;
            found
                .into_iter()
                .map(|(key, bytes)| Ok((key.clone(), self.open(&key, &bytes)?)))
                .collect()
        })
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move { self.inner.put_new(key, self.seal(key, &bytes)?).await })
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        Box::pin(async move {
            let puts = commit
                .puts
                .iter()
                .map(|(key, bytes)| Ok((key.clone(), self.seal(key, bytes)?)))
                .collect::<Result<_, StoreError>>()?;
            let sealed = Commit {
                puts,
                key: commit.key.clone(),
                bytes: self.seal(&commit.key, &commit.bytes)?,
                expected: commit.expected.clone(),
                remove: commit.remove.clone(),
            };
            self.inner.commit(&sealed).await
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.remove(keys)
    }

    fn hash_key(&self) -> Option<[u8; 32]> {
        Some(self.hash_key)
    }
}
