//! The one model through which every platform is seen.
//!
//! A service has revisions, traffic is divided among revisions, capacity belongs to a revision. A process
//! group, a ReplicaSet, a Lambda version and a Cloud Run revision are all revisions.

use crate::{Name, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Traffic in hundredths of a percent; the whole is 10,000.
pub const WHOLE: u32 = 10_000;

/// A revision: eight hexadecimal digits of the digest of its fields, so that equal content has one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionId(pub Name);

impl std::fmt::Display for RevisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A revision as it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRevision {
    /// How many replicas are wanted of it.
    pub replicas: i64,
    /// How many are ready.
    pub ready: i64,
    /// Its fields.
    pub spec: Value,
}

/// A service as it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveService {
    /// Ports and provider settings.
    pub settings: BTreeMap<Name, Value>,
    /// Its revisions, those at rest included.
    pub revisions: BTreeMap<RevisionId, LiveRevision>,
    /// Shares of the traffic, in hundredths of a percent; empty when there is none.
    pub traffic: BTreeMap<RevisionId, u32>,
}

impl LiveService {
    /// The revision with the largest share.
    pub fn active(&self) -> Option<&RevisionId> {
        self.traffic.iter().max_by_key(|(_, share)| **share).map(|(id, _)| id)
    }
}
