//! Plain values: what providers, plans and state files exchange.
//!
//! A secret is only ever a reference with a keyed fingerprint here; its value has no place in this type.

use crate::{Name, Quantity};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a secret's value is found, and a keyed fingerprint of it so that a change can be noticed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// The name of the `secret` item.
    pub name: Name,
    /// The source: `env` or `file`.
    pub source: Name,
    /// The variable or path.
    pub key: Name,
    /// Keyed hash of the value, empty until it was read.
    #[serde(default, skip_serializing_if = "Name::is_empty")]
    pub fingerprint: Name,
    /// For a text made of secrets: its pieces. The source is `template` then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SecretPart>,
}

impl SecretRef {
    /// The key of its value among others: all that the value is made of, since names are shared: a
    /// text made of one secret bears the name of that secret, and modules may use one name twice.
    pub fn value_key(&self) -> Name {
        let mut text = String::new();
        self.write_key(&mut text);
        text.into()
    }

    fn write_key(&self, into: &mut String) {
        // Quoted, so that no text can be taken for the end of a piece and the next one.
        if self.parts.is_empty() {
            into.push_str(&format!("{:?}:{:?}", self.source, self.key));
            return;
        }
        into.push('[');
        for part in &self.parts {
            match part {
                SecretPart::Text(text) => into.push_str(&format!("{text:?}")),
                SecretPart::Secret(inner) => inner.write_key(into),
            }
            into.push(',');
        }
        into.push(']');
    }
}

/// A piece of a text made of secrets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPart {
    /// As it stands; part of the program, hence no secret.
    Text(Name),
    /// A secret.
    Secret(SecretRef),
}

/// A value that is not known yet, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unknown {
    /// The output that will be known, `service.web.url`.
    pub cause: Name,
    /// Its type, as the language writes it.
    #[serde(rename = "type")]
    pub type_name: Name,
}

/// A value without provenance.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// The absent value of an optional.
    #[default]
    None,
    /// Clears a field that a provider can clear.
    Unset,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A number with a unit.
    Quantity(Quantity),
    /// Text.
    Str(Name),
    /// The address of another item, `service.web`.
    Ref(Name),
    /// A secret, by reference.
    Secret(Box<SecretRef>),
    /// Known only while the plan is carried out.
    Unknown(Box<Unknown>),
    /// A list.
    List(Vec<Value>),
    /// A map or record, by key.
    Map(BTreeMap<Name, Value>),
}

impl Value {
    /// A text value.
    pub fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Name::new(text))
    }

    /// The field of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Ref(text) => Some(text),
            _ => None,
        }
    }

    /// The number of an integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, or the number of base units, as far as a float holds it.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => number.to_string().parse().ok(),
            Self::Quantity(quantity) => quantity.base.to_string().parse().ok(),
            Self::Decimal(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    /// Milliseconds of a duration.
    pub fn as_millis(&self) -> Option<u64> {
        match self {
            Self::Quantity(quantity) => Some(quantity.millis()),
            _ => None,
        }
    }

    /// The elements of a list; none for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Self)> {
        let map = match self {
            Self::Map(map) => Some(map),
            _ => None,
        };
        map.into_iter().flatten()
    }

    /// The first unknown value in it, if there is one.
    pub fn unknown(&self) -> Option<&Unknown> {
        match self {
            Self::Unknown(unknown) => Some(unknown),
            Self::List(items) => items.iter().find_map(Self::unknown),
            Self::Map(map) => map.values().find_map(Self::unknown),
            _ => None,
        }
    }

    /// Every secret below this value.
    pub fn secrets<'a>(&'a self, into: &mut Vec<&'a SecretRef>) {
        match self {
            Self::Secret(secret) => into.push(secret),
            Self::List(items) => items.iter().for_each(|item| item.secrets(into)),
            Self::Map(map) => map.values().for_each(|item| item.secrets(into)),
            _ => {}
        }
    }

    /// Plain JSON as other tools read it: quantities as text, secrets as `{"secret": "env:NAME"}`.
    pub fn shape(&self) -> Shape<'_> {
        Shape(self)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Unset => f.write_str("unset"),
            Self::Unknown(unknown) => write!(f, "(known after {})", unknown.cause),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::Quantity(value) => write!(f, "{value}"),
            Self::Str(text) => write!(f, "{text:?}"),
            Self::Ref(addr) => f.write_str(addr),
            Self::Secret(secret) => write!(f, "secret {}", secret.name),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (i, (key, item)) in map.iter().enumerate() {
                    write!(f, "{} {key}: {item}", if i == 0 { "" } else { "," })?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Serialises a [`Value`] the way a reader of plain JSON expects it.
pub struct Shape<'a>(&'a Value);

impl Serialize for Shape<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        match self.0 {
            Value::None | Value::Unset => serializer.serialize_none(),
            Value::Unknown(unknown) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("unknown", &unknown.cause)?;
                map.end()
            }
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Decimal(value) => serializer.collect_str(value),
            Value::Quantity(value) => serializer.collect_str(value),
            Value::Str(text) | Value::Ref(text) => serializer.serialize_str(text),
            Value::Secret(secret) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("secret", &format!("{}:{}", secret.source, secret.key))?;
                map.end()
            }
            Value::List(items) => serializer.collect_seq(items.iter().map(Shape)),
            Value::Map(map) => {
                serializer.collect_map(map.iter().map(|(key, value)| (key, Shape(value))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(key: &str, parts: Vec<SecretPart>) -> SecretRef {
        let source = if parts.is_empty() { "env" } else { "template" }.into();
        SecretRef {
            name: "tok".into(),
            source,
            key: key.into(),
            fingerprint: Name::default(),
            parts,
        }
    }

    #[test]
    fn values_of_one_name_have_keys_of_their_own() {
        let text = |text: &str| SecretPart::Text(text.into());
        let plain = |key: &str| secret(key, Vec::new());
        let inner = |key: &str| SecretPart::Secret(plain(key));
        let file = SecretRef { source: "file".into(), ..plain("A") };
        let all = [
            plain("A"),
            plain("B"),
            file,
            secret("tok", vec![inner("A")]),
            secret("tok", vec![inner("B")]),
            secret("tok", vec![text("w-"), inner("A")]),
            secret("tok", vec![inner("A"), text("w-")]),
            secret("tok", vec![text("\"env\":\"A\"")]),
            secret("tok", vec![text("a\",\"b")]),
            secret("tok", vec![text("a"), text("b")]),
        ];
        let keys: std::collections::BTreeSet<Name> = all.iter().map(SecretRef::value_key).collect();
        assert_eq!(keys.len(), all.len(), "{keys:?}");
        // A value that changed is found under its key all the same.
        let changed = SecretRef { fingerprint: "0f".into(), ..plain("A") };
        assert_eq!(changed.value_key(), plain("A").value_key());
    }
}
