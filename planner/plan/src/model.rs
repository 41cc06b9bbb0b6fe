//! The plan as it is shown, digested, saved and applied.
//!
//! Invariant: steps stand in an order that respects `after`, and a step's id is its index.

use crate::analysis::Analysis;
use crate::image::Image;
use dax_core::{Name, ResourceAddr, RevisionId, Value};
use dax_model::{LiveService, Operation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the plan file; a reader refuses a version that it does not know.
pub const FORMAT_VERSION: u32 = 2;

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

impl Mode {
    /// The word for it in JSON, the journal and the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Destroy => "destroy",
        }
    }
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// What is not past its rollback point is taken back.
    #[default]
    Rollback,
    /// Everything of the run is taken back.
    RollbackAll,
    /// Everything stays as it is until somebody decides.
    Hold,
    /// What does not depend on it goes on; then what failed is taken back.
    Continue,
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
    /// How the providers that it uses are reached, where that takes a configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<Name, Value>,
    /// Digest of the program's texts, the file of its `signers` included.
    pub sources: Name,
    /// The state that it starts from.
    pub base: StateVersion,
    /// What must hold before anything is done.
    pub gates: Vec<Gate>,
    /// Who must agree before anything is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalGate>,
    /// What happens when a step fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Services that are taken back together, by the release's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<Name, Vec<ResourceAddr>>,
    /// Changes by service, in the order in which they begin.
    pub changes: Vec<Change>,
    /// Services that are planned once more is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<Deferred>,
    /// Services that `--target` or `--exclude` left out although they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<ResourceAddr>,
    /// Services of which nothing is known, because their platform cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<ResourceAddr>,
    /// Services that stay as they are.
    pub unchanged: usize,
    /// The execution graph.
    pub steps: Vec<Step>,
    /// How long it takes and how often it calls.
    #[serde(default)]
    pub estimate: Estimate,
    /// The live objects that it was made from, by provider and name; absent means that there was none.
    pub observed: BTreeMap<Name, BTreeMap<Name, Option<LiveService>>>,
    /// Digests of what the state held of each service that changes; absent where it held nothing.
    #[serde(default)]
    pub known: BTreeMap<ResourceAddr, Option<Name>>,
    /// What the state holds when it is done, by service; absent means removed.
    pub result: BTreeMap<ResourceAddr, Option<AppliedService>>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
            && self.changes.is_empty()
            && self.deferred.is_empty()
            && self.unreachable.is_empty()
    }

    /// A step by its id; nothing where a plan or a journal that was read names one that there is not.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(usize::try_from(id.0).ok()?)
    }

    /// The object that a step is about, as it was when the plan was made.
    pub fn observed(&self, provider: &str, object: &str) -> Option<&LiveService> {
        self.observed.get(provider)?.get(object)?.as_ref()
    }

    /// Steps that cannot be taken back.
    pub fn points_of_no_return(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.inverse.class == InverseClass::None)
    }
}

/// How long a plan takes and how often it calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Calls to providers.
    pub calls: u32,
    /// Milliseconds of waiting on the longest way through the steps.
    pub least_ms: u64,
    /// Milliseconds that the longest way may take before a step runs out of time; people not counted.
    pub most_ms: u64,
}

/// A service that is planned again once a step has made known what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// The service.
    pub addr: ResourceAddr,
    /// What it waits for.
    pub waits: Vec<Wait>,
    /// Where the service is written.
    pub span: Option<String>,
}

/// A leaf that is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Its path; empty where a whole service is waited for.
    pub path: Name,
    /// The output or the service that it waits for.
    pub cause: Name,
    /// The step after which it is known; nothing where an earlier deferred part comes first.
    pub step: Option<StepId>,
}

/// Which state a plan starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// The state's identity, chosen when it was made.
    pub lineage: Name,
    /// Counts its changes.
    pub serial: u64,
    /// Digest of the conditions that were recorded with the last apply; nothing where none are, or
    /// where the plan is not held against them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Name>,
}

