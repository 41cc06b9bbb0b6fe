//! What the live objects are to a plan: whether it is stale, and whether they are as it says when it is done.

use dax_core::{Name, Value};
use dax_model::{LiveService, image};
use dax_plan::{LiveState, Plan};
use std::collections::{BTreeMap, BTreeSet};

fn find<'l>(live: &'l LiveState, provider: &str, object: &str) -> Option<&'l LiveService> {
    live.get(provider)?.get(object)
}

/// The first thing in which the live objects are not what a plan was made from.
pub fn moved_on(plan: &Plan, live: &LiveState) -> Option<String> {
    for (provider, objects) in &plan.observed {
        for (object, observed) in objects {
            if let Some(message) = revised(observed.as_ref(), find(live, provider, object)) {
                return Some(format!("service.{object}: {message}"));
            }
            let (then, now) =
                (image::image(observed.as_ref()), image::image(find(live, provider, object)));
            let mut both = then.clone();
            now.keys().for_each(|path| {
                both.entry(path.clone()).or_insert(if path == "exists" {
                    Value::Bool(false)
                } else {
                    Value::None
                });
            });
            if let Some((path, before, found)) = image::first_difference(&both, &now) {
                return Some(format!(
                    "service.{object}: `{path}` was {before} when the plan was made, now it is {found}"
                ));
            }
        }
    }
    None
}

/// The first field in which a revision is another than it was, and who changed it: the active one first, because it
/// tells most, then those at rest, whose fields a plan may bring back.
fn revised(then: Option<&LiveService>, now: Option<&LiveService>) -> Option<String> {
    let (then, now) = (then?, now?);
    let spec = |live: &LiveService| {
        live.revisions.get(live.active()?).map(|revision| revision.spec.clone())
    };
    let active = spec(then).zip(spec(now));
    let resting = then
        .revisions
        .iter()
        .filter_map(|(id, was)| Some((was.spec.clone(), now.revisions.get(id)?.spec.clone())));
    let mut all = active.into_iter().chain(resting);
    let (path, was, is) = all.find_map(|(was, is)| first_leaf(&was, &is, ""))?;
    let by = now
        .changed_by
        .get(path.as_str())
        .map_or_else(String::new, |by| format!(", changed by {by}"));
    Some(format!("`{path}` was {was} when the plan was made, now it is {is}{by}"))
}

/// The first leaf in which two values differ.
fn first_leaf(a: &Value, b: &Value, path: &str) -> Option<(String, Value, Value)> {
    let (Value::Map(left), Value::Map(right)) = (a, b) else {
        return (a != b).then(|| (path.to_owned(), a.clone(), b.clone()));
    };
    let names: BTreeSet<&Name> = left.keys().chain(right.keys()).collect();
    names.into_iter().find_map(|name| {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        first_leaf(
            left.get(name).unwrap_or(&Value::None),
            right.get(name).unwrap_or(&Value::None),
            &path,
        )
    })
}

/// The first thing in which the live objects are not what the plan leaves.
pub fn differs(plan: &Plan, live: &LiveState) -> Option<String> {
    // The last post-image of each path is what must stand there.
    let mut wanted: BTreeMap<(&Name, &Name), image::Image> = BTreeMap::new();
    for step in &plan.steps {
        wanted.entry((&step.provider, &step.object)).or_default().extend(step.post.clone());
    }
    for ((provider, object), mut wanted) in wanted {
        if wanted.get("exists") == Some(&Value::Bool(false)) {
            wanted.retain(|path, _| path == "exists");
        }
        let found = image::image(find(live, provider, object));
        if let Some((path, value, found)) = image::first_difference(&wanted, &found) {
            return Some(format!("service.{object}: `{path}` should be {value}, is {found}"));
        }
    }
    None
}
