//! Images: what a live service looks like, as flat paths to values.
//!
//! Pre-images, post-images and preconditions are sets of such paths, so a conflict can name the field and
//! both values.

use dax_core::{LiveService, Name, ResourceAddr, RevisionId, Value};
use std::collections::BTreeMap;

/// Paths of an object and what stands there; `none` means that nothing may stand there.
pub type Image = BTreeMap<Name, Value>;

/// The services of an environment as they run.
pub type LiveState = BTreeMap<ResourceAddr, LiveService>;

/// The object as flat paths; one that is not there has none.
pub fn image(live: Option<&LiveService>) -> Image {
    let Some(live) = live else { return Image::new() };
    let mut image = Image::from([("exists".into(), Value::Bool(true)), ("traffic".into(), traffic_value(&live.traffic))]);
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

/// Where an image holds the replicas of a revision.
pub fn replicas_path(id: &RevisionId) -> Name {
    format!("revisions.{id}.replicas").into()
}

/// The first path where an object differs from what an image says.
pub fn first_difference<'i>(wanted: &'i Image, live: &Image) -> Option<(&'i Name, &'i Value, Value)> {
    wanted.iter().find_map(|(path, value)| {
        let found = live.get(path).cloned().unwrap_or(Value::None);
        let found = match (path.as_str(), found) {
            ("exists", Value::None) => Value::Bool(false),
            ("traffic", Value::None) => Value::Map(BTreeMap::new()),
            (_, found) => found,
        };
        (found != *value).then_some((path, value, found))
    })
}
