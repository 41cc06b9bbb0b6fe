//! Expressions: types from the inside out, and against what a place wants.

use super::Scope;
use crate::context::Context;
use crate::names::Symbol;
use crate::ty::{FieldType, Record, RefKind, Type};
use crate::{builtins, codes, operators};
use dax_core::{Diagnostic, Name, Span, Value, suggest};
use dax_syntax::ast::{Arg, BinaryOp, Command, Entry, Expr, ExprKind, ForClause, Ident, Item, ItemKind, Member, Part, TypeExpr, UnaryOp};
use indexmap::IndexMap;
use std::sync::Arc;

/// Visits an expression and all below it.
pub(crate) fn walk<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Tagged(..) | ExprKind::Name(_) | ExprKind::Broken => {}
        ExprKind::Template(parts) => parts.iter().for_each(|part| {
            if let Part::Expr(inner) = part {
                walk(inner, visit);
            }
        }),
        ExprKind::Get(base, _) => walk(base, visit),
        ExprKind::Index(a, b) | ExprKind::Binary(_, a, b) => [a, b].into_iter().for_each(|e| walk(e, visit)),
        ExprKind::Call(function, args) => {
            walk(function, visit);
            args.iter().for_each(|(_, arg)| walk(arg, visit));
        }
        ExprKind::Unary(_, inner) => walk(inner, visit),
        ExprKind::If(parts) => parts.iter().for_each(|part| walk(part, visit)),
        ExprKind::List(clause, items) => {
            walk_clause(clause.as_deref(), visit);
            items.iter().for_each(|item| walk(item, visit));
        }
        ExprKind::Map(clause, entries) => {
            walk_clause(clause.as_deref(), visit);
            entries.iter().for_each(|entry| {
                walk(&entry.key, visit);
                walk(&entry.value, visit);
            });
        }
    }
}

/// Visits every expression of an item.
pub(crate) fn walk_item<'e>(item: &'e Item, visit: &mut dyn FnMut(&'e Expr)) {
    match &item.kind {
        ItemKind::Field(field) => walk(&field.value, visit),
        ItemKind::Fn(function) => walk(&function.body, visit),
        ItemKind::Type(_) | ItemKind::Broken(_) => {}
        ItemKind::Command(command) => walk_command(command, visit),
    }
}

fn walk_command<'e>(command: &'e Command, visit: &mut dyn FnMut(&'e Expr)) {
    for arg in &command.args {
        if let Arg::Expr(expr) = arg {
            walk(expr, visit);
        }
    }
    for member in command.body.iter().flatten() {
        match member {
            Member::Field(field) => walk(&field.value, visit),
            Member::Command(command) => walk_command(command, visit),
        }
    }
}

fn walk_clause<'e>(clause: Option<&'e ForClause>, visit: &mut dyn FnMut(&'e Expr)) {
    if let Some(clause) = clause {
        walk(&clause.source, visit);
        clause.condition.iter().for_each(|condition| walk(condition, visit));
    }
}

impl<'a> Context<'a> {
    pub(crate) fn mismatch(&self, span: Span, have: &Type<'a>, want: &Type<'a>) {
        if matches!(have.core(), Type::Secret(_)) && !matches!(want.core(), Type::Secret(_)) {
            let detail = format!("`{have}` would become a plain `{want}`");
            let help = "use the secret where a `Secret` is taken, such as a variable in `env`";
            return self.report(Diagnostic::new(codes::SECRET_EXPOSED, span, detail).help(help));
        }
        let mut diagnostic = Diagnostic::new(codes::MISMATCH, span, format!("`{want}` is wanted, this is `{have}`"));
        match (have.core(), want.core()) {
            (Type::Int | Type::Number, Type::Unit(unit)) => {
                diagnostic = diagnostic.help(format!("write the unit, as in `{}`", unit.example()));
            }
            (Type::Literal(text), Type::Union(all)) => {
                let literals = all.iter().filter_map(|one| if let Type::Literal(l) = one { Some(l.as_str()) } else { None });
                if let Some(meant) = suggest::nearest(text, literals) {
                    diagnostic = diagnostic.help(format!("did you mean \"{meant}\"?"));
                }
            }
            (_, Type::String) => diagnostic = diagnostic.help("put it into a text: `\"${…}\"`"),
            (_, Type::List(_)) => diagnostic = diagnostic.help("put it in brackets: `[…]`"),
            _ => {}
        }
        self.report(diagnostic);
    }

