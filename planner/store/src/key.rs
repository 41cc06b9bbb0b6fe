//! The key of a sealed state, in its two forms: one that reads and writes, and one that only reads.
//!
//! From the key of 64 digits comes all that sealing takes: a key to encrypt with, one for the names
//! of texts, and a pair to sign with. The key that only reads has the first two and the public half
//! of the pair: whoever holds it opens every text and can sign none, and a text that is not signed
//! is not believed.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

/// Bytes of each part of a key.
const PART: usize = 32;
/// What the text of a key that only reads begins with.
const READS: &str = "read-";
/// Parts of a key that only reads: to encrypt with, for names, the public half.
const PARTS: usize = 3;

/// The key of a sealed state; it shows as `***`.
#[derive(Clone)]
pub struct Key {
    pub(super) parts: Parts,
    /// What everything is derived from; a key that only reads has none.
    whole: Option<[u8; PART]>,
}

/// What it takes to read.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) cipher: [u8; PART],
    /// Of the digests in the names of texts.
    pub(super) hash: [u8; PART],
    /// The public half of the pair that texts are signed with.
    pub(super) signer: [u8; PART],
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    /// Reads 64 hexadecimal digits, or `read-` and 192 of them; white space around them does not
    /// count.
    ///
    /// # Errors
    /// What a key looks like; never the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(digits) = text.strip_prefix(READS) {
            let [cipher, hash, signer] = parts::<PARTS>(digits).ok_or_else(|| {
                format!(
                    "a key that only reads must be `{READS}` and {} hexadecimal digits, as `dax \
                     state read-key` prints it",
                    2 * PART * PARTS
                )
            })?;
            return Ok(Self { parts: Parts { cipher, hash, signer }, whole: None });
        }
        let [whole] = parts::<1>(text).ok_or_else(|| {
            format!(
                "the key must be {} hexadecimal digits, for example from `openssl rand -hex \
                 {PART}`; a key that only reads begins with `{READS}`",
                2 * PART
            )
        })?;
        let pair = pair(&whole).ok_or_else(|| "no pair to sign with comes from it".to_owned())?;
        let mut signer = [0; PART];
        signer.copy_from_slice(pair.public_key().as_ref());
        let cipher = blake3::derive_key("dax state 2026 sealing", &whole);
        let hash = blake3::derive_key("dax state 2026 digests", &whole);
        Ok(Self { parts: Parts { cipher, hash, signer }, whole: Some(whole) })
    }

    /// A key for another purpose, from which this one cannot be computed; none from a key that only
    /// reads.
    pub fn derive(&self, purpose: &str) -> Option<[u8; PART]> {
        self.whole.map(|whole| blake3::derive_key(purpose, &whole))
    }

    /// The text of the key that reads what this one writes.
    pub fn reading(&self) -> String {
        let Parts { cipher, hash, signer } = self.parts;
        let digits = [cipher, hash, signer].map(|part| blake3::Hash::from_bytes(part).to_hex());
        format!("{READS}{}", digits.map(|part| part.to_string()).concat())
    }

    /// What signs; none where this key only reads.
    pub(super) fn pair(&self) -> Option<Ed25519KeyPair> {
        pair(&self.whole?)
    }
}

/// Bytes of chance.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn pair(whole: &[u8; PART]) -> Option<Ed25519KeyPair> {
    let seed = blake3::derive_key("dax state 2026 signing", whole);
    Ed25519KeyPair::from_seed_unchecked(&seed).ok()
}

/// So many parts of hexadecimal digits, and nothing else.
fn parts<const N: usize>(digits: &str) -> Option<[[u8; PART]; N]> {
    let mut all = [[0; PART]; N];
    let mut rest = digits;
    for part in &mut all {
        let (digits, more) = rest.split_at_checked(2 * PART)?;
        *part = *blake3::Hash::from_hex(digits).ok()?.as_bytes();
        rest = more;
    }
    rest.is_empty().then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_either_form_and_shows_in_none() {
        let digits = "0a".repeat(32);
        let key = Key::parse(&format!(" {digits}\n")).unwrap();
        let reading = key.reading();
        assert_eq!(reading.len(), 5 + 192);
        assert!(!reading.contains(&digits));
        let read = Key::parse(&reading).unwrap();
        assert_eq!(read.reading(), reading);
        assert!(key.derive("x").is_some() && read.derive("x").is_none());
        assert!(key.pair().is_some() && read.pair().is_none());
        assert_eq!(format!("{key:?} {read:?}"), "*** ***");
        for wrong in ["", "read-", &digits[1..], &reading[1..], &reading[..196], "äö", "read-ä"]
        {
            let said = Key::parse(wrong).unwrap_err();
            assert!(said.contains("hexadecimal digits"), "{said}");
            assert!(wrong.len() < 10 || !said.contains(wrong), "{said}");
        }
        assert!(Key::parse(&"g".repeat(64)).is_err());
    }
}
