//! Expressions to values.

use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::names::Symbol;
use crate::program::ModuleId;
use crate::{builtins, codes, operators};
use dax_core::{Name, SecretRef, Span, Value};
use dax_ir::{Data, Layer, Node};
use dax_syntax::ast::{BinaryOp, Entry, Expr, ExprKind, FnItem, ForClause, Ident, Part, Strength, UnaryOp};
use std::collections::BTreeMap;

/// Elements that one list or map may hold.
const MAX_ELEMENTS: usize = 1_000_000;

impl<'a> Evaluator<'_, 'a> {
    pub(crate) fn eval(&self, expr: &'a Expr, scope: &mut Scope) -> Eval<Node> {
        let Some(fuel) = self.fuel.get().checked_sub(1) else {
            return self.fail(codes::OUT_OF_FUEL, expr.span, "the evaluation stopped here after too many steps");
        };
        self.fuel.set(fuel);
        let leaf = |value| Ok(Node::leaf(value, plain(expr.span)));
        match &expr.kind {
            ExprKind::Literal(value) => leaf(value.clone()),
            ExprKind::Template(parts) => leaf(Value::Str(self.template(parts, expr.span, scope)?)),
            ExprKind::Tagged(tag, text) => {
                let map = [("source", Value::Str(tag.name.clone())), ("query", Value::Str(text.clone()))];
                let map = map.into_iter().map(|(key, value)| (Name::new_static(key), Node::leaf(value, plain(expr.span))));
                Ok(Node { data: Data::Map(map.collect()), origin: plain(expr.span) })
            }
            ExprKind::Name(name) => {
                let mut node = self.name(name, expr.span, scope)?;
                node.origin.span = expr.span;
                Ok(node)
            }
            ExprKind::Get(base, name) => self.member(base, name, expr.span, scope),
            ExprKind::Index(base, index) => self.index(base, index, scope),
            ExprKind::Call(function, args) => self.call(function, args, expr.span, scope),
            ExprKind::Unary(op, inner) => {
                let value = self.eval(inner, scope)?.value();
                leaf(match (op, value) {
                    (UnaryOp::Not, Value::Bool(value)) => Value::Bool(!value),
                    (UnaryOp::Minus, value) => self.checked(operators::binary(BinaryOp::Subtract, &zero_of(&value), &value), expr.span)?,
                    _ => return Err(Stop),
                })
            }
            ExprKind::Binary(op, left, right) => {
                let l = self.eval(left, scope)?;
                match (op, l.as_leaf()) {
                    (BinaryOp::And, Some(Value::Bool(false))) | (BinaryOp::Or, Some(Value::Bool(true))) => return Ok(l),
                    (BinaryOp::Coalesce, Some(Value::None)) => return self.eval(right, scope),
                    (BinaryOp::Coalesce, _) => return Ok(l),
                    _ => {}
                }
                let r = self.eval(right, scope)?;
                self.fits_operands(*op, &l, &r)?;
                let value = self.checked(operators::binary(*op, &l.value(), &r.value()), expr.span)?;
                Ok(from_value(value, expr.span))
            }
            ExprKind::If(parts) => match self.eval(&parts[0], scope)?.as_leaf() {
                Some(Value::Bool(true)) => self.eval(&parts[1], scope),
                Some(Value::Bool(false)) => self.eval(&parts[2], scope),
                _ => Err(Stop),
            },
            ExprKind::List(clause, items) => {
                let mut list = Vec::new();
                self.each(clause.as_deref(), scope, expr.span, &mut |scope| {
                    for item in items {
                        list.push(self.eval(item, scope)?);
                    }
                    Ok(())
                })?;
                Ok(Node { data: Data::List(list), origin: plain(expr.span) })
            }
            ExprKind::Map(clause, entries) => self.map(clause.as_deref(), entries, expr.span, scope),
            ExprKind::Broken => Err(Stop),
        }
    }

    /// Operands of wrong types were reported by the checker; the evaluator only has to stop.
    fn fits_operands(&self, op: BinaryOp, left: &Node, right: &Node) -> Eval<()> {
        let secret = |node: &Node| matches!(node.as_leaf(), Some(Value::Secret(_)));
        let family = |node: &Node| match node.as_leaf() {
            Some(Value::Int(_) | Value::Decimal(_)) => 1,
            Some(Value::Quantity(_)) => 2,
            Some(Value::Str(_)) => 3,
            Some(Value::Bool(_)) => 4,
            Some(_) => 5,
            None => 6,
        };
        let (l, r) = (family(left), family(right));
        let fits = match op {
            BinaryOp::And | BinaryOp::Or => l == 4 && r == 4,
            BinaryOp::Add | BinaryOp::Subtract => l == r && l != 4 && l != 5,
            BinaryOp::Multiply | BinaryOp::Divide => matches!((l, r), (1 | 2, 1 | 2)),
            _ => true,
        };
        if fits && !secret(left) && !secret(right) { Ok(()) } else { Err(Stop) }
    }

    fn checked<T>(&self, result: Result<T, (dax_core::Code, String)>, span: Span) -> Eval<T> {
        result.or_else(|(code, detail)| self.fail(code, span, detail))
    }

    fn template(&self, parts: &'a [Part], span: Span, scope: &mut Scope) -> Eval<Name> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Expr(inner) => match self.eval(inner, scope)?.as_leaf() {
                    Some(Value::Secret(_) | Value::Ref(_) | Value::None) | None => return Err(Stop),
                    Some(value) => text.push_str(&builtins::display(value)),
                },
            }
            if text.len() > builtins::MAX_TEXT {
                return self.fail(codes::OUT_OF_FUEL, span, "the text is too long");
            }
        }
        Ok(Name::new(text))
    }

    fn name(&self, name: &Name, span: Span, scope: &Scope) -> Eval<Node> {
        if let Some((_, node)) = scope.locals.iter().rev().find(|(local, _)| local == name) {
            return Ok(node.clone());
        }
        self.symbol(scope.module, name, span)
    }

    fn symbol(&self, module: ModuleId, name: &Name, span: Span) -> Eval<Node> {
        let leaf = |value| Ok(Node::leaf(value, plain(span)));
        match self.context.names.value(module, name).ok_or(Stop)? {
            Symbol::Param(param) => self.param(module, param),
            Symbol::Let(field) => {
                let key = (module, name.clone());
                if let Some(known) = self.values.borrow().get(&key) {
                    return known.clone();
                }
                // Stands while the value is computed, so that a circle (already reported) ends.
                self.values.borrow_mut().insert(key.clone(), Err(Stop));
                let field: &'a dax_syntax::ast::Field = field;
                let value = self.eval(&field.value, &mut Scope::of(module)).and_then(|node| match &field.ty {
                    Some(ty) => self.conform(node, &self.context.resolve(module, ty, false)),
                    None => Ok(node),
                });
                self.values.borrow_mut().insert(key, value.clone());
                value
            }
            Symbol::Secret(secret) => {
                let (source, key) = crate::check::secret_source(secret.source).ok_or(Stop)?;
                leaf(Value::Secret(Box::new(SecretRef { name: secret.name.name.clone(), source, key, fingerprint: Name::default() })))
            }
            Symbol::Service(block) => leaf(Value::Ref(format!("service.{}", block.name.name).into())),
            Symbol::Strategy(block) => leaf(Value::Ref(format!("strategy.{}", block.name.name).into())),
            Symbol::Environment(block) => leaf(Value::Ref(format!("environment.{}", block.name.name).into())),
            Symbol::Fn(_) | Symbol::Import(_) => Err(Stop),
        }
    }

    fn member(&self, base: &'a Expr, name: &Ident, span: Span, scope: &mut Scope) -> Eval<Node> {
        if let ExprKind::Name(alias) = &base.kind
            && !scope.locals.iter().any(|(local, _)| local == alias)
        {
            let key = format!("{alias}.{}", name.name);
            if self.context.names.module(scope.module).providers.contains_key(key.as_str()) {
                return Ok(Node::leaf(Value::Ref(key.into()), plain(span)));
            }
            if let Some(Symbol::Import(module)) = self.context.names.value(scope.module, alias) {
                return self.symbol(*module, &name.name, span);
            }
        }
        let base = self.eval(base, scope)?;
        let owner = match base.as_leaf() {
            Some(Value::Ref(addr)) => {
                let service = addr.strip_prefix("service.").ok_or(Stop)?;
                self.read(service, span);
                (*self.service(&Name::new(service), span)?).clone()
            }
            _ => base,
        };
        match owner.data {
            Data::Map(mut map) => match map.remove(&name.name) {
                Some(node) => Ok(node),
                None => self.no_key(&name.name, name.span, &map),
            },
            _ => Err(Stop),
        }
    }

    fn no_key<T>(&self, key: &str, span: Span, map: &BTreeMap<Name, Node>) -> Eval<T> {
        let known: Vec<&str> = map.keys().map(Name::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        self.fail(codes::NO_KEY, span, format!("there is no `{key}`; the keys are {known}"))
    }

    fn index(&self, base: &'a Expr, index: &'a Expr, scope: &mut Scope) -> Eval<Node> {
        let owner = self.eval(base, scope)?;
        let key = self.eval(index, scope)?;
        match (owner.data, key.as_leaf()) {
            (Data::List(items), Some(Value::Int(at))) => {
                let length = items.len();
                match usize::try_from(*at).ok().and_then(|at| items.into_iter().nth(at)) {
                    Some(item) => Ok(item),
                    None => self.fail(codes::NO_KEY, index.span, format!("the list has {length} elements, counted from 0")),
                }
            }
            (Data::Map(mut map), Some(Value::Str(key))) => match map.remove(key) {
                Some(item) => Ok(item),
                None => self.no_key(key, index.span, &map),
            },
            _ => Err(Stop),
        }
    }

    fn call(&self, function: &'a Expr, args: &'a [(Option<Ident>, Expr)], span: Span, scope: &mut Scope) -> Eval<Node> {
        let (module, name) = match &function.kind {
            ExprKind::Name(name) => (scope.module, name),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.context.names.value(scope.module, alias) {
                    Some(Symbol::Import(module)) => (*module, &name.name),
                    _ => return Err(Stop),
                },
                _ => return Err(Stop),
            },
            _ => return Err(Stop),
        };
        if let Some(Symbol::Fn(item)) = self.context.names.value(module, name) {
            return self.call_fn(module, item, args, scope);
        }
        let builtin = builtins::find(name).ok_or(Stop)?;
        let mut values = Vec::with_capacity(args.len());
        for (_, arg) in args {
            values.push(self.eval(arg, scope)?.value());
        }
        if values.len() != builtin.takes.len() || values.iter().any(|v| matches!(v, Value::Secret(_))) {
            return Err(Stop);
        }
        Ok(from_value(self.checked((builtin.run)(&values), span)?, span))
    }

    fn call_fn(&self, module: ModuleId, item: &'a FnItem, args: &'a [(Option<Ident>, Expr)], scope: &mut Scope) -> Eval<Node> {
        let mut inner = Scope::of(module);
        for (position, (named, arg)) in args.iter().enumerate() {
            let at = match named {
                Some(named) => item.params.iter().position(|(param, _)| param.name == named.name),
                None => Some(position),
            };
            let (param, ty) = at.and_then(|at| item.params.get(at)).ok_or(Stop)?;
            let value = self.conform(self.eval(arg, scope)?, &self.context.resolve(module, ty, false))?;
            inner.locals.push((param.name.clone(), value));
        }
        if inner.locals.len() != item.params.len() {
            return Err(Stop);
        }
        // A function that calls itself was reported; the fuel would end it, but the stack would end first.
        if self.depth.get() >= MAX_CALL_DEPTH {
            return Err(Stop);
        }
        self.depth.set(self.depth.get() + 1);
        let result = self.eval(&item.body, &mut inner);
        self.depth.set(self.depth.get() - 1);
        self.conform(result?, &self.context.resolve(module, &item.result, false))
    }

    fn map(&self, clause: Option<&'a ForClause>, entries: &'a [Entry], span: Span, scope: &mut Scope) -> Eval<Node> {
        let mut map: BTreeMap<Name, Node> = BTreeMap::new();
        self.each(clause, scope, span, &mut |scope| {
            for entry in entries {
                let Value::Str(key) = self.eval(&entry.key, scope)?.value() else { return Err(Stop) };
                let mut value = self.eval(&entry.value, scope)?;
                match entry.strength {
                    Strength::Default => super::layers::stamp(&mut value, Layer::Default),
                    Strength::Override => super::layers::stamp(&mut value, Layer::Override),
                    Strength::Plain => {}
                }
                if map.contains_key(&key) {
                    return self.fail(codes::CONFLICT, entry.key.span, format!("the key `{key}` occurs twice"));
                }
                map.insert(key, value);
            }
            Ok(())
        })?;
        Ok(Node { data: Data::Map(map), origin: plain(span) })
    }

    /// Runs `inner` once, or for every element of a comprehension's source.
    fn each(
        &self,
        clause: Option<&'a ForClause>,
        scope: &mut Scope,
        span: Span,
        inner: &mut dyn FnMut(&mut Scope) -> Eval<()>,
    ) -> Eval<()> {
        let Some(clause) = clause else { return inner(scope) };
        let source = self.eval(&clause.source, scope)?;
        let origin = source.origin;
        let pairs: Vec<(Node, Node)> = match source.data {
            Data::List(items) => {
                let number = |at: usize| Node::leaf(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), origin);
                items.into_iter().enumerate().map(|(at, item)| (number(at), item)).collect()
            }
            Data::Map(map) => map.into_iter().map(|(key, item)| (Node::leaf(Value::Str(key), origin), item)).collect(),
            Data::Leaf(_) => return Err(Stop),
        };
        if pairs.len() > MAX_ELEMENTS {
            return self.fail(codes::OUT_OF_FUEL, span, format!("more than {MAX_ELEMENTS} elements"));
        }
        let before = scope.locals.len();
        let of_map = pairs.first().is_some_and(|(key, _)| matches!(key.as_leaf(), Some(Value::Str(_))));
        for (key, item) in pairs {
            match &clause.second {
                Some(second) => {
                    scope.locals.push((clause.first.name.clone(), key));
                    scope.locals.push((second.name.clone(), item));
                }
                None => scope.locals.push((clause.first.name.clone(), if of_map { key } else { item })),
            }
            let wanted = match &clause.condition {
                Some(condition) => self.eval(condition, scope)?.as_leaf() == Some(&Value::Bool(true)),
                None => true,
            };
            if wanted {
                inner(scope)?;
            }
            scope.locals.truncate(before);
        }
        Ok(())
    }
}

/// Calls inside calls; functions do not recurse, so a program's own nesting never comes near it.
const MAX_CALL_DEPTH: u32 = 64;

fn zero_of(value: &Value) -> Value {
    match value {
        Value::Quantity(quantity) => Value::Quantity(dax_core::Quantity::new(quantity.unit, dax_core::Decimal::ZERO)),
        _ => Value::Int(0),
    }
}

/// A value with one origin throughout.
fn from_value(value: Value, span: Span) -> Node {
    let data = match value {
        Value::List(items) => Data::List(items.into_iter().map(|item| from_value(item, span)).collect()),
        Value::Map(map) => Data::Map(map.into_iter().map(|(key, item)| (key, from_value(item, span))).collect()),
        leaf => Data::Leaf(leaf),
    };
    Node { data, origin: plain(span) }
}
