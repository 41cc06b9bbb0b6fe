//! What the agent's record holds: what runs, with references to secrets and never their values.

use super::process::Identity;
use dax_core::{Name, RevisionId, Route, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the record.
pub(super) const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) format_version: u32,
    pub(super) services: Vec<ServiceRecord>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ServiceRecord {
    pub(super) environment: Name,
    pub(super) service: Name,
    pub(super) settings: BTreeMap<Name, Value>,
    pub(super) traffic: BTreeMap<RevisionId, u32>,
    #[serde(default)]
    pub(super) routes: Vec<Route>,
    #[serde(default)]
    pub(super) commands: Vec<(Name, Known)>,
    pub(super) revisions: BTreeMap<RevisionId, RevisionRecord>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RevisionRecord {
    pub(super) spec: Value,
    pub(super) wanted: i64,
    pub(super) replicas: Vec<ReplicaRecord>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ReplicaRecord {
    pub(super) number: u64,
    pub(super) ports: BTreeMap<Name, u16>,
    pub(super) process: Option<Identity>,
}

/// What is known of a command that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Known {
    /// It was begun; how it ended is not known.
    Begun,
    /// It ended well.
    Done,
}
