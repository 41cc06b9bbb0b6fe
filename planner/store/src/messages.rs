//! Messages to a run from outside of it: approvals and wishes. They need no lease, each has a key of its own.

use super::{Result, Store, json};
use dax_core::Name;
use dax_plan::StepId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Somebody agrees to a plan, or to go on at one of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The digest of the plan.
    pub digest: Name,
    /// The step; the plan as a whole without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Who.
    pub by: Name,
    /// Groups that this person belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Name>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// An SSH signature of what is approved, armoured as `ssh-keygen -Y sign` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Other names by which rules know the same account; of approvals that a code host vouches for
    /// only, and never read from a state.
    #[serde(skip)]
    pub names: Vec<Name>,
}

impl Approval {
    /// All names of the account that approved.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        std::iter::once(&self.by).chain(&self.names)
    }
}

/// What somebody wants of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// That it stops at the next safe place.
    Pause,
    /// That everything is taken back.
    Abort,
}

/// A wish, with who has it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What is wanted.
    pub wish: Wish,
    /// Who.
    pub by: Name,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Characters of the digest at the end of a message's key.
const DIGITS: usize = 64;

/// Whether the key of a message ends with its digest; those of older versions do not.
pub(super) fn is_summed(key: &str) -> bool {
    key.rsplit_once('-').is_some_and(|(_, hash)| hash.len() == DIGITS)
}

impl Store {
    /// The last part of a message's key: chance, and the digest of its text.
    pub(super) fn message_name(&self, bytes: &[u8]) -> String {
        format!("{}-{}", super::random_name(), self.hash(bytes))
    }

    /// Reads a message and holds it against the digest in its key, if that has one.
    pub(super) fn message<T: DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T> {
        if is_summed(key) {
            self.check_name(key, bytes)?;
        }
        self.parse(bytes)
    }

    /// Records an approval.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn approve(&self, environment: &str, approval: &Approval) -> Result<()> {
        self.exists()?;
        let bytes = json(approval);
        let name = self.message_name(&bytes);
        let key = format!("approvals/{environment}/{}/{name}", approval.digest);
        self.blobs.put_new(&key, bytes).await.map(|_| ())
    }

    /// The approvals of a plan, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn approvals(&self, environment: &str, digest: &str) -> Result<Vec<Approval>> {
        let found = self.blobs.scan(&format!("approvals/{environment}/{digest}/")).await?;
        let mut all: Vec<Approval> =
            found.iter().map(|(key, bytes)| self.message(key, bytes)).collect::<Result<_>>()?;
        all.sort_by(|a, b| (a.at_ms, &a.by).cmp(&(b.at_ms, &b.by)));
        Ok(all)
    }

    /// Tells a run what somebody wants of it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn signal(&self, environment: &str, run: u64, signal: &Signal) -> Result<()> {
        self.exists()?;
        let bytes = json(signal);
        let key = format!("signals/{environment}/{run:010}/{}", self.message_name(&bytes));
        self.blobs.put_new(&key, bytes).await.map(|_| ())
    }

    /// What is wanted of a run, the oldest first; each is told once.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn take_signals(&self, environment: &str, run: u64) -> Result<Vec<Signal>> {
        let found = self.blobs.scan(&format!("signals/{environment}/{run:010}/")).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut all: Vec<Signal> =
            found.iter().map(|(key, bytes)| self.message(key, bytes)).collect::<Result<_>>()?;
        all.sort_by_key(|signal| signal.at_ms);
        let keys: Vec<String> = found.into_iter().map(|(key, _)| key).collect();
        self.blobs.remove(&keys).await?;
        Ok(all)
    }
}
