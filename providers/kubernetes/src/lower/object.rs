//! Objects that run nothing: whatever else the cluster has kinds for.

use super::Of;
use crate::kinds::Kind;
use crate::names;
use crate::settings;
use dax_core::Value;
use serde_json::{Value as Json, json};

/// The kind of an object.
pub(crate) fn kind(object: &Value) -> Kind {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    Kind::named(text("apiVersion"), text("kind"))
}

/// What an object is called: as it says, or as the program calls it.
pub(crate) fn name<'v>(object: &'v Value, called: &'v str) -> &'v str {
    object.get("metadata").and_then(|meta| meta.get("name")?.as_str()).unwrap_or(called)
}

/// An object as the program has it, with dax's mark.
pub(super) fn manifest(of: &Of<'_>, object: &Value) -> (Kind, Json) {
    let kind = kind(object);
    let mut all = without_nothing(settings::json(object));
    let mut metadata = all.get_mut("metadata").map(Json::take).unwrap_or_else(|| json!({}));
    metadata["name"] = json!(name(object, of.object));
    // Where it is, the path says that it is sent to: some kinds know no namespaces.
    for (label, value) in names::labels(of.environment, of.object) {
        metadata["labels"][label] = value;
    }
    metadata["annotations"][names::SERVICE] = json!(of.service);
    all["metadata"] = metadata;
    (kind, all)
}

/// What is nothing is left out: a field that is not there and one that is null are alike to the server.
fn without_nothing(value: Json) -> Json {
    match value {
        Json::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nothing(value)))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_nothing).collect(),
        other => other,
    }
}
