//! Short ways into manifests.

use serde_json::Value as Json;

/// Objects by kind, of one namespace.
pub(crate) type Objects<'o> = std::collections::BTreeMap<&'o str, Vec<&'o Json>>;

/// The text at a pointer; empty where there is none.
pub(crate) fn text<'j>(json: &'j Json, pointer: &str) -> &'j str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// The list at a pointer; empty where there is none.
pub(crate) fn array<'j>(json: &'j Json, pointer: &str) -> &'j [Json] {
    json.pointer(pointer).and_then(Json::as_array).map_or(&[][..], Vec::as_slice)
}

/// The name of an object.
pub(crate) fn name(object: &Json) -> &str {
    text(object, "/metadata/name")
}

/// The namespace of an object.
pub(crate) fn namespace(object: &Json) -> &str {
    match text(object, "/metadata/namespace") {
        "" => "default",
        name => name,
    }
}

/// The objects of a kind.
pub(crate) fn of<'s, 'o>(objects: &'s Objects<'o>, kind: &str) -> &'s [&'o Json] {
    objects.get(kind).map_or(&[][..], Vec::as_slice)
}
