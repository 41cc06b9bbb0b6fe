//! State, journal, lease and audit, behind one small trait that a file, a database or an object storage can keep.
//!
//! A [`blobs::Blobs`] keeps texts by key. All but one kind of them are written once and never changed; an
//! environment's *head* names them by hash and is replaced only by compare-and-swap. So every write of a run is
//! fenced: whoever holds an old head writes in vain, and what a torn write leaves behind nobody refers to.
//!
//! Invariant: what was deleted, emptied, changed or put in another's place is an error, never another answer.

mod anchor;
pub mod audit;
pub mod blobs;
mod clock;
mod conditions;
mod error;
mod fingerprints;
mod head;
mod key;
mod messages;
mod reviews;
mod runs;
mod seal;
mod sqlite;
#[cfg(test)]
mod testing;
mod verify;

pub use anchor::Anchor;
pub use audit::{Record, What};
pub use conditions::{Provenance, Recorded};
pub use error::StoreError;
pub use head::{Holder, LEASE_MS, Lease, Pin};
pub use key::Key;
pub use messages::{Approval, Signal, Wish};
pub use reviews::ShownPlan;
pub use runs::{Ending, Point, Run, Unfinished};
pub use seal::Sealed;
pub use sqlite::Sqlite;
pub use verify::{Finding, Report};

use blobs::{Blob, Blobs, Commit};
use clock::Clock;
use dax_core::{Name, ResourceAddr, Value};
use dax_plan::model::{AppliedService, StateVersion};
use fingerprints::FingerprintKey;
use head::Head;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The format that this version writes; it reads no other one.
pub const FORMAT: u32 = 4;

type Result<T> = std::result::Result<T, StoreError>;

/// An environment's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What was applied.
    pub services: BTreeMap<ResourceAddr, AppliedService>,
    /// How the providers of these are reached, where that takes a configuration.
    pub providers: BTreeMap<Name, Value>,
}

/// A state as it is kept: it says itself whose and which it is.
#[derive(Serialize, Deserialize)]
struct StateFile {
    format_version: u32,
    lineage: Name,
    environment: Name,
    serial: u64,
    services: BTreeMap<ResourceAddr, AppliedService>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    providers: BTreeMap<Name, Value>,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    format_version: u32,
    lineage: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint_key: Option<FingerprintKey>,
}

/// An open store.
#[derive(Clone)]
pub struct Store {
    blobs: Arc<dyn Blobs>,
    anchor: Option<Arc<Anchor>>,
    lineage: Name,
    clock: Arc<Clock>,
}

impl Store {
    /// Opens the store, making it when it is not there. The anchor remembers which one it was and how new it was
    /// when it was last seen.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with it.
    pub async fn open(blobs: Arc<dyn Blobs>, anchor: Option<Anchor>) -> Result<Self> {
        let (anchor, clock) = (anchor.map(Arc::new), Arc::default());
        let mut store = Self { blobs, anchor, lineage: Name::default(), clock };
        let mut found = store.blobs.get("meta").await?;
        store.keep_time().await?;
        if found.is_none() {
            if let Some(anchor) = &store.anchor {
                anchor.check_lineage(None, &store.place())?;
            }
            store.refuse_without_meta().await?;
            let lineage = random_name();
            let fresh = Meta { format_version: FORMAT, lineage, fingerprint_key: None };
            match store.blobs.put_new("meta", json(&fresh)).await {
                // There is nothing, and nothing can come of it: that is enough for whoever only looks.
                Err(StoreError::ReadOnly { .. }) => return Ok(store),
                made => drop(made?),
            }
            // Somebody else may have been faster.
            found = store.blobs.get("meta").await?;
        }
        let blob = found.ok_or_else(|| store.corrupt("`meta` is gone"))?;
        if seal::is_sealed(&blob.bytes) {
            let message =
                "give its key: DAX_STATE_KEY, DAX_STATE_KEY_FILE or DAX_STATE_KEY_COMMAND"
                    .to_owned();
            return Err(StoreError::Sealed { place: store.place(), message });
        }
        let meta: Meta = store.parse(&blob.bytes)?;
        if meta.format_version > FORMAT {
            return Err(store.newer(meta.format_version));
        }
        if meta.format_version < FORMAT {
            let (found, known) = (i64::from(meta.format_version), i64::from(FORMAT));
            return Err(StoreError::Former { place: store.place(), found, known });
        }
        store.lineage = meta.lineage;
        if let Some(anchor) = &store.anchor {
            anchor.check_lineage(Some(&store.lineage), &store.place())?;
        }
        Ok(store)
    }

