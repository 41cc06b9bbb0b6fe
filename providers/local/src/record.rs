//! The agent's record: what runs, with references to secrets and never their values.
//!
//! Whoever can write it decides what the agent starts. So it bears a mark that only this user on
//! this machine can make, over its bytes and the place where it lies; one without is not believed,
//! whatever it says.

use crate::marks::{self, Marked, Token};
use crate::process_id::{self, Identity};
use dax_core::{Name, RevisionId, Value};
use dax_files::machine;
use dax_model::Route;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file name of the record.
pub(crate) const RECORD: &str = "agent.json";
/// The version of the record.
pub(crate) const FORMAT: u64 = 2;
/// Bytes that a record may have.
pub(crate) const LONGEST: u64 = 64 << 20;
/// Replicas that a revision may have on one machine.
pub(crate) const MOST_REPLICAS: i64 = 1_000;
/// What the record's mark is for.
const PURPOSE: &str = "record of the local agent";

/// What an agent looks after.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The boot of the machine in which its processes were started.
    pub(crate) boot: String,
    pub(crate) services: Vec<ServiceRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceRecord {
    pub(crate) environment: Name,
    pub(crate) service: Name,
    pub(crate) settings: BTreeMap<Name, Value>,
    pub(crate) traffic: BTreeMap<RevisionId, u32>,
    #[serde(default)]
    pub(crate) routes: Vec<Route>,
    #[serde(default)]
    pub(crate) commands: Vec<(Name, Known)>,
    pub(crate) revisions: BTreeMap<RevisionId, RevisionRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RevisionRecord {
    pub(crate) spec: Value,
    pub(crate) wanted: Wanted,
    pub(crate) replicas: Vec<ReplicaRecord>,
}

/// So many replicas as a machine can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Wanted(i64);

impl TryFrom<i64> for Wanted {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        if (0..=MOST_REPLICAS).contains(&number) {
            return Ok(Self(number));
        }
        Err(format!("{number} replicas of one revision; a machine runs 0 to {MOST_REPLICAS}"))
    }
}

impl Wanted {
    pub(crate) const fn number(self) -> i64 {
        self.0
    }

    pub(crate) fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReplicaRecord {
    pub(crate) number: u64,
    pub(crate) ports: BTreeMap<Name, u16>,
    /// Its process, once it is known; before, the token tells it from all others.
    pub(crate) process: Option<Identity>,
    /// The mark of its process, or of the one that is started next.
    pub(crate) token: Token,
    /// The control group of its process and all that comes of it, where the machine has one for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cgroup: Option<PathBuf>,
}

impl ReplicaRecord {
    /// Its process, if that runs: the one in the record, or the one that was started after it was
    /// written.
    pub(crate) fn running(&self, marked: &[Marked]) -> Option<Identity> {
        match self.process {
            Some(process) => process.runs().then_some(process),
            None => marks::started_as(marked, &self.token),
        }
    }
}

impl Record {
    /// Its replicas.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &ReplicaRecord> {
        let revisions = self.services.iter().flat_map(|service| service.revisions.values());
        revisions.flat_map(|revision| &revision.replicas)
    }

    /// The record as it holds after the machine was started anew: nothing of it runs any more.
    pub(crate) fn since_boot(mut self) -> Self {
        let boot = process_id::boot();
        if self.boot != boot {
            self.boot = boot;
            let revisions = self.services.iter_mut().flat_map(|one| one.revisions.values_mut());
            for replica in revisions.flat_map(|revision| &mut revision.replicas) {
                replica.process = None;
                replica.cgroup = None;
            }
        }
        self
    }
}

/// What is known of a command that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Known {
    /// It was begun; how it ended is not known.
    Begun,
    /// It ended well.
    Done,
}

/// Why a record is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It makes no sense.
    Damaged(String),
    /// It is of another version.
    Version(u64),
    /// This user did not write it on this machine for this place.
    Foreign,
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "is damaged ({why})"),
            Self::Version(version) if *version > FORMAT => {
                write!(f, "has format {version}, a newer dax wrote it; this dax knows {FORMAT}")
            }
            Self::Version(version) => {
                write!(f, "has format {version}, an older dax wrote it; this dax knows {FORMAT}")
            }
            Self::Foreign => f.write_str(
                "was not written on this machine for this folder: it came with the repository, or \
                 was copied, moved or changed",
            ),
        }
    }
}

