//! What holds for every row of a state, whatever bytes stand in it: the same for tests and for fuzzing.
//!
//! Whoever reads is told that something is wrong, or gets the answer that was written; never another one.

use crate::world::now;
use crate::{Files, load, params, plan};
use dax_core::{ResourceAddr, RevisionId, Value};
use dax_machine::journal::{Entry, Outcome};
use dax_plan::model::{AppliedService, StateVersion};
use dax_plan::{Plan, StepId};
use dax_store::audit::Actor;
use dax_store::blobs::{Blobs, MemoryBlobs};
use dax_store::{Approval, Ending, Holder, Lease, Pin, Snapshot, StoreError};
use dax_store::{Run, Store};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// Rows by key.
pub type Rows = BTreeMap<String, Vec<u8>>;

const ENVIRONMENT: &str = "dev";

/// A plan of nothing.
pub fn some_plan() -> Plan {
    let files = Files::project("environment dev {\n}\n");
    plan(&load(&files), &params(&[]), ENVIRONMENT, &BTreeMap::new(), &BTreeMap::new()).0
}

/// A state of one service at a revision.
pub fn snapshot(revision: &str) -> Snapshot {
    let service = AppliedService {
        provider: "memory.world".into(),
        object: Default::default(),
        protected: false,
        values: Value::Map(BTreeMap::from([("image".into(), Value::str(revision))])),
        settings: BTreeMap::new(),
        revision: RevisionId(revision.into()),
        retained: Vec::new(),
        needs: Vec::new(),
    };
    let services = BTreeMap::from([(ResourceAddr::service("web"), service)]);
    Snapshot { services, ..Snapshot::default() }
}

fn actor(at_ms: u64, restores: Option<u64>) -> Actor {
    Actor { who: "ann".into(), why: "because".to_owned(), at_ms, restores, ..Actor::default() }
}

async fn run(store: &Store, lease: &mut Lease, state: &Snapshot, actor: &Actor) {
    store.begin(lease, &some_plan(), Vec::new(), actor).await.expect("a run");
    let entries = [Entry::Intent { step: StepId(0), at_ms: 5 }, Entry::Done { step: StepId(0) }];
    store.append(lease, &entries).await.expect("written");
    let ending = Ending {
        outcome: &Outcome::Succeeded,
        state: Some(state),
        name: None,
        complete: Vec::new(),
        verified: true,
        gates: Vec::new(),
        pin: actor.restores.is_some(),
    };
    store.finish(lease, &[], ending, actor).await.expect("ended");
}

/// Writes a state with everything in it: three runs that ended, one that has not,
/// recorded conditions, an approval.
pub async fn write(blobs: Arc<dyn Blobs>, revision: &dyn Fn(&str) -> String) {
    let store = Store::open(blobs, None).await.expect("a store");
    let holder = Holder { name: "ann".to_owned(), host: "here".to_owned(), pid: 1, started: 1 };
    let mut lease = store.acquire(ENVIRONMENT, &holder, 0, &|_| false).await.expect("a lease");
    let (one, two) = (snapshot(&revision("aaaaaaaa")), snapshot(&revision("bbbbbbbb")));
    run(&store, &mut lease, &one, &actor(1, None)).await;
    run(&store, &mut lease, &two, &actor(2, None)).await;
    run(&store, &mut lease, &one, &actor(3, Some(1))).await;
    let conditions = serde_json::json!({ "approve": [{ "count": 1, "of": ["team:sre"] }] });
    store.record_conditions(&mut lease, &conditions, &actor(3, None)).await.expect("written");
    store.begin(&mut lease, &some_plan(), Vec::new(), &actor(4, None)).await.expect("a run");
    store.append(&mut lease, &[Entry::Done { step: StepId(0) }]).await.expect("written");
    let approval = Approval {
        digest: "abcd".into(),
        step: None,
        by: "bob".into(),
        groups: Vec::new(),
        reason: "fine".to_owned(),
        at_ms: 9,
        signature: None,
        names: Vec::new(),
    };
    store.approve(ENVIRONMENT, &approval).await.expect("written");
}

/// The rows of such a state.
pub fn sound() -> &'static Rows {
    static SOUND: OnceLock<Rows> = OnceLock::new();
    SOUND.get_or_init(|| {
        let blobs = Arc::new(MemoryBlobs::default());
        now(write(blobs.clone(), &str::to_owned));
        blobs.all()
    })
}

/// A place that holds these rows.
pub fn place(rows: &Rows) -> Arc<MemoryBlobs> {
    let blobs = MemoryBlobs::default();
    rows.iter().for_each(|(key, bytes)| blobs.meddle(key, Some(bytes.clone())));
    Arc::new(blobs)
}

