//! A saved plan against the program: what nobody vouches for must be what the program gives here and now.
//!
//! A plan says where its providers are and what is sent there. So nothing of one is reached before the program, which
//! a person has checked out, says the same; then the program is planned again, without what the saved plan says that
//! it leaves out, and the same must come out: no service more or less, and the same steps in the same order.

use crate::conditions::of_plan;
use crate::providers::Wanted;
use crate::{Engine, EngineError, Params, PlanRequest, Selection, planning, providers};
use dax_apply::world;
use dax_core::{Name, Value};
use dax_plan::Plan;
use std::collections::BTreeMap;

fn differs(field: &str) -> EngineError {
    let what = match field {
        "sources" => "its files have changed since".to_owned(),
        field => format!("`{field}` differs"),
    };
    let message = format!(
        "the program gives another plan now: {what}. Who has read the saved one can apply it with `--expect DIGEST`"
    );
    EngineError::Stale { message }
}

impl Engine {
    /// Makes sure that a saved plan is what the program gives.
    ///
    /// # Errors
    /// It is not, and why; the program has errors, or a platform cannot be read.
    pub(crate) fn hold_against_program(&self, plan: &Plan) -> Result<(), EngineError> {
        let checked = self.check(&of_plan(plan))?.sound()?;
        let signers = self.signers_of(&checked.loaded.manifest)?;
        let sources = planning::sources_digest(&checked.loaded, signers.as_deref());
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
                params: Params { only: None, ..of_plan(plan) },
                selection: Selection { left_out: plan.left_out.clone(), ..Selection::default() },
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

/// The first field in which a saved plan is not what one that was made now, without what it leaves out, says.
fn difference(saved: &Plan, now: &Plan) -> Option<String> {
    let whole = [
        ("params", saved.params == now.params),
        ("gates", saved.gates == now.gates),
        ("approvals", saved.approvals == now.approvals),
        ("on_failure", saved.on_failure == now.on_failure),
    ];
    let whole = whole.into_iter().find(|(_, same)| !same).map(|(field, _)| field.to_owned());
    whole
        .or_else(|| differing("changes", &saved.changes, &now.changes))
        .or_else(|| {
            let mut all = saved.result.keys().chain(now.result.keys());
            let addr = all.find(|addr| saved.result.get(*addr) != now.result.get(*addr))?;
            Some(format!("result.{addr}"))
        })
        .or_else(|| {
            // What the state holds of them is compared when it is read for the run.
            let mut all = saved.known.keys().chain(now.known.keys());
            let only = |addr: &&_| saved.known.contains_key(*addr) != now.known.contains_key(*addr);
            Some(format!("known.{}", all.find(only)?))
        })
        .or_else(|| differing("steps", &saved.steps, &now.steps))
        .or_else(|| differing("deferred", &saved.deferred, &now.deferred))
        .or_else(|| differing("unreachable", &saved.unreachable, &now.unreachable))
        .or_else(|| (saved.releases != now.releases).then(|| "releases".to_owned()))
        .or_else(|| left_out(saved, now))
}

/// The first item of a list that is another one, or that only one of both has.
fn differing<T: PartialEq>(field: &str, saved: &[T], now: &[T]) -> Option<String> {
    let at = saved.iter().zip(now).take_while(|(saved, now)| saved == now).count();
    (at < saved.len().max(now.len())).then(|| format!("{field}[{at}]"))
}

/// What a plan left out may have been changed since then, and stays as it is then, or is gone.
fn left_out(saved: &Plan, now: &Plan) -> Option<String> {
    if let Some(addr) = now.left_out.iter().find(|addr| !saved.left_out.contains(addr)) {
        return Some(format!("left_out ({addr})"));
    }
    let settled = saved.left_out.len().saturating_sub(now.left_out.len());
    let possible = saved.unchanged..=saved.unchanged.saturating_add(settled);
    (!possible.contains(&now.unchanged)).then(|| "unchanged".to_owned())
}
