//! Conditions that an environment was last applied under, and the commit that it was applied from.
//!
//! Whoever may change the program may change its conditions with it, so those that held before are asked as well.
//! They are a text of its own, written once and named by the head; the record of the audit says whose they are. A
//! dax that does not know them would lose them with its next write, so a state that has any gets a newer format.

use super::audit::{self, Actor, What};
use super::head::Head;
use super::{FORMAT, Lease, Result, Store, StoreError, json};
use dax_core::Name;
use dax_machine::journal::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Texts that nobody needs any more and that wait for the end of a run; from so many on they go at once.
const MOST_GARBAGE: usize = 100;

/// Conditions that were recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The conditions, as whoever recorded them writes them.
    pub conditions: serde_json::Value,
    /// The commit of the program that they stand in, where it lies in a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<audit::Commit>,
    /// Person that recorded them.
    pub by: Name,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The program that an environment was last applied from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The program of a commit.
    Commit(audit::Commit),
    /// A program that no commit has, or that was not applied as a whole.
    Unknown,
}

impl Provenance {
    /// The commit, where it is known.
    pub fn commit(self) -> Option<audit::Commit> {
        match self {
            Self::Commit(commit) => Some(commit),
            Self::Unknown => None,
        }
    }
}

impl From<Option<audit::Commit>> for Provenance {
    fn from(commit: Option<audit::Commit>) -> Self {
        commit.map_or(Self::Unknown, Self::Commit)
    }
}

/// Recorded conditions as they are kept: they say themselves whose they are.
#[derive(Serialize, Deserialize)]
pub(super) struct ConditionsFile {
    format_version: u32,
    lineage: Name,
    environment: Name,
    #[serde(flatten)]
    recorded: Recorded,
}

impl Store {
    /// The conditions that were recorded last for an environment.
    ///
    /// # Errors
    /// The store cannot be read, or the conditions were changed by somebody else.
    pub async fn conditions(&self, environment: &str) -> Result<Option<Recorded>> {
        match self.head(environment).await? {
            Some((head, _)) => self.conditions_of(&head).await,
            None => Ok(None),
        }
    }

    pub(super) async fn conditions_of(&self, head: &Head) -> Result<Option<Recorded>> {
        let Some(key) = &head.conditions else { return Ok(None) };
        let file: ConditionsFile = self.parse(&self.named(key).await?)?;
        if file.format_version > FORMAT {
            return Err(self.newer(file.format_version));
        }
        if file.lineage != self.lineage || file.environment != head.environment {
            return Err(self.corrupt(format!("`{key}` is of another state or environment")));
        }
        Ok(Some(file.recorded))
    }

