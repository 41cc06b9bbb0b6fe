//! Manifests as objects: documents in a row, and the lists in them.

use crate::json::{Objects, namespace, text};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The documents of texts, those of lists one by one.
///
/// # Errors
/// A text is no YAML.
pub(crate) fn read(texts: &[String]) -> Result<Vec<Json>, String> {
    let mut documents = Vec::new();
    for text in texts {
        let found: Vec<Json> = match serde_json::from_str(text) {
            Ok(document) => vec![document],
            Err(_) => serde_saphyr::from_multiple(text).map_err(|error| {
                format!("this is no YAML: {}", error.to_string().lines().next().unwrap_or(""))
            })?,
        };
        found.into_iter().for_each(|document| flatten(document, &mut documents));
    }
    Ok(documents)
}

/// A list may hold lists.
fn flatten(mut document: Json, into: &mut Vec<Json>) {
    let list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").map(Json::take) {
        Some(Json::Array(items)) if list => items.into_iter().for_each(|item| flatten(item, into)),
        Some(items) => {
            document["items"] = items;
            into.push(document);
        }
        None => into.push(document),
    }
}

/// Objects by namespace and kind.
pub(crate) fn spaces(documents: &[Json]) -> BTreeMap<&str, Objects<'_>> {
    let mut spaces: BTreeMap<&str, Objects<'_>> = BTreeMap::new();
    for document in documents.iter().filter(|document| document.is_object()) {
        spaces
            .entry(namespace(document))
            .or_default()
            .entry(text(document, "/kind"))
            .or_default()
            .push(document);
    }
    spaces
}