    /// Checks an expression against what its place wants.
    pub(crate) fn check_expr(&self, expr: &'a Expr, want: &Type<'a>, scope: &mut Scope<'a>) {
        if let Type::Optional(inner) = want {
            if !matches!(expr.kind, ExprKind::Literal(Value::None)) {
                let have_optional = matches!(expr.kind, ExprKind::Name(_) | ExprKind::Get(..) | ExprKind::Call(..));
                if have_optional {
                    let have = self.infer(expr, scope);
                    if !have.fits(want) {
                        self.mismatch(expr.span, &have, want);
                    }
                } else {
                    self.check_expr(expr, inner, scope);
                }
            }
            return;
        }
        match (&expr.kind, want.core()) {
            (ExprKind::Map(None, entries), Type::Record(record)) => self.check_record(entries, record, expr.span, scope),
            (ExprKind::Map(None, entries), Type::Map(element)) => {
                for entry in entries {
                    self.check_expr(&entry.key, &Type::String, scope);
                    self.check_expr(&entry.value, element, scope);
                }
            }
            (ExprKind::List(None, items), Type::List(element)) => items.iter().for_each(|item| self.check_expr(item, element, scope)),
            (ExprKind::List(Some(clause), items), Type::List(element)) => {
                self.with_clause(clause, scope, |scope| items.iter().for_each(|item| self.check_expr(item, element, scope)));
            }
            (ExprKind::If(parts), _) => {
                self.check_expr(&parts[0], &Type::Bool, scope);
                self.check_expr(&parts[1], want, scope);
                self.check_expr(&parts[2], want, scope);
            }
            (_, Type::Condition) => self.check_condition(expr, scope),
            _ => {
                let have = self.infer(expr, scope);
                if !have.fits(want) {
                    self.mismatch(expr.span, &have, want);
                }
            }
        }
        self.check_constant(expr, want);
    }

    /// A constant is held against the refinement at once; other values when they are known.
    fn check_constant(&self, expr: &Expr, want: &Type<'a>) {
        let (ExprKind::Literal(value), Type::Range(base, low, high)) = (&expr.kind, want) else { return };
        let fits = match value {
            Value::Int(_) => matches!(base.core(), Type::Int | Type::Number),
            Value::Quantity(quantity) => matches!(base.core(), Type::Unit(unit) if *unit == quantity.unit),
            _ => false,
        };
        if fits && (operators::compare(value, low).is_lt() || operators::compare(value, high).is_gt()) {
            self.error(codes::REFINEMENT, expr.span, format!("`{value}` is not within {low}..{high}"));
        }
    }

    fn check_record(&self, entries: &'a [Entry], record: &Arc<Record<'a>>, span: Span, scope: &mut Scope<'a>) {
        for entry in entries {
            let ExprKind::Literal(Value::Str(name)) = &entry.key.kind else {
                self.error(codes::UNKNOWN_FIELD, entry.key.span, "the name of a field is not computed");
                continue;
            };
            match record.fields.get(name) {
                Some(field) => self.check_expr(&entry.value, &field.ty, scope),
                None if record.open => {
                    self.infer(&entry.value, scope);
                }
                None => {
                    let name = Ident { name: name.clone(), span: entry.key.span };
                    self.report(crate::block::unknown(&name, record, codes::UNKNOWN_FIELD));
                }
            }
        }
        for (name, field) in &record.fields {
            let given = entries.iter().any(|e| matches!(&e.key.kind, ExprKind::Literal(Value::Str(key)) if key == name));
            if !given && !field.optional && field.default.is_none() && !matches!(field.ty, Type::Optional(_)) {
                let diagnostic = Diagnostic::new(codes::MISSING_FIELD, span, format!("`{name}: {}` is missing", field.ty));
                self.report(diagnostic.related(field.span, "it is declared here"));
            }
        }
    }

