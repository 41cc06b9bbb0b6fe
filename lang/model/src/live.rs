//! The one model through which every platform is seen.
//!
//! A service has revisions, traffic is divided among revisions, capacity belongs to a revision. A process
//! group, a ReplicaSet, a Lambda version and a Cloud Run revision are all revisions.

use dax_core::{Name, RevisionId, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Traffic in hundredths of a percent; the whole is 10,000.
pub const WHOLE: u32 = 10_000;

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

/// Requests that reach a revision whatever its share of the traffic is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Requests with this header.
    Header {
        /// The header.
        name: Name,
        /// Its value.
        is: Name,
        /// Where they go.
        revision: RevisionId,
    },
    /// Copies whose answers nobody gets.
    Mirror {
        /// Share of the requests, in hundredths of a percent.
        share: u32,
        /// Where they go.
        revision: RevisionId,
    },
}

impl Route {
    /// The revision that the requests reach.
    pub const fn revision(&self) -> &RevisionId {
        match self {
            Self::Header { revision, .. } | Self::Mirror { revision, .. } => revision,
        }
    }
}

/// A leaf that dax wrote and that somebody else has changed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    /// Which one, as the platform calls it.
    pub path: Name,
    /// Who changed it, as the platform tells; empty when it does not.
    pub by: Name,
    /// What dax wrote.
    pub wrote: Value,
    /// What stands there now.
    pub found: Value,
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
    /// Requests that go elsewhere than the shares say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Leaves beside those above that somebody else has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Who changed what stands above, by path, where the platform tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed_by: BTreeMap<Name, Name>,
    /// Where it is reached, as its platform says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Name>,
}

impl LiveService {
    /// The revision with the largest share.
    pub fn active(&self) -> Option<&RevisionId> {
        self.traffic.iter().max_by_key(|(_, share)| **share).map(|(id, _)| id)
    }
}

/// What a platform can do beyond what every platform can, and what it cannot change in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// It sends requests by header.
    pub header_routes: bool,
    /// It copies requests.
    pub mirror: bool,
    /// It runs commands beside a revision.
    pub commands: bool,
    /// It runs a command once however often the same call asks for it.
    pub commands_once: bool,
    /// It refuses calls of holders who have lost the lease.
    pub fenced: bool,
    /// It replaces the replicas of a revision by those of another by itself, a few at a time.
    pub rolls: bool,
    /// Controllers beside it that carry out a strategy by themselves: `flagger`.
    pub controllers: Vec<Name>,
    /// Changes that it takes at one time; any number where it is zero.
    pub at_once: usize,
    /// Ports belong to the machine, so that two services cannot have the same at one time.
    pub exclusive_ports: bool,
    /// Settings that cannot be changed once the service is made.
    pub immutable: Vec<Name>,
    /// Settings that belong to each revision: another value makes another revision.
    pub revised: Vec<Name>,
    /// The setting that says where on the platform a service is, if it has places.
    pub place: Option<Name>,
}
