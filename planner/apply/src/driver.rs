//! The local driver: carries out what the machine commands, on tokio.
//!
//! Invariant: all entries of a batch are durable before any call of it is made.

use crate::approvals::{Counts, agreed};
use crate::operations::{self, Specs};
use crate::world::{self, Providers};
use dax_core::{Name, RevisionId, Value};
use dax_machine::Which;
use dax_machine::journal::{Entry, Outcome};
use dax_machine::machine::{Command, Event, Failure, Machine};
use dax_model::Operation;
use dax_plan::analysis::{Measured, Metric, Verdict, failing};
use dax_plan::model::Mode;
use dax_plan::{Plan, StepId, Task};
use dax_provider_api::Query;
use dax_store::audit::Actor;
use dax_store::{Ending, Lease, Snapshot, Store, StoreError, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// How often a lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often it is looked for what people want.
const LISTEN: Duration = Duration::from_secs(1);

/// The time, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a front end may show.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A step is under way.
    Begun(StepId),
    /// A step is done.
    Done(StepId),
    /// A step failed.
    Failed(StepId, String),
    /// A measurement was judged.
    Measured(StepId, Verdict, BTreeMap<Name, Value>),
    /// A condition that only advises does not hold.
    Advised(StepId, String),
    /// A person must say what became of a step.
    Open(StepId, String),
    /// A step waits for people.
    Awaits(StepId),
    /// Enough people agreed.
    Approved(StepId, Vec<Name>),
    /// Somebody wants everything taken back.
    Aborted(Name, String),
    /// From here on steps are taken back.
    GoesBack,
    /// A step is being taken back.
    Undoing(StepId),
    /// A step was taken back.
    Undone(StepId),
    /// Somebody else has changed what a step changed; it is taken back all the same.
    Forced(StepId, String),
    /// A step could not be taken back.
    UndoFailed(StepId, String),
    /// A step stays as it is although the run goes back.
    Kept(StepId, String),
}

/// One run of a plan.
pub struct Driver<'d> {
    /// The store.
    pub store: &'d Store,
    /// The right to write.
    pub lease: &'d mut Lease,
    /// The run.
    pub run: u64,
    /// What it carries out.
    pub plan: Arc<Plan>,
    /// The state that it started from.
    pub state: Snapshot,
    /// What the state that it leaves is called.
    pub name: Option<Name>,
    /// Who carries it out, and why.
    pub actor: Actor,
    /// The world.
    pub providers: Providers,
    /// The time.
    pub clock: Clock,
    /// Tells which approvals count for the gates of steps.
    pub counts: Counts<'d>,
    /// Told of everything that happens.
    pub progress: &'d mut dyn FnMut(Progress),
}

/// What goes on beside the machine.
struct Flow {
    specs: Arc<Specs>,
    /// How many changes a provider takes at one time, and how many may be waited for.
    turns: BTreeMap<(Name, bool), Arc<Semaphore>>,
    sender: mpsc::UnboundedSender<Event>,
    awaiting: BTreeSet<StepId>,
    measured: BTreeMap<StepId, Measured>,
    verified: bool,
    approved: Vec<(StepId, Vec<Name>)>,
    /// The digest of the plan, once somebody's approval is looked for.
    digest: Option<String>,
}

/// Waits at one time for each change at one time.
const WAITS: usize = 4;

fn turns(providers: &Providers) -> BTreeMap<(Name, bool), Arc<Semaphore>> {
    let limited = providers
        .platforms
        .iter()
        .map(|(name, platform)| (name, platform.traits().at_once))
        .filter(|(_, most)| *most > 0);
    let both = limited.flat_map(|(name, most)| {
        [((name.clone(), false), most), ((name.clone(), true), most * WAITS)]
    });
    both.map(|(key, most)| (key, Arc::new(Semaphore::new(most)))).collect()
}

/// Who agreed to go on, as the journal has it.
fn approved(entries: &[Entry]) -> impl Iterator<Item = (StepId, Vec<Name>)> {
    entries.iter().filter_map(|entry| match entry {
        Entry::Approved { step, by } => Some((*step, by.clone())),
        _ => None,
    })
}

