//! What a status says, whatever it is the status of.

use crate::names;
use serde_json::Value as Json;

/// A whole number; none counts as zero.
pub(crate) fn number(object: &Json, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Json::as_i64).unwrap_or(0)
}

/// Whether whoever looks after an object has seen it as it is to be now; Argo Rollouts writes the number as text.
pub(crate) fn observed(object: &Json) -> bool {
    let seen = object.pointer("/status/observedGeneration");
    let seen =
        seen.and_then(|seen| seen.as_i64().or_else(|| seen.as_str()?.parse().ok())).unwrap_or(0);
    seen >= number(object, "/metadata/generation")
}

/// Whether all replicas are of what an object holds now, and available.
pub(crate) fn complete(object: &Json) -> bool {
    let wanted = number(object, "/spec/replicas");
    let all = ["/status/updatedReplicas", "/status/replicas", "/status/availableReplicas"];
    observed(object) && all.iter().all(|pointer| number(object, pointer) == wanted)
}

/// The conditions of an object.
pub(crate) fn conditions(object: &Json) -> impl Iterator<Item = &Json> {
    object.pointer("/status/conditions").and_then(Json::as_array).into_iter().flatten()
}

/// Whether a condition is of a kind and has a status.
pub(crate) fn is(condition: &Json, kind: &str, status: &str) -> bool {
    names::text_at(condition, "/type") == kind && names::text_at(condition, "/status") == status
}

/// Whether an object has a condition.
pub(crate) fn condition(object: &Json, kind: &str, status: &str) -> bool {
    conditions(object).any(|one| is(one, kind, status))
}
