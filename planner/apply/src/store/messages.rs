//! Messages to a run from outside of it: approvals and wishes. They need no lease, each has a key of its own.

use super::{Result, Store, json, random_name};
use dax_core::Name;
use dax_plan::StepId;
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

impl Store {
    /// Records an approval.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn approve(&self, environment: &str, approval: &Approval) -> Result<()> {
        let key = format!("approvals/{environment}/{}/{}", approval.digest, random_name());
        self.blobs.put_new(&key, json(approval)).await.map(|_| ())
    }

    /// The approvals of a plan, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn approvals(&self, environment: &str, digest: &str) -> Result<Vec<Approval>> {
        let found = self.blobs.scan(&format!("approvals/{environment}/{digest}/")).await?;
        let mut all: Vec<Approval> =
            found.iter().map(|(_, bytes)| self.parse(bytes)).collect::<Result<_>>()?;
        all.sort_by(|a, b| (a.at_ms, &a.by).cmp(&(b.at_ms, &b.by)));
        Ok(all)
    }

    /// Tells a run what somebody wants of it.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn signal(&self, environment: &str, run: u64, signal: &Signal) -> Result<()> {
        let key = format!("signals/{environment}/{run:010}/{}", random_name());
        self.blobs.put_new(&key, json(signal)).await.map(|_| ())
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
            found.iter().map(|(_, bytes)| self.parse(bytes)).collect::<Result<_>>()?;
        all.sort_by_key(|signal| signal.at_ms);
        let keys: Vec<String> = found.into_iter().map(|(key, _)| key).collect();
        self.blobs.remove(&keys).await?;
        Ok(all)
    }
}
