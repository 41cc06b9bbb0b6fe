//! From schema to types, before they are written down.

use crate::names::{is_ident, type_name};
use dax_syntax::quoted;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a `pattern` beyond which it is left to the system that owns the schema.
const LONGEST_PATTERN: usize = 200;

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// A built-in type, or one of the standard library.
    Plain(&'static str),
    /// A type that is written down by name.
    Named(String),
    Literal(String),
    Union(Vec<Type>),
    Optional(Box<Type>),
    List(Box<Type>),
    Set(Box<Type>),
    /// A list with the field that tells its elements apart.
    Keyed(Box<Type>, String),
    Map(Box<Type>),
    /// Bounds, both included.
    Range(&'static str, String, String),
    /// A condition on `self`.
    Where(Box<Type>, String),
    Record(Vec<Field>, bool),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) optional: bool,
    pub(crate) ty: Type,
    pub(crate) default: Option<String>,
}

/// A named type with its description.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) doc: String,
    pub(crate) ty: Type,
    /// What could not be said.
    pub(crate) notes: Vec<String>,
}

/// All types of a schema, in the order in which they are found.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) all: Vec<(String, Named)>,
}

/// The work under way.
struct Maker {
    roots: BTreeMap<String, Json>,
    done: Types,
    /// Types being made, outermost first: one of these inside of itself is `any`.
    open: Vec<String>,
    notes: Vec<String>,
}

impl Types {
    pub(crate) fn of(roots: Vec<(String, Json)>) -> Self {
        let names: Vec<String> = roots.iter().map(|(name, _)| name.clone()).collect();
        let mut maker = Maker {
            roots: roots.into_iter().collect(),
            done: Self::default(),
            open: Vec::new(),
            notes: Vec::new(),
        };
        for name in names {
            maker.root(&name);
        }
        maker.done
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.all.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Keeps these types and what they need.
    pub(crate) fn keep(&mut self, only: &[String]) {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<String> = only.iter().map(|name| type_name(name)).collect();
        while let Some(name) = open.pop() {
            if kept.insert(name.clone())
                && let Some((_, named)) = self.all.iter().find(|(known, _)| *known == name)
            {
                needs(&named.ty, &mut open);
            }
        }
        self.all.retain(|(name, _)| kept.contains(name));
    }
}

fn needs(ty: &Type, into: &mut Vec<String>) {
    match ty {
        Type::Plain(_) | Type::Literal(_) | Type::Range(..) => {}
        Type::Named(name) => into.push(name.clone()),
        Type::Union(all) => all.iter().for_each(|one| needs(one, into)),
        Type::Optional(one)
        | Type::List(one)
        | Type::Set(one)
        | Type::Keyed(one, _)
        | Type::Map(one)
        | Type::Where(one, _) => needs(one, into),
        Type::Record(fields, _) => fields.iter().for_each(|field| needs(&field.ty, into)),
    }
}

fn description(schema: &Json) -> String {
    schema["description"]
        .as_str()
        .or_else(|| schema["title"].as_str())
        .unwrap_or("")
        .trim()
        .to_owned()
}

impl Maker {
    fn root(&mut self, name: &str) {
        if self.done.all.iter().any(|(known, _)| known == name)
            || self.open.iter().any(|open| open == name)
        {
            return;
        }
        let Some(schema) = self.roots.get(name).cloned() else { return };
        self.open.push(name.to_owned());
        let notes = std::mem::take(&mut self.notes);
        let ty = self.ty(&schema, name, true);
        let notes = std::mem::replace(&mut self.notes, notes);
        self.open.pop();
        self.done.all.push((name.to_owned(), Named { doc: description(&schema), ty, notes }));
    }

    /// The type of a schema; records below get names that begin with `path`.
    fn ty(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        let ty = self.bare(schema, path, top);
        let nullable = schema["nullable"] == true
            || schema["type"].as_array().is_some_and(|all| all.iter().any(|one| one == "null"));
        if nullable && !matches!(ty, Type::Optional(_)) { Type::Optional(Box::new(ty)) } else { ty }
    }

    fn bare(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.reference(reference);
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return Type::Union(vec![Type::Plain("int"), Type::Plain("string")]);
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.choices(values);
        }
        if let Some(value) = schema["const"].as_str() {
            return Type::Literal(value.to_owned());
        }
        if let Some(all) = schema["allOf"].as_array()
            && schema.get("properties").is_none()
        {
            return self.all_of(all, path, top);
        }
        for key in ["oneOf", "anyOf"] {
            if let (Some(all), None) = (schema[key].as_array(), schema.get("properties")) {
                return self.one_of(all, path);
            }
        }
        match type_word(schema) {
            Some("object") => self.object(schema, path, top),
            Some("array") => self.array(schema, path),
            Some("string") => string(schema),
            Some("integer") => range(schema, "int"),
            Some("number") => range(schema, "number"),
            Some("boolean") => Type::Plain("bool"),
            Some("null") => Type::Plain("none"),
            _ if schema.get("properties").is_some() => self.object(schema, path, top),
            _ => Type::Plain("any"),
        }
    }