impl Driver<'_> {
    /// Carries the plan on from where its journal ends.
    ///
    /// # Errors
    /// The store cannot be written, or the lease was lost. Nothing is called after that.
    pub async fn run(
        mut self,
        journal: &[Entry],
        interrupt: &mut mpsc::Receiver<()>,
    ) -> Result<Outcome, StoreError> {
        let mut machine = Machine::new(self.plan.clone(), journal);
        let (sender, mut events) = mpsc::unbounded_channel::<Event>();
        let verified = journal
            .iter()
            .any(|entry| matches!(entry, Entry::Done { step } if self.analyses(*step)));
        let mut flow = Flow {
            specs: Arc::new(Specs::of(&self.plan)),
            turns: turns(&self.providers),
            sender,
            awaiting: BTreeSet::new(),
            measured: BTreeMap::new(),
            verified,
            approved: approved(journal).collect(),
            digest: None,
        };
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut listen = tokio::time::interval(LISTEN);
        let mut event = Event::Start;
        loop {
            // What has happened in the meantime is one batch: its entries become durable together.
            let mut commands = Vec::new();
            let mut next = Some(event);
            while let Some(event) = next.take() {
                if let Event::Measured(step, measured) = &event {
                    flow.measured.insert(*step, measured.clone());
                }
                commands.extend(machine.step((self.clock)(), event));
                let over = commands.iter().any(|command| matches!(command, Command::Finish(_)));
                next = if over { None } else { events.try_recv().ok() };
            }
            if let Some(outcome) = self.carry_out(&machine, commands, &mut flow).await? {
                return Ok(outcome);
            }
            event = loop {
                tokio::select! {
                    Some(event) = events.recv() => break event,
                    Some(()) = interrupt.recv() => break Event::Interrupt,
                    _ = heartbeat.tick() => {
                        // Where it cannot be asked, time is counted on, and what follows says so.
                        let _ = self.store.keep_time().await;
                        self.store.renew(self.lease, (self.clock)()).await?;
                    }
                    _ = listen.tick() => if let Some(event) = self.listen(&mut flow).await? { break event },
                }
            };
        }
    }

    fn analyses(&self, step: StepId) -> bool {
        self.plan.step(step).is_some_and(|step| matches!(step.task, Task::Analyse { .. }))
    }

    /// What people outside want of the run.
    async fn listen(&mut self, flow: &mut Flow) -> Result<Option<Event>, StoreError> {
        let mut signals = self.store.take_signals(&self.plan.environment, self.run).await?;
        // Of several wishes the one that wants more is heard.
        signals.sort_by_key(|signal| signal.wish != Wish::Abort);
        if let Some(signal) = signals.into_iter().next() {
            return Ok(Some(match signal.wish {
                Wish::Pause => Event::Interrupt,
                Wish::Abort => Event::Abort { by: signal.by, reason: signal.reason },
            }));
        }
        if flow.awaiting.is_empty() {
            return Ok(None);
        }
        let digest = flow.digest.get_or_insert_with(|| dax_plan::digest::digest(&self.plan));
        let approvals = self.store.approvals(&self.plan.environment, digest).await?;
        for step in flow.awaiting.clone() {
            let Some(Task::Gate { approval }) = self.plan.step(step).map(|step| &step.task) else {
                continue;
            };
            if let Ok(by) = agreed(approval, Some(step), &approvals, self.counts) {
                flow.awaiting.remove(&step);
                return Ok(Some(Event::Approved(step, by)));
            }
        }
        Ok(None)
    }

    async fn carry_out(
        &mut self,
        machine: &Machine,
        commands: Vec<Command>,
        flow: &mut Flow,
    ) -> Result<Option<Outcome>, StoreError> {
        let entries: Vec<Entry> = commands
            .iter()
            .filter_map(|c| if let Command::Write(entry) = c { Some(entry.clone()) } else { None })
            .collect();
        flow.approved.extend(approved(&entries));
        flow.verified |= entries
            .iter()
            .any(|entry| matches!(entry, Entry::Done { step } if self.analyses(*step)));
        let finish = commands.iter().find_map(|c| {
            if let Command::Finish(outcome) = c { Some(outcome.clone()) } else { None }
        });
        if let Some(outcome) = finish {
            self.finish(machine, &entries, &outcome, flow).await?;
            entries.iter().for_each(|entry| self.tell(entry, flow));
            return Ok(Some(outcome));
        }
        self.store.append(self.lease, &entries).await?;
        entries.iter().for_each(|entry| self.tell(entry, flow));
        for command in commands {
            match command {
                Command::Call(step) => self.call(step, Which::Do, flow),
                Command::Undo(step, operation) => self.call(step, Which::Undo(operation), flow),
                Command::Force(step, operation) => self.call(step, Which::Force(operation), flow),
                Command::Timer(step, ms) => {
                    let sender = flow.sender.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        let _ = sender.send(Event::Timer(step));
                    });
                }
                Command::Measure(step) => self.measure(step, flow),
                Command::Await(step) => {
                    flow.awaiting.insert(step);
                    (self.progress)(Progress::Awaits(step));
                }
                Command::Verify => {
                    let difference = world::verify(&self.plan, &self.providers).await;
                    let _ = flow.sender.send(Event::Verified(difference));
                }
                Command::Write(_) | Command::Finish(_) => {}
            }
        }
        Ok(None)
    }

    fn tell(&mut self, entry: &Entry, flow: &Flow) {
        let progress = match entry {
            Entry::Intent { step, .. } => Progress::Begun(*step),
            Entry::Done { step } => Progress::Done(*step),
            Entry::Failed { step, message, .. } => Progress::Failed(*step, message.clone()),
            Entry::Measured { step, verdict, values, .. } => {
                let measured = flow.measured.get(step).cloned().unwrap_or_default();
                let kind = self.plan.step(*step).map(|step| &step.task);
                if let Some(Task::Analyse { analysis, .. }) = kind {
                    failing(analysis, &measured)
                        .into_iter()
                        .for_each(|condition| (self.progress)(Progress::Advised(*step, condition)));
                }
                Progress::Measured(*step, *verdict, values.clone())
            }
            Entry::Open { step, message } => Progress::Open(*step, message.clone()),
            Entry::Approved { step, by } => Progress::Approved(*step, by.clone()),
            Entry::Abort { by, reason } => Progress::Aborted(by.clone(), reason.clone()),
            Entry::GoBack => Progress::GoesBack,
            Entry::UndoIntent { step, .. } => Progress::Undoing(*step),
            Entry::Undone { step } => Progress::Undone(*step),
            Entry::UndoForced { step, message } => Progress::Forced(*step, message.clone()),
            Entry::UndoFailed { step, message } => Progress::UndoFailed(*step, message.clone()),
            Entry::Kept { step, reason, .. } => Progress::Kept(*step, reason.clone()),
            Entry::Decided { .. } | Entry::End { .. } => return,
        };
        (self.progress)(progress);
    }

    /// Starts a call; its outcome comes back as an event.
    fn call(&self, step: StepId, which: Which, flow: &Flow) {
        let Some(planned) = self.plan.step(step) else { return };
        let sender = flow.sender.clone();
        let refused = |message: String| Event::Failed(step, Failure::refused(message));
        let Some(mut call) = operations::call(
            &self.plan,
            &flow.specs,
            self.run,
            operations::fence(self.lease),
            step,
            which,
        ) else {
            let _ = sender.send(Event::Succeeded(step));
            return;
        };
        let Some(platform) = self.providers.platforms.get(&planned.provider).cloned() else {
            let _ = sender.send(refused(format!("there is no provider `{}`", planned.provider)));
            return;
        };
        if let Some(place) = platform.traits().place {
            call.place = flow
                .specs
                .setting(&self.plan, planned, &place)
                .and_then(Value::as_str)
                .map(Name::new)
                .unwrap_or_default();
        }
        let secrets = operations::secrets(&self.plan, &flow.specs, step, &call).into_iter();
        match secrets
            .map(|secret| Ok((secret.value_key(), (self.providers.secret)(&secret)?)))
            .collect::<Result<_, String>>()
        {
            Ok(values) => call.secrets.0 = values,
            Err(message) => {
                let _ = sender.send(refused(message));
                return;
            }
        }
        for secret in operations::useful_secrets(&self.plan, &flow.specs, step, &call) {
            if let Ok(value) = (self.providers.secret)(&secret) {
                call.secrets.0.entry(secret.value_key()).or_insert(value);
            }
        }
        // Whoever only waits holds no change up; but his time runs from when it is his turn, so that a slow platform is
        // not given up because many wait for it.
        let waits = matches!(call.operation, Operation::AwaitReady { .. });
        let turns = flow.turns.get(&(planned.provider.clone(), waits)).cloned();
        tokio::spawn(async move {
            let _turn = match &turns {
                Some(turns) => turns.acquire().await.ok(),
                None => None,
            };
            let event = match tokio::time::timeout(call.timeout, platform.change(&call)).await {
                Ok(Ok(())) => Event::Succeeded(step),
                Ok(Err(error)) => Event::Failed(step, operations::failure(&error)),
                Err(_) => {
                    let message = format!("not done within {} s", call.timeout.as_secs());
                    Event::Failed(step, Failure { unknown: true, ..Failure::refused(message) })
                }
            };
            let _ = sender.send(event);
        });
    }

    fn measure(&self, step: StepId, flow: &Flow) {
        let Some(planned) = self.plan.step(step) else { return };
        let Task::Analyse { revision, analysis, against, .. } = &planned.task else { return };
        let sender = flow.sender.clone();
        let Some(metrics) = self.providers.metrics.get(&analysis.from).cloned() else {
            let message = format!("there is no provider `{}` to measure with", analysis.from);
            let _ = sender.send(Event::Failed(step, Failure::refused(message)));
            return;
        };
        let query = |revision: &RevisionId, metric: &Metric| Query {
            environment: self.plan.environment.clone(),
            service: planned.object.clone(),
            revision: revision.clone(),
            text: metric.query.clone(),
            ty: metric.ty.clone(),
            window: Duration::from_millis(analysis.window_ms),
        };
        let queries: Vec<(Name, Query)> = analysis
            .metrics
            .iter()
            .map(|(name, metric)| (name.clone(), query(revision, metric)))
            .collect();
        let compared = analysis.baseline.iter().filter_map(|one| {
            let metric = analysis.metrics.get(&one.metric)?;
            Some((one.metric.clone(), query(against.as_ref()?, metric)))
        });
        let compared: Vec<(Name, Query)> = compared.collect();
        tokio::spawn(async move {
            let mut measured = Measured::default();
            for (queries, values) in
                [(queries, &mut measured.values), (compared, &mut measured.baseline)]
            {
                for (name, query) in queries {
                    match metrics.measure(&query).await {
                        Ok(Some(value)) => drop(values.insert(name, value)),
                        Ok(None) => {}
                        Err(error) => measured.error = Some(error.to_string()),
                    }
                }
            }
            let _ = sender.send(Event::Measured(step, measured));
        });
    }

    async fn finish(
        &mut self,
        machine: &Machine,
        entries: &[Entry],
        outcome: &Outcome,
        flow: &Flow,
    ) -> Result<(), StoreError> {
        if !outcome.is_final() {
            return self.store.append_waiting(self.lease, entries, Some(outcome)).await;
        }
        let state = state_after(&self.plan, machine, &self.state);
        let ending = Ending {
            outcome,
            state: (state != self.state).then_some(&state),
            name: self.name.clone(),
            complete: machine.complete_services().into_iter().cloned().collect(),
            verified: flow.verified && *outcome == Outcome::Succeeded,
            gates: flow.approved.clone(),
            pin: self.plan.mode == Mode::Rollback && *outcome == Outcome::Succeeded,
        };
        self.actor.at_ms = (self.clock)();
        self.store.finish(self.lease, entries, ending, &self.actor).await
    }
}

