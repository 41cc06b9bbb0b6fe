//! Looking: what runs, what was done, and why a value is what it is.

use crate::providers::Wanted;
use crate::{Checked, Engine, EngineError, Params};
use dax_core::{LiveService, Name, ResourceAddr, Value};
use dax_ir::{Layer, Via};

/// A service of an environment: what was applied and what runs.
pub struct ServiceStatus {
    /// The environment.
    pub environment: Name,
    /// The service.
    pub addr: ResourceAddr,
    /// The revision that was applied.
    pub revision: String,
    /// What runs, or nothing when it is gone.
    pub live: Option<LiveService>,
}

/// A run and, when it left a state, the state's serial.
pub struct HistoryEntry {
    /// The run.
    pub run: dax_apply::Run,
    /// The rollback point that it left, if that is still kept.
    pub point: Option<u64>,
    /// What somebody called that point.
    pub name: Option<Name>,
    /// Whether that is the current state.
    pub current: bool,
}

/// One value that was offered for a place.
pub struct Explanation {
    /// The value.
    pub value: Value,
    /// `file:line:column`.
    pub location: String,
    /// The text that set it.
    pub text: String,
    /// How it came here: `default`, `plain` or `override`, from the item, a type or `set`.
    pub layer: String,
    /// Names in its expression, with where each is defined.
    pub names: Vec<(Name, String)>,
    /// Whether it is the one that counts.
    pub wins: bool,
}

impl Engine {
    /// What runs in an environment, or in all that have a state.
    ///
    /// # Errors
    /// The state or a platform cannot be read.
    pub fn status(&self, environment: Option<&str>) -> Result<Vec<ServiceStatus>, EngineError> {
        let store = self.store()?;
        let environments = self.named_or_all(&store, environment)?;
        let mut all = Vec::new();
        for environment in environments {
            let (snapshot, _) = self.runtime.block_on(store.state(&environment))?;
            let providers = self.providers(&Wanted::of_state(&snapshot))?;
            let mut live = self.runtime.block_on(dax_apply::world::read(&providers, &environment))?;
            for (addr, applied) in snapshot.services {
                let live = live.get_mut(&applied.provider).and_then(|objects| objects.remove(applied.object(&addr)));
                all.push(ServiceStatus { environment: environment.clone(), addr, revision: applied.revision.to_string(), live });
            }
        }
        Ok(all)
    }

    /// The runs, newest first, each with the rollback point that it left.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn history(&self, environment: Option<&str>) -> Result<Vec<HistoryEntry>, EngineError> {
        let store = self.store()?;
        let environments = self.named_or_all(&store, environment)?;
        let mut all = Vec::new();
        for name in environments {
            let points = self.runtime.block_on(store.points(&name))?;
            for run in self.runtime.block_on(store.runs(&name))? {
                let point = points.iter().find(|point| Some(point.serial) == run.left);
                let current = point.is_some() && points.first().map(|point| point.serial) == run.left;
                all.push(HistoryEntry {
                    run,
                    point: point.map(|point| point.serial),
                    name: point.and_then(|point| point.name.clone()),
                    current,
                });
            }
        }
        all.sort_by_key(|entry| std::cmp::Reverse(entry.run.started_ms));
        Ok(all)
    }

    /// Why `environment.service.field` is what it is: every value offered, the one that counts last.
    ///
    /// # Errors
    /// The program has errors, or the address leads nowhere.
    pub fn why(&self, address: &str, params: &Params) -> Result<Vec<Explanation>, EngineError> {
        let checked = self.check(params)?.sound()?;
        let no_address = |message: String| EngineError::NoAddress { address: address.to_owned(), message };
        let mut parts = address.splitn(3, '.');
        let (Some(environment), Some(service), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(no_address("an address is `environment.service.field`".to_owned()));
        };
        let Some(found) = checked.graph.environments.get(environment) else {
            let known: Vec<&str> = checked.graph.environments.keys().map(Name::as_str).collect();
            return Err(no_address(format!("there is no environment `{environment}`; there are {}", known.join(", "))));
        };
        let Some(service_found) = found.services.get(&ResourceAddr::service(service)) else {
            let known: Vec<&str> = found.services.keys().map(ResourceAddr::name).collect();
            return Err(no_address(format!("`{environment}` has no service `{service}`; it has {}", known.join(", "))));
        };
        let Some(node) = service_found.desired.at(path) else {
            let known: Vec<String> = service_found.desired.value().entries().map(|(name, _)| name.to_string()).collect();
            return Err(no_address(format!("`{service}` has no `{path}`; it has {}", known.join(", "))));
        };
        let keys: Vec<Name> = path.split('.').map(Name::from).collect();
        let offers = checked.loaded.contributions(params, environment, service, &keys);
        let mut all: Vec<Explanation> = offers
            .into_iter()
            .map(|offer| {
                let wins = offer.origin.span == node.origin.span;
                explain(&checked, offer.value, offer.origin, offer.names, wins)
            })
            .collect();
        if !all.iter().any(|one| one.wins) {
            all.push(explain(&checked, node.value(), node.origin, Vec::new(), true));
        }
        all.sort_by_key(|one| one.wins);
        Ok(all)
    }
}

fn explain(checked: &Checked, value: Value, origin: dax_ir::Origin, names: Vec<(Name, dax_core::Span)>, wins: bool) -> Explanation {
    let sources = &checked.loaded.sources;
    let layer = match (origin.layer, origin.via) {
        (Layer::Type, _) => "the type's default",
        (Layer::Sealed, _) => "sealed",
        (Layer::Default, Via::Patch) => "default, by `patch`",
        (Layer::Plain, Via::Patch) => "plain, by `patch`",
        (Layer::Override, Via::Patch) => "override, by `patch`",
        (Layer::Default, Via::Set) => "default, by `set`",
        (Layer::Default, _) => "default, by the item",
        (Layer::Plain, Via::Set) => "plain, by `set`",
        (Layer::Plain, _) => "plain, by the item",
        (Layer::Override, Via::Set) => "override, by `set`",
        (Layer::Override, _) => "override, by the item",
    };
    Explanation {
        value,
        location: sources.location(origin.span),
        text: sources.slice(origin.span).to_owned(),
        layer: layer.to_owned(),
        names: names.into_iter().map(|(name, span)| (name, sources.location(span))).collect(),
        wins,
    }
}