    /// Makes sure that where `meta` lacks there is nothing else either.
    async fn refuse_without_meta(&self) -> Result<()> {
        let keys = self.blobs.list("").await?;
        let Some(other) = keys.iter().find(|key| *key != "meta") else { return Ok(()) };
        // Somebody else may just have begun.
        match self.blobs.get("meta").await? {
            Some(_) => Ok(()),
            None => Err(self.corrupt(format!("`meta` is gone, and `{other}` is there"))),
        }
    }

    /// Makes sure that there is a state, before anything is written that would lie there without one.
    fn exists(&self) -> Result<()> {
        match self.lineage.is_empty() {
            true => Err(StoreError::Absent { place: self.place() }),
            false => Ok(()),
        }
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        self.blobs.place()
    }

    fn corrupt(&self, message: impl Into<String>) -> StoreError {
        StoreError::Corrupt { place: self.place(), message: message.into() }
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(&self.unpack(bytes)?)
            .map_err(|error| self.corrupt(error.to_string()))
    }

    /// A text as it was before it was packed.
    fn unpack<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        match bytes.strip_prefix(PACKED) {
            None => Ok(Cow::Borrowed(bytes)),
            Some(packed) => unpacked(packed).map(Cow::Owned).map_err(|error| self.corrupt(error)),
        }
    }

    /// The digest by which a text is named; with a key where the texts are sealed.
    fn hash(&self, bytes: &[u8]) -> Name {
        let hash = match self.blobs.hash_key() {
            Some(key) => blake3::keyed_hash(&key, bytes),
            None => blake3::hash(bytes),
        };
        Name::new(hash.to_hex())
    }

    /// The text behind a key that ends with its hash.
    async fn named(&self, key: &str) -> Result<Vec<u8>> {
        let blob =
            self.blobs.get(key).await?.ok_or_else(|| self.corrupt(format!("`{key}` is gone")))?;
        self.check_name(key, &blob.bytes)?;
        Ok(blob.bytes)
    }

    fn check_name(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let hash = key.rsplit_once('-').map_or("", |(_, hash)| hash);
        if hash.is_empty() || !self.hash(bytes).starts_with(hash) {
            return Err(self.corrupt(format!("`{key}` was changed after it was written")));
        }
        Ok(())
    }

    /// The environment's head; nothing when nobody ever held it.
    async fn head(&self, environment: &str) -> Result<Option<(Head, Blob)>> {
        let Some(blob) = self.blobs.get(&head::key(environment)).await? else {
            self.refuse_without_head(environment).await?;
            return Ok(None);
        };
        let head = self.read_head(environment, &blob.bytes)?;
        if let Some(anchor) = &self.anchor {
            anchor.check(&head, &self.place())?;
        }
        Ok(Some((head, blob)))
    }

    /// Makes sure that where a head lacks the environment never had one.
    async fn refuse_without_head(&self, environment: &str) -> Result<()> {
        let anchor = self.anchor.as_ref();
        if let Some(seen) = anchor.and_then(|anchor| anchor.seen(&self.lineage, environment)) {
            return Err(self.corrupt(format!(
                "the head of `{environment}` is gone, of which this machine has seen change {}",
                seen.counter
            )));
        }
        for kind in UNDER_A_HEAD {
            if let Some(key) = self.blobs.list(&format!("{kind}/{environment}/")).await?.first() {
                return Err(self.corrupt(format!(
                    "the head of `{environment}` is gone, and `{key}` is there"
                )));
            }
        }
        Ok(())
    }

    /// The environments that have a state or had one, also those that have lost their head.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn environments(&self) -> Result<Vec<Name>> {
        let mut names = BTreeSet::new();
        for kind in ["heads", "points"] {
            let keys = self.blobs.list(&format!("{kind}/")).await?;
            names.extend(keys.iter().filter_map(|key| key.split('/').nth(1)).map(Name::from));
        }
        if let Some(anchor) = &self.anchor {
            names.extend(anchor.environments(&self.lineage));
        }
        Ok(names.into_iter().collect())
    }

    /// The current state of an environment; an empty one when nothing was applied yet.
    ///
    /// # Errors
    /// The store cannot be read, or the state was changed by somebody else.
    pub async fn state(&self, environment: &str) -> Result<(Snapshot, StateVersion)> {
        let version = |serial| StateVersion {
            lineage: self.lineage.clone(),
            serial,
            ..StateVersion::default()
        };
        let none = (Snapshot::default(), version(0));
        let Some((head, _)) = self.head(environment).await? else { return Ok(none) };
        let Some(key) = &head.state else { return Ok(none) };
        let snapshot = self.read_state(environment, key, head.serial).await?;
        Ok((snapshot, version(head.serial)))
    }

    async fn read_state(&self, environment: &str, key: &str, serial: u64) -> Result<Snapshot> {
        let file: StateFile = self.parse(&self.named(key).await?)?;
        if file.format_version > FORMAT {
            return Err(self.newer(file.format_version));
        }
        if file.lineage != self.lineage || file.environment != environment || file.serial != serial
        {
            return Err(
                self.corrupt(format!("`{key}` is the state of another time or environment"))
            );
        }
        Ok(Snapshot { services: file.services, providers: file.providers })
    }

    /// An earlier state.
    ///
    /// # Errors
    /// The store cannot be read, or the state was changed by somebody else.
    pub async fn state_at(&self, environment: &str, serial: u64) -> Result<Option<Snapshot>> {
        match self.points(environment).await?.into_iter().find(|point| point.serial == serial) {
            Some(point) => Ok(Some(self.read_state(environment, &point.key, serial).await?)),
            None => Ok(None),
        }
    }

    /// The current state as it is kept, for `dax state pull`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn pull(&self, environment: &str) -> Result<Option<String>> {
        let Some((head, _)) = self.head(environment).await? else { return Ok(None) };
        let Some(key) = &head.state else { return Ok(None) };
        let bytes = self.named(key).await?;
        Ok(Some(String::from_utf8_lossy(&self.unpack(&bytes)?).into_owned()))
    }

    fn state_file(&self, environment: &str, serial: u64, snapshot: &Snapshot) -> (String, Vec<u8>) {
        let file = StateFile {
            format_version: FORMAT,
            lineage: self.lineage.clone(),
            environment: environment.into(),
            serial,
            services: snapshot.services.clone(),
            providers: snapshot.providers.clone(),
        };
        let bytes = json(&file);
        (format!("states/{environment}/{serial:010}-{}", self.hash(&bytes)), bytes)
    }

    /// Replaces the head under a lease, with texts that it names; in vain when the lease was lost.
    async fn fenced(
        &self,
        lease: &mut Lease,
        puts: Vec<(String, Vec<u8>)>,
        remove: Vec<String>,
        change: impl FnOnce(&mut Head),
    ) -> Result<()> {
        let mut next = lease.head.clone();
        change(&mut next);
        next.counter += 1;
        let commit = Commit {
            puts,
            key: head::key(&lease.environment),
            bytes: self.head_text(&next),
            expected: Some(lease.version.clone()),
            remove,
        };
        let made = self.blobs.commit(&commit).await;
        lease.version = match made {
            Ok(Some(version)) => version,
            // It may have been made and its answer lost: then what is there is what was written.
            Ok(None) | Err(StoreError::Io { .. }) => {
                match (self.head(&lease.environment).await?, made) {
                    (Some((_, blob)), _) if blob.bytes == commit.bytes => blob.version,
                    (Some((_, blob)), Err(error)) if blob.version == lease.version => {
                        return Err(error);
                    }
                    (Some((head, _)), _) => return Err(fenced_by(lease, &head)),
                    (None, _) => return Err(self.corrupt("the head is gone")),
                }
            }
            Err(error) => return Err(error),
        };
        lease.head = next;
        if let Some(anchor) = &self.anchor {
            anchor.note(&lease.head)?;
        }
        Ok(())
    }
}

