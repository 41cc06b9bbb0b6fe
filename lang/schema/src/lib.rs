//! Schemas of others as types of dax: JSON Schema, OpenAPI and Kubernetes CRDs.
//!
//! What comes out is meant to be read and kept: named types, the descriptions as doc comments, the
//! one canonical form. What a type cannot say is left to the system that the schema belongs to,
//! never invented. Invariant: types are made of typed pieces ([`dax_syntax::write`]) and are read
//! again before they are handed out, so no text of a schema becomes a word, a field or an item.

mod names;
mod types;
mod values;
mod write;

use dax_syntax::write::one_line;
use serde_json::Value as Json;

/// Why a text gives no types.
#[derive(Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for SchemaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SchemaError {}

/// What was asked for.
pub struct Request<'r> {
    /// The schema, as YAML or JSON; several YAML documents may stand in a row.
    pub text: &'r str,
    /// The name of the type that a plain JSON Schema describes, where it has no title.
    pub name: &'r str,
    /// The types that are wanted, with what they need; all when empty.
    pub only: &'r [String],
}

/// The types of a schema as a `.dax` text.
///
/// # Errors
/// The text is no YAML or JSON, or describes no types.
pub fn import(request: &Request<'_>) -> Result<String, SchemaError> {
    let documents: Vec<Json> = match serde_json::from_str(request.text) {
        Ok(document) => vec![document],
        // The reader of YAML bounds how large a text may be, which JSON descriptions of whole APIs
        // exceed.
        Err(_) => serde_saphyr::from_multiple(request.text).map_err(|error| SchemaError {
            message: format!(
                "this is no YAML or JSON: {}",
                one_line(error.to_string().lines().next().unwrap_or(""))
            ),
        })?,
    };
    let mut roots = Vec::new();
    let mut origin = Vec::new();
    for document in &documents {
        if document["kind"] == "CustomResourceDefinition" {
            roots.extend(custom_resource(document));
            origin.push(format!(
                "the custom resource `{}`",
                document["metadata"]["name"].as_str().unwrap_or("")
            ));
        } else if let Some(schemas) = openapi(document) {
            roots.extend(schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            origin.push(format!(
                "the OpenAPI description `{}`",
                document["info"]["title"].as_str().unwrap_or("")
            ));
        } else if document.is_object() && is_schema(document) {
            let name = document["title"].as_str().unwrap_or(request.name);
            roots.push((name.to_owned(), document.clone()));
            for (name, schema) in definitions(document) {
                roots.push((name.clone(), schema.clone()));
            }
            origin.push("a JSON Schema".to_owned());
        }
    }
    if roots.is_empty() {
        return Err(SchemaError {
            message: "there is no JSON Schema, OpenAPI description or CRD in it".to_owned(),
        });
    }
    let mut made = types::Types::of(roots);
    if !request.only.is_empty() {
        let known = made.names();
        let unknown =
            request.only.iter().find(|name| !known.contains(&names::type_name(name).as_str()));
        if let Some(unknown) = unknown {
            let (unknown, known) = (one_line(unknown), known.join(", "));
            let message = format!("there is no type `{unknown}`; there are {known}");
            return Err(SchemaError { message });
        }
        made.keep(request.only);
    }
    let head = format!("Written by `dax import-schema` from {}.", origin.join(" and "));
    write::text(made, head).map_err(|error| SchemaError { message: error.to_string() })
}

fn is_schema(document: &Json) -> bool {
    ["type", "properties", "$defs", "definitions", "oneOf", "anyOf", "allOf", "enum", "$ref"]
        .iter()
        .any(|key| document.get(key).is_some())
}

fn definitions(document: &Json) -> impl Iterator<Item = (&String, &Json)> {
    ["$defs", "definitions"].into_iter().filter_map(|key| document[key].as_object()).flatten()
}

fn openapi(document: &Json) -> Option<&serde_json::Map<String, Json>> {
    if document.get("openapi").is_some() {
        document["components"]["schemas"].as_object()
    } else if document.get("swagger").is_some() {
        document["definitions"].as_object()
    } else {
        None
    }
}

/// The newest version of a custom resource that is served.
fn custom_resource(document: &Json) -> Option<(String, Json)> {
    let spec = &document["spec"];
    let kind = spec["names"]["kind"].as_str()?;
    let versions = spec["versions"].as_array()?;
    let version =
        versions.iter().find(|version| version["storage"] == true).or_else(|| versions.first())?;
    Some((kind.to_owned(), version["schema"]["openAPIV3Schema"].clone()))
}
