//! Operations: everything that a provider does to a service, in one enum for plan, machine, journal and providers.
//!
//! Invariant: an operation has one word, [`Operation::word`], which is that of its JSON form.

use crate::Route;
use dax_core::{Name, RevisionId, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A change to one service; it is made once however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Makes the service: its ports are taken, nothing runs yet.
    CreateService {
        /// Ports and provider settings.
        settings: BTreeMap<Name, Value>,
    },
    /// Changes ports or provider settings in place.
    UpdateService {
        /// Ports and provider settings.
        settings: BTreeMap<Name, Value>,
    },
    /// Deletes the service with everything that belongs to it.
    DeleteService,
    /// Makes a revision and starts its replicas.
    CreateRevision {
        /// Its id.
        revision: RevisionId,
        /// Its fields.
        spec: Value,
        /// Number of replicas.
        replicas: i64,
    },
    /// Replaces the replicas of a revision by those of another, a few at a time, as the platform does it. All traffic
    /// goes to whatever of the two is ready; only the new one is there afterwards.
    Roll {
        /// The revision that gives way.
        from: RevisionId,
        /// The revision that comes.
        revision: RevisionId,
        /// Its fields.
        spec: Value,
        /// Number of replicas.
        replicas: i64,
        /// Replicas that may run beyond that meanwhile.
        surge: i64,
        /// Replicas that may be unavailable meanwhile.
        unavailable: i64,
    },
    /// Deletes a revision; its replicas finish their work first.
    DeleteRevision {
        /// Its id.
        revision: RevisionId,
    },
    /// Starts replicas, or lets some finish their work and stops them; zero puts the revision at rest.
    Scale {
        /// Its id.
        revision: RevisionId,
        /// Number of replicas.
        replicas: i64,
    },
    /// Waits until as many replicas are ready as are wanted.
    AwaitReady {
        /// Its id.
        revision: RevisionId,
    },
    /// Divides the traffic.
    ShiftTraffic {
        /// Shares in hundredths of a percent.
        traffic: BTreeMap<RevisionId, u32>,
    },
    /// Sends some requests elsewhere than the shares say.
    Route {
        /// All such routes from then on.
        routes: Vec<Route>,
    },
    /// Runs a command that changes nothing that matters; done when it has ended well.
    Run {
        /// Its place in the rollout.
        when: HookTime,
        /// The revision with whose fields it runs, which need not be there.
        revision: RevisionId,
        /// Program and arguments.
        command: Vec<Name>,
    },
    /// Runs a command that changes data; done when it has ended well.
    Migrate {
        /// The revision with whose fields it runs, which need not be there.
        revision: RevisionId,
        /// Program and arguments.
        command: Vec<Name>,
    },
}

/// The place of a hook in a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookTime {
    /// Before the new revision gets traffic.
    Before,
    /// During each hold.
    During,
    /// When everything is done.
    After,
}

impl Operation {
    /// The word for it in JSON, policies, the journal and the terminal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::CreateService { .. } => "create_service",
            Self::UpdateService { .. } => "update_service",
            Self::DeleteService => "delete_service",
            Self::CreateRevision { .. } => "create_revision",
            Self::Roll { .. } => "roll",
            Self::DeleteRevision { .. } => "delete_revision",
            Self::Scale { .. } => "scale",
            Self::AwaitReady { .. } => "await_ready",
            Self::ShiftTraffic { .. } => "shift_traffic",
            Self::Route { .. } => "route",
            Self::Run { .. } => "run",
            Self::Migrate { .. } => "migrate",
        }
    }
}

impl HookTime {
    /// The word for it in programs and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }

    /// The place with a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Before, Self::During, Self::After].into_iter().find(|one| one.word() == word)
    }
}

impl fmt::Display for HookTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