/// Everything that a state answers; each answer for itself, with its name.
pub async fn answers(blobs: Arc<dyn Blobs>) -> Vec<(&'static str, Result<String, StoreError>)> {
    fn shown<T: std::fmt::Debug>(found: Result<T, StoreError>) -> Result<String, StoreError> {
        found.map(|found| format!("{found:?}"))
    }
    let store = match Store::open(blobs, None).await {
        Ok(store) => store,
        Err(error) => return vec![("open", Err(error))],
    };
    let state: Result<(Snapshot, StateVersion), _> = store.state(ENVIRONMENT).await;
    let runs: Result<Vec<Run>, _> = store.runs(ENVIRONMENT).await;
    let pin: Result<Option<Pin>, _> = store.pinned(ENVIRONMENT).await;
    vec![
        ("environments", shown(store.environments().await)),
        ("state", shown(state)),
        ("earlier state", shown(store.state_at(ENVIRONMENT, 2).await)),
        ("points", shown(store.points(ENVIRONMENT).await)),
        ("runs", shown(runs)),
        ("audit", shown(store.audit(ENVIRONMENT).await)),
        ("journal", shown(store.journal(ENVIRONMENT, 2).await)),
        ("open journal", shown(store.journal(ENVIRONMENT, 4).await)),
        ("plan", shown(store.plan_of(ENVIRONMENT, 2).await)),
        ("unfinished", shown(store.unfinished(ENVIRONMENT).await)),
        ("open run", shown(store.open_run(ENVIRONMENT).await)),
        ("holder", shown(store.lease(ENVIRONMENT).await)),
        ("pin", shown(pin)),
        ("conditions", shown(store.conditions(ENVIRONMENT).await)),
        ("last applied", shown(store.last_applied(ENVIRONMENT).await)),
        ("pull", shown(store.pull(ENVIRONMENT).await)),
        ("verify", shown(store.verify(ENVIRONMENT).await)),
    ]
}

/// Holds the answers of a state against those that were written; gives what is neither one of them nor an error.
pub fn lies(
    written: &[(&'static str, Result<String, StoreError>)],
    found: &[(&'static str, Result<String, StoreError>)],
) -> String {
    let mut lies = String::new();
    for (name, answer) in found {
        let Ok(answer) = answer else { continue };
        let right = written.iter().find(|(other, _)| other == name);
        let is_right = right.is_some_and(|(_, right)| right.as_ref().ok() == Some(answer));
        // A report of what is wrong is no answer about the state.
        let told = *name == "verify" && !answer.contains("findings: []");
        if !is_right && !told && *name != "verify" {
            let _ = writeln!(lies, "{name}: {answer}");
        }
    }
    lies
}

/// Changes a row of a sound state as the bytes say, and asks for everything.
///
/// # Panics
/// An answer is not the one that was written.
pub fn survives(data: &[u8]) {
    static WRITTEN: OnceLock<Vec<(&str, Result<String, StoreError>)>> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| now(answers(place(sound()))));
    let [which, what, rest @ ..] = data else { return };
    let mut rows = sound().clone();
    let keys: Vec<String> = rows.keys().cloned().collect();
    let key = &keys[usize::from(*which) % keys.len()];
    change(&mut rows, key, &keys, *what, rest);
    let found = now(answers(place(&rows)));
    let lies = lies(written, &found);
    assert!(lies.is_empty(), "`{key}` was changed ({what}), and nobody said so:\n{lies}");
}

fn change(rows: &mut Rows, key: &str, keys: &[String], what: u8, rest: &[u8]) {
    let bytes = rows.get(key).cloned().unwrap_or_default();
    let first = rest.first().copied().map_or(0, usize::from);
    let changed = match what % 6 {
        0 => Some(rest.to_vec()),
        // As if it was packed, with whatever size.
        1 => Some([b"lz4\x01".as_slice(), rest].concat()),
        2 => None,
        3 => rows.get(&keys[first % keys.len()]).cloned(),
        4 => Some(bytes[..first.min(bytes.len())].to_vec()),
        _ => {
            let mut bytes = bytes;
            for (place, byte) in rest.iter().enumerate() {
                let at = (place * 37 + first) % bytes.len().max(1);
                if let Some(found) = bytes.get_mut(at) {
                    *found ^= *byte;
                }
            }
            Some(bytes)
        }
    };
    match changed {
        Some(bytes) => drop(rows.insert(key.to_owned(), bytes)),
        None => drop(rows.remove(key)),
    }
}
