//! The head of an environment: who may change it, which state is the current one, and where the chains end.

use super::{Commit, Result, Store, StoreError};
use dax_core::Name;
use dax_machine::journal::Outcome;
use serde::{Deserialize, Serialize};

/// How long a lease lasts without a sign of life, in milliseconds.
pub const LEASE_MS: u64 = 30_000;

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

/// Why an environment is not to be changed by `apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Who pinned it.
    pub by: Name,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The state that it is pinned to.
    pub serial: u64,
}

/// The end of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) seq: u64,
    pub(super) hash: Name,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenRun {
    pub(super) id: u64,
    pub(super) mode: Name,
    pub(super) holder: String,
    pub(super) started_ms: u64,
    pub(super) digest: Name,
    pub(super) serial: u64,
    /// The state that it goes back to, where it is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restores: Option<u64>,
    pub(super) plan: String,
    pub(super) journal: End,
    /// What it waits for, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waits: Option<Outcome>,
}

/// The head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format_version: u32,
    /// Whether its text ends with a digest of itself; older versions write none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) summed: bool,
    pub(super) lineage: Name,
    pub(super) environment: Name,
    /// Counts the changes of the head.
    pub(super) counter: u64,
    pub(super) epoch: u64,
    pub(super) holder: Option<Holder>,
    pub(super) expires_ms: u64,
    pub(super) serial: u64,
    /// The key of the current state.
    pub(super) state: Option<String>,
    /// The key of the list of rollback points.
    pub(super) points: Option<String>,
    pub(super) run: Option<OpenRun>,
    pub(super) last_run: u64,
    pub(super) audit: End,
    pub(super) pin: Option<Pin>,
    /// The key of the conditions that it was last applied under; older versions record none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conditions: Option<String>,
    /// Keys that nobody needs any more, but for readers of the head before: they go with the next run's end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) garbage: Vec<String>,
}

pub(super) fn key(environment: &str) -> String {
    format!("heads/{environment}")
}

/// What stands before the digest at the end of a head's text.
const SUM: &[u8] = b",\"sum\":\"";
/// Characters of a digest.
const DIGITS: usize = 64;

/// The right to change an environment.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The environment.
    pub environment: Name,
    /// Rises with every holder.
    pub epoch: u64,
    pub(super) head: Head,
    pub(super) version: super::blobs::Version,
}

impl Lease {
    /// The lineage of the state that it is of.
    pub fn lineage(&self) -> &Name {
        &self.head.lineage
    }
}

impl Store {
    fn empty_head(&self, environment: &str) -> Head {
        Head {
            format_version: super::FORMAT,
            summed: true,
            lineage: self.lineage.clone(),
            environment: environment.into(),
            counter: 0,
            epoch: 0,
            holder: None,
            expires_ms: 0,
            serial: 0,
            state: None,
            points: None,
            run: None,
            last_run: 0,
            audit: End::default(),
            pin: None,
            conditions: None,
            garbage: Vec::new(),
        }
    }

    /// Takes the lease of an environment. It goes to a new holder when it ran out or `is_gone` says that its
    /// holder is no more.
    ///
    /// # Errors
    /// [`StoreError::Held`] names the holder.
    pub async fn acquire(
        &self,
        environment: &str,
        holder: &Holder,
        now_ms: u64,
        is_gone: &(dyn Fn(&Holder) -> bool + Sync),
    ) -> Result<Lease> {
        self.exists()?;
        let found = self.head(environment).await?;
        let (mut head, expected) = match found {
            Some((head, blob)) => (head, Some(blob.version)),
            None => (self.empty_head(environment), None),
        };
        let held = |head: &Head| StoreError::Held {
            environment: environment.to_owned(),
            holder: head.holder.as_ref().map_or_else(String::new, |holder| holder.name.clone()),
        };
        if let Some(current) = &head.holder
            && head.expires_ms > now_ms
            && !is_gone(current)
        {
            return Err(held(&head));
        }
        head.epoch += 1;
        head.counter += 1;
        head.holder = Some(holder.clone());
        head.expires_ms = now_ms + LEASE_MS;
        let commit = Commit {
            puts: Vec::new(),
            key: key(environment),
            bytes: self.head_text(&head),
            expected,
            remove: Vec::new(),
        };
        let version = match self.blobs.commit(&commit).await? {
            Some(version) => version,
            None => {
                let winner = self.head(environment).await?.map_or(head, |(head, _)| head);
                return Err(held(&winner));
            }
        };
        if let Some(anchor) = &self.anchor {
            anchor.note(&head)?;
        }
        Ok(Lease { environment: environment.into(), epoch: head.epoch, head, version })
    }

