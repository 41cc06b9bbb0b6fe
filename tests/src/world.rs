//! A simulated world: platforms in memory, a state in memory, and a process that dies where it is told to.
//!
//! Everything between them is the real thing: the machine, its journal, the store with its heads and hashes.

use dax_apply::driver::state_after;
use dax_apply::operations::{self, Specs};
use dax_core::Name;
use dax_machine::journal::{Entry, Outcome};
use dax_machine::simulate::{self, Answer, Died};
use dax_machine::{Machine, Which, live};
use dax_plan::analysis::Measured;
use dax_plan::{LiveState, Plan, StepId, Task};
use dax_provider_api::{BoxFuture, Call, Query, Scope};
use dax_provider_testkit::Memory;
use dax_store::audit::Actor;
use dax_store::blobs::{Blob, Blobs, Commit, MemoryBlobs, Texts, Version};
use dax_store::{Ending, Holder, Lease, Snapshot, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where a process dies: numbers count from 0 from the start of that process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// It lives to the end.
    Never,
    /// Before it makes this call.
    BeforeCall(usize),
    /// After this call took effect, before its answer is heard.
    AfterCall(usize),
    /// After an answer was heard, before this write of the journal.
    BeforeWrite(usize),
    /// In the middle of this write: the texts are there, the head is the old one.
    TornWrite(usize),
    /// After this write, before anything else.
    AfterWrite(usize),
}

/// A place of a state whose writer dies at one of its writes.
pub struct Mortal {
    inner: Arc<dyn Blobs>,
    doom: Mutex<Doom>,
}

impl Default for Mortal {
    fn default() -> Self {
        Self::over(Arc::new(MemoryBlobs::default()))
    }
}

#[derive(Default)]
struct Doom {
    writes: usize,
    crash: Option<Crash>,
    dead: bool,
}

impl Mortal {
    /// The writer of a place, who lives until told otherwise.
    pub fn over(inner: Arc<dyn Blobs>) -> Self {
        Self { inner, doom: Mutex::default() }
    }

    fn doom(&self) -> std::sync::MutexGuard<'_, Doom> {
        self.doom.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process begins, which dies there.
    pub fn begin(&self, crash: Crash) {
        *self.doom() = Doom { writes: 0, crash: Some(crash), dead: false };
    }

    fn dead<T>() -> Result<T, StoreError> {
        Err(StoreError::Io {
            place: "the state in memory".to_owned(),
            message: "the process died".to_owned(),
        })
    }
}

impl Blobs for Mortal {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>, StoreError>> {
        if self.doom().dead {
            return Box::pin(async { Self::dead() });
        }
        self.inner.get(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.inner.list(prefix)
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts, StoreError>> {
        self.inner.scan(prefix)
    }

    fn put_new<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.inner.put_new(key, bytes)
    }

    fn commit<'a>(
        &'a self,
        commit: &'a Commit,
    ) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        let mut doom = self.doom();
        let at = doom.writes;
        doom.writes += 1;
        match doom.crash {
            _ if doom.dead => Box::pin(async { Self::dead() }),
            Some(Crash::BeforeWrite(n)) if n == at => {
                doom.dead = true;
                Box::pin(async { Self::dead() })
            }
            Some(Crash::TornWrite(n)) if n == at => {
                doom.dead = true;
                Box::pin(async move {
                    for (key, bytes) in &commit.puts {
                        self.inner.put_new(key, bytes.clone()).await?;
                    }
                    Self::dead()
                })
            }
            Some(Crash::AfterWrite(n)) if n == at => {
                doom.dead = true;
                Box::pin(async move {
                    self.inner.commit(commit).await?;
                    Self::dead()
                })
            }
            _ => self.inner.commit(commit),
        }
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.remove(keys)
    }

    fn hash_key(&self) -> Option<[u8; 32]> {
        self.inner.hash_key()
    }
}

/// Waits for something that never waits: everything here is in memory.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("something in memory waits"),
    }
}

/// Platforms, a state, and a plan that is carried out.
pub struct Sim {
    /// Platforms by provider instance.
    pub platforms: BTreeMap<Name, Memory>,
    /// The state.
    pub blobs: Arc<Mortal>,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The time.
    pub now_ms: u64,
    /// What the times of answers are drawn from; all take no time with 0.
    pub seed: u64,
    /// Who agrees wherever somebody must.
    pub approvers: Option<Vec<Name>>,
    /// A call that is on its way when the process dies, and arrives later.
    pub late: Option<(Name, Call)>,
}

/// How a process ended.
#[derive(Debug, PartialEq)]
pub enum End {
    /// The run ended, or waits for somebody.
    Finished(Outcome),
    /// The process died.
    Crashed,
}

