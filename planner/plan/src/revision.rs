//! Revisions: what of a service is replaced as a whole.

use dax_core::{Name, RevisionId, Value};
use std::collections::BTreeMap;

/// Fields whose change makes a new revision; the others are changed in place.
pub(crate) const REVISION_FIELDS: &[&str] = &["command", "image", "cpu", "memory", "env", "health"];

/// The fields that make the revision.
pub(crate) fn spec(values: &Value) -> Value {
    let fields = REVISION_FIELDS.iter().filter_map(|field| Some((Name::new_static(field), values.get(field)?.clone())));
    Value::Map(fields.collect::<BTreeMap<_, _>>())
}

/// The name of the revision with these fields.
pub(crate) fn id(spec: &Value) -> RevisionId {
    let hex = blake3::hash(&crate::digest::canonical(spec)).to_hex();
    RevisionId(Name::new(&hex[..8]))
}
