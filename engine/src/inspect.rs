//! Looking: what runs, what was done, and why a value is what it is.

use crate::providers::Wanted;
use crate::{Checked, Engine, EngineError, Params};
use dax_core::{Name, ResourceAddr, Value};
use dax_ir::{Layer, Via};
use dax_model::LiveService;
use std::collections::VecDeque;

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
    pub run: dax_store::Run,
    /// The rollback point that it left, if that is still kept.
    pub point: Option<u64>,
    /// What somebody called that point.
    pub name: Option<Name>,
    /// Whether that is the current state.
    pub current: bool,
}

/// One value that was offered for a place.
pub struct Explanation {
    /// What it is about: `environment.service.field`.
    pub address: String,
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
            let mut live =
                self.runtime.block_on(dax_apply::world::read(&providers, &environment))?;
            for (addr, applied) in snapshot.services {
                let live = live
                    .get_mut(&applied.provider)
                    .and_then(|objects| objects.remove(applied.object(&addr)));
                all.push(ServiceStatus {
                    environment: environment.clone(),
                    addr,
                    revision: applied.revision.to_string(),
                    live,
                });
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
            let mut of_one = Vec::new();
            let points = self.runtime.block_on(store.points(&name))?;
            for run in self.runtime.block_on(store.runs(&name))? {
                let point = points.iter().find(|point| Some(point.serial) == run.left);
                let current =
                    point.is_some() && points.first().map(|point| point.serial) == run.left;
                of_one.push(HistoryEntry {
                    run,
                    point: point.map(|point| point.serial),
                    name: point.and_then(|point| point.name.clone()),
                    current,
                });
            }
            all.push(of_one);
        }
        Ok(newest_first(all))
    }

    /// Why `environment.service.field` is what it is: every value offered, the one that counts last. Of `environment.service`
    /// the value that counts for each field.
    ///
    /// # Errors
    /// The program has errors, or the address leads nowhere.
    pub fn why(&self, address: &str, params: &Params) -> Result<Vec<Explanation>, EngineError> {
        let checked = self.check(params)?.sound()?;
        let no_address =
            |message: String| EngineError::NoAddress { address: address.to_owned(), message };
        let Some((environment, rest)) = address.split_once('.') else {
            return Err(no_address(
                "an address is `environment.service.field`, or `environment.service`".to_owned(),
            ));
        };
        let Some(found) = checked.graph.environments.get(environment) else {
            let known: Vec<&str> = checked.graph.environments.keys().map(Name::as_str).collect();
            return Err(no_address(format!(
                "there is no environment `{environment}`; there are {}",
                known.join(", ")
            )));
        };
        // A service of an imported module has a dot in its name.
        let behind = |addr: &ResourceAddr| {
            rest.strip_prefix(addr.name())
                .filter(|rest| rest.is_empty() || rest.starts_with('.'))
                .map(str::len)
        };
        let named = found
            .services
            .iter()
            .filter_map(|(addr, service)| Some((behind(addr)?, addr, service)))
            .min_by_key(|found| found.0);
        let Some((length, addr, service_found)) = named else {
            let known: Vec<&str> = found.services.keys().map(ResourceAddr::name).collect();
            let service = rest.split('.').next().unwrap_or(rest);
            return Err(no_address(format!(
                "`{environment}` has no service `{service}`; it has {}",
                known.join(", ")
            )));
        };
        let service = addr.name();
        let path = rest[rest.len() - length..].trim_start_matches('.');
        if path.is_empty() {
            let dax_ir::Data::Map(fields) = &service_found.desired.data else {
                return Ok(Vec::new());
            };
            let one = |(name, node): (&Name, &dax_ir::Node)| {
                explain(
                    &checked,
                    format!("{address}.{name}"),
                    node.value(),
                    node.origin,
                    Vec::new(),
                    true,
                )
            };
            return Ok(fields.iter().map(one).collect());
        }
        let Some(node) = service_found.desired.at(path) else {
            let known: Vec<String> =
                service_found.desired.value().entries().map(|(name, _)| name.to_string()).collect();
            return Err(no_address(format!(
                "`{service}` has no `{path}`; it has {}",
                known.join(", ")
            )));
        };
        let keys: Vec<Name> = path.split('.').map(Name::from).collect();
        let offers = checked.loaded.contributions(params, environment, service, &keys);
        let mut all: Vec<Explanation> = offers
            .into_iter()
            .map(|offer| {
                let wins = offer.origin.span == node.origin.span;
                explain(&checked, address.to_owned(), offer.value, offer.origin, offer.names, wins)
            })
            .collect();
        if !all.iter().any(|one| one.wins) {
            all.push(explain(
                &checked,
                address.to_owned(),
                node.value(),
                node.origin,
                Vec::new(),
                true,
            ));
        }
        all.sort_by_key(|one| one.wins);
        Ok(all)
    }
}

/// Histories of environments, each newest first, as one. Runs of an environment stay in their order, whatever the
/// clock said; between environments it decides.
fn newest_first(histories: Vec<Vec<HistoryEntry>>) -> Vec<HistoryEntry> {
    let mut rest: Vec<VecDeque<HistoryEntry>> = histories.into_iter().map(VecDeque::from).collect();
    let mut all = Vec::new();
    loop {
        let newest =
            rest.iter_mut().max_by_key(|entries| entries.front().map(|one| one.run.started_ms));
        match newest.and_then(VecDeque::pop_front) {
            Some(entry) => all.push(entry),
            None => return all,
        }
    }
}

fn explain(
    checked: &Checked,
    address: String,
    value: Value,
    origin: dax_ir::Origin,
    names: Vec<(Name, dax_core::Span)>,
    wins: bool,
) -> Explanation {
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
        address,
        value,
        location: sources.location(origin.span),
        text: sources.slice(origin.span).to_owned(),
        layer: layer.to_owned(),
        names: names.into_iter().map(|(name, span)| (name, sources.location(span))).collect(),
        wins,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(environment: &str, id: u64, started_ms: u64) -> HistoryEntry {
        let run = dax_store::Run {
            id,
            environment: environment.into(),
            mode: "apply".into(),
            holder: String::new(),
            why: String::new(),
            started_ms,
            ended_ms: None,
            outcome: None,
            waits: None,
            digest: Name::default(),
            serial: 0,
            restores: None,
            left: None,
            approved_by: Vec::new(),
            services: Vec::new(),
            commit: None,
            promoted: None,
            complete: Vec::new(),
            verified: false,
        };
        HistoryEntry { run, point: None, name: None, current: false }
    }

    #[test]
    fn runs_stay_in_their_order_when_the_clock_jumps() {
        let dev = vec![entry("dev", 3, 5), entry("dev", 2, 900), entry("dev", 1, 800)];
        let prod = vec![entry("prod", 2, 850), entry("prod", 1, 4)];
        let order: Vec<String> = newest_first(vec![dev, prod])
            .iter()
            .map(|entry| format!("{} {}", entry.run.environment, entry.run.id))
            .collect();
        assert_eq!(order, ["prod 2", "dev 3", "dev 2", "dev 1", "prod 1"]);
    }
}
