//! Who gets the requests, and the ways on which they come.

use super::Slot;
use dax_core::{RevisionId, Value};
use dax_model::Route;
use serde_json::{Value as Json, json};

/// Who gets the requests.
pub(crate) struct Traffic<'a> {
    /// Slots with their shares in hundredths of a percent.
    pub(crate) shares: Vec<(&'a Slot, u32)>,
    /// Requests that go elsewhere.
    pub(crate) routes: Vec<(&'a Slot, &'a Route)>,
    /// The revision with the largest share.
    pub(crate) revision: Option<&'a RevisionId>,
}

impl<'a> Traffic<'a> {
    /// The slot with the largest share.
    pub(super) fn main(&self) -> Option<&'a Slot> {
        self.shares
            .iter()
            .max_by_key(|(slot, share)| (*share, std::cmp::Reverse(&slot.name)))
            .map(|(slot, _)| *slot)
    }

    pub(super) fn slots(&self) -> Vec<&'a Slot> {
        let mut all: Vec<&Slot> = self
            .shares
            .iter()
            .map(|(slot, _)| *slot)
            .chain(self.routes.iter().map(|(slot, _)| *slot))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all
    }
}

/// Names under which a way is reached.
pub(super) fn hosts(value: &Value) -> Vec<String> {
    value
        .get("hosts")
        .map_or(&[][..], Value::items)
        .iter()
        .filter_map(|host| Some(host.as_str()?.to_owned()))
        .collect()
}

/// The beginning of the paths of a way.
pub(super) fn path(value: &Value) -> &str {
    value.get("path").and_then(Value::as_str).unwrap_or("/")
}

/// The Gateway of a route, as an object refers to it.
pub(super) fn parent(route: &Value) -> Json {
    let gateway = route.get("gateway").and_then(Value::as_str).unwrap_or_default();
    match gateway.split_once('/') {
        Some((namespace, name)) => json!({"name": name, "namespace": namespace}),
        None => json!({"name": gateway}),
    }
}
