//! A saved plan against the program: what nobody vouches for must be what the program gives here and now.
//!
//! A plan says where its providers are and what is sent there. So nothing of one is reached before the program, which
//! a person has checked out, says the same; then the program is planned again, and each service of the saved plan
//! must come out as it stands there.

use crate::providers::Wanted;
use crate::{Engine, EngineError, Missing, Params, PlanRequest, Selection, planning, providers};
use dax_apply::world;
use dax_core::{Name, ResourceAddr, Value};
use dax_plan::model::Change;
use dax_plan::{Plan, Step, StepId};
use std::collections::BTreeMap;

fn parameters(plan: &Plan) -> Params {
    Params {
        values: BTreeMap::new(),
        typed: plan.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        missing: Missing::Ignore,
        only: Some(plan.environment.clone()),
        outputs: BTreeMap::new(),
    }
}

fn differs(field: &str) -> EngineError {
    let message = format!(
        "the program gives another plan now: `{field}` differs. Who has read the saved one can apply it with `--expect DIGEST`"
    );
    EngineError::Stale { message }
}

impl Engine {
    /// Makes sure that a saved plan is what the program gives.
    ///
    /// # Errors
    /// It is not, and why; the program has errors, or a platform cannot be read.
    pub(crate) fn hold_against_program(&self, plan: &Plan) -> Result<(), EngineError> {
        let checked = self.check(&parameters(plan))?.sound()?;
        let sources = planning::sources_digest(&checked.loaded.sources);
        let Some(environment) = checked.graph.environments.get(&plan.environment) else {
            return Err(differs("environment"));
        };
        if let Some(field) = configured(plan, &providers::configs(environment)) {
            return Err(differs(&field));
        }
        if let Some(instance) = unnamed(plan, &self.instances(environment, plan)?) {
            return Err(differs(&format!("observed.{instance}")));
        }
        let found = if sources == plan.sources {
            let request = PlanRequest {
                environment: plan.environment.to_string(),
                params: Params { only: None, ..parameters(plan) },
                selection: Selection::default(),
                adopt: None,
            };
            difference(plan, &self.plan(&request)?.allowed()?)
        } else {
            Some("sources".to_owned())
        };
        let Some(field) = found else { return Ok(()) };
        // What runs tells more than the program, where it is not as it was.
        let providers = self.providers(&Wanted::of_plan(plan))?;
        match self.runtime.block_on(world::stale(plan, &providers))? {
            Some(message) => Err(EngineError::Stale { message }),
            None => Err(differs(&field)),
        }
    }

    /// The provider instances that the program or the state names.
    fn instances(
        &self,
        environment: &dax_ir::Environment,
        plan: &Plan,
    ) -> Result<Vec<Name>, EngineError> {
        let store = self.store()?;
        let (snapshot, _) = self.runtime.block_on(store.state(&plan.environment))?;
        let mut wanted = Wanted::of_state(&snapshot);
        wanted.add_program(environment, BTreeMap::new());
        Ok(wanted.instances.into_iter().collect())
    }
}

/// The first provider that the program reaches in another way.
fn configured(plan: &Plan, program: &BTreeMap<Name, Value>) -> Option<String> {
    let plain = |configs: &BTreeMap<Name, Value>| -> BTreeMap<Name, Value> {
        configs.iter().map(|(name, config)| (name.clone(), unmarked(config))).collect()
    };
    let (saved, program) = (plain(&plan.providers), plain(program));
    let names = saved.keys().chain(program.keys());
    let mut differing = names.filter(|name| saved.get(*name) != program.get(*name));
    differing.next().map(|name| format!("providers.{name}"))
}

/// A value whose secrets are named and not fingerprinted: what they are is nobody's business here.
fn unmarked(value: &Value) -> Value {
    match value {
        Value::Secret(secret) => {
            let mut secret = secret.clone();
            clear(&mut secret);
            Value::Secret(secret)
        }
        Value::List(items) => Value::List(items.iter().map(unmarked).collect()),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(name, value)| (name.clone(), unmarked(value))).collect())
        }
        other => other.clone(),
    }
}

fn clear(secret: &mut dax_core::SecretRef) {
    secret.fingerprint = Name::default();
    for part in &mut secret.parts {
        if let dax_core::SecretPart::Secret(inner) = part {
            clear(inner);
        }
    }
}

/// An instance that a plan uses and that nobody else names.
fn unnamed(plan: &Plan, known: &[Name]) -> Option<Name> {
    let used = Wanted::of_plan(plan).instances;
    used.into_iter().find(|instance| !known.contains(instance))
}

/// The first field in which a saved plan is not what another one says of the same services.
fn difference(saved: &Plan, now: &Plan) -> Option<String> {
    let whole = [
        ("params", saved.params == now.params),
        ("gates", saved.gates == now.gates),
        ("approvals", saved.approvals == now.approvals),
        ("on_failure", saved.on_failure == now.on_failure),
    ];
    if let Some((field, _)) = whole.iter().find(|(_, same)| !same) {
        return Some((*field).to_owned());
    }
    let (old, new) = (of_services(saved), of_services(now));
    for (at, change) in saved.changes.iter().enumerate() {
        let addr = &change.addr;
        if new.get(addr).map(|(change, _)| *change) != Some(change) {
            return Some(format!("changes[{at}]"));
        }
        if saved.result.get(addr) != now.result.get(addr) {
            return Some(format!("result.{addr}"));
        }
        let steps = |all: &BTreeMap<&ResourceAddr, (&Change, Vec<&Step>)>| -> Vec<Step> {
            let steps = all.get(addr).map(|(_, steps)| steps.as_slice()).unwrap_or_default();
            steps.iter().map(|step| alone(step)).collect()
        };
        if steps(&old) != steps(&new) {
            return Some(format!("steps of {addr}"));
        }
    }
    // A plan of some services has a part of a release.
    let wanted = now.releases.iter().filter_map(|(name, services)| {
        let part: Vec<ResourceAddr> =
            services.iter().filter(|addr| saved.result.contains_key(*addr)).cloned().collect();
        (part.len() > 1).then(|| (name.clone(), part))
    });
    (saved.releases != wanted.collect()).then(|| "releases".to_owned())
}

fn of_services(plan: &Plan) -> BTreeMap<&ResourceAddr, (&Change, Vec<&Step>)> {
    let mut all: BTreeMap<&ResourceAddr, (&Change, Vec<&Step>)> =
        plan.changes.iter().map(|change| (&change.addr, (change, Vec::new()))).collect();
    for step in &plan.steps {
        if let Some((_, steps)) = all.get_mut(&step.service) {
            steps.push(step);
        }
    }
    all
}

/// A step without its place among those of other services.
fn alone(step: &Step) -> Step {
    Step { id: StepId(0), after: Vec::new(), ..step.clone() }
}
