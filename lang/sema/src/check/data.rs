//! The types of data that files hold.

use crate::context::Context;
use crate::program::ModuleId;
use crate::ty::{FieldType, Record, Type};
use dax_core::{Name, Value};
use dax_ir::{Data, Node};
use std::sync::Arc;

impl<'a> Context<'a> {
    /// The type of a file's content; one that could not be read was reported.
    pub(super) fn data_type(&self, module: ModuleId, path: &Name) -> Type<'a> {
        self.program.modules[module.0]
            .data
            .get(path)
            .map_or(Type::Error, |node| type_of(node, module))
    }
}

/// The type of a value by its structure.
pub(super) fn type_of<'a>(node: &Node, module: ModuleId) -> Type<'a> {
    match &node.data {
        Data::Leaf(value) => match value {
            Value::Str(_) => Type::String,
            other => literal(other),
        },
        Data::List(items) => {
            let element = items.iter().map(|item| type_of(item, module)).reduce(Type::join);
            Type::List(Arc::new(element.unwrap_or(Type::Error)))
        }
        Data::Map(map) => {
            let fields = map.iter().map(|(key, item)| {
                (key.clone(), FieldType::plain(type_of(item, module), item.origin.span))
            });
            Type::Record(Arc::new(Record {
                name: None,
                fields: fields.collect(),
                open: false,
                module,
            }))
        }
    }
}

/// The type of a constant.
pub(super) fn literal<'a>(value: &Value) -> Type<'a> {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Decimal(_) => Type::Number,
        Value::Quantity(quantity) => Type::Unit(quantity.unit),
        Value::Str(text) => Type::Literal(text.clone()),
        Value::None => Type::None,
        Value::Unset => Type::Unset,
        _ => Type::Error,
    }
}
