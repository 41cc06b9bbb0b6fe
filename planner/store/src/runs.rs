//! Runs: their plans, their journals, and the states that they leave.

use super::audit::{Actor, Commit, Promoted, Touched, What};
use super::head::{End, Head, OpenRun};
use super::{Holder, Lease, Pin, Result, Snapshot, Store, json};
use dax_core::{Name, ResourceAddr};
use dax_machine::journal::{Entry, Outcome};
use dax_plan::{Plan, StepId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many states of an environment are kept, beside those that somebody gave a name.
const KEPT_STATES: usize = 50;
/// How many runs keep their plan and their journal.
pub(super) const KEPT_RUNS: u64 = 50;

/// A run as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs of the environment.
    pub id: u64,
    /// The environment.
    pub environment: Name,
    /// `apply`, `rollback` or `destroy`.
    pub mode: Name,
    /// Who started it.
    pub holder: String,
    /// Why, in that person's words.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// How it ended; nothing while it has not.
    pub outcome: Option<Outcome>,
    /// What it waits for, where it has not ended and nobody carries it on.
    pub waits: Option<Outcome>,
    /// The digest of its plan.
    pub digest: Name,
    /// The state that it started from.
    pub serial: u64,
    /// The state that it goes back to, where it is a rollback.
    pub restores: Option<u64>,
    /// The state that it left, if it left one.
    pub left: Option<u64>,
    /// Who approved its plan.
    pub approved_by: Vec<Name>,
    /// What it changed, or was to.
    pub services: Vec<Touched>,
    /// The commit of the program.
    pub commit: Option<Commit>,
    /// From where it was promoted, if it was.
    pub promoted: Option<Promoted>,
    /// Services that are as its plan says.
    pub complete: Vec<ResourceAddr>,
    /// Whether an analysis passed on the way.
    pub verified: bool,
}

/// A former state: a rollback point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Counts the states of the environment.
    pub serial: u64,
    /// When it came to be, in milliseconds since 1970.
    pub at_ms: u64,
    /// The run that left it.
    pub run: u64,
    /// What somebody called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The state that was gone back to, where a rollback left this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// Where it is kept.
    pub(super) key: String,
}

/// A run that has not ended, as the head of its environment tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The run.
    pub id: u64,
    /// `apply`, `rollback` or `destroy`.
    pub mode: Name,
    /// Who started it.
    pub by: String,
    /// When, in milliseconds since 1970.
    pub started_ms: u64,
    /// What it waits for, if it waits.
    pub waits: Option<Outcome>,
    /// Who holds its environment, until when.
    pub holder: Option<(Holder, u64)>,
}

/// How a run ends.
pub struct Ending<'e> {
    /// How.
    pub outcome: &'e Outcome,
    /// The state that it leaves, if it differs from the one that it began with.
    pub state: Option<&'e Snapshot>,
    /// What that state is called.
    pub name: Option<Name>,
    /// Services that are as the plan says.
    pub complete: Vec<ResourceAddr>,
    /// Whether an analysis passed on the way.
    pub verified: bool,
    /// Who agreed to go on, step by step.
    pub gates: Vec<(StepId, Vec<Name>)>,
    /// Whether the environment is pinned from then on.
    pub pin: bool,
}

/// Entries that became durable together.
#[derive(Serialize, Deserialize)]
pub(super) struct Batch {
    seq: u64,
    pub(super) prev: Name,
    pub(super) entries: Vec<Entry>,
}

pub(super) fn journal_key(environment: &str, run: u64, end: &End) -> String {
    format!("journal/{environment}/{run:010}/{:010}-{}", end.seq, end.hash)
}

