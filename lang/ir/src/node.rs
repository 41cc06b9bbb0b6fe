//! Values with provenance.

use dax_core::{Name, Span, Unknown, Value};
use std::collections::BTreeMap;

/// How strong the rule was that set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The default of a type.
    Type,
    /// `default`.
    Default,
    /// No mark.
    Plain,
    /// `override`.
    Override,
    /// `sealed`.
    Sealed,
}

/// Which rule set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The default of a type.
    Type,
    /// The item itself.
    Item,
    /// `patch` of an imported module's service.
    Patch,
    /// `set` in an environment.
    Set,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The expression.
    pub span: Span,
    /// Its strength.
    pub layer: Layer,
    /// The rule.
    pub via: Via,
}

/// A value tree with an origin at every node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub data: Data,
    /// Where it came from.
    pub origin: Origin,
}

/// A leaf, a list or a map.
#[derive(Clone, Debug)]
pub enum Data {
    /// A value that is neither list nor map.
    Leaf(Value),
    /// A list.
    List(Vec<Node>),
    /// A map or record by key.
    Map(BTreeMap<Name, Node>),
}

impl Node {
    /// A leaf.
    pub fn leaf(value: Value, origin: Origin) -> Self {
        Self { data: Data::Leaf(value), origin }
    }

    /// The same value without provenance.
    pub fn value(&self) -> Value {
        match &self.data {
            Data::Leaf(value) => value.clone(),
            Data::List(items) => Value::List(items.iter().map(Self::value).collect()),
            Data::Map(map) => {
                Value::Map(map.iter().map(|(key, item)| (key.clone(), item.value())).collect())
            }
        }
    }

    /// The first value in it that is not known yet.
    pub fn value_unknown(&self) -> Option<Unknown> {
        match &self.data {
            Data::Leaf(Value::Unknown(unknown)) => Some((**unknown).clone()),
            Data::Leaf(_) => None,
            Data::List(items) => items.iter().find_map(Self::value_unknown),
            Data::Map(map) => map.values().find_map(Self::value_unknown),
        }
    }

    /// The field of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The node at a dotted path.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The value of a leaf.
    pub fn as_leaf(&self) -> Option<&Value> {
        match &self.data {
            Data::Leaf(value) => Some(value),
            _ => None,
        }
    }
}