/// The marks and the rest of a record's bytes.
struct Outer<'b> {
    mac: [u8; 32],
    body: &'b [u8],
}

/// What stands before the mark; all of the file is one JSON object.
fn head() -> String {
    format!("{{\"format_version\":{FORMAT},\"mac\":\"")
}

/// What every version of a record has.
#[derive(Deserialize)]
struct AnyVersion {
    format_version: u64,
}

fn split(bytes: &[u8]) -> Result<Outer<'_>, Doubt> {
    let of_this_version = bytes.strip_prefix(head().as_bytes()).and_then(|rest| {
        let (mac, rest) = rest.split_at_checked(64)?;
        let mac = data_encoding::HEXLOWER.decode(mac).ok()?;
        Some(Outer { mac: mac.try_into().ok()?, body: rest.strip_prefix(b"\",")? })
    });
    if let Some(outer) = of_this_version {
        return Ok(outer);
    }
    match serde_json::from_slice::<AnyVersion>(bytes) {
        Ok(any) if any.format_version != FORMAT => Err(Doubt::Version(any.format_version)),
        Ok(_) => Err(Doubt::Foreign), // nothing of ours writes it like this
        Err(error) => Err(Doubt::Damaged(error.to_string())),
    }
}

/// Reads a record and the mark that it bears; says nothing about whether the mark is good.
fn parse(bytes: &[u8]) -> Result<(Record, Outer<'_>), Doubt> {
    let outer = split(bytes)?;
    let text = [b"{", outer.body].concat();
    let record: Record =
        serde_json::from_slice(&text).map_err(|error| Doubt::Damaged(error.to_string()))?;
    let nameless = |one: &ServiceRecord| one.environment.is_empty() || one.service.is_empty();
    if record.services.iter().any(nameless) {
        return Err(Doubt::Damaged("a service has no name".to_owned()));
    }
    Ok((record, outer))
}

fn mac(body: &[u8], folder: &Path) -> std::io::Result<[u8; 32]> {
    machine::mac(PURPOSE, &[folder.as_os_str().as_encoded_bytes(), body])
}

/// A record as it is written for a folder.
///
/// # Errors
/// This user has no key on this machine.
pub(crate) fn encode(record: &Record, folder: &Path) -> std::io::Result<Vec<u8>> {
    let json = serde_json::to_vec(record)?;
    let body = json.strip_prefix(b"{").unwrap_or_default();
    let mac = data_encoding::HEXLOWER.encode(&mac(body, folder)?);
    Ok([head().as_bytes(), mac.as_bytes(), b"\",", body].concat())
}

/// Reads a record that was written for a folder.
///
/// # Errors
/// It is not to be believed.
pub(crate) fn decode(bytes: &[u8], folder: &Path) -> Result<Record, Doubt> {
    let (record, outer) = parse(bytes)?;
    let made = mac(outer.body, folder).map_err(|error| Doubt::Damaged(error.to_string()))?;
    if machine::same(&made, &outer.mac) { Ok(record) } else { Err(Doubt::Foreign) }
}

/// Processes that still run of what a record tells of, whether it is to be believed or not: only
/// who has its tokens can bear them.
pub(crate) fn remaining(bytes: &[u8]) -> Vec<Marked> {
    let Ok((record, _)) = parse(bytes) else { return Vec::new() };
    marks::bearing(&record.replicas().map(|replica| &replica.token).collect())
}

/// Whether any bytes are read as a record or refused; a record that is read says the same when it
/// is written and read again. For fuzzing.
#[doc(hidden)]
pub fn any_bytes(bytes: &[u8]) {
    if let Ok((record, _)) = parse(bytes) {
        for service in &record.services {
            for name in [service.environment.as_str(), service.service.as_str()] {
                let file = crate::home::file_name(name);
                assert!(!file.contains('/') && file != "." && file != "..", "{file}");
            }
        }
        let json = serde_json::to_vec(&record).expect("a record is JSON");
        let bytes = [head().as_bytes(), &[b'0'; 64], b"\",", &json[1..]].concat();
        assert_eq!(parse(&bytes).map(|(record, _)| record), Ok(record));
    }
}

#[cfg(test)]
mod tests;
