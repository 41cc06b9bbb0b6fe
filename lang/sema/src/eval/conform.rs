//! Values against their types: refinements hold, defaults are filled in, nothing required is missing.

use super::{Eval, Evaluator, Scope, Stop};
use crate::natives;
use crate::ty::{Record, Type};
use crate::{codes, operators};
use dax_core::{Diagnostic, Name, Value};
use dax_ir::{Data, Layer, Node, Origin, Via};
use dax_syntax::ast::{Expr, ExprKind};
use std::rc::Rc;
use std::sync::Arc;

/// Whether values of a type are held against a condition of it.
pub(super) fn has_condition(ty: &Type<'_>) -> bool {
    match ty {
        Type::Range(..) | Type::Where(..) => true,
        Type::Named(_, inner) | Type::Optional(inner) | Type::Phase(_, inner) => {
            has_condition(inner)
        }
        Type::Union(all) => all.iter().any(has_condition),
        _ => false,
    }
}

/// Whether a value that the checker let pass is as the type wants it, without a look.
fn is_trivial(ty: &Type<'_>) -> bool {
    match ty {
        Type::Var(_) | Type::Bool | Type::Int | Type::String | Type::Unit(_) | Type::Number => true,
        Type::List(inner) | Type::Set(inner) | Type::Map(inner) => is_trivial(inner),
        _ => false,
    }
}

