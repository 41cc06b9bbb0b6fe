//! Kill everywhere: every plan of the corpus, every kind of death at every write and call, with and without faults.
//!
//! Whatever happens, a run that is carried on to its end leaves each service as the plan says or as it was before,
//! the state says which, and every effect took place once.

use crate::world::{Crash, End, Sim};
use crate::{Files, cases, load, params, plan, root};
use dax_core::{Name, ResourceAddr};
use dax_machine::{Entry, How, Outcome};
use dax_model::LiveService;
use dax_plan::analysis::NoData;
use dax_plan::model::{AppliedService, Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection, Task, desired};
use dax_provider_testkit::{Fault, Memory};
use std::collections::{BTreeMap, BTreeSet};

/// Every fault that a platform in memory knows.
pub const FAULTS: [Fault; 7] = [
    Fault::Refused,
    Fault::LostAnswer,
    Fault::TooMany,
    Fault::Internal,
    Fault::Conflict,
    Fault::StaleRead,
    Fault::PartialPage,
];

/// A plan with the world that it was made for.
pub struct Case {
    /// What it is called.
    pub name: String,
    plan: Plan,
    platforms: BTreeMap<Name, Memory>,
}

/// What is to happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// A call, counted from the first of the run, and what goes wrong with it.
    pub fault: Option<(usize, Fault)>,
    /// Where the first process dies.
    pub first: Crash,
    /// Where the second one does.
    pub second: Crash,
}

/// What was run, and what of it went wrong.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Schedules that were run.
    pub schedules: usize,
    /// Processes that died.
    pub deaths: usize,
    /// Faults that were met.
    pub faults: BTreeMap<String, usize>,
    /// How runs ended.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// Calls of a dead process that arrived after the run had ended.
    pub late: usize,
    /// What went wrong: schedules whose end is not one of those that are right.
    pub wrong: Vec<String>,
}

impl Case {
    /// The world as it is before the plan, and nothing done yet.
    pub fn sim(&self) -> Sim {
        let platforms =
            self.platforms.iter().map(|(name, memory)| (name.clone(), memory.copy())).collect();
        let mut sim = Sim::new(self.plan.clone(), platforms);
        sim.approvers = Some(vec!["ann".into()]);
        sim
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Makes a call of the platform that the first step is for go wrong, counted from the first of the run.
    pub fn fail(&self, sim: &Sim, call: usize, fault: Fault) {
        let order: Vec<&Name> = self.plan.steps.iter().map(|step| &step.provider).collect();
        let Some(provider) = order.first() else { return };
        if let Some(memory) = sim.platforms.get(*provider) {
            memory.fail_call(memory.calls() + call, fault);
        }
    }
}

/// The corpus: every fixture of plans, what it takes to remove what they leave, and the way back from it.
pub fn corpus() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, folder) in cases("plan") {
        let files = Files::read(&folder);
        let (mut before, mut main) = (files.clone(), files);
        if let Some(text) = before.0.remove("before.dax") {
            before.0.insert("main.dax".to_owned(), text);
        }
        main.0.remove("before.dax");
        all.extend(story(&name, &before, &main, "dev", &[]));
    }
    let quickstart = Files::read(&root().join("examples/quickstart"));
    all.extend(story("quickstart", &quickstart, &quickstart, "production", &[("version", "2")]));
    all
}

/// From nothing to `before`, from there to `main`, back again, and away.
pub fn story(
    name: &str,
    before: &Files,
    main: &Files,
    environment: &str,
    given: &[(&str, &str)],
) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut applied: BTreeMap<ResourceAddr, AppliedService> = BTreeMap::new();
    let mut platforms: BTreeMap<Name, Memory> = BTreeMap::new();
    let mut former = applied.clone();
    for (part, files, given) in [("made", before, &[][..]), ("changed", main, given)] {
        let live = live(&platforms, environment);
        let (made, problems) = plan(&load(files), &params(given), environment, &applied, &live);
        assert!(problems.is_empty(), "{name}: {problems:?}");
        former = applied.clone();
        if let Some(case) =
            carry_out(&format!("{name}, {part}"), made, &mut applied, &mut platforms)
        {
            cases.push(case);
        }
    }
    for (part, mode, wanted) in
        [("back", Mode::Rollback, former), ("away", Mode::Destroy, BTreeMap::new())]
    {
        let desired = desired::from_state(&wanted);
        let live = live(&platforms, environment);
        let request = Request {
            project: "test".into(),
            environment: environment.into(),
            mode,
            params: BTreeMap::new(),
            providers: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            sources: Name::default(),
            base: StateVersion::default(),
            applied: &applied,
            live: &live,
            traits: &crate::traits,
            selection: Selection::default(),
            locate: &|_| String::new(),
        };
        let (made, problems) = dax_plan::plan(&desired, &request);
        assert!(problems.is_empty(), "{name}: {problems:?}");
        if let Some(case) =
            carry_out(&format!("{name}, {part}"), made, &mut applied, &mut platforms)
        {
            cases.push(case);
        }
    }
    cases
}

