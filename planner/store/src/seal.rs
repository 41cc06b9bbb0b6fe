//! Sealed state: every text is encrypted, authenticated and signed before it is kept.
//!
//! AES-256-GCM with a random nonce, and an Ed25519 signature of the whole; the key under which a
//! text is kept is authenticated and signed with it, so that no text can be put in another one's
//! place. What a text says of its lineage, environment and serial is inside.
//!
//! A job that only plans holds a key that only reads ([`Key`]). What it may write, the plans that
//! reviewers are shown, is encrypted and not signed; of everything else an unsigned text is refused.

use super::StoreError;
use super::blobs::{Blob, Blobs, Commit, Texts, Version};
use super::key::{Key, random};
use crate::blobs::BoxFuture;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, UnparsedPublicKey};
use std::sync::Arc;

/// What a sealed text begins with: a mark, and then the version of the envelope.
const MARK: &[u8; 4] = b"daxs";
/// Of an envelope without a signature, as every one was once.
const FORMER: u8 = 1;
/// Of an envelope that ends with a signature of its key and of all that comes before.
const SIGNED: u8 = 2;
/// Of an envelope that whoever reads may write.
const UNSIGNED: u8 = 3;
/// Bytes of a signature.
const SIGNATURE: usize = 64;
/// Where the texts are that a job which only plans may write.
const SHOWN: &str = "reviews/";

/// A place whose texts are sealed.
pub struct Sealed {
    inner: Arc<dyn Blobs>,
    cipher: LessSafeKey,
    hash_key: [u8; 32],
    signer: UnparsedPublicKey<[u8; ED25519_PUBLIC_KEY_LEN]>,
    /// What signs; none where the key only reads.
    pair: Option<Ed25519KeyPair>,
}

impl Sealed {
    /// Seals what is kept in `inner`.
    ///
    /// # Errors
    /// The system's cryptography does not take the key.
    pub fn new(inner: Arc<dyn Blobs>, key: &Key) -> Result<Self, StoreError> {
        let unbound = UnboundKey::new(&AES_256_GCM, &key.parts.cipher).map_err(|_| {
            let message = "AES-256-GCM does not take its key".to_owned();
            StoreError::Sealed { place: inner.place(), message }
        })?;
        let cipher = LessSafeKey::new(unbound);
        let signer = UnparsedPublicKey::new(&ED25519, key.parts.signer);
        Ok(Self { inner, cipher, hash_key: key.parts.hash, signer, pair: key.pair() })
    }

    fn seal(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let version = match &self.pair {
            Some(_) => SIGNED,
            None if key.starts_with(SHOWN) => UNSIGNED,
            None => return Err(self.only_reads()),
        };
        let nonce: [u8; NONCE_LEN] = random();
        let mut text = bytes.to_vec();
        self.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(key.as_bytes()),
                &mut text,
            )
            .map_err(|_| self.error(format!("`{key}` is too large to be sealed")))?;
        let mut sealed = [MARK.as_slice(), &[version], &nonce, &text].concat();
        if let Some(pair) = &self.pair {
            sealed.extend_from_slice(pair.sign(&signed(key, &sealed)).as_ref());
        }
        Ok(sealed)
    }

    fn open(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let Some((version, _)) = bytes.strip_prefix(MARK).and_then(<[u8]>::split_first) else {
            return Err(self.error(format!(
                "`{key}` is not sealed, although a key is given: take the key away, or start with \
                 an empty state"
            )));
        };
        let sealed = match *version {
            SIGNED => self.verified(key, bytes)?,
            UNSIGNED if key.starts_with(SHOWN) => bytes,
            FORMER => {
                return Err(self.error(format!(
                    "`{key}` was sealed by an earlier dax, without a signature: go on with that \
                     version, or start with an empty state and take over what runs with `dax adopt`"
                )));
            }
            _ => return Err(self.error(format!("`{key}` is not signed with the state's key"))),
        };
        let closed = || {
            self.error(format!(
                "`{key}` does not open: this is another key, or the text was changed"
            ))
        };
        let rest = &sealed[MARK.len() + 1..];
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(closed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| closed())?;
        let mut text = text.to_vec();
        let opened = self.cipher.open_in_place(nonce, Aad::from(key.as_bytes()), &mut text);
        let length = opened.map_err(|_| closed())?.len();
        text.truncate(length);
        Ok(text)
    }

    /// What a signature at the end stands for, if it is that of this state's key.
    fn verified<'a>(&self, key: &str, bytes: &'a [u8]) -> Result<&'a [u8], StoreError> {
        let parts = bytes.len().checked_sub(SIGNATURE).map(|at| bytes.split_at(at));
        let parts = parts.filter(|(sealed, _)| sealed.len() > MARK.len());
        parts
            .filter(|(sealed, sign)| self.signer.verify(&signed(key, sealed), sign).is_ok())
            .map(|(sealed, _)| sealed)
            .ok_or_else(|| {
                self.error(format!(
                    "`{key}` does not open: this is another key, or the text was changed"
                ))
            })
    }

    fn only_reads(&self) -> StoreError {
        let message = "the state's key that was given only reads".to_owned();
        StoreError::ReadOnly { place: self.inner.place(), message }
    }

    fn error(&self, message: String) -> StoreError {
        StoreError::Sealed { place: self.inner.place(), message }
    }
}