/// The state that a run leaves.
///
/// What is past its rollback point stays applied, whatever became of the rest; what only has another name keeps it.
pub fn state_after(plan: &Plan, machine: &Machine, before: &Snapshot) -> Snapshot {
    let complete = machine.complete_services();
    let mut services = before.services.clone();
    let moved: Vec<_> = plan
        .changes
        .iter()
        .filter_map(|change| Some((change.moved_from.as_ref()?, &change.addr)))
        .collect();
    let taken: Vec<_> = moved
        .iter()
        .map(|(from, to)| (*to, services.remove(*from).map(|service| (from.name(), service))))
        .collect();
    for (to, service) in taken {
        if let Some((name, mut service)) = service {
            // It is called there what it was always called.
            if service.object.is_empty() && name != to.name() {
                service.object = name.into();
            }
            services.insert(to.clone(), service);
        }
    }
    for (addr, result) in &plan.result {
        if complete.contains(addr) {
            match result {
                Some(applied) => services.insert(addr.clone(), applied.clone()),
                None => services.remove(addr),
            };
        }
    }
    // How to reach what is left is kept with it: it may have to be taken down without the program.
    let mut providers = before.providers.clone();
    providers.extend(plan.providers.clone());
    providers.retain(|instance, _| services.values().any(|service| service.provider == *instance));
    Snapshot { services, providers }
}