    /// A tagged text that a metrics source knows, with the type that was written for it.
    pub(super) fn check_query(&self, expr: &'a Expr, written: Option<&'a TypeExpr>, scope: &Scope<'a>) {
        if matches!(expr.kind, ExprKind::Broken) {
            return;
        }
        let ExprKind::Tagged(tag, text) = &expr.kind else {
            let detail = "a metric is a tagged text";
            return self
                .report(Diagnostic::new(codes::BAD_QUERY, expr.span, detail).help("write `metric errors: Percent = local\"error_rate\"`"));
        };
        let metrics = match self.names.value(scope.module, &tag.name) {
            Some(Symbol::Import(module)) => self.named_type(*module, "metrics"),
            _ => None,
        };
        let Some(Type::Record(metrics)) = metrics else {
            let detail = format!("`{}` is no imported source of metrics", tag.name);
            return self.report(Diagnostic::new(codes::BAD_QUERY, tag.span, detail).help("add `import local from \"std/local\"`"));
        };
        let Some(field) = metrics.fields.get(text) else {
            let names = metrics.fields.keys().map(Name::as_str);
            let diagnostic = Diagnostic::new(codes::BAD_QUERY, expr.span, format!("`{}` has no metric `{text}`", tag.name));
            return self.report(match suggest::nearest(text, names.clone()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!("it has {}", names.collect::<Vec<_>>().join(", "))),
            });
        };
        match written {
            None => {
                let diagnostic = Diagnostic::new(codes::BAD_QUERY, expr.span, "the type of the metric is missing");
                self.report(diagnostic.help(format!("write `metric name: {} = …`", field.ty)));
            }
            Some(written) => {
                let ty = self.resolve(scope.module, written, true);
                if !field.ty.fits(&ty) {
                    self.mismatch(written.span, &ty, &field.ty);
                }
            }
        }
    }

    /// `metric < constant`, joined by `and`, `or` and `not`.
    fn check_condition(&self, expr: &'a Expr, scope: &mut Scope<'a>) {
        let before = self.diagnostics.borrow().len();
        self.check_bool(expr, scope);
        let broken = matches!(expr.kind, ExprKind::Broken);
        if self.diagnostics.borrow().len() == before && !broken && !is_condition(expr, scope) {
            let diagnostic = Diagnostic::new(codes::BAD_CONDITION, expr.span, "a condition compares metrics with constants");
            self.report(diagnostic.help("write `require errors < 1% and p99 < 300ms`"));
        }
    }

    fn check_bool(&self, expr: &'a Expr, scope: &mut Scope<'a>) {
        let have = self.infer(expr, scope);
        if !have.fits(&Type::Bool) {
            self.mismatch(expr.span, &have, &Type::Bool);
        }
    }

    /// The type of an expression by itself.
    pub(crate) fn infer(&self, expr: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        match &expr.kind {
            ExprKind::Literal(value) => literal(value),
            ExprKind::Template(parts) => {
                for part in parts {
                    if let Part::Expr(inner) = part {
                        self.check_part(inner, scope);
                    }
                }
                Type::String
            }
            ExprKind::Tagged(tag, _) => {
                let detail = format!("a `{}` text stands only at a metric", tag.name);
                self.error(codes::BAD_QUERY, expr.span, detail);
                Type::Error
            }
            ExprKind::Name(name) => self.name_type(name, expr.span, scope),
            ExprKind::Get(base, name) => self.member(base, name, expr.span, scope),
            ExprKind::Index(base, index) => self.index(base, index, scope),
            ExprKind::Call(function, args) => self.call(function, args, expr.span, scope),
            ExprKind::Unary(UnaryOp::Not, inner) => {
                self.check_bool(inner, scope);
                Type::Bool
            }
            ExprKind::Unary(UnaryOp::Minus, inner) => {
                let ty = self.infer(inner, scope);
                if !matches!(ty.core(), Type::Int | Type::Number | Type::Unit(_) | Type::Error) {
                    self.error(codes::OPERAND_MISMATCH, expr.span, format!("`-` works on numbers, this is `{ty}`"));
                    return Type::Error;
                }
                ty.core().clone()
            }
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, expr.span, scope),
            ExprKind::If(parts) => {
                self.check_expr(&parts[0], &Type::Bool, scope);
                let then = self.infer(&parts[1], scope);
                then.join(self.infer(&parts[2], scope))
            }
            ExprKind::List(clause, items) => {
                let mut element = None;
                let mut each = |scope: &mut Scope<'a>| {
                    for item in items {
                        let ty = self.infer(item, scope).widened();
                        element = Some(match element.take() {
                            None => ty,
                            Some(so_far) => Type::join(so_far, ty),
                        });
                    }
                };
                match clause {
                    Some(clause) => self.with_clause(clause, scope, each),
                    None => each(scope),
                }
                Type::List(Arc::new(element.unwrap_or(Type::Error)))
            }
            ExprKind::Map(clause, entries) => self.infer_map(clause.as_deref(), entries, scope),
            ExprKind::Broken => Type::Error,
        }
    }

    fn infer_map(&self, clause: Option<&'a ForClause>, entries: &'a [Entry], scope: &mut Scope<'a>) -> Type<'a> {
        if let Some(clause) = clause {
            let mut element = Type::Error;
            self.with_clause(clause, scope, |scope| {
                for entry in entries {
                    self.check_expr(&entry.key, &Type::String, scope);
                    element = self.infer(&entry.value, scope).widened();
                }
            });
            return Type::Map(Arc::new(element));
        }
        let mut fields = IndexMap::new();
        let mut computed = false;
        for entry in entries {
            let ty = self.infer(&entry.value, scope).widened();
            let name = match &entry.key.kind {
                ExprKind::Literal(Value::Str(name)) => name.clone(),
                _ => {
                    self.check_expr(&entry.key, &Type::String, scope);
                    computed = true;
                    Name::default()
                }
            };
            let field = FieldType { ty, optional: false, default: None, span: entry.key.span };
            if fields.insert(name.clone(), field).is_some() && !computed {
                self.error(codes::DUPLICATE, entry.key.span, format!("the key `{name}` occurs twice"));
            }
        }
        if computed {
            let element = fields.into_iter().map(|(_, f)| f.ty).reduce(Type::join).unwrap_or(Type::Error);
            return Type::Map(Arc::new(element));
        }
        Type::Record(Arc::new(Record { name: None, fields, open: false, module: scope.module }))
    }

    fn check_part(&self, inner: &'a Expr, scope: &mut Scope<'a>) {
        let ty = self.infer(inner, scope);
        match ty.core() {
            Type::Secret(_) => {
                let detail = "a secret cannot be put into a plain text";
                let help = "pass the secret by itself, for example as a variable of its own in `env`";
                self.report(Diagnostic::new(codes::SECRET_EXPOSED, inner.span, detail).help(help));
            }
            Type::List(_) | Type::Map(_) | Type::Record(_) | Type::Ref(_) | Type::None => {
                let detail = format!("`{ty}` has no text form");
                self.error(codes::MISMATCH, inner.span, detail);
            }
            _ if matches!(ty, Type::Optional(_)) => {
                let detail = format!("`{ty}` may be absent");
                self.report(Diagnostic::new(codes::MISMATCH, inner.span, detail).help("say what to use instead: `value ?? \"…\"`"));
            }
            _ => {}
        }
    }

    fn name_type(&self, name: &Name, span: Span, scope: &Scope<'a>) -> Type<'a> {
        if let Some(ty) = scope.local(name) {
            return ty.clone();
        }
        match self.names.value(scope.module, name) {
            Some(Symbol::Param(param)) => param.ty.map_or(Type::String, |ty| self.resolve(scope.module, ty, false)),
            Some(Symbol::Let(_)) => self.let_type(scope.module, name),
            Some(Symbol::Secret(secret)) => {
                let inner = secret.ty.map_or(Type::String, |ty| self.resolve(scope.module, ty, false));
                Type::Secret(Arc::new(inner))
            }
            Some(Symbol::Service(_)) => Type::Ref(RefKind::Service),
            Some(Symbol::Strategy(_)) => Type::Ref(RefKind::Strategy),
            Some(Symbol::Environment(_)) => Type::Ref(RefKind::Environment),
            Some(Symbol::Fn(_)) => {
                let diagnostic = Diagnostic::new(codes::MISMATCH, span, format!("`{name}` is a function"));
                self.report(diagnostic.help(format!("call it: `{name}(…)`")));
                Type::Error
            }
            Some(Symbol::Import(_)) => {
                let diagnostic = Diagnostic::new(codes::MISMATCH, span, format!("`{name}` is a module"));
                self.report(diagnostic.help(format!("name something in it: `{name}.…`")));
                Type::Error
            }
            None => {
                self.unknown_name(name, span, scope);
                Type::Error
            }
        }
    }

    fn unknown_name(&self, name: &str, span: Span, scope: &Scope<'a>) {
        if self.is_broken(scope.module, name) {
            return;
        }
        let mut diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, span, format!("there is no `{name}`"));
        let known = self.names.module(scope.module).values.keys().map(Name::as_str);
        let locals = scope.locals.iter().map(|(local, _)| local.as_str());
        let functions = builtins::BUILTINS.iter().map(|b| b.name);
        if let Some(meant) = suggest::nearest(name, known.chain(locals).chain(functions)) {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?")).fix(span, meant);
        }
        self.report(diagnostic);
    }

    fn member(&self, base: &'a Expr, name: &Ident, span: Span, scope: &mut Scope<'a>) -> Type<'a> {
        if let ExprKind::Name(alias) = &base.kind
            && scope.local(alias).is_none()
        {
            let key = format!("{alias}.{}", name.name);
            if self.names.module(scope.module).providers.contains_key(key.as_str()) {
                return Type::Ref(RefKind::Provider);
            }
            if let Some(Symbol::Import(module)) = self.names.value(scope.module, alias) {
                return self.imported_value(*module, alias, name, span);
            }
        }
        let ty = self.infer(base, scope);
        let record = match ty.core() {
            Type::Ref(RefKind::Service) => self.prelude_type("Service"),
            other => other.clone(),
        };
        match (&ty, record) {
            (Type::Optional(_), _) => {
                let detail = format!("`{ty}` may be absent");
                self.report(Diagnostic::new(codes::NO_MEMBER, name.span, detail).help("say what to use instead: `(value ?? …)`"));
                Type::Error
            }
            (_, Type::Record(record)) => match record.fields.get(&name.name) {
                Some(field) if field.optional => Type::Optional(Arc::new(field.ty.clone())),
                Some(field) => field.ty.clone(),
                None => {
                    self.report(crate::block::unknown(name, &record, codes::NO_MEMBER));
                    Type::Error
                }
            },
            (_, Type::Map(element)) => (*element).clone(),
            (_, Type::Error | Type::Any) => Type::Error,
            (_, other) => {
                self.error(codes::NO_MEMBER, name.span, format!("`{other}` has no members"));
                Type::Error
            }
        }
    }

    fn imported_value(&self, module: crate::program::ModuleId, alias: &Name, name: &Ident, span: Span) -> Type<'a> {
        match self.names.value(module, &name.name) {
            Some(Symbol::Let(_)) => self.let_type(module, &name.name),
            Some(Symbol::Param(param)) => param.ty.map_or(Type::String, |ty| self.resolve(module, ty, false)),
            Some(Symbol::Service(_)) => Type::Ref(RefKind::Service),
            Some(Symbol::Strategy(_)) => Type::Ref(RefKind::Strategy),
            Some(Symbol::Fn(_)) => Type::Error, // only reached without a call, which `call` reports
            _ => {
                let mut diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, name.span, format!("`{alias}` has no `{}`", name.name));
                let types = self.names.module(module).types.keys().map(Name::as_str);
                if let Some(meant) = suggest::nearest(&name.name, types) {
                    diagnostic = diagnostic.help(format!("did you mean `{alias}.{meant}`?")).fix(name.span, meant);
                }
                if self.names.module(module).types.contains_key(&name.name) {
                    let help = format!("declare the provider: `provider {alias}.{} {{ }}`", name.name);
                    diagnostic =
                        Diagnostic::new(codes::UNKNOWN_NAME, span, format!("the provider `{alias}.{}` is not declared", name.name))
                            .help(help);
                }
                self.report(diagnostic);
                Type::Error
            }
        }
    }

    fn index(&self, base: &'a Expr, index: &'a Expr, scope: &mut Scope<'a>) -> Type<'a> {
        let ty = self.infer(base, scope);
        match ty.core() {
            Type::List(element) => {
                self.check_expr(index, &Type::Int, scope);
                (**element).clone()
            }
            Type::Map(element) => {
                self.check_expr(index, &Type::String, scope);
                (**element).clone()
            }
            Type::Record(record) => {
                self.check_expr(index, &Type::String, scope);
                record.fields.values().map(|f| f.ty.clone()).reduce(Type::join).unwrap_or(Type::Error)
            }
            Type::Error | Type::Any => Type::Error,
            other => {
                self.error(codes::NOT_INDEXABLE, base.span, format!("`{other}` is no list and no map"));
                Type::Error
            }
        }
    }

    fn call(&self, function: &'a Expr, args: &'a [(Option<Ident>, Expr)], span: Span, scope: &mut Scope<'a>) -> Type<'a> {
        let (module, name) = match &function.kind {
            ExprKind::Name(name) => (scope.module, name),
            ExprKind::Get(alias, name) => match &alias.kind {
                ExprKind::Name(alias) => match self.names.value(scope.module, alias) {
                    Some(Symbol::Import(module)) => (*module, &name.name),
                    _ => (scope.module, &name.name),
                },
                _ => (scope.module, &name.name),
            },
            _ => {
                self.error(codes::NOT_CALLABLE, function.span, "only a function's name can be called");
                return Type::Error;
            }
        };
        if let Some(Symbol::Fn(item)) = self.names.value(module, name) {
            let item: &'a dax_syntax::ast::FnItem = item;
            return self.call_fn(module, item, args, span, scope);
        }
        if let (ExprKind::Name(_), Some(builtin)) = (&function.kind, builtins::find(name)) {
            if args.len() != builtin.takes.len() || args.iter().any(|(named, _)| named.is_some()) {
                let detail = format!("`{name}` takes {} arguments without names, here are {}", builtin.takes.len(), args.len());
                self.error(codes::WRONG_ARGUMENTS, span, detail);
                return builtin.gives.ty(None);
            }
            let first = self.infer(&args[0].1, scope);
            let wanted = builtin.takes[0].ty(None);
            if !first.fits(&wanted) || matches!(first.core(), Type::Secret(_)) {
                let want = if matches!(wanted, Type::Any) { Type::String } else { wanted };
                self.mismatch(args[0].1.span, &first, &want);
                return Type::Error;
            }
            for ((_, arg), kind) in args.iter().zip(builtin.takes).skip(1) {
                self.check_expr(arg, &kind.ty(Some(&first)), scope);
            }
            return builtin.gives.ty(Some(&first));
        }
        match self.names.value(module, name) {
            None => self.unknown_name(name, function.span, scope),
            Some(_) => self.error(codes::NOT_CALLABLE, function.span, format!("`{name}` is no function")),
        }
        Type::Error
    }

    fn call_fn(
        &self,
        module: crate::program::ModuleId,
        item: &'a dax_syntax::ast::FnItem,
        args: &'a [(Option<Ident>, Expr)],
        span: Span,
        scope: &mut Scope<'a>,
    ) -> Type<'a> {
        let mut given = vec![false; item.params.len()];
        for (position, (named, arg)) in args.iter().enumerate() {
            let at = match named {
                Some(named) => item.params.iter().position(|(param, _)| param.name == named.name),
                None => (position < item.params.len()).then_some(position),
            };
            match at {
                Some(at) if !given[at] => {
                    given[at] = true;
                    self.check_expr(arg, &self.resolve(module, &item.params[at].1, false), scope);
                }
                _ => self.error(codes::WRONG_ARGUMENTS, arg.span, format!("`{}` does not take this argument", item.name.name)),
            }
        }
        for ((param, ty), _) in item.params.iter().zip(&given).filter(|(_, given)| !**given) {
            let ty = self.resolve(module, ty, false);
            let diagnostic = Diagnostic::new(codes::WRONG_ARGUMENTS, span, format!("the argument `{}: {ty}` is missing", param.name));
            self.report(diagnostic.related(param.span, "it is declared here"));
        }
        self.resolve(module, &item.result, false)
    }

    fn binary(&self, op: BinaryOp, left: &'a Expr, right: &'a Expr, span: Span, scope: &mut Scope<'a>) -> Type<'a> {
        let (l, r) = (self.infer(left, scope), self.infer(right, scope));
        operators::binary_type(op, &l, &r).unwrap_or_else(|| {
            let secret = [&l, &r].into_iter().any(|t| matches!(t.core(), Type::Secret(_)));
            let detail = format!("`{}` does not go with `{l}` on the left and `{r}` on the right", op.symbol());
            self.error(if secret { codes::SECRET_EXPOSED } else { codes::OPERAND_MISMATCH }, span, detail);
            Type::Error
        })
    }

    /// Runs `inner` with the variables of a comprehension.
    fn with_clause(&self, clause: &'a ForClause, scope: &mut Scope<'a>, inner: impl FnOnce(&mut Scope<'a>)) {
        let source = self.infer(&clause.source, scope);
        let (key, value) = match source.core() {
            Type::List(element) => (Type::Int, (**element).clone()),
            Type::Map(element) => (Type::String, (**element).clone()),
            Type::Record(record) => {
                let element = record.fields.values().map(|f| f.ty.clone()).reduce(Type::join);
                (Type::String, element.unwrap_or(Type::Error))
            }
            Type::Error => (Type::Error, Type::Error),
            other => {
                self.error(codes::NOT_ITERABLE, clause.source.span, format!("`{other}` is no list and no map"));
                (Type::Error, Type::Error)
            }
        };
        let before = scope.locals.len();
        let of_map = matches!(source.core(), Type::Map(_) | Type::Record(_));
        match &clause.second {
            Some(second) => {
                scope.locals.push((clause.first.name.clone(), key));
                scope.locals.push((second.name.clone(), value));
            }
            None => scope.locals.push((clause.first.name.clone(), if of_map { key } else { value })),
        }
        if let Some(condition) = &clause.condition {
            self.check_expr(condition, &Type::Bool, scope);
        }
        inner(scope);
        scope.locals.truncate(before);
    }
}

fn literal<'a>(value: &Value) -> Type<'a> {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Decimal(_) => Type::Number,
        Value::Quantity(quantity) => Type::Unit(quantity.unit),
        Value::Str(text) => Type::Literal(text.clone()),
        Value::None => Type::None,
        _ => Type::Error,
    }
}

/// Whether an expression has the shape that an analysis can carry.
fn is_condition(expr: &Expr, scope: &Scope<'_>) -> bool {
    let metric = |e: &Expr| matches!(&e.kind, ExprKind::Name(name) if scope.local(name).is_some());
    match &expr.kind {
        ExprKind::Binary(BinaryOp::And | BinaryOp::Or, left, right) => is_condition(left, scope) && is_condition(right, scope),
        ExprKind::Unary(UnaryOp::Not, inner) => is_condition(inner, scope),
        ExprKind::Binary(op, left, right) if *op != BinaryOp::In => metric(left) != metric(right),
        _ => false,
    }
}