/// Something that must hold before the first step; whether it does depends on the time, and stands in no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Another environment comes first.
    After {
        /// Which one.
        environment: Name,
        /// How long ago it was applied at least, in milliseconds.
        soak_ms: u64,
        /// Whether an analysis must have passed there.
        verified: bool,
        /// How long that counts, in milliseconds; zero for ever.
        valid_ms: u64,
        /// Where it is written.
        span: String,
    },
    /// One of these times.
    Windows(Vec<Window>),
}

/// A time at which an environment may be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Days of the week by their first three letters.
    pub days: Vec<Name>,
    /// Its first minute, `HH:MM`.
    pub from: Name,
    /// The minute after its last; not later than `from` means the next day.
    pub to: Name,
    /// The time zone by its IANA name.
    pub zone: Name,
    /// Where it is written.
    pub span: String,
}

/// People who must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalGate {
    /// So many of them.
    pub count: u32,
    /// Who may; anybody when it is empty.
    pub of: Vec<Name>,
    /// Where it is written.
    pub span: String,
}

/// What dax knows of a service that it applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedService {
    /// The provider instance.
    pub provider: Name,
    /// What it is called there; its own name when it is empty.
    #[serde(default, skip_serializing_if = "Name::is_empty")]
    pub object: Name,
    /// Whether it must not be destroyed, whatever the program says by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
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

impl AppliedService {
    /// What the service with this address is called on its provider.
    pub fn object<'o>(&'o self, addr: &'o ResourceAddr) -> &'o str {
        if self.object.is_empty() { addr.name() } else { &self.object }
    }
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
    /// It is removed and made again.
    Replace,
    /// It runs already; dax takes it over.
    Adopt,
    /// It has another name in the program; nothing changes where it runs.
    Move,
    /// It is removed.
    Delete,
    /// Only the state forgets it.
    Forget,
}

impl Action {
    /// The word for it in JSON and policies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rollout => "rollout",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Move => "move",
            Self::Delete => "delete",
            Self::Forget => "forget",
        }
    }
}

/// In which order a service is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplaceOrder {
    /// The new one serves before the old one goes.
    CreateFirst,
    /// The old one goes before the new one is made: there is a gap.
    DeleteFirst,
}

/// Why and how a service is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replace {
    /// In which order.
    pub order: ReplaceOrder,
    /// The paths that cannot be changed in place.
    pub because: Vec<Name>,
}

/// What a reviewer must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Something cannot be taken back.
    PointOfNoReturn,
    /// Something that runs is removed.
    Delete,
    /// Something that runs is removed and made again.
    Replace,
    /// It serves nobody for a while.
    Gap,
    /// What runs was not made by dax.
    Adopt,
    /// Where it is reached changes.
    Exposure,
    /// Visitors are sent elsewhere.
    Traffic,
    /// Taking it back starts anew what was stopped.
    Compensating,
    /// Somebody else changed it.
    Drift,
    /// It runs with other secrets.
    Secrets,
    /// Only the state learns of it.
    StateOnly,
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
    /// `moved` says so.
    Moved,
    /// `removed … { keep }` says so.
    Kept,
    /// `adopt` says so.
    Adopted,
    /// It runs on another provider from now on.
    ProviderChanged,
    /// A setting changed that cannot be changed in place.
    Immutable,
    /// Only whether it is protected.
    Protection,
}

impl Reason {
    /// The word for it in JSON and policies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Drifted => "drifted",
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::Destroyed => "destroyed",
            Self::RolledBack => "rolled_back",
            Self::Moved => "moved",
            Self::Kept => "kept",
            Self::Adopted => "adopted",
            Self::ProviderChanged => "provider_changed",
            Self::Immutable => "immutable",
            Self::Protection => "protection",
        }
    }
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
    /// Nobody knows.
    Unknown,
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
    /// Who else set the value that goes, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<Name>,
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
    /// Why and how it is replaced, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// What it was called before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<ResourceAddr>,
    /// What must be looked at, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<Risk>,
    /// Why it may not be done, if it may not; it has no steps then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
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
        write!(f, "{}", u64::from(self.0) + 1)
    }
}

