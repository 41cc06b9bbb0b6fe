//! Values against their types: refinements hold, defaults are filled in, nothing required is missing.

use super::{Eval, Evaluator, Scope, Stop};
use crate::ty::{Record, Type};
use crate::{codes, operators};
use dax_core::{Diagnostic, Value};
use dax_ir::{Data, Layer, Node, Origin, Via};
use std::sync::Arc;

impl<'a> Evaluator<'_, 'a> {
    /// The value as its type wants it.
    pub(super) fn conform(&self, node: Node, ty: &Type<'a>) -> Eval<Node> {
        match ty {
            Type::Optional(inner) => match node.as_leaf() {
                Some(Value::None) => Ok(node),
                _ => self.conform(node, inner),
            },
            Type::Range(base, low, high) => {
                let node = self.conform(node, base)?;
                let value = node.as_leaf().ok_or(Stop)?;
                if operators::compare(value, low).is_lt() || operators::compare(value, high).is_gt() {
                    return self.fail(codes::REFINEMENT, node.origin.span, format!("`{value}` is not within {low}..{high}"));
                }
                Ok(node)
            }
            Type::Where(base, condition, module) => {
                let node = self.conform(node, base)?;
                let mut scope = Scope::of(*module);
                scope.locals.push(("self".into(), node.clone()));
                if self.eval(condition, &mut scope)?.as_leaf() != Some(&Value::Bool(true)) {
                    let detail = format!("`{}` does not meet the condition of its type", node.value());
                    let diagnostic = Diagnostic::new(codes::REFINEMENT, node.origin.span, detail);
                    self.report(diagnostic.related(condition.span, "the condition is here"));
                    return Err(Stop);
                }
                Ok(node)
            }
            Type::Record(record) => self.conform_record(node, record),
            Type::List(element) => match node.data {
                Data::List(items) => {
                    let items = items.into_iter().map(|item| self.conform(item, element)).collect::<Eval<_>>()?;
                    Ok(Node { data: Data::List(items), origin: node.origin })
                }
                _ => Err(Stop),
            },
            Type::Map(element) => match node.data {
                Data::Map(map) => {
                    let map = map.into_iter().map(|(key, item)| Ok((key, self.conform(item, element)?))).collect::<Eval<_>>()?;
                    Ok(Node { data: Data::Map(map), origin: node.origin })
                }
                _ => Err(Stop),
            },
            Type::Union(all) => match all.iter().find(|one| holds(one, &node)) {
                Some(one) => self.conform(node, one),
                None => Err(Stop),
            },
            other => {
                if holds(other, &node) {
                    Ok(node)
                } else {
                    Err(Stop)
                }
            }
        }
    }

    fn conform_record(&self, node: Node, record: &Arc<Record<'a>>) -> Eval<Node> {
        let Data::Map(mut given) = node.data else { return Err(Stop) };
        let mut failed = false;
        let mut complete = std::collections::BTreeMap::new();
        for (name, field) in &record.fields {
            let value = match (given.remove(name), field.default) {
                (Some(value), _) => self.conform(value, &field.ty),
                (None, Some(default)) => self.eval(default, &mut Scope::of(record.module)).and_then(|mut value| {
                    stamp_all(&mut value, Origin { span: default.span, layer: Layer::Type, via: Via::Type });
                    self.conform(value, &field.ty)
                }),
                (None, None) if field.optional || matches!(field.ty, Type::Optional(_)) => {
                    Ok(Node::leaf(Value::None, Origin { span: field.span, layer: Layer::Type, via: Via::Type }))
                }
                (None, None) => {
                    let diagnostic = Diagnostic::new(codes::MISSING_FIELD, node.origin.span, format!("`{name}: {}` is missing", field.ty));
                    self.report(diagnostic.related(field.span, "it is declared here"));
                    Err(Stop)
                }
            };
            match value {
                Ok(value) => {
                    complete.insert(name.clone(), value);
                }
                Err(Stop) => failed = true,
            }
        }
        if record.open {
            complete.append(&mut given);
        }
        if failed || !given.is_empty() {
            return Err(Stop);
        }
        Ok(Node { data: Data::Map(complete), origin: node.origin })
    }
}

fn stamp_all(node: &mut Node, origin: Origin) {
    node.origin = origin;
    match &mut node.data {
        Data::Leaf(_) => {}
        Data::List(items) => items.iter_mut().for_each(|item| stamp_all(item, origin)),
        Data::Map(map) => map.values_mut().for_each(|item| stamp_all(item, origin)),
    }
}

/// Whether a value is of a type, refinements aside.
fn holds(ty: &Type<'_>, node: &Node) -> bool {
    match (ty.core(), &node.data) {
        (Type::Error, _) => false,
        (Type::Any, _)
        | (Type::List(_), Data::List(_))
        | (Type::Map(_) | Type::Record(_) | Type::Query | Type::Condition, Data::Map(_)) => true,
        (Type::Union(all), _) => all.iter().any(|one| holds(one, node)),
        (ty, Data::Leaf(value)) => match (ty, value) {
            (Type::None, Value::None)
            | (Type::Bool, Value::Bool(_))
            | (Type::Int, Value::Int(_))
            | (Type::Number, Value::Int(_) | Value::Decimal(_))
            | (Type::String, Value::Str(_))
            | (Type::Secret(_), Value::Secret(_))
            | (Type::Ref(_), Value::Ref(_)) => true,
            (Type::Unit(unit), Value::Quantity(quantity)) => quantity.unit == *unit,
            (Type::Literal(text), Value::Str(have)) => text == have,
            _ => false,
        },
        _ => false,
    }
}
