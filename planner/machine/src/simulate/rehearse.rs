//! What happens when a step fails: found out for every step, before anybody runs the plan.

use super::{Answer, Died, World, run};
use crate::journal::{Entry, Outcome};
use crate::machine::Which;
use crate::machine::{Failure, Machine};
use dax_core::Name;
use dax_model::{LiveService, Operation, WHOLE, image};
use dax_plan::analysis::{Condition, Measured};
use dax_plan::{LiveState, Plan, StepId, Task, invariants};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What modelled calls take: at least and at most, in milliseconds.
const CALL_MS: (u64, u64) = (50, 400);
/// What a replica takes until it is ready, beside what its health check says.
const READY_MS: (u64, u64) = (500, 5_000);

/// Replicas that served a service when they were fewest, out of those that serve it before the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// What the service is called where it runs.
    pub object: Name,
    /// The fewest.
    pub least: i64,
    /// Those before.
    pub before: i64,
}

/// What one failure leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// The step that fails; none where all goes well.
    pub step: Option<StepId>,
    /// How the run ends.
    pub outcome: Outcome,
    /// When, in milliseconds from the beginning.
    pub ends_ms: u64,
    /// How long it took from the failure to the end, in milliseconds.
    pub back_ms: u64,
    /// What is not as it was before; empty when everything is.
    pub left: Vec<String>,
    /// The service that came closest to nobody serving it.
    pub capacity: Option<Capacity>,
    /// The largest share of the traffic that a new revision had, in hundredths of a percent.
    pub exposed: u32,
}

/// What a plan leads to, and what each failure of it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// By which chance the modelled times were drawn.
    pub seed: u64,
    /// The run without a failure first, then one for each step that can fail.
    pub runs: Vec<Rehearsal>,
}

/// Walks the plan in virtual time and fails it at every step in turn.
pub fn rehearse(plan: &Plan, seed: u64) -> Report {
    let fails = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.task, Task::Hold { .. } | Task::Gate { .. }))
        .map(|step| Some(step.id));
    Report {
        seed,
        runs: std::iter::once(None).chain(fails).map(|step| one(plan, seed, step)).collect(),
    }
}

/// The plan with analyses that decide as they are told: the failing one against, the others in favour.
fn decided(plan: &Plan, failing: Option<StepId>) -> Arc<Plan> {
    let mut plan = plan.clone();
    for step in &mut plan.steps {
        if let Task::Analyse { analysis, .. } = &mut step.task {
            (analysis.forbid, analysis.advise, analysis.baseline) =
                (Vec::new(), Vec::new(), Vec::new());
            analysis.require = if failing == Some(step.id) {
                vec![Condition::Any(Vec::new())]
            } else {
                Vec::new()
            };
        }
    }
    Arc::new(plan)
}

fn one(plan: &Plan, seed: u64, failing: Option<StepId>) -> Rehearsal {
    let plan = decided(plan, failing);
    let mut world = Modelled::new(plan.clone(), seed, failing);
    let (outcome, ends_ms) = match run(&plan, &[], 0, &mut world) {
        Ok(ended) => ended,
        Err(Died) => unreachable!("nothing dies in a rehearsal"),
    };
    let failed_ms = world.failed_ms.unwrap_or(ends_ms);
    Rehearsal {
        step: failing,
        outcome,
        ends_ms,
        back_ms: ends_ms - failed_ms,
        left: if failing.is_some() { world.differences() } else { Vec::new() },
        capacity: world
            .least
            .into_values()
            .min_by(|a, b| (a.least * b.before, &a.object).cmp(&(b.least * a.before, &b.object))),
        exposed: world.exposed,
    }
}

/// Modelled providers: every call takes effect, after some time; one step never does.
struct Modelled {
    plan: Arc<Plan>,
    failing: Option<StepId>,
    before: LiveState,
    live: LiveState,
    chance: u64,
    failed_ms: Option<u64>,
    least: BTreeMap<(Name, Name), Capacity>,
    exposed: u32,
}

impl Modelled {
    fn new(plan: Arc<Plan>, seed: u64, failing: Option<StepId>) -> Self {
        let mut before = LiveState::new();
        for (provider, objects) in &plan.observed {
            let there =
                objects.iter().filter_map(|(object, live)| Some((object.clone(), live.clone()?)));
            before.insert(provider.clone(), there.collect());
        }
        let live = before.clone();
        let chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self {
            plan,
            failing,
            before,
            live,
            chance,
            failed_ms: None,
            least: BTreeMap::new(),
            exposed: 0,
        }
    }