fn fenced_by(lease: &Lease, head: &Head) -> StoreError {
    let holder = head
        .holder
        .as_ref()
        .map_or_else(|| "nobody any more".to_owned(), |holder| holder.name.clone());
    StoreError::Fenced { environment: lease.environment.to_string(), holder }
}

/// What a packed text begins with; JSON never does.
const PACKED: &[u8] = b"lz4\x01";
/// Texts from this size on are packed: plans and states of many services repeat themselves.
const LARGE: usize = 16 * 1024;
/// No text is larger when it is unpacked.
const LARGEST: usize = 512 << 20;
/// A packed byte stands for no more than so many: what the format of LZ4 allows.
const RATIO: usize = 255;

/// Kinds of texts that an environment has only together with a head.
const UNDER_A_HEAD: [&str; 6] = ["audit", "conditions", "journal", "plans", "points", "states"];

pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let text = serde_json::to_vec(value)
        .expect("stored values serialise: no map has keys that are not text");
    pack(text)
}

/// A text as it is kept.
fn pack(text: Vec<u8>) -> Vec<u8> {
    if text.len() < LARGE {
        text
    } else {
        [PACKED, &lz4_flex::compress_prepend_size(&text)].concat()
    }
}

/// What was packed; the size that it claims is believed only as far as its bytes can reach.
fn unpacked(packed: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let (size, rest) = lz4_flex::block::uncompressed_size(packed).map_err(|e| e.to_string())?;
    if size > LARGEST.min(rest.len().saturating_mul(RATIO)) {
        return Err(format!("a text of {} bytes claims to be {size} bytes long", rest.len()));
    }
    lz4_flex::block::decompress(rest, size).map_err(|error| error.to_string())
}

/// Sixteen hexadecimal digits of chance.
fn random_name() -> Name {
    Name::new(format!("{:016x}", u64::from_be_bytes(key::random())))
}
