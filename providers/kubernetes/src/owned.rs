//! What dax wrote and somebody else changed: leaf by leaf, with the manager's name.
//!
//! Only leaves that dax writes are looked at, so what the server fills in and what others add is no drift.
//! Source of `managedFields`: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>.

use crate::names::{self, MANAGER};
use crate::quantity;
use serde_json::Value as Json;

/// A leaf that is not as dax wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The way to it: names of fields, and of elements in brackets.
    pub(crate) path: String,
    /// What dax wrote.
    pub(crate) wrote: Json,
    /// What stands there; nothing where it is gone.
    pub(crate) found: Json,
    /// Who owns it now; empty where nobody says.
    pub(crate) by: String,
}

/// Fields by which the elements of a list are told apart.
const KEYS: [&str; 4] = ["name", "mountPath", "containerPort", "type"];

/// Maps that one manager owns as a whole: a key more is another value.
const ATOMIC: [&str; 2] = ["spec.selector", "spec.selector.matchLabels"];

/// A step on the way to a leaf, as `managedFields` has it.
#[derive(Clone, Debug)]
enum Step<'j> {
    Field(&'j str),
    Element(&'j Json),
}

/// Every leaf of `wrote` that is another in `live`.
pub(crate) fn differences(wrote: &Json, live: &Json) -> Vec<Difference> {
    let mut all = Vec::new();
    let mut say = |at: &At<'_>, wrote: &Json, found: &Json| {
        let by = owner(live, &at.steps);
        all.push(Difference {
            path: at.path.clone(),
            wrote: wrote.clone(),
            found: found.clone(),
            by,
        });
    };
    walk(wrote, live, &At::default(), &mut say);
    all
}

/// Where a walk is.
#[derive(Clone, Default)]
struct At<'j> {
    path: String,
    steps: Vec<Step<'j>>,
    /// Inside of a list that one manager owns as a whole: what others add to it is a change.
    whole: bool,
}

impl<'j> At<'j> {
    fn field(&self, name: &'j str) -> Self {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let mut steps = self.steps.clone();
        if !self.whole {
            steps.push(Step::Field(name));
        }
        Self { path, steps, whole: self.whole }
    }

    fn element(&self, item: &'j Json, shown: &str) -> Self {
        let mut steps = self.steps.clone();
        if !self.whole {
            steps.push(Step::Element(item));
        }
        Self { path: format!("{}[{shown}]", self.path), steps, whole: self.whole }
    }

    fn place(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), steps: self.steps.clone(), whole: true }
    }
}

fn walk<'j>(
    wrote: &'j Json,
    live: &'j Json,
    at: &At<'j>,
    say: &mut dyn FnMut(&At<'j>, &Json, &Json),
) {
    match (wrote, live) {
        (Json::Object(keys), Json::Object(found))
            if ATOMIC.contains(&at.path.as_str()) && keys.len() != found.len() =>
        {
            say(at, wrote, live)
        }
        (Json::Object(wrote), _) => {
            // Objects of a list do not say what they are: the list does.
            let known = |name: &str| at.path.is_empty() && (name == "apiVersion" || name == "kind");
            for (name, value) in wrote.iter().filter(|(name, _)| !known(name)) {
                walk(value, live.get(name).unwrap_or(&Json::Null), &at.field(name), say);
            }
        }
        (Json::Array(items), Json::Array(found)) if at.whole && items.len() != found.len() => {
            say(at, wrote, live)
        }
        (Json::Array(items), Json::Array(found))
            if items.iter().any(|item| key(item).is_some()) =>
        {
            for item in items {
                let Some((name, value)) = key(item) else { continue };
                let same = found
                    .iter()
                    .find(|other| other.get(name) == Some(value) && matches_port(item, other));
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                walk(item, same.unwrap_or(&Json::Null), &at.element(item, &shown), say);
            }
        }
        // Elements without a name are told apart by their places.
        (Json::Array(items), Json::Array(found))
            if items.len() == found.len() && items.iter().any(Json::is_object) =>
        {
            for (index, (item, other)) in items.iter().zip(found).enumerate() {
                walk(item, other, &at.place(index), say);
            }
        }
        _ if same(wrote, live) => {}
        _ => say(at, wrote, live),
    }
}

/// Ports of one number differ by protocol.
fn matches_port(wanted: &Json, found: &Json) -> bool {
    wanted.get("protocol").is_none_or(|protocol| found.get("protocol") == Some(protocol))
}

fn key(item: &Json) -> Option<(&'static str, &Json)> {
    KEYS.iter().find_map(|name| Some((*name, item.get(*name)?)))
}