    /// A number between two others. Source of the generator: G. Marsaglia, Xorshift RNGs, 2003.
    fn draw(&mut self, (least, most): (u64, u64)) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        least + self.chance % (most - least + 1)
    }

    fn look(&mut self, provider: &Name, object: &Name) {
        let before = self.before.get(provider).and_then(|objects| objects.get(object));
        let Some(before) = before.filter(|live| !live.traffic.is_empty()) else { return };
        let serving = |live: &LiveService| -> i64 {
            live.traffic.keys().filter_map(|id| live.revisions.get(id)).map(|r| r.ready).sum()
        };
        let now = self.live.get(provider).and_then(|objects| objects.get(object));
        let capacity = Capacity {
            object: object.clone(),
            least: now.map_or(0, serving),
            before: serving(before),
        };
        let slot = self
            .least
            .entry((provider.clone(), object.clone()))
            .or_insert_with(|| capacity.clone());
        slot.least = slot.least.min(capacity.least);
        let new = |live: &LiveService| {
            live.traffic
                .iter()
                .filter(|(id, _)| !before.traffic.contains_key(*id))
                .map(|(_, share)| *share)
                .sum()
        };
        self.exposed = self.exposed.max(now.map_or(0, new).min(WHOLE));
    }

    /// What is not as it was before.
    fn differences(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (provider, objects) in &self.plan.observed {
            for object in objects.keys() {
                let find = |state: &LiveState| {
                    image::image(state.get(provider).and_then(|objects| objects.get(object)))
                };
                let (then, now) = (find(&self.before), find(&self.live));
                let paths: std::collections::BTreeSet<&Name> =
                    then.keys().chain(now.keys()).collect();
                let shown = |image: &image::Image, path: &Name| {
                    image.get(path).map_or_else(|| "nothing".to_owned(), ToString::to_string)
                };
                let differing = paths.into_iter().filter(|path| then.get(*path) != now.get(*path));
                all.extend(differing.map(|path| {
                    format!(
                        "{object}: `{path}` was {}, is {}",
                        shown(&then, path),
                        shown(&now, path)
                    )
                }));
            }
        }
        all
    }
}

impl World for Modelled {
    fn write(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Died> {
        let failed = |entry: &Entry| matches!(entry, Entry::Failed { .. } | Entry::Open { .. });
        if self.failed_ms.is_none() && entries.iter().any(failed) {
            self.failed_ms = Some(now_ms);
        }
        Ok(())
    }

    fn call(&mut self, id: StepId, which: Which, _now_ms: u64) -> Result<Answer, Died> {
        let plan = self.plan.clone();
        let step = plan.step(id);
        let operation = step.and_then(|step| which.operation(step));
        let Some((step, operation)) = step.zip(operation) else {
            let message = format!("the plan has no step {id} that calls a provider");
            return Ok(Answer { result: Err(Failure::refused(message)), after_ms: 0 });
        };
        let after_ms = self.draw(CALL_MS)
            + match operation {
                Operation::AwaitReady { .. } => step.expected_ms.max(self.draw(READY_MS)),
                _ => 0,
            };
        if self.failing == Some(id) && which == Which::Do {
            let message = "it fails, in this rehearsal".to_owned();
            return Ok(Answer { result: Err(Failure::refused(message)), after_ms });
        }
        let objects = self.live.entry(step.provider.clone()).or_default();
        let mut live = objects.remove(&step.object).unwrap_or_default();
        invariants::advance(&mut live, operation);
        if *operation != Operation::DeleteService {
            objects.insert(step.object.clone(), live);
        }
        self.look(&step.provider, &step.object);
        Ok(Answer { result: Ok(()), after_ms })
    }

    fn measure(&mut self, _step: StepId, _now_ms: u64) -> Measured {
        Measured::default()
    }

    fn approve(&mut self, _step: StepId) -> Option<Vec<Name>> {
        Some(vec!["everybody".into()])
    }

    fn verify(&mut self) -> Option<String> {
        crate::live::differs(&self.plan, &self.live)
    }

    fn finish(
        &mut self,
        _machine: &Machine,
        entries: &[Entry],
        _outcome: &Outcome,
        now_ms: u64,
    ) -> Result<(), Died> {
        self.write(entries, now_ms)
    }
}