impl<'a> Evaluator<'_, 'a> {
    /// The same as [`Self::conform`], without a copy where nothing has to change.
    pub(super) fn conform_shared(&self, node: Rc<Node>, ty: &Type<'a>) -> Eval<Rc<Node>> {
        if is_trivial(ty) && holds(ty, &node) {
            return Ok(node);
        }
        let copy = match Rc::try_unwrap(node) {
            Ok(own) => own,
            Err(shared) => self.copy(&shared, shared.origin.span)?,
        };
        self.conform(copy, ty).map(Rc::new)
    }

    /// The value as its type wants it.
    pub(super) fn conform(&self, node: Node, ty: &Type<'a>) -> Eval<Node> {
        if matches!(node.as_leaf(), Some(Value::Unknown(_))) {
            return Ok(node);
        }
        match ty {
            Type::Optional(inner) => match node.as_leaf() {
                Some(Value::None) => Ok(node),
                _ => self.conform(node, inner),
            },
            Type::Phase(_, inner) => self.conform(node, inner),
            Type::Named(name, inner) => match &**inner {
                Type::Where(base, condition, module) => {
                    self.conform_where(node, base, condition, *module, Some(name))
                }
                other => self.conform(node, other),
            },
            Type::Range(base, low, high) => {
                let node = self.conform(node, base)?;
                let value = node.as_leaf().ok_or(Stop)?;
                if operators::compare(value, low).is_lt() || operators::compare(value, high).is_gt()
                {
                    return self.fail(
                        codes::REFINEMENT,
                        node.origin.span,
                        format!("`{value}` is not within {low}..{high}"),
                    );
                }
                Ok(node)
            }
            Type::Where(base, condition, module) => {
                self.conform_where(node, base, condition, *module, None)
            }
            Type::Keyed(list, field) => {
                let node = self.conform(node, list)?;
                self.keys_once(&node, field)?;
                Ok(node)
            }
            Type::Record(record) => self.conform_record(node, record),
            Type::List(element) => match node.data {
                Data::List(items) => {
                    let items = items
                        .into_iter()
                        .map(|item| self.conform(item, element))
                        .collect::<Eval<_>>()?;
                    Ok(Node { data: Data::List(items), origin: node.origin })
                }
                _ => self.misfit(&node, ty),
            },
            Type::Set(element) => match node.data {
                Data::List(items) => {
                    let mut items = items
                        .into_iter()
                        .map(|item| self.conform(item, element))
                        .collect::<Eval<Vec<_>>>()?;
                    items.sort_by_cached_key(Node::value);
                    items.dedup_by(|a, b| a.value() == b.value());
                    Ok(Node { data: Data::List(items), origin: node.origin })
                }
                _ => self.misfit(&node, ty),
            },
            Type::Map(element) => match node.data {
                Data::Map(map) => {
                    let map = map
                        .into_iter()
                        .map(|(key, item)| Ok((key, self.conform(item, element)?)))
                        .collect::<Eval<_>>()?;
                    Ok(Node { data: Data::Map(map), origin: node.origin })
                }
                _ => self.misfit(&node, ty),
            },
            Type::Union(all) => match chosen(ty, all, &node) {
                Some(one) => self.conform(node, one),
                None => self.misfit(&node, ty),
            },
            other => {
                if holds(other, &node) {
                    Ok(node)
                } else {
                    self.misfit(&node, ty)
                }
            }
        }
    }

    /// A value of another type: the checker has said so, unless it was data or `any` until now.
    fn misfit<T>(&self, node: &Node, ty: &Type<'a>) -> Eval<T> {
        let unseen = !self.context.program.faulty
            && !dax_core::diagnostic::has_errors(&self.context.diagnostics.borrow());
        if unseen && !matches!(ty, Type::Error) {
            self.report(Diagnostic::new(
                codes::BAD_DATA,
                node.origin.span,
                format!("`{ty}` is wanted, this is `{}`", shown(&node.value())),
            ));
        }
        Err(Stop)
    }

    fn conform_where(
        &self,
        node: Node,
        base: &Type<'a>,
        condition: &'a Expr,
        module: crate::ModuleId,
        name: Option<&Name>,
    ) -> Eval<Node> {
        let node = self.conform(node, base)?;
        let mut scope = Scope::of(module);
        scope.locals.push(("self".into(), Rc::new(node.clone())));
        let met = self.eval(condition, &mut scope)?;
        if matches!(met.as_leaf(), Some(Value::Bool(true) | Value::Unknown(_))) {
            return Ok(node);
        }
        let value = shown(&node.value());
        let why = match (&condition.kind, node.as_leaf()) {
            (ExprKind::Call(function, _), Some(Value::Str(text))) => match &function.kind {
                ExprKind::Name(function) => natives::why_not(function, text),
                _ => None,
            },
            _ => None,
        };
        let detail = match (name, why) {
            (Some(name), Some(why)) => format!("`{value}` is no `{name}`: {why}"),
            (Some(name), None) => format!("`{value}` is no `{name}`"),
            (None, Some(why)) => {
                format!("`{value}` does not meet the condition of its type: {why}")
            }
            (None, None) => format!("`{value}` does not meet the condition of its type"),
        };
        let mut diagnostic = Diagnostic::new(codes::REFINEMENT, node.origin.span, detail);
        diagnostic = diagnostic.related(condition.span, "the condition is here");
        if !self.context.program.is_std(module) {
            for (span, label) in self.explain(condition, &mut scope) {
                diagnostic = diagnostic.related(span, label);
            }
        }
        self.report(diagnostic);
        Err(Stop)
    }

    fn keys_once(&self, node: &Node, field: &Name) -> Eval<()> {
        let Data::List(items) = &node.data else { return Ok(()) };
        for (at, item) in items.iter().enumerate() {
            let key = |item: &Node| item.get(field).map(Node::value);
            if let Some(first) = items[..at].iter().find(|first| key(first) == key(item)) {
                let shown = key(item).map(|key| key.to_string()).unwrap_or_default();
                let diagnostic = Diagnostic::new(
                    codes::KEY_TWICE,
                    item.origin.span,
                    format!("`{field}: {shown}` occurs twice"),
                );
                self.report(diagnostic.related(first.origin.span, "the first one is here"));
                return Err(Stop);
            }
        }
        Ok(())
    }

    fn conform_record(&self, node: Node, record: &Arc<Record<'a>>) -> Eval<Node> {
        let Data::Map(mut given) = node.data else {
            return self.misfit(&node, &Type::Record(record.clone()));
        };
        let mut failed = false;
        let mut complete = std::collections::BTreeMap::new();
        for (name, field) in &record.fields {
            let value = match (given.remove(name), field.default) {
                (Some(value), _)
                    if field.optional && matches!(value.as_leaf(), Some(Value::None)) =>
                {
                    Ok(value)
                }
                (Some(value), _) => self.conform(value, &field.ty),
                (None, Some(default)) => {
                    self.eval(default, &mut Scope::of(record.module)).and_then(|mut value| {
                        stamp_all(
                            &mut value,
                            Origin { span: default.span, layer: Layer::Type, via: Via::Type },
                        );
                        self.conform(value, &field.ty)
                    })
                }
                (None, None) if field.may_lack() => Ok(Node::leaf(
                    Value::None,
                    Origin { span: field.span, layer: Layer::Type, via: Via::Type },
                )),
                (None, None) => {
                    let diagnostic = Diagnostic::new(
                        codes::MISSING_FIELD,
                        node.origin.span,
                        format!("`{name}: {}` is missing", field.ty),
                    );
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
        if let Some((name, extra)) = given.iter().next()
            && !failed
            && !dax_core::diagnostic::has_errors(&self.context.diagnostics.borrow())
        {
            let known: Vec<&str> = record.fields.keys().map(Name::as_str).collect();
            let diagnostic = Diagnostic::new(
                codes::BAD_DATA,
                extra.origin.span,
                format!("there is no `{name}` here"),
            );
            self.report(diagnostic.help(format!("there are {}", known.join(", "))));
        }
        if failed || !given.is_empty() {
            return Err(Stop);
        }
        Ok(Node { data: Data::Map(complete), origin: node.origin })
    }
}

/// A value in a message, cut short.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
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

/// The alternative of a union that a value is of: by its tag, else the first that fits, else the nearest record.
fn chosen<'t, 'a>(union: &Type<'a>, all: &'t [Type<'a>], node: &Node) -> Option<&'t Type<'a>> {
    if let (Some((tag, _)), Data::Map(map)) = (union.tagged(), &node.data) {
        let given = map.get(&tag).and_then(Node::as_leaf);
        let is = |one: &&Type<'a>| match (
            one.record().and_then(|record| record.fields.get(&tag)).map(|field| field.ty.core()),
            given,
        ) {
            (Some(Type::Literal(text)), Some(Value::Str(have))) => text == have,
            _ => false,
        };
        return all.iter().find(is);
    }
    all.iter().find(|one| holds_deep(one, node)).or_else(|| all.iter().find(|one| holds(one, node)))
}

/// Whether a value is of a type, refinements and what is inside aside.
fn holds(ty: &Type<'_>, node: &Node) -> bool {
    match (ty.core(), &node.data) {
        (Type::Error, _) => false,
        (Type::Any | Type::Var(_), _)
        | (Type::List(_) | Type::Set(_), Data::List(_))
        | (Type::Map(_) | Type::Record(_) | Type::Query | Type::Condition, Data::Map(_))
        | (_, Data::Leaf(Value::Unknown(_))) => true,
        (Type::Union(all), _) => all.iter().any(|one| holds(one, node)),
        (_, Data::Leaf(Value::None)) if ty.optional().is_some() => true,
        (ty, Data::Leaf(value)) => match (ty, value) {
            (Type::None, Value::None)
            | (Type::Unset, Value::Unset)
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

/// Whether a value is of a type with all that is inside, refinements aside.
fn holds_deep(ty: &Type<'_>, node: &Node) -> bool {
    holds(ty, node)
        && match (ty.core(), &node.data) {
            (Type::List(element) | Type::Set(element), Data::List(items)) => {
                items.iter().all(|item| holds_deep(element, item))
            }
            (Type::Map(element), Data::Map(map)) => {
                map.values().all(|item| holds_deep(element, item))
            }
            (Type::Record(record), Data::Map(map)) => {
                let known = record.open || map.keys().all(|key| record.fields.contains_key(key));
                let fields = |(name, field): (&Name, &crate::ty::FieldType<'_>)| match map.get(name)
                {
                    Some(item) => holds_deep(&field.ty, item),
                    None => field.may_lack(),
                };
                known && record.fields.iter().all(fields)
            }
            _ => true,
        }
}