/// The effect of a step: a call to its provider, or something that the applier itself waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A call to the provider.
    Call(Operation),
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
        /// The revision that it is compared with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        against: Option<RevisionId>,
    },
    /// Waits for approvals.
    Gate {
        /// The rule.
        approval: ApprovalGate,
    },
}

impl Task {
    /// The word for it in JSON, policies, the journal and the terminal.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Call(operation) => operation.word(),
            Self::Hold { .. } => "hold",
            Self::Analyse { .. } => "analyse",
            Self::Gate { .. } => "gate",
        }
    }

    /// The call to the provider, where it is one.
    pub const fn operation(&self) -> Option<&Operation> {
        match self {
            Self::Call(operation) => Some(operation),
            Self::Hold { .. } | Self::Analyse { .. } | Self::Gate { .. } => None,
        }
    }
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
    /// Calls to the provider, in order.
    pub operations: Vec<Operation>,
}

/// What to do when the outcome of a call is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// The call names what it makes, so it is made again without harm.
    ByKey,
    /// What it makes bears the call's own mark and is found by it.
    ByTag,
    /// The live object tells.
    ReadToDecide,
    /// Only a person can tell.
    Ask,
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
    /// What the service is called there.
    pub object: Name,
    /// Its effect.
    pub task: Task,
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

#[cfg(test)]
mod tests {
    use super::*;
    use dax_model::{HookTime, StrategyKind};

    fn written<T: Serialize>(one: T) -> String {
        let json = serde_json::to_value(one).expect("JSON");
        let word = json.as_str().map(str::to_owned);
        word.or_else(|| json.as_object()?.keys().next().cloned()).expect("a word")
    }

    #[test]
    fn a_word_is_that_of_the_json_form() {
        for mode in [Mode::Apply, Mode::Rollback, Mode::Destroy] {
            assert_eq!(written(mode), mode.word());
        }
        use Action::{Adopt, Create, Delete, Forget, Move, Replace, Rollout, Update};
        for action in [Create, Update, Rollout, Replace, Adopt, Move, Delete, Forget] {
            assert_eq!(written(action), action.word());
        }
        use Reason::{Adopted, Changed, Destroyed, Drifted, Immutable, Kept, Lost, Moved};
        use Reason::{New, Protection, ProviderChanged, Removed, RolledBack};
        for reason in [
            New,
            Changed,
            Drifted,
            Lost,
            Removed,
            Destroyed,
            RolledBack,
            Moved,
            Kept,
            Adopted,
            ProviderChanged,
            Immutable,
            Protection,
        ] {
            assert_eq!(written(reason), reason.word());
        }
        for when in [HookTime::Before, HookTime::During, HookTime::After] {
            assert_eq!(written(when), when.word());
            assert_eq!(HookTime::parse(when.word()), Some(when));
        }
        for kind in StrategyKind::ALL {
            assert_eq!(written(kind), kind.word());
            assert_eq!(StrategyKind::parse(kind.word()), Some(kind));
        }
        let revision = || RevisionId("r".into());
        let operations = [
            Operation::CreateService { settings: BTreeMap::new() },
            Operation::UpdateService { settings: BTreeMap::new() },
            Operation::DeleteService,
            Operation::CreateRevision { revision: revision(), spec: Value::None, replicas: 1 },
            Operation::Roll {
                from: revision(),
                revision: revision(),
                spec: Value::None,
                replicas: 1,
                surge: 1,
                unavailable: 0,
            },
            Operation::DeleteRevision { revision: revision() },
            Operation::Scale { revision: revision(), replicas: 1 },
            Operation::AwaitReady { revision: revision() },
            Operation::ShiftTraffic { traffic: BTreeMap::new() },
            Operation::Route { routes: Vec::new() },
            Operation::Run { when: HookTime::After, revision: revision(), command: Vec::new() },
            Operation::Migrate { revision: revision(), command: Vec::new() },
        ];
        for operation in operations {
            assert_eq!(written(&operation), operation.word());
        }
        let gate = ApprovalGate { count: 1, of: Vec::new(), span: String::new() };
        for task in [Task::Hold { ms: 1 }, Task::Gate { approval: gate }] {
            assert_eq!(written(&task), task.word());
        }
    }
}
