//! Edits of saved plans by chance, and what each of them comes to.
//!
//! Property: whoever edits a plan at one place, and gives it the digest of what it says then, gets a plan that is
//! refused, or that shows the edit to whoever reads it, or that does the very same.

use crate::plans::Made;
use crate::random::Chance;
use dax_core::{ResourceAddr, Value};
use dax_plan::model::{LeafChange, Mode, OnFailure, Owner};
use dax_plan::proof::{against, prove};
use dax_plan::{Plan, digest};
use dax_render::Standing;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// What an edit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is refused when it is read, or before anything is done.
    Refused,
    /// Whoever reads the plan sees it.
    Shown,
    /// It does the very same.
    Nothing,
    /// It does something else, and nobody sees it.
    Hidden,
}

/// What an edited plan comes to where the plan was made.
pub fn fate(made: &Made, edited: &Json) -> Fate {
    let Ok(plan) = serde_json::from_value::<Plan>(edited.clone()) else { return Fate::Refused };
    let sound = plan.mode == Mode::Apply
        && prove(&plan).is_empty()
        && plan.base == made.plan.base
        && plan.project == made.plan.project
        && dax_machine::live::moved_on(&plan, &made.live).is_none()
        && against(&plan, &made.applied, &made.live).is_empty();
    if !sound {
        Fate::Refused
    } else if effect(&plan) == effect(&made.plan) {
        Fate::Nothing
    } else if shown(&plan) == shown(&made.plan) {
        Fate::Hidden
    } else {
        Fate::Shown
    }
}

/// What somebody reads of a plan, but for its digest.
pub fn shown(plan: &Plan) -> String {
    let text = dax_render::terminal(&dax_render::plan(plan, &Standing::default()), false);
    // Another digest is no sign that anybody reads; it stands in the command that approves, too.
    text.replace(&digest::digest(plan), "")
}

/// The digest of what carrying a plan out does.
fn effect(plan: &Plan) -> String {
    let mut plan = plan.clone();
    // Parameters are those of the program; what runs was held against what ran, and what stays is left alone.
    plan.params.clear();
    plan.observed.clear();
    plan.left_out.clear();
    plan.unreachable.truncate(1);
    if plan.steps.is_empty() {
        plan.on_failure = OnFailure::default();
    }
    let moving: BTreeSet<ResourceAddr> =
        plan.steps.iter().map(|step| step.service.clone()).collect();
    for change in &mut plan.changes {
        change.leaves.iter_mut().for_each(plain);
        if !moving.contains(&change.addr) {
            change.rollback_within_ms = 0;
        }
    }
    for applied in plan.result.values_mut().flatten() {
        applied.values = said(&applied.values);
    }
    digest::effect(&plan)
}

/// Whether a default or the program says something decides nothing.
fn plain(leaf: &mut LeafChange) {
    if leaf.owner != Owner::Other {
        leaf.owner = Owner::Dax;
    }
}

/// A value without what says nothing.
fn said(value: &Value) -> Value {
    let empty = |value: &Value| match value {
        Value::None => true,
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    };
    match value {
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(name, value)| (name.clone(), said(value)))
                .filter(|(_, value)| !empty(value))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Edits a value at one place; says where and how.
pub fn edit(value: &mut Json, chance: &mut Chance) -> String {
    let mut texts = Vec::new();
    collect(value, &mut texts);
    let nodes = count(value);
    let mut left = chance.below(nodes);
    let mut path = String::new();
    let found = nth(value, &mut left, &mut path).expect("a node");
    let how = change(found, chance, &texts);
    format!("{path}: {how}")
}

fn collect(value: &Json, into: &mut Vec<String>) {
    match value {
        Json::String(text) => into.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Json::Object(map) => map.values().for_each(|item| collect(item, into)),
        _ => {}
    }
}

fn count(value: &Json) -> u64 {
    1 + match value {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'v>(value: &'v mut Json, left: &mut u64, path: &mut String) -> Option<&'v mut Json> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    let length = path.len();
    match value {
        Json::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("[{at}]"));
                if let Some(found) = nth(item, left, path) {
                    return Some(found);
                }
                path.truncate(length);
            }
        }
        Json::Object(map) => {
            for (key, item) in map.iter_mut() {
                path.push_str(&format!(".{key}"));
                if let Some(found) = nth(item, left, path) {
                    return Some(found);
                }
                path.truncate(length);
            }
        }
        _ => {}
    }
    None
}

fn change(value: &mut Json, chance: &mut Chance, texts: &[String]) -> String {
    let other = |chance: &mut Chance| {
        let at = usize::try_from(chance.below(texts.len().max(1) as u64)).unwrap_or(0);
        texts.get(at).cloned().unwrap_or_default()
    };
    if chance.below(12) == 0 {
        let was = std::mem::replace(value, Json::Null);
        return format!("{was} taken away");
    }
    let before = value.to_string();
    match value {
        Json::Null => {
            let all = [Json::from(0), Json::from(other(chance)), Json::Object(Map::new())];
            *value = all[usize::try_from(chance.below(3)).unwrap_or(0)].clone();
        }
        Json::Bool(flag) => *flag = !*flag,
        Json::Number(number) => {
            let number = number.as_u64().unwrap_or(0);
            let all = [
                0,
                1,
                number.wrapping_add(1),
                number.wrapping_mul(2),
                number.saturating_sub(1),
                999,
                1_000_000,
                u64::from(u32::MAX),
                i64::MAX.unsigned_abs(),
                u64::MAX,
            ];
            let at = usize::try_from(chance.below(11)).unwrap_or(0);
            *value = all.get(at).map_or_else(|| Json::from(-1), |number| Json::from(*number));
        }
        Json::String(text) => match chance.below(5) {
            0 => text.clear(),
            1 => text.push('x'),
            2 => *text = "x".to_owned(),
            3 => drop(text.pop()),
            _ => *text = other(chance),
        },
        Json::Array(items) => list(items, chance),
        Json::Object(map) => record(map, chance, &other(&mut Chance::new(7))),
    }
    format!("{before} became {value}")
}

fn list(items: &mut Vec<Json>, chance: &mut Chance) {
    let length = items.len() as u64;
    let place = |chance: &mut Chance| usize::try_from(chance.below(length.max(1))).unwrap_or(0);
    match chance.below(5) {
        0 if length > 0 => drop(items.remove(place(chance))),
        1 if length > 0 => {
            let again = items[place(chance)].clone();
            items.insert(place(chance), again);
        }
        2 if length > 1 => items.swap(place(chance), place(chance)),
        3 => items.clear(),
        _ => items.push(Json::from("x")),
    }
}

fn record(map: &mut Map<String, Json>, chance: &mut Chance, text: &str) {
    let keys: Vec<String> = map.keys().cloned().collect();
    let at = usize::try_from(chance.below(keys.len().max(1) as u64)).unwrap_or(0);
    let key = keys.get(at).cloned();
    match (chance.below(4), key) {
        (0, Some(key)) => drop(map.remove(&key)),
        (1, Some(key)) => {
            let value = map.remove(&key).unwrap_or_default();
            map.insert(format!("{key}x"), value);
        }
        (2, Some(key)) => {
            let value = map.get(&key).cloned().unwrap_or_default();
            map.insert("more".to_owned(), value);
        }
        _ => drop(map.insert("more".to_owned(), Json::from(text))),
    }
}