impl Sim {
    /// A plan over these platforms, with an empty state.
    pub fn new(plan: Plan, platforms: BTreeMap<Name, Memory>) -> Self {
        Self {
            platforms,
            blobs: Arc::default(),
            plan: Arc::new(plan),
            now_ms: 1_000,
            seed: 0,
            approvers: None,
            late: None,
        }
    }

    /// What runs.
    pub fn live(&self) -> LiveState {
        let environment = &self.plan.environment;
        let all = self
            .platforms
            .iter()
            .map(|(name, memory)| (name.clone(), memory.services(environment)));
        all.filter(|(_, services)| !services.is_empty()).collect()
    }

    /// What took effect, in order, platform by platform.
    pub fn effects(&self) -> Vec<String> {
        self.platforms.values().flat_map(Memory::effects).collect()
    }

    /// One process: it takes the environment over, begins the run or carries it on, and dies or lives.
    pub fn process(&mut self, crash: Crash) -> End {
        self.blobs.begin(crash);
        match self.try_process(crash) {
            Ok(outcome) => End::Finished(outcome),
            Err(Died) => End::Crashed,
        }
    }

    fn try_process(&mut self, crash: Crash) -> Result<Outcome, Died> {
        let died = |_: StoreError| Died;
        let blobs: Arc<dyn Blobs> = self.blobs.clone();
        let store = now(Store::open(blobs, None)).map_err(died)?;
        let holder =
            Holder { name: "process".to_owned(), host: "here".to_owned(), pid: 1, started: 1 };
        let mut lease = now(store.acquire(&self.plan.environment, &holder, self.now_ms, &|_| true))
            .map_err(died)?;
        let (run, journal) = match now(store.unfinished(&self.plan.environment)).map_err(died)? {
            Some((run, plan, journal)) => {
                assert_eq!(
                    plan, *self.plan,
                    "the plan that is carried on is the one that was begun"
                );
                (run, journal)
            }
            None => {
                let runs = now(store.runs(&self.plan.environment)).map_err(died)?;
                if let Some(outcome) = runs.first().and_then(|run| run.outcome.clone()) {
                    return Ok(outcome); // it ended before the process died
                }
                (
                    now(store.begin(&mut lease, &self.plan, Vec::new(), &Actor::default()))
                        .map_err(died)?,
                    Vec::new(),
                )
            }
        };
        let plan = self.plan.clone();
        let start = self.now_ms;
        let specs = Specs::of(&plan);
        let mut process =
            Process { sim: self, store: &store, lease: &mut lease, run, specs, crash, calls: 0 };
        let (outcome, now_ms) = simulate::run(&plan, &journal, start, &mut process)?;
        self.now_ms = now_ms;
        now(store.release(&mut lease)).map_err(died)?;
        Ok(outcome)
    }

    /// Puts a journal there as a former process left it, and carries its run on.
    pub fn carry_on(&mut self, journal: &[Entry]) -> Outcome {
        self.blobs.begin(Crash::Never);
        let store = now(Store::open(self.blobs.clone(), None)).expect("a state");
        let holder =
            Holder { name: "former".to_owned(), host: "here".to_owned(), pid: 3, started: 1 };
        let mut lease = now(store.acquire(&self.plan.environment, &holder, self.now_ms, &|_| true))
            .expect("a lease");
        now(store.begin(&mut lease, &self.plan, Vec::new(), &Actor::default())).expect("a run");
        now(store.append(&mut lease, journal)).expect("written");
        self.finish()
    }

    /// Writes what a person decided into the journal of the run that waits.
    pub fn note(&mut self, entries: &[Entry]) {
        self.blobs.begin(Crash::Never);
        let store = now(Store::open(self.blobs.clone(), None)).expect("a state");
        let holder =
            Holder { name: "person".to_owned(), host: "here".to_owned(), pid: 2, started: 1 };
        let mut lease = now(store.acquire(&self.plan.environment, &holder, self.now_ms, &|_| true))
            .expect("a lease");
        now(store.append(&mut lease, entries)).expect("written");
        now(store.release(&mut lease)).expect("written");
    }

    /// Processes, one after another, until the run has ended or waits.
    pub fn finish(&mut self) -> Outcome {
        for _ in 0..1_000 {
            if let End::Finished(outcome) = self.process(Crash::Never) {
                return outcome;
            }
        }
        panic!("the run never ends");
    }

    /// The state that was left.
    pub fn state(&self) -> Snapshot {
        self.blobs.begin(Crash::Never);
        let store = now(Store::open(self.blobs.clone(), None)).expect("a state");
        now(store.state(&self.plan.environment)).expect("readable").0
    }

    /// The journal of the run.
    pub fn journal(&self) -> Vec<Entry> {
        self.blobs.begin(Crash::Never);
        let store = now(Store::open(self.blobs.clone(), None)).expect("a state");
        now(store.journal(&self.plan.environment, 1)).expect("readable")
    }