impl Store {
    /// Begins a run; its plan is kept so that it can be resumed.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn begin(
        &self,
        lease: &mut Lease,
        plan: &Plan,
        approved_by: Vec<Name>,
        actor: &Actor,
    ) -> Result<u64> {
        let id = lease.head.last_run + 1;
        let mode = Name::new_static(plan.mode.word());
        let body = json(plan);
        let digest = Name::new(dax_plan::digest::digest(plan));
        let plan_key = format!("plans/{}/{id:010}-{}", lease.environment, self.hash(&body));
        let services = plan.changes.iter().map(|change| Touched {
            service: change.addr.clone(),
            action: change.action,
            from: change.from.as_ref().map(|id| id.0.clone()),
            to: change.to.as_ref().map(|id| id.0.clone()),
        });
        let serial = lease.head.serial;
        let what = What::Begin {
            run: id,
            mode: mode.clone(),
            digest: digest.clone(),
            serial,
            restores: actor.restores,
            approved_by,
            services: services.collect(),
            commit: actor.commit.clone(),
            promoted: actor.promoted.clone(),
            brought: actor.brought.clone(),
        };
        let (key, record, end) = self.next_record(lease, actor, what);
        let holder =
            lease.head.holder.as_ref().map_or_else(String::new, |holder| holder.name.clone());
        let open = OpenRun {
            id,
            mode,
            holder,
            started_ms: actor.at_ms,
            digest,
            serial,
            restores: actor.restores,
            plan: plan_key.clone(),
            journal: End::default(),
            waits: None,
        };
        self.fenced(lease, vec![(plan_key, body), (key, record)], Vec::new(), |head| {
            head.audit = end;
            head.last_run = id;
            head.run = Some(open);
        })
        .await?;
        Ok(id)
    }

    /// The text of a batch, its key, and the end of the journal with it.
    fn batch(&self, lease: &Lease, entries: &[Entry]) -> Option<(String, Vec<u8>, End)> {
        let run = lease.head.run.as_ref().filter(|_| !entries.is_empty())?;
        let batch = Batch {
            seq: run.journal.seq + 1,
            prev: run.journal.hash.clone(),
            entries: entries.to_vec(),
        };
        let bytes = json(&batch);
        let end = End { seq: batch.seq, hash: self.hash(&bytes) };
        Some((journal_key(&lease.environment, run.id, &end), bytes, end))
    }

    /// Appends entries to the journal of the environment's run, all or none.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn append(&self, lease: &mut Lease, entries: &[Entry]) -> Result<()> {
        self.append_waiting(lease, entries, None).await
    }

    /// Appends entries, and notes what the run waits for.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn append_waiting(
        &self,
        lease: &mut Lease,
        entries: &[Entry],
        waits: Option<&Outcome>,
    ) -> Result<()> {
        let batch = self.batch(lease, entries);
        let known = lease.head.run.as_ref().and_then(|run| run.waits.as_ref());
        if batch.is_none() && known == waits {
            return Ok(());
        }
        let (puts, end) = match batch {
            Some((key, bytes, end)) => (vec![(key, bytes)], Some(end)),
            None => (Vec::new(), None),
        };
        self.fenced(lease, puts, Vec::new(), |head| {
            if let Some(run) = &mut head.run {
                run.waits = waits.cloned();
                run.journal = end.unwrap_or_else(|| run.journal.clone());
            }
        })
        .await
    }

    /// Ends the environment's run: its last entries, its outcome and the state that it leaves, all or none.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn finish(
        &self,
        lease: &mut Lease,
        entries: &[Entry],
        ending: Ending<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let Some(run) = lease.head.run.clone() else { return Ok(()) };
        let environment = lease.environment.clone();
        let mut puts = Vec::new();
        let mut journal = run.journal.clone();
        if let Some((key, bytes, end)) = self.batch(lease, entries) {
            puts.push((key, bytes));
            journal = end;
        }
        let mut garbage = self.outdated(&environment, run.id).await?;
        let mut left = None;
        if let Some(state) = ending.state {
            let serial = lease.head.serial + 1;
            let (key, bytes) = self.state_file(&environment, serial, state);
            puts.push((key.clone(), bytes));
            let mut points = self.points_of(&lease.head).await?;
            points.insert(
                0,
                Point {
                    serial,
                    at_ms: actor.at_ms,
                    run: run.id,
                    name: ending.name.clone(),
                    restores: run.restores,
                    key: key.clone(),
                },
            );
            // What somebody gave a name stays.
            let mut kept = 0;
            points.retain(|point| {
                kept += usize::from(point.name.is_none());
                let stays = point.name.is_some() || kept <= KEPT_STATES;
                if !stays {
                    garbage.push(point.key.clone());
                }
                stays
            });
            garbage.extend(lease.head.points.clone());
            let list = json(&points);
            let list_key = format!("points/{environment}/{serial:010}-{}", self.hash(&list));
            puts.push((list_key.clone(), list));
            left = Some((serial, key, list_key));
        }
        let what = What::End {
            run: run.id,
            outcome: ending.outcome.clone(),
            serial: left.as_ref().map(|(serial, ..)| *serial),
            complete: ending.complete,
            journal: (journal.seq, journal.hash),
            verified: ending.verified,
            gates: ending.gates,
        };
        let (key, record, end) = self.next_record(lease, actor, what);
        puts.push((key, record));
        let pinned = ending.pin.then(|| Pin {
            by: actor.who.clone(),
            reason: actor.why.clone(),
            at_ms: actor.at_ms,
            serial: 0,
        });
        let remove = lease.head.garbage.clone();
        self.fenced(lease, puts, remove, |head| {
            head.garbage = garbage;
            head.audit = end;
            head.run = None;
            if let Some((serial, key, list)) = left {
                (head.serial, head.state, head.points) = (serial, Some(key), Some(list));
            }
            if let Some(pin) = pinned {
                head.pin = Some(Pin { serial: head.serial, ..pin });
            }
        })
        .await?;
        match (&self.anchor, ending.state) {
            (Some(anchor), Some(state)) => {
                anchor.note_contents(&lease.head, state.services.is_empty())
            }
            _ => Ok(()),
        }
    }

    /// Pins an environment, or takes the pin away.
    ///
    /// # Errors
    /// The lease was lost, or the store cannot be written.
    pub async fn pin(&self, lease: &mut Lease, pinned: bool, actor: &Actor) -> Result<()> {
        let (key, record, end) = self.next_record(lease, actor, What::Pin { pinned });
        let pin = pinned.then(|| Pin {
            by: actor.who.clone(),
            reason: actor.why.clone(),
            at_ms: actor.at_ms,
            serial: lease.head.serial,
        });
        self.fenced(lease, vec![(key, record)], Vec::new(), |head| {
            head.audit = end;
            head.pin = pin;
        })
        .await
    }

    /// Plans and journals of runs that are too old to be kept.
    async fn outdated(&self, environment: &str, run: u64) -> Result<Vec<String>> {
        let Some(old) = run.checked_sub(KEPT_RUNS) else { return Ok(Vec::new()) };
        let mut keys = self.blobs.list(&format!("journal/{environment}/{old:010}/")).await?;
        keys.extend(self.blobs.list(&format!("plans/{environment}/{old:010}-")).await?);
        Ok(keys)
    }

    pub(super) async fn points_of(&self, head: &Head) -> Result<Vec<Point>> {
        match &head.points {
            Some(key) => self.parse(&self.named(key).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The states of an environment that are kept, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn points(&self, environment: &str) -> Result<Vec<Point>> {
        match self.head(environment).await? {
            Some((head, _)) => self.points_of(&head).await,
            None => Ok(Vec::new()),
        }
    }

    /// The run of an environment that has not ended, with its plan and its journal.
    ///
    /// # Errors
    /// The store cannot be read, or the journal was changed by somebody else.
    pub async fn unfinished(&self, environment: &str) -> Result<Option<(u64, Plan, Vec<Entry>)>> {
        let Some((head, _)) = self.head(environment).await? else { return Ok(None) };
        let Some(run) = &head.run else { return Ok(None) };
        let plan = self.parse(&self.named(&run.plan).await?)?;
        let journal = self.walk(environment, run.id, &run.journal).await?;
        Ok(Some((run.id, plan, journal)))
    }

    /// The run of an environment that has not ended, without its plan and its journal.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open_run(&self, environment: &str) -> Result<Option<Unfinished>> {
        let Some((head, _)) = self.head(environment).await? else { return Ok(None) };
        let Head { run: Some(run), holder, expires_ms, .. } = head else { return Ok(None) };
        Ok(Some(Unfinished {
            id: run.id,
            mode: run.mode,
            by: run.holder,
            started_ms: run.started_ms,
            waits: run.waits,
            holder: holder.map(|holder| (holder, expires_ms)),
        }))
    }

    /// A journal from its end back to its beginning, its chain checked.
    pub(super) async fn walk(&self, environment: &str, run: u64, end: &End) -> Result<Vec<Entry>> {
        let texts: BTreeMap<String, Vec<u8>> = self
            .blobs
            .scan(&format!("journal/{environment}/{run:010}/"))
            .await?
            .into_iter()
            .collect();
        let mut at = end.clone();
        let mut batches = Vec::new();
        while at.seq > 0 {
            let key = journal_key(environment, run, &at);
            let bytes = texts.get(&key).ok_or_else(|| {
                self.corrupt(format!(
                    "batch {} of the journal of run {run} is gone or was changed",
                    at.seq
                ))
            })?;
            self.check_name(&key, bytes)?;
            let batch: Batch = self.parse(bytes)?;
            at = End { seq: at.seq - 1, hash: batch.prev };
            batches.push(batch.entries);
        }
        Ok(batches.into_iter().rev().flatten().collect())
    }

    /// The journal of a run, ended or not.
    ///
    /// # Errors
    /// The store cannot be read, or the journal was changed by somebody else.
    pub async fn journal(&self, environment: &str, run: u64) -> Result<Vec<Entry>> {
        let Some((head, _)) = self.head(environment).await? else { return Ok(Vec::new()) };
        if let Some(open) = head.run.as_ref().filter(|open| open.id == run) {
            return self.walk(environment, run, &open.journal).await;
        }
        let ended =
            self.audit(environment).await?.into_iter().find_map(|record| match record.what {
                What::End { run: id, journal: (seq, hash), .. } if id == run => {
                    Some(End { seq, hash })
                }
                _ => None,
            });
        match ended {
            Some(end) => self.walk(environment, run, &end).await,
            None => Ok(Vec::new()),
        }
    }

    /// The plan of a run, while it is kept.
    ///
    /// # Errors
    /// The store cannot be read, or the plan was changed by somebody else.
    pub async fn plan_of(&self, environment: &str, run: u64) -> Result<Option<Plan>> {
        let found = self.blobs.scan(&format!("plans/{environment}/{run:010}-")).await?;
        let gone = |what: &str| Err(self.corrupt(format!("run {run} of `{environment}` {what}")));
        match found.as_slice() {
            [(key, bytes)] => {
                self.check_name(key, bytes)?;
                self.parse(bytes).map(Some)
            }
            [] => {
                let last = self.head(environment).await?.map_or(0, |(head, _)| head.last_run);
                let kept = (1..=last).contains(&run) && run + KEPT_RUNS > last;
                if kept { gone("has lost its plan") } else { Ok(None) }
            }
            _ => gone("has two plans"),
        }
    }

    /// The runs of an environment, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn runs(&self, environment: &str) -> Result<Vec<Run>> {
        let mut runs: BTreeMap<u64, Run> = BTreeMap::new();
        for record in self.audit(environment).await? {
            match record.what {
                What::Begin {
                    run,
                    mode,
                    digest,
                    serial,
                    restores,
                    approved_by,
                    services,
                    commit,
                    promoted,
                    brought: _,
                } => {
                    let begun = Run {
                        id: run,
                        environment: environment.into(),
                        mode,
                        holder: record.who.to_string(),
                        why: record.why,
                        started_ms: record.at_ms,
                        ended_ms: None,
                        outcome: None,
                        waits: None,
                        digest,
                        serial,
                        restores,
                        left: None,
                        approved_by,
                        services,
                        commit,
                        promoted,
                        complete: Vec::new(),
                        verified: false,
                    };
                    runs.insert(run, begun);
                }
                What::End { run, outcome, serial, complete, verified, .. } => {
                    if let Some(run) = runs.get_mut(&run) {
                        (run.outcome, run.left, run.complete, run.verified) =
                            (Some(outcome), serial, complete, verified);
                        run.ended_ms = Some(record.at_ms);
                    }
                }
                _ => {}
            }
        }
        if let Some((Head { run: Some(open), .. }, _)) = self.head(environment).await?
            && let Some(run) = runs.get_mut(&open.id)
        {
            run.waits = open.waits;
        }
        Ok(runs.into_values().rev().collect())
    }
}
