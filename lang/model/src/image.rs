//! Images: what a live service looks like, as flat paths to values.
//!
//! Pre-images, post-images and preconditions are sets of such paths, so a conflict can name the field and
//! both values.

use crate::{Edit, LiveService, Route};
use dax_core::{Name, RevisionId, Value};
use std::collections::BTreeMap;

/// Paths of an object and what stands there; `none` means that nothing may stand there.
pub type Image = BTreeMap<Name, Value>;

/// The services of an environment as they run, by provider and by the name that they have there.
pub type LiveState = BTreeMap<Name, BTreeMap<Name, LiveService>>;

/// The object as flat paths; one that is not there has none.
pub fn image(live: Option<&LiveService>) -> Image {
    let Some(live) = live else { return Image::new() };
    let mut image = Image::from([
        ("exists".into(), Value::Bool(true)),
        ("traffic".into(), traffic_value(&live.traffic)),
    ]);
    if !live.routes.is_empty() {
        image.insert("routes".into(), routes_value(&live.routes));
    }
    if !live.edits.is_empty() {
        image.insert("edits".into(), edits_value(&live.edits));
    }
    for (name, value) in &live.settings {
        image.insert(format!("settings.{name}").into(), value.clone());
    }
    for (id, revision) in &live.revisions {
        image.insert(replicas_path(id), Value::Int(revision.replicas));
    }
    image
}

/// Shares as a value.
pub fn traffic_value(traffic: &BTreeMap<RevisionId, u32>) -> Value {
    let shares = traffic.iter().filter(|(_, share)| **share > 0);
    Value::Map(shares.map(|(id, share)| (id.0.clone(), Value::Int(i64::from(*share)))).collect())
}

/// Routes as a value.
pub fn routes_value(routes: &[Route]) -> Value {
    let route = |route: &Route| {
        let (kind, what, revision) = match route {
            Route::Header { name, is, revision } => {
                ("header", Value::str(format!("{name}: {is}")), revision)
            }
            Route::Mirror { share, revision } => {
                ("mirror", Value::Int(i64::from(*share)), revision)
            }
        };
        Value::Map(BTreeMap::from([
            ("kind".into(), Value::str(kind)),
            ("what".into(), what),
            ("to".into(), Value::Str(revision.0.clone())),
        ]))
    };
    Value::List(routes.iter().map(route).collect())
}

/// What others changed as a value: what stands there now, by path.
pub fn edits_value(edits: &[Edit]) -> Value {
    Value::Map(edits.iter().map(|edit| (edit.path.clone(), edit.found.clone())).collect())
}

/// Where an image holds the replicas of a revision.
pub fn replicas_path(id: &RevisionId) -> Name {
    format!("revisions.{id}.replicas").into()
}

/// The first path where an object differs from what an image says.
pub fn first_difference<'i>(
    wanted: &'i Image,
    live: &Image,
) -> Option<(&'i Name, &'i Value, Value)> {
    wanted.iter().find_map(|(path, value)| {
        let found = live.get(path).cloned().unwrap_or(Value::None);
        let found = match (path.as_str(), found) {
            ("exists", Value::None) => Value::Bool(false),
            ("traffic" | "edits", Value::None) => Value::Map(BTreeMap::new()),
            ("routes", Value::None) => Value::List(Vec::new()),
            (_, found) => found,
        };
        (found != *value).then_some((path, value, found))
    })
}
