//! The plan as it is shown, digested, saved and applied.
//!
//! Invariant: steps stand in an order that respects `after`, and a step's id is its index.

use crate::analysis::Analysis;
use crate::image::Image;
use dax_core::{LiveService, Name, ResourceAddr, RevisionId, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the plan file; a reader refuses a version that it does not know.
pub const FORMAT_VERSION: u32 = 1;

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// To reach what the program describes.
    Apply,
    /// To reach what an earlier run left.
    Rollback,
    /// To remove everything.
    Destroy,
}

/// A plan for one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT_VERSION`] when it was written.
    pub format_version: u32,
    /// The project.
    pub project: Name,
    /// The environment.
    pub environment: Name,
    /// What it is for.
    pub mode: Mode,
    /// Parameters that it was made with.
    pub params: BTreeMap<Name, Value>,
    /// Digest of the program's texts.
    pub sources: Name,
    /// The state that it starts from.
    pub base: StateVersion,
    /// What is said before anything else must hold.
    pub gates: Vec<Gate>,
    /// Who must agree before anything is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalGate>,
    /// Changes by service, in the order in which they begin.
    pub changes: Vec<Change>,
    /// Services that stay as they are.
    pub unchanged: usize,
    /// The execution graph.
    pub steps: Vec<Step>,
    /// The live objects that it was made from, for those that it touches; absent means that there was none.
    pub observed: BTreeMap<ResourceAddr, Option<LiveService>>,
    /// What the state holds when it is done, by service; absent means removed.
    pub result: BTreeMap<ResourceAddr, Option<AppliedService>>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.changes.is_empty()
    }
}

/// Which state a plan starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// The state's identity, chosen when it was made.
    pub lineage: Name,
    /// Counts its changes.
    pub serial: u64,
}

/// Something that must hold before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The environment that must have been applied first.
    pub after: Name,
    /// How long ago at least, in milliseconds.
    pub soak_ms: u64,
    /// Where it is written.
    pub span: String,
    /// Why it does not hold, or nothing when it does.
    pub blocked: Option<String>,
}

/// People who must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGate {
    /// So many of them.
    pub count: u32,
    /// Who may, as the platform of the code names them.
    pub of: Vec<Name>,
    /// Where it is written.
    pub span: String,
}

/// What dax knows of a service that it applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedService {
    /// The provider instance.
    pub provider: Name,
    /// Its fields as they were applied.
    pub values: Value,
    /// Provider settings as they were applied.
    pub settings: BTreeMap<Name, Value>,
    /// The active revision.
    pub revision: RevisionId,
    /// Former revisions at rest, newest first.
    pub retained: Vec<RevisionId>,
    /// What it needs.
    pub needs: Vec<ResourceAddr>,
}

/// What happens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// A new revision takes over.
    Rollout,
    /// It is removed.
    Delete,
    /// It is gone already; only the state forgets it.
    Forget,
}

/// Why it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was never applied.
    New,
    /// The program says something else than before.
    Changed,
    /// The live object is not as it was applied.
    Drifted,
    /// The live object is gone.
    Lost,
    /// The program no longer has it.
    Removed,
    /// Everything is to go.
    Destroyed,
    /// An earlier state is wanted again.
    RolledBack,
}

/// Who says what a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The program.
    Dax,
    /// Somebody else changed it.
    Other,
    /// The default of a type.
    Default,
}

/// A leaf that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafChange {
    /// Its path in the service.
    pub path: Name,
    /// What was applied.
    pub before: Option<Value>,
    /// What is wanted.
    pub after: Option<Value>,
    /// What is live, where that is neither.
    pub live: Option<Value>,
    /// Who set the value that goes.
    pub owner: Owner,
    /// The place that sets the value that comes.
    pub origin: Option<String>,
}

/// A service that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The service.
    pub addr: ResourceAddr,
    /// What happens.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The strategy: its name, and its kind.
    pub strategy: Option<(Name, Name)>,
    /// The revision that gives way.
    pub from: Option<RevisionId>,
    /// The revision that comes.
    pub to: Option<RevisionId>,
    /// The leaves that change.
    pub leaves: Vec<LeafChange>,
    /// Where the service is written.
    pub span: Option<String>,
    /// How long undoing it may take, in milliseconds.
    pub rollback_within_ms: u64,
}

/// A step of one plan: its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0 + 1)
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
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
    /// Removes the service with everything that belongs to it.
    DeleteService,
    /// Makes a revision and starts its replicas.
    CreateRevision {
        /// Its name.
        revision: RevisionId,
        /// Its fields.
        spec: Value,
        /// How many replicas.
        replicas: i64,
    },
    /// Removes a revision at rest.
    DeleteRevision {
        /// Its name.
        revision: RevisionId,
    },
    /// Starts or stops replicas; zero puts the revision to rest.
    Scale {
        /// Its name.
        revision: RevisionId,
        /// How many replicas.
        replicas: i64,
    },
    /// Waits until as many replicas are ready as are wanted.
    AwaitReady {
        /// Its name.
        revision: RevisionId,
    },
    /// Divides the traffic.
    ShiftTraffic {
        /// Shares in hundredths of a percent.
        traffic: BTreeMap<RevisionId, u32>,
    },
    /// Waits.
    Hold {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// Watches a revision.
    Analyse {
        /// The revision.
        revision: RevisionId,
        /// How long, in milliseconds.
        ms: u64,
        /// What is measured and required.
        analysis: Analysis,
    },
}

/// How well a step can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InverseClass {
    /// It changes nothing, so there is nothing to take back.
    Nothing,
    /// The pre-image comes back as it was.
    Exact,
    /// Something equal comes back, but not the same: new processes, new data.
    Compensating,
    /// It cannot be taken back.
    None,
}

/// How a step is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inverse {
    /// How well.
    pub class: InverseClass,
    /// What is done, in order.
    pub steps: Vec<StepKind>,
}

/// What to do when the outcome of a call is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// The call names what it makes, so it is made again without harm.
    ByKey,
    /// The live object tells.
    ReadToDecide,
}

/// Which failures are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Those of the way: busy, unreachable.
    Transient,
    /// None.
    Never,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The service that it belongs to.
    pub service: ResourceAddr,
    /// The provider instance that carries it out.
    pub provider: Name,
    /// What it does.
    pub kind: StepKind,
    /// Steps that must be done before.
    pub after: Vec<StepId>,
    /// What must stand at the paths that it changes; its precondition.
    pub pre: Image,
    /// What stands there when it is done.
    pub post: Image,
    /// How it is taken back.
    pub inverse: Inverse,
    /// What to do when its outcome is not known.
    pub idempotency: Idempotency,
    /// Which failures are tried again.
    pub retry: Retry,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long it takes at least, in milliseconds.
    pub expected_ms: u64,
    /// Calls to the provider that it makes.
    pub calls: u32,
    /// Places in the program that caused it.
    pub cause: Vec<String>,
    /// Before it lies a rollback point.
    pub rollback_point: bool,
}
