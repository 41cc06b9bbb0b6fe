//! The audit: who did what, when and why, each record chained to the one before.

use super::head::End;
use super::{Lease, Result, Store};
use dax_core::{Name, ResourceAddr};
use dax_machine::journal::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A run began.
    Begin {
        /// The run.
        run: u64,
        /// `apply`, `rollback` or `destroy`.
        mode: Name,
        /// The digest of its plan.
        digest: Name,
        /// The state that it started from.
        serial: u64,
        /// The state that it goes back to, where it is a rollback.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restores: Option<u64>,
        /// Who approved the plan.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approved_by: Vec<Name>,
        /// Services that it changes, with the revision that each gets.
        services: Vec<Touched>,
        /// The commit of the program, where it lies in a repository.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Commit>,
        /// From where it was promoted, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promoted: Option<Promoted>,
        /// The change requests that it carries out, if they are known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brought: Option<Brought>,
    },
    /// Somebody carried a run on.
    Resume {
        /// The run.
        run: u64,
    },
    /// A run ended.
    End {
        /// The run.
        run: u64,
        /// How.
        outcome: Outcome,
        /// The state that it left, if it left one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<u64>,
        /// The services that are as the plan says.
        complete: Vec<ResourceAddr>,
        /// How many entries its journal has batches of, and the last one's hash.
        journal: (u64, Name),
        /// Whether an analysis passed on the way.
        #[serde(default)]
        verified: bool,
        /// Who agreed to go on, step by step.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gates: Vec<(dax_plan::StepId, Vec<Name>)>,
    },
    /// The environment was pinned, or no longer is.
    Pin {
        /// Whether it is pinned from then on.
        pinned: bool,
    },
    /// The conditions of the environment were recorded.
    Conditions {
        /// The digest of their text.
        digest: Name,
        /// The commit of the program that they stand in, where it lies in a repository.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Commit>,
        /// The change requests that brought them, if they are known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brought: Option<Brought>,
    },
    /// A lease was taken away.
    Unlock {
        /// From whom.
        from: String,
    },
}

/// A commit of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash.
    pub id: Name,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Where what a run brings was proved before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// The environment.
    pub from: Name,
    /// Its run.
    pub run: u64,
    /// The digest of what was moved: artefacts and configuration.
    pub bundle: Name,
}

/// Change requests that are carried out as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Their numbers at the code host.
    pub changes: Vec<u64>,
    /// The time of the decision by the clock of the code host, in milliseconds since 1970: that of
    /// the state says nothing of reviews.
    pub at_ms: u64,
}

/// A service that a run changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The service.
    pub service: ResourceAddr,
    /// What happens to it.
    pub action: dax_plan::model::Action,
    /// The revision before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// The revision after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the records of the environment, from 1.
    pub seq: u64,
    /// The digest of the record before.
    pub prev: Name,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub who: Name,
    /// Why, in that person's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// Who does something, why and when.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    /// Who.
    pub who: Name,
    /// Why, in that person's words.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The commit of the program that is carried out, if it lies in a repository.
    pub commit: Option<Commit>,
    /// From where it is promoted, if it is.
    pub promoted: Option<Promoted>,
    /// The state that is gone back to, where it is a rollback.
    pub restores: Option<u64>,
    /// The change requests that are carried out, if they are known.
    pub brought: Option<Brought>,
}

pub(super) fn key(environment: &str, seq: u64, hash: &str) -> String {
    format!("audit/{environment}/{seq:010}-{hash}")
}

impl Store {
    /// The text of the next record, its key, and the end of the chain with it.
    pub(super) fn next_record(
        &self,
        lease: &Lease,
        actor: &Actor,
        what: What,
    ) -> (String, Vec<u8>, End) {
        let End { seq, hash: prev } = lease.head.audit.clone();
        let record = Record {
            seq: seq + 1,
            prev,
            at_ms: actor.at_ms,
            who: actor.who.clone(),
            why: actor.why.clone(),
            what,
        };
        let bytes = super::json(&record);
        let hash = self.hash(&bytes);
        (key(&lease.environment, seq + 1, &hash), bytes, End { seq: seq + 1, hash })
    }

    /// Writes a record of its own.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn note(&self, lease: &mut Lease, actor: &Actor, what: What) -> Result<()> {
        let (key, bytes, end) = self.next_record(lease, actor, what);
        self.fenced(lease, vec![(key, bytes)], Vec::new(), |head| head.audit = end).await
    }

    /// Every record of an environment, the oldest first, its chain checked.
    ///
    /// # Errors
    /// The store cannot be read, or the chain is broken.
    pub async fn audit(&self, environment: &str) -> Result<Vec<Record>> {
        let Some((head, _)) = self.head(environment).await? else { return Ok(Vec::new()) };
        let texts: BTreeMap<String, Vec<u8>> =
            self.blobs.scan(&format!("audit/{environment}/")).await?.into_iter().collect();
        let End { mut seq, mut hash } = head.audit;
        let mut all = Vec::new();
        while seq > 0 {
            let key = key(environment, seq, &hash);
            let bytes = texts.get(&key).ok_or_else(|| {
                self.corrupt(format!("record {seq} of the audit of `{environment}` is gone"))
            })?;
            self.check_name(&key, bytes)?;
            let record: Record = self.parse(bytes)?;
            (seq, hash) = (seq - 1, record.prev.clone());
            all.push(record);
        }
        all.reverse();
        Ok(all)
    }

    /// The change requests that were carried out in an environment, each with the time of the last
    /// decision about it by the clock of the code host, in milliseconds since 1970. A run that did
    /// not succeed carried nothing out.
    ///
    /// # Errors
    /// The store cannot be read, or the chain is broken.
    pub async fn brought(&self, environment: &str) -> Result<BTreeMap<u64, u64>> {
        let mut begun = BTreeMap::new();
        let mut all: BTreeMap<u64, u64> = BTreeMap::new();
        for record in self.audit(environment).await? {
            let done = match record.what {
                What::Begin { run, brought, .. } => {
                    begun.extend(brought.map(|brought| (run, brought)));
                    None
                }
                What::End { run, outcome: Outcome::Succeeded, .. } => begun.remove(&run),
                What::Conditions { brought, .. } => brought,
                What::End { .. } | What::Resume { .. } | What::Pin { .. } | What::Unlock { .. } => {
                    None
                }
            };
            let Some(Brought { changes, at_ms }) = done else { continue };
            for number in changes {
                let last = all.entry(number).or_default();
                *last = at_ms.max(*last);
            }
        }
        Ok(all)
    }
}
