//! Strategies of services as conditions: commands, shares, analyses and policies on failure by
//! which a new revision takes over.
//!
//! A strategy that changes makes no step by itself: it takes effect with the next revision.
//! Invariant: it is recorded as it was applied, so that a change of it is shown when it is made and
//! not below the revision that it rides on. Approval gates are conditions of their own.

use super::change::{ConditionChange, ConditionKind};
use super::{Conditions, StrategyRule};
use dax_core::{Name, ResourceAddr, Value};
use dax_ir::Service;
use std::collections::{BTreeMap, BTreeSet};

/// Services that are named of many.
const NAMES: usize = 10;
/// Fields of steps that are gates.
const GATES: [&str; 2] = ["approve", "of"];
/// Fields that add commands to a rollout, whatever its kind.
const COMMANDS: [&str; 2] = ["hook", "migrate"];

/// The strategies of services, each once.
pub(super) fn rules<'s>(services: impl Iterator<Item = &'s Service>) -> Vec<StrategyRule> {
    let mut found: BTreeMap<StrategyRule, BTreeSet<ResourceAddr>> = BTreeMap::new();
    for service in services.filter(|service| !service.resource) {
        let Value::Map(config) = service.strategy.config.value() else { continue };
        let fields = config.iter().map(|(name, value)| (name.clone(), texts(name, value)));
        let fields = fields.filter(|(_, texts)| !texts.is_empty()).collect();
        let kind = Name::new_static(service.strategy.kind.word());
        let rule = StrategyRule { kind, fields, services: BTreeSet::new() };
        found.entry(rule).or_default().insert(service.addr.clone());
    }
    found.into_iter().map(|(rule, services)| StrategyRule { services, ..rule }).collect()
}

/// The items of a list, or the one value, as texts.
fn texts(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::None | Value::Unset => Vec::new(),
        Value::List(items) if matches!(name, "step" | "preview") => {
            items.iter().map(|item| ungated(item).to_string()).collect()
        }
        Value::List(items) => items.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}

fn ungated(step: &Value) -> Value {
    let mut step = step.clone();
    if let Value::Map(fields) = &mut step {
        fields.retain(|name, _| !GATES.contains(&name.as_str()));
    }
    step
}

/// Changes of the strategies of services that both have. Whether a strategy holds a bad revision up
/// as well as another cannot be told, so each change loosens.
pub(super) fn changes(old: &Conditions, new: &Conditions, all: &mut Vec<ConditionChange>) {
    let after: BTreeMap<&ResourceAddr, usize> = new
        .strategies
        .iter()
        .enumerate()
        .flat_map(|(at, rule)| rule.services.iter().map(move |addr| (addr, at)))
        .collect();
    for before in &old.strategies {
        let mut others: BTreeMap<usize, Vec<&ResourceAddr>> = BTreeMap::new();
        for addr in &before.services {
            if let Some(at) = after.get(addr) {
                others.entry(*at).or_default().push(addr);
            }
        }
        for (at, services) in others {
            apart(before, &new.strategies[at], &names(&services), all);
        }
    }
}

fn names(services: &[&ResourceAddr]) -> String {
    let shown: Vec<&str> = services.iter().take(NAMES).map(|addr| addr.name()).collect();
    match services.len().saturating_sub(NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn apart(old: &StrategyRule, new: &StrategyRule, of: &str, all: &mut Vec<ConditionChange>) {
    let mut add = |what: String, before: Option<String>, after: Option<String>| {
        let kind = ConditionKind::Strategy;
        all.push(ConditionChange { kind, what, before, after, loosens: true });
    };
    let same_kind = old.kind == new.kind;
    if !same_kind {
        let (before, after) = (Some(old.kind.to_string()), Some(new.kind.to_string()));
        add(format!("strategy of {of}"), before, after);
    }
    let fields: BTreeSet<&Name> = old.fields.keys().chain(new.fields.keys()).collect();
    let fields = fields.into_iter().filter(|name| same_kind || COMMANDS.contains(&name.as_str()));
    for field in fields {
        let none = Vec::new();
        let before = old.fields.get(field).unwrap_or(&none);
        let after = new.fields.get(field).unwrap_or(&none);
        if before == after {
            continue;
        }
        let lacks = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|text| !other.contains(text)).cloned().collect()
        };
        let (gone, come) = (lacks(before, after), lacks(after, before));
        // Of the same items in another order all are shown.
        let (gone, come) = match gone.is_empty() && come.is_empty() {
            true => (before.clone(), after.clone()),
            false => (gone, come),
        };
        let row = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
        add(format!("`{field}` of the strategy of {of}"), row(gone), row(come));
    }
}