fn live(platforms: &BTreeMap<Name, Memory>, environment: &str) -> LiveState {
    platforms.iter().map(|(name, memory)| (name.clone(), memory.services(environment))).collect()
}

/// Applies a plan to the worlds, and gives it with the worlds as they were before; nothing when it does nothing.
fn carry_out(
    name: &str,
    mut plan: Plan,
    applied: &mut BTreeMap<ResourceAddr, AppliedService>,
    platforms: &mut BTreeMap<Name, Memory>,
) -> Option<Case> {
    let providers = plan.steps.iter().map(|step| step.provider.clone());
    for provider in providers {
        platforms.entry(provider).or_default();
    }
    if plan.steps.is_empty() {
        return None;
    }
    for step in &mut plan.steps {
        // Nobody visits these worlds.
        if let Task::Analyse { analysis, .. } = &mut step.task {
            analysis.on_no_data = NoData::Pass;
        }
    }
    let copies = platforms.iter().map(|(name, memory)| (name.clone(), memory.copy())).collect();
    let case = Case { name: name.to_owned(), plan, platforms: copies };
    let mut sim = case.sim();
    assert_eq!(sim.finish(), Outcome::Succeeded, "{name}");
    *platforms = std::mem::take(&mut sim.platforms);
    for change in &case.plan.changes {
        if let Some(from) = &change.moved_from {
            applied.remove(from);
        }
        match case.plan.result.get(&change.addr) {
            Some(Some(result)) => drop(applied.insert(change.addr.clone(), result.clone())),
            _ => drop(applied.remove(&change.addr)),
        }
    }
    Some(case)
}

/// What each service may be and may have gone through when a run is over.
struct Right {
    before: BTreeMap<(Name, Name), Option<LiveService>>,
    after: BTreeMap<(Name, Name), Option<LiveService>>,
    /// Effects by platform and object, sorted, that some run without a death had.
    effects: BTreeMap<(Name, Name), BTreeSet<Vec<String>>>,
    /// Those of the run without any fault.
    whole: BTreeMap<(Name, Name), Vec<String>>,
}

fn objects(sim: &Sim) -> BTreeSet<(Name, Name)> {
    sim.plan.steps.iter().map(|step| (step.provider.clone(), step.object.clone())).collect()
}

fn world(sim: &Sim) -> BTreeMap<(Name, Name), Option<LiveService>> {
    let live = sim.live();
    let find = |(provider, object): &(Name, Name)| {
        live.get(provider).and_then(|all| all.get(object)).cloned()
    };
    objects(sim).into_iter().map(|key| (key.clone(), find(&key))).collect()
}

fn effects(sim: &Sim, before: &BTreeMap<Name, usize>) -> BTreeMap<(Name, Name), Vec<String>> {
    let mut all: BTreeMap<(Name, Name), Vec<String>> =
        objects(sim).into_iter().map(|key| (key, Vec::new())).collect();
    for (provider, memory) in &sim.platforms {
        for effect in memory.effects().split_off(before.get(provider).copied().unwrap_or(0)) {
            let object = effect.split_once(": ").map_or("", |(object, _)| object);
            all.entry((provider.clone(), object.into())).or_default().push(effect);
        }
    }
    all.values_mut().for_each(|effects| effects.sort());
    all
}

fn marks(sim: &Sim) -> BTreeMap<Name, usize> {
    sim.platforms.iter().map(|(name, memory)| (name.clone(), memory.effects().len())).collect()
}

/// Carries a run on until it is over, however often it is stuck on the way.
pub fn to_the_end(sim: &mut Sim) -> Outcome {
    let mut last = None;
    for _ in 0..10 {
        let outcome = sim.finish();
        if outcome.is_final() {
            return outcome;
        }
        if let Outcome::Held { step, .. } = outcome {
            // Somebody decides to try it again.
            sim.note(&[Entry::Decided {
                step,
                how: How::Again,
                by: "ann".into(),
                reason: String::new(),
            }]);
        }
        last = Some(outcome);
    }
    panic!("the run never ends: {last:?}");
}

/// Calls that a run without a fault makes on the platform whose calls fail.
pub fn count(case: &Case) -> usize {
    let mut sim = case.sim();
    let Some(first) = case.plan.steps.first() else { return 0 };
    let before = sim.platforms[&first.provider].calls();
    to_the_end(&mut sim);
    sim.platforms[&first.provider].calls() - before
}

fn right(case: &Case) -> Right {
    let mut whole = case.sim();
    let (before, marked) = (world(&whole), marks(&whole));
    assert_eq!(to_the_end(&mut whole), Outcome::Succeeded, "{}", case.name);
    let mut right = Right {
        before,
        after: world(&whole),
        effects: BTreeMap::new(),
        whole: effects(&whole, &marked),
    };
    let mut note = |sim: &Sim| {
        for (key, list) in effects(sim, &marked) {
            right.effects.entry(key).or_default().insert(list);
        }
    };
    note(&whole);
    note(&case.sim());
    for at in 0..count(case) {
        for fault in [Fault::Refused, Fault::Conflict] {
            let mut sim = case.sim();
            case.fail(&sim, at, fault);
            to_the_end(&mut sim);
            note(&sim);
            // It took effect, nobody heard of it, and asking again is refused; calls of other services lie between.
            for again in at + 1..=at + 8 {
                let mut sim = case.sim();
                case.fail(&sim, at, Fault::LostAnswer);
                case.fail(&sim, again, fault);
                to_the_end(&mut sim);
                note(&sim);
            }
        }
    }
    right
}

