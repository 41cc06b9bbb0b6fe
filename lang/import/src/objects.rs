//! Objects that belong to no service, as resources: what the server adds to them is left out.

use crate::write::key;
use dax_syntax::quoted;
use serde_json::{Map, Value as Json};

/// What the server or other tools write beside what somebody wants.
const ADDED: [&str; 9] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// An annotation in which kubectl keeps a copy of the whole.
const COPY: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The item of an object; `item` is what the program calls it.
pub(crate) fn resource(item: &str, object: &Json) -> String {
    let mut text = format!("resource kubernetes.object {item} {{\n");
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| *name != "status");
    let mut rest = Vec::new();
    for (name, value) in fields {
        let value = if name == "metadata" { metadata(item, value) } else { value.clone() };
        let line = format!("  {name} = {}\n", expression(&value, 1));
        match name.as_str() {
            _ if empty(&value) => {}
            "apiVersion" | "kind" => text.push_str(&line),
            _ => rest.push(line),
        }
    }
    rest.iter().for_each(|line| text.push_str(line));
    text.push_str("}\n");
    text
}

fn empty(value: &Json) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Name, labels and annotations as somebody wrote them.
fn metadata(item: &str, metadata: &Json) -> Json {
    let mut kept: Map<String, Json> = metadata.as_object().cloned().unwrap_or_default();
    kept.retain(|name, _| !ADDED.contains(&name.as_str()));
    if let Some(annotations) = kept.get_mut("annotations").and_then(Json::as_object_mut) {
        annotations.remove(COPY);
    }
    // A name of the program stands for itself, with dashes.
    if kept.get("name").and_then(Json::as_str) == Some(&item.to_lowercase().replace('_', "-")) {
        kept.remove("name");
    }
    kept.retain(|_, value| !empty(value));
    Json::Object(kept)
}

/// JSON as an expression; what is null is left out.
fn expression(value: &Json, depth: usize) -> String {
    let (inside, end) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) if items.is_empty() => "[]".to_owned(),
        Json::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            format!(
                "[{}]",
                items.iter().map(|item| expression(item, depth)).collect::<Vec<_>>().join(", ")
            )
        }
        Json::Array(items) => {
            let lines: Vec<String> = items
                .iter()
                .map(|item| format!("{inside}{},\n", expression(item, depth + 1)))
                .collect();
            format!("[\n{}{end}]", lines.concat())
        }
        Json::Object(map) => {
            let entries = map.iter().filter(|(_, value)| !value.is_null());
            let lines: Vec<String> = entries
                .map(|(name, value)| {
                    format!("{inside}{}: {}\n", key(name), expression(value, depth + 1))
                })
                .collect();
            if lines.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{\n{}{end}}}", lines.concat())
            }
        }
        other => other.to_string(),
    }
}