    /// Prolongs a lease.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else holds it now.
    pub async fn renew(&self, lease: &mut Lease, now_ms: u64) -> Result<()> {
        self.fenced(lease, Vec::new(), Vec::new(), |head| head.expires_ms = now_ms + LEASE_MS).await
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else holds it now.
    pub async fn release(&self, lease: &mut Lease) -> Result<()> {
        self.fenced(lease, Vec::new(), Vec::new(), |head| {
            head.holder = None;
            head.expires_ms = 0;
        })
        .await
    }

    /// Takes a lease away from whoever holds it; says who that was.
    ///
    /// # Errors
    /// The store cannot be written, or the holder changed in the same moment.
    pub async fn unlock(
        &self,
        environment: &str,
        holder: &Holder,
        now_ms: u64,
    ) -> Result<Option<Holder>> {
        let former = self.holder(environment).await?;
        if former.is_some() {
            let mut lease = self.acquire(environment, holder, now_ms, &|_| true).await?;
            self.release(&mut lease).await?;
        }
        Ok(former)
    }

    /// The text of a head: its fields, and last a digest of them, so that a changed byte is noticed.
    pub(super) fn head_text(&self, head: &Head) -> Vec<u8> {
        let mut text = serde_json::to_vec(&Head { summed: true, ..head.clone() })
            .expect("stored values serialise: no map has keys that are not text");
        let sum = self.hash(&text);
        text.pop();
        text.extend_from_slice(SUM);
        text.extend_from_slice(sum.as_bytes());
        text.extend_from_slice(b"\"}");
        super::pack(text)
    }

    /// Reads a head and holds it against its digest. One without was written by an older version.
    pub(super) fn read_head(&self, environment: &str, bytes: &[u8]) -> Result<Head> {
        let changed = || {
            self.corrupt(format!("the head of `{environment}` was changed after it was written"))
        };
        let text = self.unpack(bytes)?;
        let tail = text.len().checked_sub(SUM.len() + DIGITS + 2).map(|at| text.split_at(at));
        let sum = tail.and_then(|(fields, tail)| {
            Some((fields, tail.strip_prefix(SUM)?.strip_suffix(b"\"}")?))
        });
        if let Some((fields, sum)) = sum
            && self.hash(&[fields, b"}"].concat()).as_bytes() != sum
        {
            return Err(changed());
        }
        let head: Head =
            serde_json::from_slice(&text).map_err(|error| self.corrupt(error.to_string()))?;
        if head.format_version > super::FORMAT {
            return Err(self.newer(head.format_version));
        }
        if head.summed && sum.is_none() {
            return Err(changed());
        }
        if head.lineage != self.lineage || head.environment != environment {
            return Err(
                self.corrupt(format!("the head of `{environment}` belongs to another state"))
            );
        }
        Ok(head)
    }

    /// Who holds an environment now.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn holder(&self, environment: &str) -> Result<Option<Holder>> {
        Ok(self.head(environment).await?.and_then(|(head, _)| head.holder))
    }

    /// Who holds an environment now, and until when in milliseconds since 1970.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn lease(&self, environment: &str) -> Result<Option<(Holder, u64)>> {
        let head = self.head(environment).await?;
        Ok(head.and_then(|(head, _)| Some((head.holder?, head.expires_ms))))
    }

    /// Why an environment is not to be changed, if it is pinned.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn pinned(&self, environment: &str) -> Result<Option<Pin>> {
        Ok(self.head(environment).await?.and_then(|(head, _)| head.pin))
    }

    /// The counter and the epoch of an environment's head.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn counters(&self, environment: &str) -> Result<Option<(u64, u64)>> {
        Ok(self.head(environment).await?.map(|(head, _)| (head.counter, head.epoch)))
    }
}