/// What is signed: the key with its length before it, so that no byte of one counts for the other.
fn signed(key: &str, sealed: &[u8]) -> Vec<u8> {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes();
    [length.as_slice(), key.as_bytes(), sealed].concat()
}

/// Whether a text is sealed.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
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
        if self.pair.is_none() && !keys.iter().all(|key| key.starts_with(SHOWN)) {
            return Box::pin(async { Err(self.only_reads()) });
        }
        self.inner.remove(keys)
    }

    fn hash_key(&self) -> Option<[u8; 32]> {
        Some(self.hash_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::MemoryBlobs;
    use crate::testing::now;

    fn key() -> Key {
        Key::parse(&"7".repeat(64)).unwrap()
    }

    fn reading() -> Key {
        Key::parse(&key().reading()).unwrap()
    }

    fn sealed(key: &Key) -> Sealed {
        Sealed::new(Arc::new(MemoryBlobs::default()), key).unwrap()
    }

    #[test]
    fn a_key_that_only_reads_opens_what_the_whole_one_wrote_and_signs_nothing() {
        let (whole, reads) = (sealed(&key()), sealed(&reading()));
        let text = whole.seal("approvals/a", b"yes").unwrap();
        assert!(!text.windows(3).any(|part| part == b"yes"));
        assert_eq!(reads.open("approvals/a", &text).unwrap(), b"yes");
        let refused = reads.seal("approvals/a", b"yes").unwrap_err();
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
        let shown = reads.seal("reviews/a", b"seen").unwrap();
        assert_eq!(whole.open("reviews/a", &shown).unwrap(), b"seen");
        assert_eq!(whole.hash_key(), reads.hash_key());
        let remove = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            now(reads.remove(&keys))
        };
        assert!(remove(&["reviews/a"]).is_ok());
        assert!(matches!(remove(&["reviews/a", "meta"]), Err(StoreError::ReadOnly { .. })));
        let commit = Commit {
            puts: Vec::new(),
            key: "meta".to_owned(),
            bytes: Vec::new(),
            expected: None,
            remove: Vec::new(),
        };
        assert!(matches!(now(reads.commit(&commit)), Err(StoreError::ReadOnly { .. })));
    }

    #[test]
    fn what_the_holder_of_a_key_that_only_reads_makes_by_hand_is_refused() {
        let (whole, reads) = (sealed(&key()), sealed(&reading()));
        let mut unsigned = reads.seal("reviews/a", b"yes").unwrap();
        let refused = |key: &str, text: &[u8]| {
            let said = whole.open(key, text).unwrap_err();
            assert!(matches!(said, StoreError::Sealed { .. }), "{said}");
        };
        // Under another key, and as a text of another kind.
        refused("approvals/a", &unsigned);
        refused("reviews/b", &unsigned);
        for version in [0, FORMER, SIGNED, 4, 255] {
            unsigned[MARK.len()] = version;
            refused("reviews/a", &unsigned);
            refused("approvals/a", &unsigned);
        }
        // The cipher's key is known: encrypted for the right place, signed by another pair.
        let stranger = Key::parse(&"8".repeat(64)).unwrap();
        let mut forger = sealed(&reading());
        forger.pair = stranger.pair();
        refused("approvals/a", &forger.seal("approvals/a", b"yes").unwrap());
        // Signed once, and moved or changed since.
        let signed = whole.seal("approvals/a", b"yes").unwrap();
        refused("approvals/b", &signed);
        refused("reviews/a", &signed);
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            assert!(whole.open("approvals/a", &changed).is_err(), "byte {at}");
            assert!(whole.open("approvals/a", &signed[..at]).is_err(), "{at} bytes");
        }
        let reviews = whole.seal("reviews/a", b"seen").unwrap();
        for at in 0..reviews.len() {
            let mut changed = reviews.clone();
            changed[at] ^= 1;
            assert!(whole.open("reviews/a", &changed).is_err(), "byte {at} of what was shown");
        }
    }
}
