//! Revisions: what of a service is replaced as a whole.

use dax_core::{Name, Value};
use std::collections::BTreeMap;

/// Fields whose change makes a new revision; the others are changed in place.
pub(crate) const REVISION_FIELDS: &[&str] = &["command", "image", "cpu", "memory", "env", "health"];

/// Where the settings that belong to a revision stand among its fields.
pub(crate) const SETTINGS: &str = "on";

/// The fields that make the revision, with the settings that belong to it.
pub(crate) fn spec(values: &Value, settings: &BTreeMap<Name, Value>, revised: &[Name]) -> Value {
    let fields = REVISION_FIELDS
        .iter()
        .filter_map(|field| Some((Name::new_static(field), values.get(field)?.clone())));
    let mut fields: BTreeMap<Name, Value> = fields.collect();
    let on: BTreeMap<Name, Value> = revised
        .iter()
        .filter_map(|name| Some((name.clone(), settings.get(name)?.clone())))
        .collect();
    if !on.is_empty() {
        fields.insert(SETTINGS.into(), Value::Map(on));
    }
    Value::Map(fields)
}
