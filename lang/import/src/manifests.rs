//! Manifests as objects: documents in a row, and the lists in them.

use crate::json::{Objects, namespace, text};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A text with manifests, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifests {
    /// The file, for messages.
    pub name: String,
    /// Documents in a row, and lists.
    pub text: String,
}

/// The documents of texts, those of lists one by one.
///
/// # Errors
/// A text is no YAML: its name, line and column, and why.
pub(crate) fn read(texts: &[Manifests]) -> Result<Vec<Json>, String> {
    let mut documents = Vec::new();
    for Manifests { name, text } in texts {
        let found: Vec<Json> = match serde_json::from_str(text) {
            Ok(document) => vec![document],
            Err(_) => serde_saphyr::from_multiple(text).map_err(|error| {
                let error = error.without_snippet();
                let at = error
                    .location()
                    .map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
                format!("{name}{at}: this is no YAML: {}", said(error))
            })?,
        };
        found.into_iter().for_each(|document| flatten(document, &mut documents));
    }
    Ok(documents)
}

/// An error of the reader in words for whoever wrote the file.
fn said(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` stands here twice", key.escape_debug())
        }
        Error::Budget { .. } => {
            "it has more values, or more of them in each other, than are read".to_owned()
        }
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
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