    /// Lets a call that was on its way arrive.
    pub fn arrive(&mut self) {
        if let Some((provider, call)) = self.late.take()
            && let Some(memory) = self.platforms.get(&provider)
        {
            let _ = memory.execute(&call);
        }
    }
}

struct Process<'p> {
    sim: &'p mut Sim,
    store: &'p Store,
    lease: &'p mut Lease,
    run: u64,
    specs: Specs,
    crash: Crash,
    calls: usize,
}

impl simulate::World for Process<'_> {
    fn write(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Died> {
        self.sim.now_ms = now_ms;
        now(self.store.append(self.lease, entries)).map_err(|_| Died)
    }

    fn call(&mut self, step: StepId, which: Which, now_ms: u64) -> Result<Answer, Died> {
        self.sim.now_ms = now_ms;
        let plan = self.sim.plan.clone();
        let Some(call) = operations::call(
            &plan,
            &self.specs,
            self.run,
            operations::fence(self.lease),
            step,
            which,
        ) else {
            return Ok(Answer { result: Ok(()), after_ms: 0 });
        };
        let number = self.calls;
        self.calls += 1;
        let provider = &plan.steps[step.0 as usize].provider;
        if self.crash == Crash::BeforeCall(number) {
            self.sim.late = Some((provider.clone(), call));
            return Err(Died);
        }
        let memory = self.sim.platforms.entry(provider.clone()).or_default();
        let result = memory.execute(&call);
        if self.crash == Crash::AfterCall(number) {
            return Err(Died);
        }
        Ok(Answer {
            result: result.map_err(|error| operations::failure(&error)),
            after_ms: draw(self.sim.seed, number),
        })
    }

    fn measure(&mut self, step: StepId, _now_ms: u64) -> Measured {
        let planned = &self.sim.plan.steps[step.0 as usize];
        let Task::Analyse { revision, analysis, against, .. } = &planned.task else {
            return Measured::default();
        };
        let Some(memory) = self
            .sim
            .platforms
            .get(&analysis.from)
            .or_else(|| self.sim.platforms.get(&planned.provider))
        else {
            return Measured::default();
        };
        let ask = |revision, text: &Name| {
            let (environment, service) =
                (self.sim.plan.environment.clone(), planned.object.clone());
            memory.metric(&Query {
                environment,
                service,
                revision,
                text: text.clone(),
                ty: Name::default(),
                window: Duration::from_millis(analysis.window_ms),
            })
        };
        let values = analysis.metrics.iter().filter_map(|(name, metric)| {
            Some((name.clone(), ask(revision.clone(), &metric.query)?))
        });
        let old = analysis.metrics.iter().filter_map(|(name, metric)| {
            Some((name.clone(), ask(against.clone()?, &metric.query)?))
        });
        Measured { values: values.collect(), baseline: old.collect(), error: None }
    }

    fn approve(&mut self, _step: StepId) -> Option<Vec<Name>> {
        self.sim.approvers.clone()
    }

    fn verify(&mut self) -> Option<String> {
        // A platform may be behind its own writes: it is asked more than once.
        let scope = Scope { environment: self.sim.plan.environment.clone(), ..Scope::default() };
        let read = |sim: &Sim| -> LiveState {
            use dax_provider_api::Platform;
            sim.platforms
                .iter()
                .filter_map(|(name, memory)| Some((name.clone(), now(memory.read(&scope)).ok()?)))
                .collect()
        };
        (0..4)
            .map(|_| live::differs(&self.sim.plan, &read(self.sim)))
            .find(Option::is_none)
            .unwrap_or_else(|| live::differs(&self.sim.plan, &read(self.sim)))
    }

    fn finish(
        &mut self,
        machine: &Machine,
        entries: &[Entry],
        outcome: &Outcome,
        now_ms: u64,
    ) -> Result<(), Died> {
        self.sim.now_ms = now_ms;
        if !outcome.is_final() {
            return now(self.store.append_waiting(self.lease, entries, Some(outcome)))
                .map_err(|_| Died);
        }
        let (before, _) = now(self.store.state(&self.sim.plan.environment)).map_err(|_| Died)?;
        let state = state_after(&self.sim.plan, machine, &before);
        let complete = machine.complete_services().into_iter().cloned().collect();
        let ending = Ending {
            outcome,
            state: (state != before).then_some(&state),
            name: None,
            complete,
            verified: false,
            gates: Vec::new(),
            pin: false,
        };
        now(self.store.finish(
            self.lease,
            entries,
            ending,
            &Actor { at_ms: now_ms, ..Actor::default() },
        ))
        .map_err(|_| Died)
    }
}

/// A time for an answer, by chance.
fn draw(seed: u64, number: usize) -> u64 {
    if seed == 0 {
        return 0;
    }
    let mut x = seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    x % 500
}
