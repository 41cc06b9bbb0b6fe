//! Objects that belong to no service, as resources: what the server adds to them is left out.

use crate::amounts::number;
use dax_syntax::write::{Expr, Ident, Item, Layout, Member, command, field};
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
/// Values nest this deep at most, so that the program around them is no deeper than the language
/// allows.
const DEEPEST: usize = dax_syntax::split::MAX_DEPTH - 8;

/// The item of an object; `item` is what the program calls it.
///
/// # Errors
/// Why the object has no place in a program.
pub(crate) fn resource(item: &Ident, object: &Json) -> Result<Item, String> {
    if holds_secret(object) {
        return Err("it holds a Secret, whose values belong in no program".to_owned());
    }
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| *name != "status");
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for (name, value) in fields {
        let value = if name == "metadata" { metadata(item, value) } else { value.clone() };
        if empty(&value) {
            continue;
        }
        let word = Ident::word(name)
            .ok_or_else(|| format!("no program can have a field of the name `{name}`"))?;
        let member = field(word, expression(&value, 0)?);
        if ["apiVersion", "kind"].contains(&name.as_str()) {
            first.push(member);
        } else {
            rest.push(member);
        }
    }
    let kind = Expr::Path(vec!["kubernetes".into(), "object".into()]);
    let members: Vec<Member> = first.into_iter().chain(rest).collect();
    Ok(Item::plain(command("resource", [kind, Expr::name(item.clone())]).block(members)))
}

fn empty(value: &Json) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Whether the values of a Secret stand somewhere in it, as in the lists and templates of other
/// tools.
fn holds_secret(json: &Json) -> bool {
    match json {
        Json::Object(map) => {
            let secret = map.get("kind").and_then(Json::as_str) == Some("Secret");
            (secret && (map.contains_key("data") || map.contains_key("stringData")))
                || map.values().any(holds_secret)
        }
        Json::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

/// Name, labels and annotations as somebody wrote them.
fn metadata(item: &Ident, metadata: &Json) -> Json {
    let Some(mut kept) = metadata.as_object().cloned() else { return Json::Null };
    kept.retain(|name, _| !ADDED.contains(&name.as_str()));
    if let Some(annotations) = kept.get_mut("annotations").and_then(Json::as_object_mut) {
        annotations.remove(COPY);
    }
    // A name of the program stands for itself, with dashes.
    if kept.get("name").and_then(Json::as_str) == Some(&called(item)) {
        kept.remove("name");
    }
    kept.retain(|_, value| !empty(value));
    Json::Object(kept)
}

/// What runs is called so, by the name of its item.
pub(crate) fn called(item: &Ident) -> String {
    item.as_str().to_lowercase().replace('_', "-")
}

/// JSON as an expression; what is null in a map is left out.
fn expression(value: &Json, depth: usize) -> Result<Expr, String> {
    if depth > DEEPEST {
        return Err(format!("its values nest deeper than {DEEPEST} times"));
    }
    Ok(match value {
        Json::Null => Expr::None,
        Json::Bool(value) => Expr::Bool(*value),
        Json::String(text) => Expr::str(text),
        Json::Number(digits) => number(digits)
            .ok_or_else(|| format!("its number {digits} is more than a program can hold"))?,
        Json::Array(items) => {
            let flat = items.iter().all(|item| !item.is_object() && !item.is_array());
            let items = items.iter().map(|item| expression(item, depth + 1));
            let layout = if flat { Layout::Inline } else { Layout::Lines };
            Expr::List(items.collect::<Result<_, _>>()?, layout)
        }
        Json::Object(map) => {
            let entries = map.iter().filter(|(_, value)| !value.is_null());
            let entries =
                entries.map(|(name, value)| Ok((name.clone(), expression(value, depth + 1)?)));
            Expr::Map(entries.collect::<Result<_, String>>()?, Layout::Lines)
        }
    })
}
