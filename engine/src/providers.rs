//! Provider instances: made from their configuration, and told where to look.

use crate::{Engine, EngineError, secrets};
use dax_apply::Providers;
use dax_core::{Name, ResourceAddr, Value};
use dax_ir::Environment;
use dax_model::Operation;
use dax_plan::desired::OBJECT;
use dax_plan::{Plan, Task};
use dax_provider_api::{Instance, Secrets};
use dax_store::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Settings that are texts, by name, and an object that runs nothing.
type Texts = (Vec<(Name, Name)>, Option<Value>);

/// Which provider instances are wanted, and what is looked for on them.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Configurations of those that are reached by one.
    pub(crate) configs: BTreeMap<Name, Value>,
    /// Instances.
    pub(crate) instances: BTreeSet<Name>,
    /// Objects by instance and name, with the texts among the settings of each: one of them may say where it is.
    objects: Vec<(Name, Name, Texts)>,
}

fn texts(settings: &BTreeMap<Name, Value>) -> Texts {
    let text = |(name, value): (&Name, &Value)| {
        if let Value::Str(text) = value { Some((name.clone(), text.clone())) } else { None }
    };
    (settings.iter().filter_map(text).collect(), settings.get(OBJECT).cloned())
}

impl Wanted {
    /// What a state knows.
    pub(crate) fn of_state(snapshot: &Snapshot) -> Self {
        let mut wanted = Self { configs: snapshot.providers.clone(), ..Self::default() };
        for (addr, applied) in &snapshot.services {
            wanted.instances.insert(applied.provider.clone());
            wanted.objects.push((
                applied.provider.clone(),
                applied.object(addr).into(),
                texts(&applied.settings),
            ));
        }
        wanted
    }

    /// One of the instances alone.
    pub(crate) fn only(&self, name: &Name) -> Self {
        Self {
            configs: self.configs.clone(),
            instances: BTreeSet::from([name.clone()]),
            objects: Vec::new(),
        }
    }

    /// What a program has in an environment.
    pub(crate) fn add_program(
        &mut self,
        environment: &Environment,
        configs: BTreeMap<Name, Value>,
    ) {
        self.configs.extend(configs);
        self.instances.extend(environment.sources.keys().cloned());
        self.instances
            .extend(environment.services.values().map(|service| service.provider.instance.clone()));
    }

    /// What somebody wants of services.
    pub(crate) fn add_desired(&mut self, desired: &dax_plan::desired::Desired<'_>) {
        for (addr, service) in &desired.services {
            self.instances.insert(service.provider.clone());
            let object = service.object.clone().unwrap_or_else(|| ResourceAddr::name(addr).into());
            self.objects.push((service.provider.clone(), object, texts(&service.settings)));
        }
    }

    /// What a plan changes or was made from.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let mut wanted = Self { configs: plan.providers.clone(), ..Self::default() };
        for (provider, objects) in &plan.observed {
            wanted.instances.insert(provider.clone());
            let live = objects.iter().filter_map(|(object, live)| Some((object, live.as_ref()?)));
            wanted.objects.extend(
                live.map(|(object, live)| {
                    (provider.clone(), object.clone(), texts(&live.settings))
                }),
            );
        }
        for step in &plan.steps {
            wanted.instances.insert(step.provider.clone());
            match &step.task {
                Task::Call(
                    Operation::CreateService { settings } | Operation::UpdateService { settings },
                ) => {
                    wanted.objects.push((
                        step.provider.clone(),
                        step.object.clone(),
                        texts(settings),
                    ));
                }
                Task::Analyse { analysis, .. } => {
                    wanted.instances.insert(analysis.from.clone());
                }
                _ => {}
            }
        }
        wanted
    }
}

/// How the providers of an environment are reached, where that takes a configuration.
pub(crate) fn configs(environment: &Environment) -> BTreeMap<Name, Value> {
    let used = environment
        .services
        .values()
        .map(|service| &service.provider)
        .chain(environment.sources.values());
    used.filter(|provider| provider.connects)
        .map(|provider| (provider.instance.clone(), provider.config.value()))
        .collect()
}

/// Calls so far of the providers that count them.
pub(crate) fn calls(providers: &Providers) -> BTreeMap<Name, u64> {
    let all = providers.platforms.iter().map(|(name, platform)| (name.clone(), platform.calls()));
    all.filter(|(_, calls)| *calls > 0).collect()
}

impl Engine {
    /// Makes the instances that are wanted.
    pub(crate) fn providers(&self, wanted: &Wanted) -> Result<Providers, EngineError> {
        // What a platform on this machine remembers there counts, too.
        self.own_folder()?;
        let root = self.root.clone();
        let secret = Arc::new(move |secret: &dax_core::SecretRef| secrets::read(&root, secret));
        let (platforms, metrics, objects) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut providers = Providers { platforms, metrics, objects, secret };
        for name in &wanted.instances {
            let config = wanted.configs.get(name).cloned().unwrap_or_default();
            let mut found = Vec::new();
            config.secrets(&mut found);
            let values = found
                .into_iter()
                .map(|secret| Ok((secret.value_key(), (providers.secret)(secret)?)));
            let secrets = values
                .collect::<Result<_, String>>()
                .map_err(|message| EngineError::Denied { message })?;
            let instance = Instance { name: name.clone(), config, secrets: Secrets(secrets) };
            let missing = || EngineError::NoProvider { instance: name.to_string() };
            let provider = (self.platforms)(&instance)?.ok_or_else(missing)?;
            providers.platforms.extend(provider.platform.map(|platform| (name.clone(), platform)));
            providers.metrics.extend(provider.metrics.map(|metrics| (name.clone(), metrics)));
        }
        let named = providers
            .platforms
            .iter()
            .filter_map(|(name, platform)| Some((name.clone(), platform.traits().place?)));
        let named: BTreeMap<Name, Name> = named.collect();
        for (instance, object, (texts, whole)) in &wanted.objects {
            // A platform without places knows its own by their environment.
            let Some(place) = named.get(instance) else { continue };
            let sought = providers
                .objects
                .entry(instance.clone())
                .or_default()
                .entry(object.clone())
                .or_default();
            sought.object = whole.clone().or_else(|| sought.object.take());
            sought
                .places
                .extend(texts.iter().find(|(name, _)| name == place).map(|(_, text)| text.clone()));
        }
        Ok(providers)
    }
}