    /// Records the conditions of an environment in the place of those of before. They and the commit are the actor's,
    /// so that a run that changes nothing else moves [`Store::last_applied`] too.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn record_conditions(
        &self,
        lease: &mut Lease,
        conditions: &serde_json::Value,
        actor: &Actor,
    ) -> Result<()> {
        let file = ConditionsFile {
            format_version: FORMAT,
            lineage: self.lineage.clone(),
            environment: lease.environment.clone(),
            recorded: Recorded {
                conditions: conditions.clone(),
                commit: actor.commit.clone(),
                by: actor.who.clone(),
                at_ms: actor.at_ms,
            },
        };
        let bytes = json(&file);
        let digest = self.hash(&bytes);
        let what = What::Conditions {
            digest: digest.clone(),
            commit: actor.commit.clone(),
            brought: actor.brought.clone(),
        };
        let (record_key, record, end) = self.next_record(lease, actor, what);
        // The number tells it from an equal text of before, which is to go.
        let key = format!("conditions/{}/{:010}-{digest}", lease.environment, end.seq);
        let mut garbage = lease.head.garbage.clone();
        let remove =
            if garbage.len() < MOST_GARBAGE { Vec::new() } else { std::mem::take(&mut garbage) };
        garbage.extend(lease.head.conditions.clone());
        self.fenced(lease, vec![(key.clone(), bytes), (record_key, record)], remove, |head| {
            head.format_version = FORMAT;
            head.audit = end;
            head.conditions = Some(key);
            head.garbage = garbage;
        })
        .await
    }

    /// The program that an environment was last applied from: that of the last apply that succeeded, or of the
    /// conditions that were recorded since. An apply without a commit hides those of before, which were left by it.
    ///
    /// # Errors
    /// The store cannot be read, or the chain of the audit is broken.
    pub async fn last_applied(&self, environment: &str) -> Result<Option<Provenance>> {
        let mut last = None;
        let mut begun = BTreeMap::new();
        for record in self.audit(environment).await? {
            match record.what {
                What::Begin { run, mode, commit, .. } if mode == "apply" => {
                    begun.insert(run, commit);
                }
                What::End { run, outcome: Outcome::Succeeded, .. } => {
                    last = begun.remove(&run).map(Provenance::from).or(last);
                }
                What::Conditions { commit, .. } => last = Some(commit.into()),
                What::Begin { .. }
                | What::End { .. }
                | What::Resume { .. }
                | What::Pin { .. }
                | What::Unlock { .. } => {}
            }
        }
        Ok(last)
    }

    pub(super) fn newer(&self, found: u32) -> StoreError {
        StoreError::Newer { place: self.place(), found: i64::from(found), known: i64::from(FORMAT) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Holder;
    use super::*;
    use crate::blobs::{Blobs, MemoryBlobs};
    use crate::testing::{now, plan_of_nothing, store};
    use crate::{Ending, Key, Sealed};
    use dax_plan::model::Mode;
    use serde_json::json;
    use std::sync::Arc;

    fn lease(store: &Store) -> Lease {
        let holder = Holder { name: "ann".to_owned(), host: "here".to_owned(), pid: 1, started: 1 };
        now(store.acquire("dev", &holder, 1, &|_| true)).unwrap()
    }

    fn actor(at_ms: u64, commit: &str) -> Actor {
        let commit = (!commit.is_empty()).then(|| audit::Commit { id: commit.into(), at_ms });
        Actor { who: "ann".into(), at_ms, commit, ..Actor::default() }
    }

    fn run(store: &Store, lease: &mut Lease, mode: Mode, outcome: &Outcome, actor: &Actor) {
        let mut plan = plan_of_nothing("dev");
        plan.mode = mode;
        now(store.begin(lease, &plan, Vec::new(), actor)).unwrap();
        let ending = Ending {
            outcome,
            state: None,
            name: None,
            complete: Vec::new(),
            verified: false,
            gates: Vec::new(),
            pin: false,
        };
        now(store.finish(lease, &[], ending, actor)).unwrap();
    }

    fn last(store: &Store) -> Option<String> {
        now(store.last_applied("dev")).unwrap().map(|last| match last {
            Provenance::Commit(commit) => commit.id.to_string(),
            Provenance::Unknown => "unknown".to_owned(),
        })
    }

    #[test]
    fn conditions_are_read_as_they_were_recorded_and_the_old_ones_go() {
        let blobs = Arc::new(MemoryBlobs::default());
        let store = store(blobs.clone());
        assert_eq!(now(store.conditions("dev")).unwrap(), None);
        let mut lease = lease(&store);
        assert_eq!(now(store.conditions("dev")).unwrap(), None);
        let one = json!({ "approve": [{ "count": 1, "of": { "team:sre": ["ann", "bob"] } }] });
        now(store.record_conditions(&mut lease, &one, &actor(5, "c1"))).unwrap();
        let expected = Recorded {
            conditions: one.clone(),
            commit: actor(5, "c1").commit,
            by: "ann".into(),
            at_ms: 5,
        };
        assert_eq!(now(store.conditions("dev")).unwrap(), Some(expected));
        // The same again is a text of its own, which does not go with the one of before.
        now(store.record_conditions(&mut lease, &one, &actor(5, "c1"))).unwrap();
        now(store.record_conditions(&mut lease, &json!({}), &actor(6, ""))).unwrap();
        for at in 7..9 {
            run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &actor(at, "c2"));
        }
        let found = now(store.conditions("dev")).unwrap().unwrap();
        assert_eq!((found.conditions, found.commit), (json!({}), None));
        assert_eq!(now(blobs.list("conditions/")).unwrap().len(), 1);
        let report = now(store.verify("dev")).unwrap();
        assert_eq!((report.findings, report.orphans), (Vec::new(), Vec::new()));
    }

    #[test]
    fn whoever_lost_the_lease_records_nothing() {
        let store = store(Arc::new(MemoryBlobs::default()));
        let mut old = lease(&store);
        let mut new = lease(&store);
        let refused = now(store.record_conditions(&mut old, &json!(1), &actor(1, "old")));
        assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
        assert_eq!(now(store.conditions("dev")).unwrap(), None);
        now(store.record_conditions(&mut new, &json!(2), &actor(1, "new"))).unwrap();
        assert_eq!(last(&store).as_deref(), Some("new"));
    }

    #[test]
    fn the_last_applied_commit_is_that_of_an_apply_that_succeeded_or_of_newer_conditions() {
        let store = store(Arc::new(MemoryBlobs::default()));
        assert_eq!(last(&store), None);
        let mut lease = lease(&store);
        let failed = Outcome::RolledBack { step: None, message: "no".to_owned() };
        run(&store, &mut lease, Mode::Apply, &failed, &actor(1, "a"));
        assert_eq!(last(&store), None);
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &actor(2, "b"));
        assert_eq!(last(&store).as_deref(), Some("b"));
        for mode in [Mode::Rollback, Mode::Destroy] {
            run(&store, &mut lease, mode, &Outcome::Succeeded, &actor(3, "c"));
        }
        run(&store, &mut lease, Mode::Apply, &failed, &actor(4, "d"));
        assert_eq!(last(&store).as_deref(), Some("b"));
        // What was applied without a commit is not at the one of before any more.
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &actor(5, ""));
        assert_eq!(last(&store).as_deref(), Some("unknown"));
        now(store.record_conditions(&mut lease, &json!({}), &actor(6, "e"))).unwrap();
        assert_eq!(last(&store).as_deref(), Some("e"));
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &actor(7, "f"));
        assert_eq!(last(&store).as_deref(), Some("f"));
        now(store.record_conditions(&mut lease, &json!([]), &actor(8, ""))).unwrap();
        assert_eq!(last(&store).as_deref(), Some("unknown"));
    }

    #[test]
    fn a_change_request_is_carried_out_by_a_run_that_succeeds_and_by_conditions_alone() {
        let store = store(Arc::new(MemoryBlobs::default()));
        let mut lease = lease(&store);
        let brought = |at_ms: u64, changes: &[u64]| {
            let brought = audit::Brought { changes: changes.to_vec(), at_ms: at_ms * 10 };
            Actor { brought: Some(brought), ..actor(at_ms, "a") }
        };
        let all = |store: &Store| now(store.brought("dev")).unwrap();
        let failed = Outcome::RolledBack { step: None, message: "no".to_owned() };
        run(&store, &mut lease, Mode::Apply, &failed, &brought(1, &[7]));
        assert_eq!(all(&store), BTreeMap::new());
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &brought(2, &[7, 8]));
        // By hand, and once more.
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &actor(3, "b"));
        run(&store, &mut lease, Mode::Apply, &Outcome::Succeeded, &brought(4, &[8]));
        now(store.record_conditions(&mut lease, &json!({}), &brought(5, &[9]))).unwrap();
        now(store.record_conditions(&mut lease, &json!([]), &actor(6, "c"))).unwrap();
        assert_eq!(all(&store), BTreeMap::from([(7, 20), (8, 40), (9, 50)]));
    }

    #[test]
    fn a_change_of_recorded_conditions_is_found() {
        let key = Key::parse(&"7".repeat(64)).unwrap();
        for sealed in [false, true] {
            let inner = Arc::new(MemoryBlobs::default());
            let blobs: Arc<dyn Blobs> = match sealed {
                true => Arc::new(Sealed::new(inner.clone(), &key).unwrap()),
                false => inner.clone(),
            };
            let store = store(blobs);
            let mut lease = lease(&store);
            let old = json!({ "approve": 1 });
            now(store.record_conditions(&mut lease, &old, &actor(5, "c1"))).unwrap();
            let keys = now(inner.list("conditions/")).unwrap();
            let bytes = inner.all()[&keys[0]].clone();
            let mut changed = bytes.clone();
            *changed.last_mut().unwrap() ^= 1;
            for meddled in [None, Some(changed), Some(b"{}".to_vec())] {
                inner.meddle(&keys[0], meddled);
                assert!(now(store.conditions("dev")).is_err());
                let report = now(store.verify("dev")).unwrap();
                assert_eq!(report.findings.first().map(|found| &found.key), Some(&keys[0]));
            }
            inner.meddle(&keys[0], Some(bytes));
            assert!(now(store.conditions("dev")).unwrap().is_some());
        }
    }

    #[test]
    fn a_head_that_names_other_conditions_than_the_audit_is_found() {
        let blobs = Arc::new(MemoryBlobs::default());
        let store = store(blobs.clone());
        let mut lease = lease(&store);
        now(store.record_conditions(&mut lease, &json!({ "approve": 1 }), &actor(5, "c1")))
            .unwrap();
        let first = lease.head.conditions.clone().unwrap();
        let text = blobs.all()[&first].clone();
        now(store.record_conditions(&mut lease, &json!({ "approve": 2 }), &actor(6, "c2")))
            .unwrap();
        // Somebody who can write the state and its digests puts the old ones back.
        blobs.meddle(&first, Some(text));
        lease.head.conditions = Some(first.clone());
        blobs.meddle("heads/dev", Some(store.head_text(&lease.head)));
        let report = now(store.verify("dev")).unwrap();
        assert_eq!(report.findings.len(), 1, "{report:?}");
        assert_eq!(report.findings[0].key, first);
    }

    #[test]
    fn a_head_of_a_newer_format_is_left_alone() {
        let blobs = Arc::new(MemoryBlobs::default());
        let store = store(blobs.clone());
        let mut lease = lease(&store);
        lease.head.format_version = FORMAT + 1;
        blobs.meddle("heads/dev", Some(store.head_text(&lease.head)));
        let refused = now(store.state("dev"));
        assert!(matches!(refused, Err(StoreError::Newer { .. })), "{refused:?}");
    }
}
