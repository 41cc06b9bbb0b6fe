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

/// Whether these are the fields of a revision of that service, with whatever settings belong to it.
pub(crate) fn fits(fields: &Value, values: &Value, settings: &BTreeMap<Name, Value>) -> bool {
    let on: Vec<Name> = fields
        .get(SETTINGS)
        .map(|on| on.entries().map(|(name, _)| name.clone()).collect())
        .unwrap_or_default();
    *fields == spec(values, settings, &on)
}

/// Which settings may belong to a revision: none, or those of the one that runs.
pub(crate) fn settings_sets(
    settings: &BTreeMap<Name, Value>,
    running: Option<&Value>,
) -> Vec<Vec<Name>> {
    let on = running.and_then(|running| running.get(SETTINGS));
    let on = on.map(|on| on.entries().map(|(name, _)| name.clone()));
    let running = on.map(|on| on.filter(|name| settings.contains_key(name)).collect());
    std::iter::once(Vec::new()).chain(running).collect()
}
