//! The local driver: carries out what the machine commands, on tokio.
//!
//! Invariant: all entries of a batch are durable before any call of it is made.

use crate::journal::{Entry, Outcome};
use crate::machine::{Command, Event, Machine};
use crate::operations;
use crate::store::{Lease, Snapshot, Store, StoreError};
use dax_core::{LiveService, Name, ResourceAddr, SecretRef, Value};
use dax_plan::analysis::Verdict;
use dax_plan::model::AppliedService;
use dax_plan::{Plan, StepId, StepKind, image};
use dax_provider_api::{Call, Platform, ProviderError, Query, Secrets};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The time, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Reads the value of a secret, or says why it cannot be read.
pub type SecretReader = Arc<dyn Fn(&SecretRef) -> Result<String, String> + Send + Sync>;

/// What the driver reaches the world through.
#[derive(Clone)]
pub struct Providers {
    /// Platforms by provider instance.
    pub platforms: BTreeMap<Name, Arc<dyn Platform>>,
    /// Reads the value of a secret.
    pub secret: SecretReader,
}

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
    /// From here on steps are taken back.
    GoesBack,
    /// A step is being taken back.
    Undoing(StepId),
    /// A step was taken back.
    Undone(StepId),
    /// A step could not be taken back.
    UndoFailed(StepId, String),
}

/// One run of a plan.
pub struct Driver<'d> {
    /// The store.
    pub store: &'d mut Store,
    /// The right to write.
    pub lease: &'d Lease,
    /// The run.
    pub run: i64,
    /// What it carries out.
    pub plan: Arc<Plan>,
    /// The state that it started from.
    pub state: Snapshot,
    /// The world.
    pub providers: Providers,
    /// The time.
    pub clock: Clock,
    /// Told of everything that happens.
    pub progress: &'d mut dyn FnMut(Progress),
}