/// Every schedule of a case.
pub fn schedules(case: &Case) -> Vec<Schedule> {
    let calls = count(case);
    // Each call is an intent and an outcome; a few more for what begins and ends a run.
    let writes = case.plan.steps.len() * 2 + 6;
    let mut crashes = vec![Crash::Never];
    crashes.extend((0..calls).flat_map(|at| [Crash::BeforeCall(at), Crash::AfterCall(at)]));
    crashes.extend(
        (0..writes)
            .flat_map(|at| [Crash::BeforeWrite(at), Crash::TornWrite(at), Crash::AfterWrite(at)]),
    );
    let mut faults = vec![None];
    faults.extend((0..calls).flat_map(|at| FAULTS.map(|fault| Some((at, fault)))));
    let mut all = Vec::new();
    for (at, first) in crashes.iter().enumerate() {
        for (of, fault) in faults.iter().enumerate() {
            // The second death wanders, so that all pairs of kinds occur.
            let second = crashes[(at * 7 + of * 3) % crashes.len()];
            all.push(Schedule { fault: *fault, first: *first, second });
        }
    }
    all
}

/// Runs some schedules of a case: every `stride`th, beginning with the one at `offset`.
pub fn run(case: &Case, offset: usize, stride: usize, tally: &mut Tally) {
    let right = right(case);
    for schedule in schedules(case).into_iter().skip(offset).step_by(stride) {
        one(case, schedule, &right, tally);
    }
}

fn one(case: &Case, schedule: Schedule, right: &Right, tally: &mut Tally) {
    let mut sim = case.sim();
    let marked = marks(&sim);
    if let Some((call, fault)) = schedule.fault {
        case.fail(&sim, call, fault);
        *tally.faults.entry(format!("{fault:?}")).or_default() += 1;
    }
    tally.schedules += 1;
    for crash in [schedule.first, schedule.second] {
        if sim.process(crash) != End::Crashed {
            break;
        }
        tally.deaths += 1;
    }
    let late = sim.late.clone();
    let outcome = to_the_end(&mut sim);
    *tally.outcomes.entry(outcome.word()).or_default() += 1;
    let (end, done) = (world(&sim), effects(&sim, &marked));
    if late.is_some() {
        // What the dead process had sent comes now, after its lease is long lost.
        sim.late = late;
        sim.arrive();
        tally.late += 1;
        if world(&sim) != end {
            tally
                .wrong
                .push(format!("{}, {schedule:?}: a late call changed what was done", case.name));
        }
    }
    if let Some(why) = judge(case, &sim, right, &outcome, &end, &done) {
        tally.wrong.push(format!("{}, {schedule:?}: {outcome:?}: {why}", case.name));
    }
}

/// What is not right about the end of a run.
fn judge(
    case: &Case,
    sim: &Sim,
    right: &Right,
    outcome: &Outcome,
    end: &BTreeMap<(Name, Name), Option<LiveService>>,
    done: &BTreeMap<(Name, Name), Vec<String>>,
) -> Option<String> {
    let state = sim.state().services;
    let succeeded = *outcome == Outcome::Succeeded;
    for (key, live) in end {
        let (before, after) = (&right.before[key], &right.after[key]);
        if live != after && (succeeded || live != before) {
            return Some(format!("`{}` is neither as before nor as planned", key.1));
        }
        let effects = &done[key];
        if succeeded && *effects != right.whole[key] {
            return Some(format!(
                "`{}` went through {effects:?}, not {:?}",
                key.1, right.whole[key]
            ));
        }
        if !succeeded && !right.effects[key].contains(effects) {
            return Some(format!(
                "`{}` went through {effects:?}, which no run without a death does",
                key.1
            ));
        }
    }
    // The state says of every service what is there: it holds what the plan leaves, or does not know of it.
    for change in &case.plan.changes {
        let keys: Vec<(Name, Name)> = case
            .plan
            .steps
            .iter()
            .filter(|step| step.service == change.addr)
            .map(|step| (step.provider.clone(), step.object.clone()))
            .collect();
        let planned = keys.iter().all(|key| end[key] == right.after[key]);
        let unchanged = keys.iter().all(|key| right.before[key] == right.after[key]);
        let known = state.get(&change.addr);
        let result = case.plan.result.get(&change.addr).cloned().flatten();
        let holds = if succeeded || (planned && !unchanged) {
            known == result.as_ref()
        } else {
            known.is_none()
        };
        // A run that takes everything back keeps nothing, though a service may look the same before and after.
        if !holds && !unchanged {
            return Some(format!("the state does not say what became of {}", change.addr));
        }
    }
    None
}
