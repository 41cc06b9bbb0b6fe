//! Expressions to values.

use super::{Eval, Evaluator, Scope, Stop, plain};
use crate::limits::{MAX_ELEMENTS, MAX_TEXT};
use crate::names::Symbol;
use crate::natives;
use crate::program::ModuleId;
use crate::{codes, operators};
use dax_core::{Diagnostic, Name, SecretPart, SecretRef, Span, Unknown, Value};
use dax_ir::{Data, Layer, Node};
use dax_syntax::ast::{BinaryOp, Entry, Expr, ExprKind, ForClause, Ident, Part, Strength, UnaryOp};
use std::collections::BTreeMap;
use std::rc::Rc;

impl<'a> Evaluator<'_, 'a> {
    pub(crate) fn eval(&self, expr: &'a Expr, scope: &mut Scope) -> Eval<Node> {
        self.spend(1, expr.span)?;
        let leaf = |value| Ok(Node::leaf(value, plain(expr.span)));
        match &expr.kind {
            ExprKind::Literal(value) => leaf(value.clone()),
            ExprKind::Template(parts) => leaf(self.template(parts, expr.span, scope)?),
            ExprKind::SecretTemplate(parts) => leaf(self.secret_template(parts, scope)?),
            ExprKind::Tagged(tag, text) => {
                let map =
                    [("source", Value::Str(tag.name.clone())), ("query", Value::Str(text.clone()))];
                let map = map.into_iter().map(|(key, value)| {
                    (Name::new_static(key), Node::leaf(value, plain(expr.span)))
                });
                Ok(Node { data: Data::Map(map.collect()), origin: plain(expr.span) })
            }
            ExprKind::Data(path) => {
                let node =
                    self.context.program.modules[scope.module.0].data.get(path).ok_or(Stop)?;
                self.copy(node, expr.span)
            }
            ExprKind::Name(_) => {
                let mut node = self.copy(&*self.eval_shared(expr, scope)?, expr.span)?;
                node.origin.span = expr.span;
                Ok(node)
            }
            ExprKind::Get(base, name) => self.member(base, name, false, expr.span, scope),
            ExprKind::GetOptional(base, name) => self.member(base, name, true, expr.span, scope),
            ExprKind::Index(base, index) => self.index(base, index, scope),
            ExprKind::Call(function, args) => self.call(function, args, expr.span, scope),
            ExprKind::Unary(op, inner) => {
                let value = self.eval(inner, scope)?.value();
                leaf(match (op, value) {
                    (_, unknown @ Value::Unknown(_)) => unknown,
                    (UnaryOp::Not, Value::Bool(value)) => Value::Bool(!value),
                    (UnaryOp::Minus, value) => self.checked(
                        operators::binary(BinaryOp::Subtract, &zero_of(&value), &value),
                        expr.span,
                    )?,
                    _ => return Err(Stop),
                })
            }
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, expr.span, scope),
            ExprKind::If(parts) => {
                let condition = self.eval(&parts[0], scope)?;
                match condition.as_leaf() {
                    Some(Value::Bool(true)) => self.eval(&parts[1], scope),
                    Some(Value::Bool(false)) => self.eval(&parts[2], scope),
                    Some(Value::Unknown(_)) => Ok(condition),
                    _ => Err(Stop),
                }
            }
            ExprKind::List(clause, items) => {
                let mut list = Vec::new();
                let unknown = self.each(clause.as_deref(), scope, expr.span, &mut |scope| {
                    for item in items {
                        list.push(self.eval(item, scope)?);
                    }
                    Ok(())
                })?;
                match unknown {
                    Some(unknown) => leaf(Value::Unknown(unknown)),
                    None => Ok(Node { data: Data::List(list), origin: plain(expr.span) }),
                }
            }
            ExprKind::Map(clause, entries) => {
                self.map(clause.as_deref(), entries, expr.span, scope)
            }
            ExprKind::Broken => Err(Stop),
        }
    }

    /// The same without copying what a name stands for.
    pub(super) fn eval_shared(&self, expr: &'a Expr, scope: &mut Scope) -> Eval<Rc<Node>> {
        match &expr.kind {
            ExprKind::Name(name) => match scope.local(name) {
                Some(node) => Ok(node.clone()),
                None => match &self.key {
                    // No item of the project has this name: the checker has seen to that.
                    Some((key, node))
                        if key == name && scope.module == self.context.program.root =>
                    {
                        Ok(node.clone())
                    }
                    _ => self.symbol(scope.module, name, expr.span),
                },
            },
            _ => self.eval(expr, scope).map(Rc::new),
        }
    }

    /// A copy of a value; large ones cost more steps.
    pub(super) fn copy(&self, node: &Node, span: Span) -> Eval<Node> {
        self.spend(size(node), span)?;
        Ok(node.clone())
    }

    fn binary(
        &self,
        op: BinaryOp,
        left: &'a Expr,
        right: &'a Expr,
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        let l = self.eval_shared(left, scope)?;
        match (op, l.as_leaf()) {
            (BinaryOp::And, Some(Value::Bool(false))) | (BinaryOp::Or, Some(Value::Bool(true))) => {
                return self.copy(&l, span);
            }
            (BinaryOp::Coalesce, Some(Value::None)) => return self.eval(right, scope),
            (BinaryOp::Coalesce, _) => return self.copy(&l, span),
            _ => {}
        }
        let r = self.eval_shared(right, scope)?;
        for side in [&l, &r] {
            if let Some(unknown) = side.value_unknown() {
                return Ok(Node::leaf(Value::Unknown(Box::new(unknown)), plain(span)));
            }
        }
        self.fits_operands(op, &l, &r, span)?;
        self.spend(size(&l) + size(&r), span)?;
        let value = self.checked(operators::binary(op, &l.value(), &r.value()), span)?;
        if let Value::List(items) = &value
            && items.len() > MAX_ELEMENTS
        {
            return self.fail(
                codes::OUT_OF_FUEL,
                span,
                format!("more than {MAX_ELEMENTS} elements"),
            );
        }
        Ok(from_value(value, span))
    }

    /// Operands of wrong types were reported by the checker; the evaluator only has to stop.
    fn fits_operands(&self, op: BinaryOp, left: &Node, right: &Node, span: Span) -> Eval<()> {
        let secret = |node: &Node| {
            let value = node.value();
            let mut found = Vec::new();
            value.secrets(&mut found);
            !found.is_empty()
        };
        let family = |node: &Node| match node.as_leaf() {
            Some(Value::Int(_) | Value::Decimal(_)) => 1,
            Some(Value::Quantity(_)) => 2,
            Some(Value::Str(_)) => 3,
            Some(Value::Bool(_)) => 4,
            Some(_) => 5,
            None => 6,
        };
        let (l, r) = (family(left), family(right));
        let unit = |node: &Node| match node.as_leaf() {
            Some(Value::Quantity(quantity)) => Some(quantity.unit),
            _ => None,
        };
        let fits = match op {
            BinaryOp::And | BinaryOp::Or => l == 4 && r == 4,
            BinaryOp::Add | BinaryOp::Subtract => {
                l == r && l != 4 && l != 5 && unit(left) == unit(right)
            }
            BinaryOp::Multiply => matches!((l, r), (1, 1 | 2) | (2, 1)),
            BinaryOp::Divide => {
                matches!((l, r), (1 | 2, 1)) || (l == 2 && r == 2 && unit(left) == unit(right))
            }
            BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
                l == r && unit(left) == unit(right)
            }
            _ => true,
        };
        let cheap = matches!((left.as_leaf(), right.as_leaf()), (Some(a), Some(b)) if !matches!(a, Value::Secret(_)) && !matches!(b, Value::Secret(_)));
        if !cheap && (secret(left) || secret(right)) {
            // The checker lets a value pass that may be a secret, such as a variable of `env`.
            let detail = format!("`{}` would tell something of the secret's value", op.symbol());
            return self.fail(codes::SECRET_COMPARED, span, detail);
        }
        if fits { Ok(()) } else { self.dynamic(left, right) }
    }

    /// Operands that do not go together although the checker let them pass: one is `any`.
    fn dynamic<T>(&self, left: &Node, right: &Node) -> Eval<T> {
        if !dax_core::diagnostic::has_errors(&self.context.diagnostics.borrow()) {
            let span = left.origin.span.to(right.origin.span);
            self.report(Diagnostic::new(
                codes::BAD_DATA,
                span,
                format!("`{}` and `{}` do not go together", left.value(), right.value()),
            ));
        }
        Err(Stop)
    }

    pub(super) fn checked<T>(
        &self,
        result: Result<T, (dax_core::Code, String)>,
        span: Span,
    ) -> Eval<T> {
        result.or_else(|(code, detail)| self.fail(code, span, detail))
    }

    fn template(&self, parts: &'a [Part], span: Span, scope: &mut Scope) -> Eval<Value> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Expr(inner) => match self.eval_shared(inner, scope)?.as_leaf() {
                    Some(unknown @ Value::Unknown(_)) => return Ok(unknown.clone()),
                    Some(Value::Secret(_)) => {
                        return self.fail(
                            codes::SECRET_EXPOSED,
                            inner.span,
                            "this value is a secret",
                        );
                    }
                    Some(Value::Ref(_) | Value::None | Value::Unset) | None => return Err(Stop),
                    Some(value) => text.push_str(&natives::display(value)),
                },
            }
            if text.len() > MAX_TEXT {
                return self.fail(
                    codes::OUT_OF_FUEL,
                    span,
                    format!("the text would be longer than {} bytes", MAX_TEXT),
                );
            }
        }
        self.spend(text.len() as u64 / 64, span)?;
        Ok(Value::Str(Name::new(text)))
    }

    /// A text of secrets: what it is made of, not what it says.
    fn secret_template(&self, parts: &'a [Part], scope: &mut Scope) -> Eval<Value> {
        let mut pieces: Vec<SecretPart> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => pieces.push(SecretPart::Text(text.clone())),
                Part::Expr(inner) => match self.eval(inner, scope)?.value() {
                    Value::Secret(secret) if secret.parts.is_empty() => {
                        names.push(secret.name.to_string());
                        pieces.push(SecretPart::Secret(*secret));
                    }
                    Value::Secret(secret) => {
                        names.push(secret.name.to_string());
                        pieces.extend(secret.parts);
                    }
                    unknown @ Value::Unknown(_) => return Ok(unknown),
                    Value::Ref(_) | Value::None | Value::Unset | Value::List(_) | Value::Map(_) => {
                        return Err(Stop);
                    }
                    value => pieces.push(SecretPart::Text(natives::display(&value).into())),
                },
            }
        }
        let name = Name::new(names.join("+"));
        let key = name.clone();
        Ok(Value::Secret(Box::new(SecretRef {
            name,
            source: Name::new_static("template"),
            key,
            fingerprint: Name::default(),
            parts: pieces,
        })))
    }

    pub(super) fn symbol(&self, module: ModuleId, name: &Name, span: Span) -> Eval<Rc<Node>> {
        let leaf = |value| Ok(Rc::new(Node::leaf(value, plain(span))));
        let (module, symbol) = self.context.lookup(module, name).ok_or(Stop)?;
        match symbol {
            Symbol::Param(param) => self.param(module, param),
            Symbol::Let(field) => {
                let key = (module, name.clone());
                if let Some(known) = self.values.borrow().get(&key) {
                    return known.clone();
                }
                // Stands while the value is computed, so that a circle (already reported) ends.
                self.values.borrow_mut().insert(key.clone(), Err(Stop));
                let field: &'a dax_syntax::ast::Field = field;
                let value = self.eval(&field.value, &mut Scope::of(module)).and_then(|node| {
                    match &field.ty {
                        Some(ty) => self.conform(node, &self.context.resolve(module, ty, false)),
                        None => Ok(node),
                    }
                });
                let value = value.map(Rc::new);
                self.values.borrow_mut().insert(key, value.clone());
                value
            }
            Symbol::Secret(secret) => {
                let (source, key) =
                    self.context.secret_source(module, secret, false).ok_or(Stop)?;
                let name = secret.name.name.clone();
                leaf(Value::Secret(Box::new(SecretRef {
                    name,
                    source,
                    key,
                    fingerprint: Name::default(),
                    parts: Vec::new(),
                })))
            }
            Symbol::Service(block) => leaf(Value::Ref(
                format!("service.{}", self.context.address(module, &block.name.name)).into(),
            )),
            Symbol::Strategy(block) => leaf(Value::Ref(
                format!("strategy.{}", self.context.address(module, &block.name.name)).into(),
            )),
            Symbol::Environment(block) => {
                leaf(Value::Ref(format!("environment.{}", block.name.name).into()))
            }
            Symbol::Fn(_) | Symbol::Import(_) => Err(Stop),
        }
    }

    fn member(
        &self,
        base: &'a Expr,
        name: &Ident,
        optional: bool,
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        if let ExprKind::Name(alias) = &base.kind
            && scope.local(alias).is_none()
        {
            let key = format!("{alias}.{}", name.name);
            if let Some(provider) =
                self.context.names.module(scope.module).providers.get(key.as_str())
            {
                return match &provider.keyed {
                    None => Ok(Node::leaf(Value::Ref(key.into()), plain(span))),
                    Some((_, keys)) => {
                        let instance = |at: Name| {
                            (
                                at.clone(),
                                Node::leaf(Value::Ref(format!("{key}[{at}]").into()), plain(span)),
                            )
                        };
                        let map =
                            self.keys(scope.module, keys)?.into_iter().map(instance).collect();
                        Ok(Node { data: Data::Map(map), origin: plain(span) })
                    }
                };
            }
            if let Some(Symbol::Import(module)) = self.context.names.value(scope.module, alias) {
                return Ok((*self.symbol(*module, &name.name, span)?).clone());
            }
            if alias == "environment" && self.context.lookup(scope.module, alias).is_none() {
                return Ok(Node::leaf(
                    Value::Ref(format!("environment.{}", name.name).into()),
                    plain(span),
                ));
            }
        }
        let owner = self.eval_shared(base, scope)?;
        let owner = match owner.as_leaf() {
            Some(unknown @ Value::Unknown(_)) => {
                return Ok(Node::leaf(unknown.clone(), plain(span)));
            }
            Some(Value::None) if optional => return Ok(Node::leaf(Value::None, plain(span))),
            Some(Value::Ref(addr)) => {
                let service = addr.strip_prefix("service.").ok_or(Stop)?;
                self.read(service, span);
                if let Some(output) = self.output(addr, name) {
                    return Ok(Node::leaf(output, plain(span)));
                }
                self.service(&Name::new(service), span)?
            }
            _ => owner,
        };
        match &owner.data {
            Data::Map(map) => match map.get(&name.name) {
                Some(node) => self.copy(node, span),
                None => self.no_key(&name.name, name.span, map),
            },
            _ => Err(Stop),
        }
    }

    /// What only the world knows of a service.
    fn output(&self, addr: &str, name: &Ident) -> Option<Value> {
        let outputs = self.context.prelude_type("Outputs");
        let field = outputs.record()?.fields.get(&name.name)?;
        let cause = Name::new(format!("{addr}.{}", name.name));
        if let Some(known) = self.params.outputs.get(&cause) {
            return Some(known.clone());
        }
        let type_name = Name::new(field.ty.core().to_string());
        Some(Value::Unknown(Box::new(Unknown { cause, type_name })))
    }

    /// The keys of a provider's instances.
    pub(super) fn keys(&self, module: ModuleId, keys: &'a Expr) -> Eval<Vec<Name>> {
        let node = self.eval(keys, &mut Scope::of(module))?;
        let Data::List(items) = &node.data else { return Err(Stop) };
        let mut all = Vec::new();
        for item in items {
            let Some(Value::Str(key)) = item.as_leaf() else { return Err(Stop) };
            let fits = !key.is_empty()
                && key.len() <= 100
                && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if !fits {
                let detail =
                    format!("`{key}` is no key: letters, digits, `-` and `_`, at most 100");
                return self.fail(codes::NO_KEY, item.origin.span, detail);
            }
            if all.contains(key) {
                return self.fail(
                    codes::KEY_TWICE,
                    item.origin.span,
                    format!("the key `{key}` occurs twice"),
                );
            }
            all.push(key.clone());
        }
        Ok(all)
    }

    fn no_key<T>(&self, key: &str, span: Span, map: &BTreeMap<Name, Node>) -> Eval<T> {
        let known: Vec<&str> = map.keys().map(Name::as_str).take(20).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        self.fail(codes::NO_KEY, span, format!("there is no `{key}`; the keys are {known}"))
    }

    fn index(&self, base: &'a Expr, index: &'a Expr, scope: &mut Scope) -> Eval<Node> {
        let owner = self.eval_shared(base, scope)?;
        let key = self.eval(index, scope)?;
        for side in [&*owner, &key] {
            if let Some(unknown @ Value::Unknown(_)) = side.as_leaf() {
                return Ok(Node::leaf(unknown.clone(), plain(base.span)));
            }
        }
        match (&owner.data, key.as_leaf()) {
            (Data::List(items), Some(Value::Int(at))) => {
                match usize::try_from(*at).ok().and_then(|at| items.get(at)) {
                    Some(item) => self.copy(item, base.span),
                    None => self.fail(
                        codes::NO_KEY,
                        index.span,
                        format!("the list has {} elements, counted from 0", items.len()),
                    ),
                }
            }
            (Data::Map(map), Some(Value::Str(key))) => match map.get(key) {
                Some(item) => self.copy(item, base.span),
                None => self.no_key(key, index.span, map),
            },
            _ => Err(Stop),
        }
    }

    fn map(
        &self,
        clause: Option<&'a ForClause>,
        entries: &'a [Entry],
        span: Span,
        scope: &mut Scope,
    ) -> Eval<Node> {
        let mut map: BTreeMap<Name, Node> = BTreeMap::new();
        let unknown = self.each(clause, scope, span, &mut |scope| {
            for entry in entries {
                let Value::Str(key) = self.eval(&entry.key, scope)?.value() else {
                    return Err(Stop);
                };
                let mut value = self.eval(&entry.value, scope)?;
                match entry.strength {
                    Strength::Default => super::merge::stamp(&mut value, Layer::Default),
                    Strength::Override => super::merge::stamp(&mut value, Layer::Override),
                    Strength::Sealed => super::merge::stamp(&mut value, Layer::Sealed),
                    Strength::Plain => {}
                }
                if map.contains_key(&key) {
                    return self.fail(
                        codes::CONFLICT,
                        entry.key.span,
                        format!("the key `{key}` occurs twice"),
                    );
                }
                map.insert(key, value);
            }
            Ok(())
        })?;
        match unknown {
            Some(unknown) => Ok(Node::leaf(Value::Unknown(unknown), plain(span))),
            None => Ok(Node { data: Data::Map(map), origin: plain(span) }),
        }
    }

    /// Runs `inner` once, or for every element of a comprehension's source; what is not known yet is given back.
    fn each(
        &self,
        clause: Option<&'a ForClause>,
        scope: &mut Scope,
        span: Span,
        inner: &mut dyn FnMut(&mut Scope) -> Eval<()>,
    ) -> Eval<Option<Box<Unknown>>> {
        let Some(clause) = clause else {
            inner(scope)?;
            return Ok(None);
        };
        let source = self.eval_shared(&clause.source, scope)?;
        if let Some(Value::Unknown(unknown)) = source.as_leaf() {
            return Ok(Some(unknown.clone()));
        }
        let origin = source.origin;
        let number =
            |at: usize| Node::leaf(Value::Int(i64::try_from(at).unwrap_or(i64::MAX)), origin);
        let of_map = matches!(source.data, Data::Map(_));
        let pairs: Box<dyn Iterator<Item = (Node, &Node)>> = match &source.data {
            Data::List(items) if items.len() <= MAX_ELEMENTS => {
                Box::new(items.iter().enumerate().map(|(at, item)| (number(at), item)))
            }
            Data::Map(map) if map.len() <= MAX_ELEMENTS => Box::new(
                map.iter().map(|(key, item)| (Node::leaf(Value::Str(key.clone()), origin), item)),
            ),
            Data::Leaf(_) => return Err(Stop),
            _ => {
                return self.fail(
                    codes::OUT_OF_FUEL,
                    span,
                    format!("more than {MAX_ELEMENTS} elements"),
                );
            }
        };
        let before = scope.locals.len();
        for (key, item) in pairs {
            match &clause.second {
                Some(second) => {
                    scope.locals.push((clause.first.name.clone(), Rc::new(key)));
                    scope
                        .locals
                        .push((second.name.clone(), Rc::new(self.copy(item, clause.source.span)?)));
                }
                None => {
                    let one = if of_map { key } else { self.copy(item, clause.source.span)? };
                    scope.locals.push((clause.first.name.clone(), Rc::new(one)));
                }
            }
            let wanted = match &clause.condition {
                Some(condition) => self.eval(condition, scope)?.value(),
                None => Value::Bool(true),
            };
            let result = match wanted {
                Value::Bool(true) => inner(scope),
                Value::Unknown(unknown) => {
                    scope.locals.truncate(before);
                    return Ok(Some(unknown));
                }
                _ => Ok(()),
            };
            scope.locals.truncate(before);
            result?;
        }
        Ok(None)
    }
}

fn zero_of(value: &Value) -> Value {
    match value {
        Value::Quantity(quantity) => {
            Value::Quantity(dax_core::Quantity::new(quantity.unit, dax_core::Decimal::ZERO))
        }
        _ => Value::Int(0),
    }
}

/// How many steps a copy of a value costs.
pub(super) fn size(node: &Node) -> u64 {
    match &node.data {
        Data::Leaf(Value::Str(text)) => 1 + text.len() as u64 / 64,
        Data::Leaf(_) => 1,
        Data::List(items) => 1 + items.iter().map(size).sum::<u64>(),
        Data::Map(map) => 1 + map.values().map(size).sum::<u64>(),
    }
}

/// A value with one origin throughout.
pub(super) fn from_value(value: Value, span: Span) -> Node {
    let data = match value {
        Value::List(items) => {
            Data::List(items.into_iter().map(|item| from_value(item, span)).collect())
        }
        Value::Map(map) => {
            Data::Map(map.into_iter().map(|(key, item)| (key, from_value(item, span))).collect())
        }
        leaf => Data::Leaf(leaf),
    };
    Node { data, origin: plain(span) }
}
