//! From schema to types, before they are written down.

use crate::names::type_name;
use crate::values::{condition, literal};
use dax_syntax::ast::BinaryOp;
use dax_syntax::write::{Condition, Ident, Names, RecordField, Type};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// A named type with its description.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) doc: String,
    pub(crate) ty: Type,
    /// What could not be said.
    pub(crate) notes: Vec<String>,
}

/// All types of a schema, in the order in which they are found.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) all: Vec<(Ident, Named)>,
}

/// A schema that a type is made of.
struct Root {
    name: Ident,
    schema: Json,
}

/// The work under way.
struct Maker {
    roots: Vec<Root>,
    /// Roots by the name that the schema has for them, and by that of the type.
    known: BTreeMap<String, usize>,
    names: Names,
    done: Types,
    /// What is in `done`, by name.
    places: BTreeMap<Ident, usize>,
    /// Types being made, outermost first: one of these inside of itself is `any`.
    open: Vec<usize>,
    notes: Vec<String>,
}

/// A built-in type, or one of the standard library.
pub(crate) fn plain(word: &'static str) -> Type {
    Type::Name(word.into())
}

/// Whether it is the plain type of one of these names.
pub(crate) fn is_plain(ty: &Type, words: &[&str]) -> bool {
    matches!(ty, Type::Name(name) if words.contains(&name.as_str()))
}

/// A type that may be absent.
fn optional(ty: Type) -> Type {
    if matches!(ty, Type::Optional(_)) { ty } else { Type::Optional(Box::new(ty)) }
}

/// One of several types.
fn union(types: Vec<Type>) -> Type {
    let mut all: Vec<Type> = Vec::new();
    let mut literals = BTreeSet::new();
    for ty in types {
        let parts = if let Type::Union(parts) = ty { parts } else { vec![ty] };
        for part in parts {
            let new = match &part {
                Type::Literal(text) => literals.insert(text.clone()),
                other => !all.contains(other),
            };
            if new {
                all.push(part);
            }
        }
    }
    match all.len() {
        0 => plain("any"),
        1 => all.remove(0),
        _ => Type::Union(all),
    }
}