fn same(wrote: &Json, found: &Json) -> bool {
    match (wrote, found) {
        (Json::String(wrote), Json::String(found)) => quantity::same(wrote, found),
        (Json::Array(items), Json::Null) => items.is_empty(),
        (Json::Bool(false), Json::Null) => true,
        _ => wrote == found,
    }
}

/// The manager who owns a leaf, the latest first.
fn owner(live: &Json, steps: &[Step<'_>]) -> String {
    let entries =
        live.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let mut owners: Vec<(&str, &str)> = entries
        .filter(|entry| names::text_at(entry, "/manager") != MANAGER)
        .filter(|entry| entry.get("fieldsV1").is_some_and(|fields| owns(fields, steps)))
        .map(|entry| (names::text_at(entry, "/time"), names::text_at(entry, "/manager")))
        .collect();
    owners.sort_unstable();
    owners.last().map(|(_, manager)| (*manager).to_owned()).unwrap_or_default()
}

/// Whether a leaf is dax's, by what it applied.
pub(crate) fn by_dax(live: &Json, path: &[&str]) -> bool {
    let steps: Vec<Step<'_>> = path.iter().map(|name| Step::Field(name)).collect();
    let entries =
        live.pointer("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let mut ours = entries.filter(|entry| {
        names::text_at(entry, "/manager") == MANAGER
            && names::text_at(entry, "/subresource").is_empty()
    });
    ours.any(|entry| entry.get("fieldsV1").is_some_and(|fields| owns(fields, &steps)))
}

fn owns(fields: &Json, steps: &[Step<'_>]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let Some(fields) = fields.as_object() else { return false };
    fields.iter().any(|(name, inner)| {
        let here = match step {
            Step::Field(field) => name.strip_prefix("f:") == Some(*field),
            Step::Element(item) => name.strip_prefix("k:").is_some_and(|key| {
                let key: Json = serde_json::from_str(key).unwrap_or_default();
                key.as_object().is_some_and(|key| {
                    key.iter().all(|(name, value)| item.get(name).is_none_or(|own| own == value))
                })
            }),
        };
        // Whoever owns a list or map as a whole owns what is in it.
        here && (inner.as_object().is_some_and(serde_json::Map::is_empty) || owns(inner, rest))
    })
}

/// Takes a field out of an object, by the way that a conflict names: `spec.containers[name="web"].image`.
pub(crate) fn remove(object: &mut Json, path: &str) {
    let mut here = object;
    let mut parts = split(path).into_iter().peekable();
    while let Some(part) = parts.next() {
        let (field, filter) =
            part.split_once('[').map_or((part.as_str(), None), |(field, rest)| {
                (field, Some(rest.trim_end_matches(']')))
            });
        if parts.peek().is_none() && filter.is_none() {
            if let Json::Object(map) = here {
                map.remove(field);
            }
            return;
        }
        let Some(next) = here.get_mut(field) else { return };
        let Some(filter) = filter else {
            here = next;
            continue;
        };
        let wanted: Vec<(String, Json)> = filter
            .split(',')
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((
                    name.to_owned(),
                    serde_json::from_str(value).unwrap_or_else(|_| Json::from(value)),
                ))
            })
            .collect();
        let Json::Array(items) = next else { return };
        let found = items.iter().position(|item| {
            wanted.iter().all(|(name, value)| item.get(name).is_none_or(|own| own == value))
        });
        let Some(at) = found else { return };
        if parts.peek().is_none() {
            items.remove(at);
            return;
        }
        here = &mut items[at];
    }
}

/// A path at its dots, but for those in brackets.
fn split(path: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_i32);
    for c in path.chars() {
        match c {
            '.' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(c == '[') - i32::from(c == ']');
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Json {
        json!({
            "metadata": {"managedFields": [
                {"manager": "dax", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "kubectl-set", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {
                    "f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}}}},
            ]},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:2", "imagePullPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}}]}}},
        })
    }

    #[test]
    fn a_changed_leaf_is_told_with_its_manager_and_defaults_are_no_drift() {
        let wrote = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "0.5"}}}]}}}});
        let found = differences(&wrote, &live());
        let expected = Difference {
            path: "spec.template.spec.containers[web].image".to_owned(),
            wrote: json!("web:1"),
            found: json!("web:2"),
            by: "kubectl-set".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn what_a_conflict_names_is_taken_out() {
        let mut object = live();
        remove(&mut object, "spec.template.spec.containers[name=\"web\"].image");
        assert!(object.pointer("/spec/template/spec/containers/0/image").is_none());
        remove(&mut object, "spec.replicas");
        assert!(object.pointer("/spec/replicas").is_none());
    }
}