impl Driver<'_> {
    /// Carries the plan on from where its journal ends.
    ///
    /// # Errors
    /// The store cannot be written, or the lease was lost. Nothing is called after that.
    pub async fn run(mut self, journal: &[Entry], mut interrupt: mpsc::Receiver<()>) -> Result<Outcome, StoreError> {
        let mut machine = Machine::new(self.plan.clone(), journal);
        let (sender, mut events) = mpsc::unbounded_channel::<Event>();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut event = Event::Start;
        let mut measured: BTreeMap<StepId, BTreeMap<Name, Value>> = BTreeMap::new();
        loop {
            // What has happened in the meantime is one batch: its entries become durable together.
            let mut commands = Vec::new();
            let mut next = Some(event);
            while let Some(event) = next.take() {
                if let Event::Measured(step, values) = &event {
                    measured.insert(*step, values.clone());
                }
                commands.extend(machine.step((self.clock)(), event));
                let over = commands.iter().any(|command| matches!(command, Command::Finish(_)));
                next = if over { None } else { events.try_recv().ok() };
            }
            if let Some(outcome) = self.carry_out(&machine, commands, &measured, &sender).await? {
                return Ok(outcome);
            }
            event = loop {
                tokio::select! {
                    Some(event) = events.recv() => break event,
                    Some(()) = interrupt.recv() => break Event::Interrupt,
                    _ = heartbeat.tick() => self.store.renew(self.lease, (self.clock)())?,
                }
            };
        }
    }

    async fn carry_out(
        &mut self,
        machine: &Machine,
        commands: Vec<Command>,
        measured: &BTreeMap<StepId, BTreeMap<Name, Value>>,
        sender: &mpsc::UnboundedSender<Event>,
    ) -> Result<Option<Outcome>, StoreError> {
        let entries: Vec<Entry> =
            commands.iter().filter_map(|c| if let Command::Write(entry) = c { Some(entry.clone()) } else { None }).collect();
        let finish = commands.iter().find_map(|c| if let Command::Finish(outcome) = c { Some(outcome.clone()) } else { None });
        if let Some(outcome) = finish {
            self.finish(machine, &entries, &outcome)?;
            entries.iter().for_each(|entry| self.tell(entry, measured));
            return Ok(Some(outcome));
        }
        if !entries.is_empty() {
            self.store.append(self.lease, self.run, &entries)?;
        }
        entries.iter().for_each(|entry| self.tell(entry, measured));
        for command in commands {
            match command {
                Command::Call(step) => {
                    let planned = &self.plan.steps[step.0 as usize];
                    self.call(step, planned.kind.clone(), Duration::from_millis(planned.timeout_ms), sender);
                }
                Command::Undo(step, operation) => {
                    let planned = &self.plan.steps[step.0 as usize];
                    // What comes back may take as long as the change allows, however quick the way there was.
                    let change = self.plan.changes.iter().find(|change| change.addr == planned.service);
                    let within = change.map_or(0, |change| change.rollback_within_ms).max(planned.timeout_ms);
                    self.call(step, planned.inverse.steps[operation].clone(), Duration::from_millis(within), sender);
                }
                Command::Timer(step, ms) => {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        let _ = sender.send(Event::Timer(step));
                    });
                }
                Command::Measure(step) => self.measure(step, sender),
                Command::Verify => {
                    let difference = self.verify().await;
                    let _ = sender.send(Event::Verified(difference));
                }
                Command::Write(_) | Command::Finish(_) => {}
            }
        }
        Ok(None)
    }

    fn tell(&mut self, entry: &Entry, measured: &BTreeMap<StepId, BTreeMap<Name, Value>>) {
        let progress = match entry {
            Entry::Intent { step, .. } => Progress::Begun(*step),
            Entry::Done { step } => Progress::Done(*step),
            Entry::Failed { step, message } => Progress::Failed(*step, message.clone()),
            Entry::Measured { step, verdict } => Progress::Measured(*step, *verdict, measured.get(step).cloned().unwrap_or_default()),
            Entry::GoBack => Progress::GoesBack,
            Entry::UndoIntent { step } => Progress::Undoing(*step),
            Entry::Undone { step } => Progress::Undone(*step),
            Entry::UndoFailed { step, message } => Progress::UndoFailed(*step, message.clone()),
            Entry::End { .. } => return,
        };
        (self.progress)(progress);
    }

    /// Starts a call; its outcome comes back as an event.
    fn call(&self, step: StepId, kind: StepKind, timeout: Duration, sender: &mpsc::UnboundedSender<Event>) {
        let planned = &self.plan.steps[step.0 as usize];
        let sender = sender.clone();
        let refused = |message: String| Event::Failed { step, transient: false, message };
        let Some(operation) = operations::operation(&kind) else {
            let _ = sender.send(Event::Succeeded(step));
            return;
        };
        let Some(platform) = self.providers.platforms.get(&planned.provider).cloned() else {
            let _ = sender.send(refused(format!("there is no provider `{}`", planned.provider)));
            return;
        };
        let secrets = match self.secrets(&planned.service, &kind) {
            Ok(secrets) => secrets,
            Err(message) => {
                let _ = sender.send(refused(message));
                return;
            }
        };
        let service = Name::new(planned.service.name());
        let call = Call { environment: self.plan.environment.clone(), service, operation, timeout, secrets };
        tokio::spawn(async move {
            let event = match tokio::time::timeout(timeout, platform.change(&call)).await {
                Ok(Ok(())) => Event::Succeeded(step),
                Ok(Err(error)) => Event::Failed { step, transient: error.is_transient(), message: error.to_string() },
                Err(_) => Event::Failed { step, transient: false, message: format!("not done within {} s", timeout.as_secs()) },
            };
            let _ = sender.send(event);
        });
    }

    /// The values of the secrets that an operation needs, and of no others.
    fn secrets(&self, service: &ResourceAddr, kind: &StepKind) -> Result<Secrets, String> {
        let planned = |revision: &Name| {
            self.plan.steps.iter().filter(|step| step.service == *service).find_map(|step| match &step.kind {
                StepKind::CreateRevision { revision: made, spec, .. } if made.0 == *revision => Some(spec),
                _ => None,
            })
        };
        let observed = |revision: &Name| {
            let live = self.plan.observed.get(service)?.as_ref()?;
            live.revisions.iter().find(|(id, _)| id.0 == *revision).map(|(_, live)| &live.spec)
        };
        let wanted = operations::secrets(kind, &|revision| planned(revision).or_else(|| observed(revision)));
        let values = wanted.into_iter().map(|secret| Ok((secret.name.clone(), (self.providers.secret)(secret)?)));
        Ok(Secrets(values.collect::<Result<_, String>>()?))
    }

    fn measure(&self, step: StepId, sender: &mpsc::UnboundedSender<Event>) {
        let planned = &self.plan.steps[step.0 as usize];
        let StepKind::Analyse { revision, analysis, .. } = &planned.kind else { return };
        let Some(platform) = self.providers.platforms.get(&analysis.from).cloned() else {
            let message = format!("there is no provider `{}` to measure with", analysis.from);
            let _ = sender.send(Event::Failed { step, transient: false, message });
            return;
        };
        let queries: Vec<(Name, Query)> = analysis
            .metrics
            .iter()
            .map(|(name, metric)| {
                let query = Query {
                    environment: self.plan.environment.clone(),
                    service: planned.service.name().into(),
                    revision: revision.clone(),
                    text: metric.query.clone(),
                    window: Duration::from_millis(analysis.window_ms),
                };
                (name.clone(), query)
            })
            .collect();
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut values = BTreeMap::new();
            for (name, query) in queries {
                // A source that cannot be asked has no data; what that counts as, the analysis says.
                if let Ok(Some(value)) = platform.measure(&query).await {
                    values.insert(name, value);
                }
            }
            let _ = sender.send(Event::Measured(step, values));
        });
    }

    /// What differs between the live objects and what the plan says they are at its end.
    async fn verify(&self) -> Option<String> {
        let mut live: BTreeMap<ResourceAddr, LiveService> = BTreeMap::new();
        for platform in self.providers.platforms.values() {
            match platform.read(&self.plan.environment).await {
                Ok(services) => live.extend(services.into_iter().map(|(name, service)| (ResourceAddr::service(&name), service))),
                Err(error) => return Some(error.to_string()),
            }
        }
        // The last post-image of each path is what must stand there.
        let mut wanted: BTreeMap<&ResourceAddr, image::Image> = BTreeMap::new();
        for step in &self.plan.steps {
            wanted.entry(&step.service).or_default().extend(step.post.clone());
        }
        for (addr, mut wanted) in wanted {
            if wanted.get("exists") == Some(&Value::Bool(false)) {
                wanted.retain(|path, _| path == "exists");
            }
            let found = image::image(live.get(addr));
            if let Some((path, value, found)) = image::first_difference(&wanted, &found) {
                return Some(format!("{addr}: `{path}` should be {value}, is {found}"));
            }
        }
        None
    }

    fn finish(&mut self, machine: &Machine, entries: &[Entry], outcome: &Outcome) -> Result<(), StoreError> {
        if matches!(outcome, Outcome::Interrupted | Outcome::Stuck { .. }) {
            return self.store.append(self.lease, self.run, entries);
        }
        // What is past its rollback point stays applied, whatever became of the rest.
        let complete = machine.complete_services();
        let mut services: BTreeMap<ResourceAddr, AppliedService> = self.state.services.clone();
        for (addr, result) in &self.plan.result {
            if complete.contains(addr) {
                match result {
                    Some(applied) => services.insert(addr.clone(), applied.clone()),
                    None => services.remove(addr),
                };
            }
        }
        let changed = services != self.state.services;
        let state = Snapshot { services };
        self.store.finish(self.lease, self.run, entries, outcome, changed.then_some(&state), (self.clock)())
    }
}

/// The first thing in which the live objects are not what a plan was made from: field, what it was, what it is.
///
/// # Errors
/// A platform cannot be read.
pub async fn stale(plan: &Plan, providers: &Providers) -> Result<Option<String>, ProviderError> {
    let mut live: BTreeMap<ResourceAddr, LiveService> = BTreeMap::new();
    for platform in providers.platforms.values() {
        let services = platform.read(&plan.environment).await?;
        live.extend(services.into_iter().map(|(name, service)| (ResourceAddr::service(&name), service)));
    }
    for (addr, observed) in &plan.observed {
        let (then, now) = (image::image(observed.as_ref()), image::image(live.get(addr)));
        let mut both = then.clone();
        now.keys().for_each(|path| {
            both.entry(path.clone()).or_insert(if path == "exists" { Value::Bool(false) } else { Value::None });
        });
        if let Some((path, before, found)) = image::first_difference(&both, &now) {
            return Ok(Some(format!("{addr}: `{path}` was {before} when the plan was made, now it is {found}")));
        }
    }
    Ok(None)
}