impl Types {
    /// The types of schemas, each with the name that it has there.
    pub(crate) fn of(roots: Vec<(String, Json)>) -> Self {
        let mut maker = Maker {
            roots: Vec::new(),
            known: BTreeMap::new(),
            names: Names::default(),
            done: Self::default(),
            places: BTreeMap::new(),
            open: Vec::new(),
            notes: Vec::new(),
        };
        for (at, (raw, schema)) in roots.into_iter().enumerate() {
            let wanted = type_name(&raw);
            let name = maker.names.claim(&[&wanted]);
            for key in [raw, wanted] {
                maker.known.entry(key).or_insert(at);
            }
            maker.roots.push(Root { name, schema });
        }
        for at in 0..maker.roots.len() {
            maker.root(at);
        }
        maker.done
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.all.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Keeps these types and what they need.
    pub(crate) fn keep(&mut self, only: &[String]) {
        let places: BTreeMap<&Ident, usize> =
            self.all.iter().enumerate().map(|(at, (name, _))| (name, at)).collect();
        let mut kept: BTreeSet<Ident> = BTreeSet::new();
        let mut open: Vec<Ident> =
            only.iter().map(|name| Ident::made_of(&type_name(name))).collect();
        while let Some(name) = open.pop() {
            if let Some(at) = places.get(&name)
                && kept.insert(name)
            {
                needs(&self.all[*at].1.ty, &mut open);
            }
        }
        self.all.retain(|(name, _)| kept.contains(name));
    }
}

fn needs(ty: &Type, into: &mut Vec<Ident>) {
    match ty {
        Type::Literal(_) | Type::Range(..) => {}
        Type::Name(name) => into.push(name.clone()),
        Type::Union(all) => all.iter().for_each(|one| needs(one, into)),
        Type::Optional(one) | Type::Of(_, one) | Type::Keyed(one, _) | Type::Where(one, _) => {
            needs(one, into)
        }
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
    fn root(&mut self, at: usize) {
        let name = self.roots[at].name.clone();
        if self.places.contains_key(&name) || self.open.contains(&at) {
            return;
        }
        let schema = self.roots[at].schema.clone();
        self.open.push(at);
        let notes = std::mem::take(&mut self.notes);
        let ty = self.ty(&schema, name.as_str(), true);
        let notes = std::mem::replace(&mut self.notes, notes);
        self.open.pop();
        self.add(name, Named { doc: description(&schema), ty, notes });
    }

    fn add(&mut self, name: Ident, named: Named) {
        self.places.insert(name.clone(), self.done.all.len());
        self.done.all.push((name, named));
    }

    /// The type of a schema; records below get names that begin with `path`.
    fn ty(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        let ty = self.bare(schema, path, top);
        let nullable = schema["nullable"] == true
            || schema["type"].as_array().is_some_and(|all| all.iter().any(|one| one == "null"));
        if nullable { optional(ty) } else { ty }
    }

    fn bare(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.reference(reference);
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return Type::Union(vec![plain("int"), plain("string")]);
        }
        if let Some(values) = schema["enum"].as_array() {
            return choices(values);
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
            Some("string") => self.string(schema),
            Some("integer") => range(schema, "int"),
            Some("number") => range(schema, "number"),
            Some("boolean") => plain("bool"),
            Some("null") => plain("none"),
            _ if schema.get("properties").is_some() => self.object(schema, path, top),
            _ => plain("any"),
        }
    }

    /// The root that a reference names.
    fn target(&self, reference: &str) -> Option<usize> {
        let raw = reference.rsplit('/').next().unwrap_or(reference);
        let name = raw.replace("~1", "/").replace("~0", "~");
        self.known.get(&name).or_else(|| self.known.get(&type_name(raw))).copied()
    }

    fn reference(&mut self, reference: &str) -> Type {
        let Some(at) = self.target(reference) else {
            self.notes.push(format!("`{reference}` is not in this file"));
            return plain("any");
        };
        let name = self.roots[at].name.clone();
        if self.open.contains(&at) {
            self.notes.push(format!("`{name}` holds itself; inside of it, it is `any`"));
            return plain("any");
        }
        self.root(at);
        Type::Name(name)
    }

    fn all_of(&mut self, all: &[Json], path: &str, top: bool) -> Type {
        if let [one] = all {
            return self.ty(one, path, top);
        }
        let mut merged = serde_json::json!({ "type": "object", "properties": {}, "required": [] });
        for part in all {
            let part = match part["$ref"].as_str() {
                Some(reference) => {
                    self.target(reference).map_or(&Json::Null, |at| &self.roots[at].schema)
                }
                None => part,
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
            let says = ["type", "properties", "$ref", "enum", "const"];
            if says.iter().all(|key| one.get(*key).is_none()) {
                continue;
            }
            let name = one["title"].as_str().map_or_else(
                || format!("{path}{}", at + 1),
                |title| format!("{path}{}", type_name(title)),
            );
            types.push(self.ty(one, &name, false));
        }
        let ty = union(types);
        if null { optional(ty) } else { ty }
    }

    fn object(&mut self, schema: &Json, path: &str, top: bool) -> Type {
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
        let Some(properties) =
            schema["properties"].as_object().filter(|properties| !properties.is_empty())
        else {
            return match &schema["additionalProperties"] {
                inner @ Json::Object(_) => {
                    let inner = self.ty(inner, &format!("{path}Value"), false);
                    Type::Of("Map".into(), Box::new(inner))
                }
                Json::Bool(false) => Type::Record(Vec::new(), false),
                _ => Type::Of("Map".into(), Box::new(plain("any"))),
            };
        };
        let required: BTreeSet<&str> = schema["required"]
            .as_array()
            .map(|all| all.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        let outer = std::mem::take(&mut self.notes);
        let mut fields = Vec::new();
        let mut left_out = Vec::new();
        for (name, property) in properties {
            match Ident::word(name) {
                Some(word) => {
                    fields.push(self.field(word, property, path, required.contains(name.as_str())));
                }
                None => left_out.push(name.as_str()),
            }
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
        let notes = std::mem::replace(&mut self.notes, outer);
        if top {
            self.notes.extend(notes);
            return record;
        }
        let name = self.names.claim(&[path]);
        self.add(name.clone(), Named { doc: description(schema), ty: record, notes });
        Type::Name(name)
    }

    fn field(&mut self, name: Ident, schema: &Json, path: &str, required: bool) -> RecordField {
        let below = format!("{path}{}", type_name(name.as_str()));
        let ty = self.ty(schema, &below, false);
        let given = schema.get("default").filter(|given| !given.is_null());
        let default = given.and_then(|given| literal(given, &ty));
        if let (Some(given), None) = (given, &default) {
            let shown: String = given.to_string().chars().take(60).collect();
            self.notes.push(format!("the default of `{name}` is left out: {shown}"));
        }
        let optional = !required && default.is_none();
        let ty = match ty {
            Type::Optional(inner) if optional => *inner,
            other => other,
        };
        RecordField { doc: description(schema), name, optional, ty, default }
    }

    fn array(&mut self, schema: &Json, path: &str) -> Type {
        let element = match &schema["items"] {
            items @ Json::Object(_) => {
                self.ty(items, path.strip_suffix('s').unwrap_or(&format!("{path}Item")), false)
            }
            _ => plain("any"),
        };
        let keys: Vec<&str> = schema["x-kubernetes-list-map-keys"]
            .as_array()
            .map(|all| all.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default();
        if let ([key], Some(fields)) = (keys.as_slice(), self.fields(&element)) {
            let own = fields.iter().find(|field| field.name.as_str() == *key);
            if let Some(key) = own.map(|field| field.name.clone()) {
                return Type::Keyed(Box::new(Type::Of("List".into(), Box::new(element))), key);
            }
            self.notes.push(format!("elements have no field `{key}` that tells them apart"));
        }
        let set = schema["uniqueItems"] == true || schema["x-kubernetes-list-type"] == "set";
        Type::Of(if set { "Set" } else { "List" }.into(), Box::new(element))
    }

    /// The fields of a record that is written by name.
    fn fields(&self, ty: &Type) -> Option<&[RecordField]> {
        let Type::Name(name) = ty else { return None };
        match &self.done.all[*self.places.get(name)?].1.ty {
            Type::Record(fields, _) => Some(fields),
            _ => None,
        }
    }

    fn string(&mut self, schema: &Json) -> Type {
        match schema["format"].as_str() {
            Some("uri" | "url") => return plain("Url"),
            Some("date-time") => return plain("Instant"),
            _ => {}
        }
        let mut conditions: Vec<Condition> =
            schema["pattern"].as_str().and_then(condition).into_iter().collect();
        if let Some(least) = schema["minLength"].as_u64().filter(|least| *least > 0) {
            conditions.push(Condition::Length(BinaryOp::GreaterEqual, least));
        }
        if let Some(most) = schema["maxLength"].as_u64() {
            conditions.push(Condition::Length(BinaryOp::LessEqual, most));
        }
        refined(plain("string"), conditions)
    }
}

fn refined(base: Type, conditions: Vec<Condition>) -> Type {
    if conditions.is_empty() { base } else { Type::Where(Box::new(base), conditions) }
}

fn choices(values: &[Json]) -> Type {
    let texts: Option<Vec<Type>> = values
        .iter()
        .filter(|value| !value.is_null())
        .map(|value| value.as_str().map(|text| Type::Literal(text.to_owned())))
        .collect();
    let ty = match texts {
        Some(all) if !all.is_empty() => union(all),
        _ if values.iter().all(Json::is_i64) => plain("int"),
        _ if values.iter().all(Json::is_boolean) => plain("bool"),
        _ => plain("any"),
    };
    if values.iter().any(Json::is_null) { optional(ty) } else { ty }
}

fn type_word(schema: &Json) -> Option<&str> {
    match &schema["type"] {
        Json::String(word) => Some(word),
        Json::Array(all) => all.iter().filter_map(Json::as_str).find(|word| *word != "null"),
        _ => None,
    }
}

fn range(schema: &Json, base: &'static str) -> Type {
    let bound = |key: &str| {
        schema[key].as_i64().or_else(|| {
            schema[key].as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e15).map(|f| f as i64)
        })
    };
    let refined = |op, bound| refined(plain(base), vec![Condition::Value(op, bound)]);
    match (bound("minimum"), bound("maximum")) {
        (Some(low), Some(high)) if low <= high => Type::Range(base.into(), low, high),
        (Some(low), None) => refined(BinaryOp::GreaterEqual, low),
        (None, Some(high)) => refined(BinaryOp::LessEqual, high),
        _ => plain(base),
    }
}