    fn reference(&mut self, reference: &str) -> Type {
        let name = type_name(reference.rsplit('/').next().unwrap_or(reference));
        if self.open.contains(&name) {
            self.notes.push(format!("`{name}` holds itself; inside of it, it is `any`"));
            return Type::Plain("any");
        }
        if !self.roots.contains_key(&name) {
            self.notes.push(format!("`{reference}` is not in this file"));
            return Type::Plain("any");
        }
        self.root(&name);
        Type::Named(name)
    }

    fn choices(&mut self, values: &[Json]) -> Type {
        let texts: Option<Vec<Type>> = values
            .iter()
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().map(|text| Type::Literal(text.to_owned())))
            .collect();
        let null = values.iter().any(Json::is_null);
        let ty = match texts {
            Some(mut all) if all.len() == 1 => all.remove(0),
            Some(all) if !all.is_empty() => Type::Union(all),
            _ if values.iter().all(Json::is_i64) => Type::Plain("int"),
            _ if values.iter().all(Json::is_boolean) => Type::Plain("bool"),
            _ => Type::Plain("any"),
        };
        if null { Type::Optional(Box::new(ty)) } else { ty }
    }

    fn all_of(&mut self, all: &[Json], path: &str, top: bool) -> Type {
        if let [one] = all {
            return self.ty(one, path, top);
        }
        let mut merged = serde_json::json!({ "type": "object", "properties": {}, "required": [] });
        for part in all {
            let part = match part["$ref"].as_str() {
                Some(reference) => {
                    let name = type_name(reference.rsplit('/').next().unwrap_or(reference));
                    self.roots.get(&name).cloned().unwrap_or(Json::Null)
                }
                None => part.clone(),
            };
            if let (Some(into), Some(from)) =
                (merged["properties"].as_object_mut(), part["properties"].as_object())
            {
                into.extend(from.clone());
            }
            if let (Some(into), Some(from)) =
                (merged["required"].as_array_mut(), part["required"].as_array())
            {
                into.extend(from.iter().cloned());
            }
        }
        self.object(&merged, path, top)
    }

    fn one_of(&mut self, all: &[Json], path: &str) -> Type {
        let null = all.iter().any(|one| one["type"] == "null");
        let mut types: Vec<Type> = Vec::new();
        for (at, one) in all.iter().filter(|one| one["type"] != "null").enumerate() {
            // An alternative that only says which fields are required adds nothing to the type.
            if one.get("type").is_none()
                && one.get("properties").is_none()
                && one.get("$ref").is_none()
                && one.get("enum").is_none()
                && one.get("const").is_none()
            {
                continue;
            }
            let name = one["title"].as_str().map_or_else(
                || format!("{path}{}", at + 1),
                |title| format!("{path}{}", type_name(title)),
            );
            let ty = self.ty(one, &name, false);
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        let ty = match types.len() {
            0 => Type::Plain("any"),
            1 => types.remove(0),
            _ => Type::Union(types),
        };
        if null { Type::Optional(Box::new(ty)) } else { ty }
    }

    fn object(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let Some(properties) =
            schema["properties"].as_object().filter(|properties| !properties.is_empty())
        else {
            return match &schema["additionalProperties"] {
                inner @ Json::Object(_) => {
                    Type::Map(Box::new(self.ty(inner, &format!("{path}Value"), false)))
                }
                Json::Bool(false) => Type::Record(Vec::new(), false),
                _ => Type::Map(Box::new(Type::Plain("any"))),
            };
        };
        let required: Vec<&str> = schema["required"]
            .as_array()
            .map(|all| all.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        let mut fields = Vec::new();
        let mut left_out = Vec::new();
        for (name, property) in properties {
            if !is_ident(name) {
                left_out.push(name.as_str());
                continue;
            }
            let ty = self.ty(property, &format!("{path}{}", type_name(name)), false);
            let default = property.get("default").and_then(|value| literal(value, &ty));
            let optional = !required.contains(&name.as_str()) && default.is_none();
            let ty = match ty {
                Type::Optional(inner) if optional => *inner,
                other => other,
            };
            fields.push(Field {
                name: name.clone(),
                doc: description(property),
                optional,
                ty,
                default,
            });
        }
        if !left_out.is_empty() {
            self.notes.push(format!(
                "fields whose names dax cannot write are left out: {}",
                left_out.join(", ")
            ));
        }
        let extra = open
            || !left_out.is_empty()
            || matches!(
                schema.get("additionalProperties"),
                Some(Json::Bool(true) | Json::Object(_))
            );
        let record = Type::Record(fields, extra);
        if top {
            return record;
        }
        let mut name = path.to_owned();
        let taken = |name: &str, done: &Types, roots: &BTreeMap<String, Json>| {
            done.all.iter().any(|(known, _)| known == name) || roots.contains_key(name)
        };
        while taken(&name, &self.done, &self.roots) {
            name.push('_');
        }
        let notes = std::mem::take(&mut self.notes);
        self.done.all.push((name.clone(), Named { doc: description(schema), ty: record, notes }));
        Type::Named(name)
    }

    fn array(&mut self, schema: &Json, path: &str) -> Type {
        let element = match &schema["items"] {
            items @ Json::Object(_) => {
                self.ty(items, path.strip_suffix('s').unwrap_or(&format!("{path}Item")), false)
            }
            _ => Type::Plain("any"),
        };
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .map(|all| all.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        match keys.as_slice() {
            [key] if matches!(element, Type::Named(_)) => {
                Type::Keyed(Box::new(element), (*key).to_owned())
            }
            _ if schema["uniqueItems"] == true || schema["x-kubernetes-list-type"] == "set" => {
                Type::Set(Box::new(element))
            }
            _ => Type::List(Box::new(element)),
        }
    }
}

fn type_word(schema: &Json) -> Option<&str> {
    match &schema["type"] {
        Json::String(word) => Some(word),
        Json::Array(all) => all.iter().filter_map(Json::as_str).find(|word| *word != "null"),
        _ => None,
    }
}

fn string(schema: &Json) -> Type {
    let plain = match schema["format"].as_str() {
        Some("uri" | "url") => return Type::Plain("Url"),
        Some("date-time") => return Type::Plain("Instant"),
        _ => Type::Plain("string"),
    };
    let mut conditions = Vec::new();
    if let Some(pattern) = schema["pattern"]
        .as_str()
        .filter(|pattern| pattern.len() <= LONGEST_PATTERN && is_portable(pattern))
    {
        conditions.push(format!("matches(self, {})", quoted(pattern)));
    }
    if let Some(least) = schema["minLength"].as_u64().filter(|least| *least > 0) {
        conditions.push(format!("length(self) >= {least}"));
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        conditions.push(format!("length(self) <= {most}"));
    }
    if conditions.is_empty() {
        plain
    } else {
        Type::Where(Box::new(plain), conditions.join(" and "))
    }
}

/// Whether a pattern of ECMA-262 means the same here: look-around and back references do not exist.
fn is_portable(pattern: &str) -> bool {
    !["(?=", "(?!", "(?<", "\\1", "\\2", "\\/", "\\p", "\\u"]
        .iter()
        .any(|part| pattern.contains(part))
}

fn range(schema: &Json, base: &'static str) -> Type {
    let bound = |key: &str| {
        schema[key].as_i64().or_else(|| {
            schema[key].as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e15).map(|f| f as i64)
        })
    };
    match (bound("minimum"), bound("maximum"), base) {
        (Some(low), Some(high), _) if low <= high => {
            Type::Range(base, low.to_string(), high.to_string())
        }
        (Some(low), None, _) => Type::Where(Box::new(Type::Plain(base)), format!("self >= {low}")),
        (None, Some(high), _) => {
            Type::Where(Box::new(Type::Plain(base)), format!("self <= {high}"))
        }
        _ => Type::Plain(base),
    }
}

/// A default as dax writes it; nothing for what its type would not take.
fn literal(value: &Json, ty: &Type) -> Option<String> {
    Some(match (value, ty) {
        (Json::Bool(value), Type::Plain("bool" | "any")) => value.to_string(),
        (
            Json::Number(number),
            Type::Plain("int" | "any") | Type::Range("int", ..) | Type::Where(..),
        ) if number.is_i64() => number.to_string(),
        (Json::Number(number), Type::Plain("number") | Type::Range("number", ..)) => {
            number.to_string()
        }
        (
            Json::String(text),
            Type::Plain("string" | "any" | "Url" | "Instant") | Type::Where(..),
        ) => quoted(text),
        (Json::String(text), Type::Literal(literal)) if text == literal => quoted(text),
        (Json::String(text), Type::Union(all)) if all.contains(&Type::Literal(text.clone())) => {
            quoted(text)
        }
        (Json::Array(items), Type::List(_) | Type::Set(_)) if items.is_empty() => "[]".to_owned(),
        (Json::Object(map), Type::Map(_)) if map.is_empty() => "{}".to_owned(),
        _ => return None,
    })
}
